//! From the parser's tree to our own: redirections and here-documents.

use super::lower::{Lowering, unsupported};
use crate::model::doubt::Doubt;
use crate::shell::ir::{Piece, Redirect, RedirectKind, Word};
use crate::shell::spans::Spans;
use crate::shell::word::{Mode, continued};
use shuck_ast as ast;

impl Lowering<'_> {
    pub(super) fn redirects(&self, redirects: &[ast::Redirect]) -> Result<Vec<Redirect>, Doubt> {
        redirects.iter().map(|redirect| self.redirect(redirect)).collect()
    }

    fn redirect(&self, redirect: &ast::Redirect) -> Result<Redirect, Doubt> {
        if redirect.fd.is_none() && self.is_numbered(redirect) {
            return Err(unsupported("a descriptor before `<<`"));
        }
        let kind = match &redirect.target {
            ast::RedirectTarget::Heredoc(heredoc) => RedirectKind::Text(self.heredoc(heredoc)?),
            ast::RedirectTarget::Word(target) => {
                let word = if target.span.start.offset() < target.span.end.offset() {
                    self.word(target)?
                } else {
                    self.descriptor(target)?
                };
                match redirect.kind {
                    ast::RedirectKind::Output
                    | ast::RedirectKind::Clobber
                    | ast::RedirectKind::Append
                    | ast::RedirectKind::OutputBoth => RedirectKind::Output(word),
                    ast::RedirectKind::Input => RedirectKind::Input(word),
                    ast::RedirectKind::ReadWrite => RedirectKind::Both(word),
                    ast::RedirectKind::HereString => RedirectKind::Text(word),
                    ast::RedirectKind::DupOutput | ast::RedirectKind::DupInput => {
                        RedirectKind::Duplicate(word)
                    }
                    ast::RedirectKind::HereDoc | ast::RedirectKind::HereDocStrip => {
                        return Err(unsupported("a here-document without a body"));
                    }
                }
            }
        };
        // What `<&` alone makes anew is the input.
        let fd = match redirect.kind {
            ast::RedirectKind::DupInput => redirect.fd.or(Some(0)),
            ast::RedirectKind::DupOutput => redirect.fd.or(Some(1)),
            _ => redirect.fd,
        };
        Ok(Redirect { fd, kind })
    }

    /// Whether a number stands right before `<<` or `<<<`: a descriptor to bash, a word of the
    /// command to the parser.
    fn is_numbered(&self, redirect: &ast::Redirect) -> bool {
        let text = match (&redirect.target, redirect.kind) {
            (ast::RedirectTarget::Heredoc(heredoc), _) => heredoc.delimiter.span,
            (ast::RedirectTarget::Word(word), ast::RedirectKind::HereString) => word.span,
            (ast::RedirectTarget::Word(_), _) => return false,
        };
        let head = self.source.get(..text.start.offset()).unwrap_or_default();
        let operator = head.rfind("<<").unwrap_or_default();
        let before = head.get(..operator).unwrap_or_default().trim_end_matches('<');
        let word = before.trim_end_matches(|c: char| c.is_ascii_digit());
        let ends = |c: char| c.is_whitespace() || ";|&()<>`".contains(c);
        word.len() < before.len() && word.chars().next_back().is_none_or(ends)
    }

    /// The `1` of `2>&1` has no place of its own in the parser's tree.
    fn descriptor(&self, word: &ast::Word) -> Result<Word, Doubt> {
        let text = word.render(self.source);
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
            return Err(unsupported("a redirection without a target"));
        }
        Ok(Word::quoted(&text))
    }

    /// Where a here-document ends is found after continued lines are joined: in its delimiter
    /// always, in its body unless that is quoted.
    fn check_delimiter(&self, heredoc: &ast::Heredoc) -> Result<(), Doubt> {
        let (start, end) =
            (heredoc.delimiter.span.start.offset(), heredoc.delimiter.span.end.offset());
        let line = self.source.get(..start).unwrap_or_default();
        let operator = line.rfind("<<").unwrap_or_default();
        let after = self.source.get(end..).unwrap_or_default();
        let joined = after.starts_with("\\\n")
            && !after.trim_start_matches("\\\n").starts_with([' ', '\t', '\n']);
        if joined || self.source.get(operator..end).unwrap_or_default().contains("\\\n") {
            return Err(continued());
        }
        if !heredoc.delimiter.expands_body {
            return Ok(());
        }
        let span = heredoc.body.span;
        let body = self.source.get(span.start.offset()..span.end.offset()).unwrap_or_default();
        if !body.contains("\\\n") {
            return Ok(());
        }
        let whole = body.replace("\\\n", "");
        let ends = whole
            .lines()
            .any(|line| line.trim_start_matches('\t') == heredoc.delimiter.cooked.as_str());
        let in_token = body.match_indices("\\\n").any(|(at, _)| {
            let before = body.get(..at).unwrap_or_default();
            let word = before.trim_end_matches(|c: char| c == '_' || c.is_ascii_alphanumeric());
            word.ends_with(['$', '{', '('])
        });
        if ends || in_token || body.ends_with("\\\n") { Err(continued()) } else { Ok(()) }
    }

    fn heredoc(&self, heredoc: &ast::Heredoc) -> Result<Word, Doubt> {
        let body = &heredoc.body;
        self.check_delimiter(heredoc)?;
        if !heredoc.delimiter.expands_body {
            self.quoted.borrow_mut().push(body.span.start.offset()..body.span.end.offset());
            return Ok(Word::quoted(&body.render(self.source)));
        }
        let mut word = Word::default();
        for part in &body.parts {
            let mut spans = Spans::default();
            spans.add(part.span, false);
            match &part.kind {
                ast::HeredocBodyPart::Literal(text) => {
                    let text = text.as_str(self.source, part.span).to_owned();
                    word.pieces.push(Piece::Text { text, quoted: true });
                    continue;
                }
                ast::HeredocBodyPart::Variable(_)
                | ast::HeredocBodyPart::CommandSubstitution { .. } => {}
                ast::HeredocBodyPart::ArithmeticExpansion { expression_word_ast, .. } => {
                    spans.add(part.span, true);
                    spans.word(expression_word_ast);
                }
                ast::HeredocBodyPart::Parameter(parameter) => match parameter.bourne() {
                    Some(bourne) => spans.parameter(bourne),
                    None => return Err(unsupported("a zsh expansion")),
                },
            }
            let (start, end) = (part.span.start.offset(), part.span.end.offset());
            let read = self.reader().read(start, end, Mode::Heredoc, &spans)?;
            word.pieces.extend(read.pieces);
        }
        Ok(word)
    }
}
