//! Where words end: held against the text, since the parser ends some where no shell does.
//!
//! It takes all from an opening brace to its end for one word, blanks and all, and ends others at a
//! bracket. What a shell splits is split here, and where its tokens leave a gap that is no blank
//! the text is not understood.

use super::lower::{Lowering, unsupported};
use crate::model::doubt::Doubt;
use crate::shell::ir::{Piece, Word};
use crate::shell::word::continued;
use shuck_ast as ast;

/// What a token of a simple command is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Token {
    Assignment,
    Word,
    Redirect,
}

impl Lowering<'_> {
    /// Holds the tokens of a simple command against the text: between them are blanks alone.
    pub(super) fn check_tokens(
        &self,
        simple: &ast::SimpleCommand,
        redirects: &[ast::Redirect],
    ) -> Result<(), Doubt> {
        let mut tokens: Vec<(usize, usize, Token)> = Vec::new();
        let place = |span: ast::Span| (span.start.offset(), span.end.offset());
        let with = |token| move |(start, end)| (start, end, token);
        let assignments = simple.assignments.iter().map(|one| place(one.span));
        tokens.extend(assignments.map(with(Token::Assignment)));
        let words = std::iter::once(&simple.name).chain(&simple.args).map(|word| place(word.span));
        tokens.extend(words.map(with(Token::Word)));
        for redirect in redirects {
            let (mut start, mut end) = place(redirect.span);
            if let ast::RedirectTarget::Heredoc(heredoc) = &redirect.target {
                end = heredoc.delimiter.span.end.offset();
            }
            if let Some(variable) = redirect.fd_var_span {
                let (name, _) = place(variable);
                // With its brace.
                start = name - usize::from(self.around(name, name).0 == Some('{'));
            }
            tokens.push((start, end, Token::Redirect));
        }
        tokens.retain(|(start, end, _)| start < end);
        tokens.sort_unstable();
        let starts_with = |at: usize, mark: &str| {
            self.source.get(at..).is_some_and(|text| text.starts_with(mark))
        };
        // Where a word would begin, a `#` is a comment, and `!(` no pattern.
        if tokens.iter().any(|(start, _, _)| starts_with(*start, "#"))
            || tokens.first().is_some_and(|(start, _, _)| starts_with(*start, "!("))
        {
            return Err(unsupported("such a word"));
        }
        for pair in tokens.windows(2) {
            let [(begin, end, before), (start, _, after)] = pair else { continue };
            // `&>>` is two redirections for the parser, in one place.
            if start < end && (*before, *after) == (Token::Redirect, Token::Redirect) {
                continue;
            }
            let gap = self.source.get(*end..*start).ok_or_else(|| unsupported("such a word"))?;
            let joined = gap.is_empty()
                && *after != Token::Redirect
                && (*before, *after) != (Token::Word, Token::Word);
            let blanks = gap.replace("\\\n", "");
            if joined || !blanks.chars().all(|c| matches!(c, ' ' | '\t')) {
                return Err(unsupported("a word in two parts"));
            }
            // `x2>f` writes what `x2` says; only a number that stands alone is a descriptor.
            let numbered = |at: &usize| {
                let first = self.source.get(*at..).and_then(|text| text.chars().next());
                first.is_some_and(|c| c.is_ascii_digit() || c == '{')
            };
            if gap.is_empty() && *before == Token::Word {
                // `0<<E` feeds the input: the parser takes that number for a word.
                let word = self.source.get(*begin..*end).unwrap_or_default();
                let number = word.bytes().all(|b| b.is_ascii_digit());
                if numbered(start) || *after == Token::Redirect && (number || word.starts_with('{'))
                {
                    return Err(unsupported("a word in two parts"));
                }
            }
            if blanks.is_empty() && !gap.is_empty() {
                return Err(continued());
            }
        }
        let outer = tokens.first().zip(tokens.last());
        let Some(((start, _, _), (_, end, _))) = outer else { return Ok(()) };
        let (before, after) = self.around(*start, *end);
        if is_end(before) && is_end(after) && after != Some('(') {
            return Ok(());
        }
        Err(unsupported("half of a word"))
    }

    /// Holds the ends of a compound command against the text: `}x` is a word, no brace that closes.
    pub(super) fn check_ends(&self, stmt: &ast::Stmt) -> Result<(), Doubt> {
        let (start, end) = (stmt.span.start.offset(), stmt.span.end.offset());
        // No shell takes a redirection before one; what stands there is a word then.
        if stmt.redirects.iter().any(|redirect| redirect.span.start.offset() <= start) {
            return Err(unsupported("a redirection before a compound command"));
        }
        let (before, mut after) = self.around(start, end);
        if after == Some('}') {
            after = self.around(start, end + 1).1;
        }
        let last = self.source.get(start..end).and_then(|text| text.chars().next_back());
        if is_end(before) && (is_end(after) || last.is_some_and(|c| "\n;&)".contains(c))) {
            return Ok(());
        }
        Err(unsupported("half of a word"))
    }

    fn around(&self, start: usize, end: usize) -> (Option<char>, Option<char>) {
        let before = self.source.get(..start).and_then(|text| text.chars().next_back());
        (before, self.source.get(end..).and_then(|text| text.chars().next()))
    }
}

/// Whether a word may begin or end beside this character.
fn is_end(c: Option<char>) -> bool {
    c.is_none_or(|c| " \t\n;&|()<>\\".contains(c))
}

/// Characters that end a word where they are not quoted.
const ENDS: [char; 8] = [' ', '\t', '\n', ';', '|', '&', '<', '>'];

pub(super) fn has_blank(word: &Word) -> bool {
    word.pieces.iter().any(|piece| match piece {
        Piece::Text { text, quoted: false } => text.contains(ENDS),
        _ => false,
    })
}

/// The parser takes all from a brace to its end for one word; for the shell a blank ends it.
pub(super) fn split(word: Word) -> Result<Vec<Word>, Doubt> {
    if !has_blank(&word) {
        return Ok(vec![word]);
    }
    let mut words = vec![Word::default()];
    for piece in word.pieces {
        let Piece::Text { text, quoted: false } = piece else {
            words.last_mut().into_iter().for_each(|last| last.pieces.push(piece.clone()));
            continue;
        };
        for (at, part) in text.split([' ', '\t']).enumerate() {
            let comment = at > 0 && part.starts_with('#');
            if comment || part.contains(ENDS) {
                return Err(unsupported("a brace over several commands"));
            }
            if at > 0 {
                words.push(Word::default());
            }
            if let Some(last) = words.last_mut().filter(|_| !part.is_empty()) {
                last.pieces.push(Piece::Text { text: part.to_owned(), quoted: false });
            }
        }
    }
    words.retain(|word| !word.pieces.is_empty());
    Ok(words)
}
