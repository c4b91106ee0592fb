//! Program texts cut into tokens: names, operators, strings with what stands in them.
//!
//! What the languages have in common is here: the cursor, escapes, quoted texts with code between,
//! heredocs. Each family's own literals stand in a file of its own. Nothing here fails: what has no
//! end makes the text a broken one, which counts against it. Every character is looked at a
//! constant number of times.

use super::syntax::{Family, Syntax};

/// A piece of a string: what it spells, or code whose value stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Literal(String),
    Code(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Name(String),
    Number(String),
    Op(String),
    /// A string, with its escapes decoded.
    Text(Vec<Part>),
    /// A string that a shell runs.
    Command(Vec<Part>),
    /// A list of words (`%w`, `qw`).
    Words(Vec<String>),
    /// A pattern; the code that runs for each match of it, where there is such.
    Pattern(Option<String>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// It is the first of its line.
    pub(super) newline: bool,
    /// White space stands before it.
    pub(super) space: bool,
}

impl Token {
    pub(super) fn is(&self, op: &str) -> bool {
        matches!(&self.kind, Kind::Op(text) if text == op)
    }

    pub(super) fn name(&self) -> Option<&str> {
        match &self.kind {
            Kind::Name(name) => Some(name),
            _ => None,
        }
    }
}

/// Which escapes a string decodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    /// None: a backslash is one, though it keeps the quote behind it.
    Raw,
    /// A backslash before a quote or a backslash only.
    Quote,
    /// As in C, and what the languages added.
    All,
}

/// What opens code inside a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holes {
    None,
    /// `{code}`, with `{{` for a brace.
    Braces,
    /// `${code}`.
    Dollar,
    /// `#{code}`.
    Hash,
    /// `$name`, `${name}`, `@name`, `{$name}`.
    Variables,
}

/// A heredoc whose body comes with the next line.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) token: usize,
    pub(super) end: String,
    pub(super) holes: Holes,
    pub(super) command: bool,
}

#[derive(Debug)]
pub(super) struct Lexer<'a> {
    pub(super) rest: &'a str,
    pub(super) syntax: &'static Syntax,
    pub(super) tokens: Vec<Token>,
    pub(super) pending: Vec<Pending>,
    /// Something has no end.
    pub(super) broken: bool,
    pub(super) newline: bool,
    pub(super) space: bool,
}

/// The tokens of a text, and whether all of it could be read.
pub(super) fn tokens(text: &str, syntax: &'static Syntax) -> (Vec<Token>, bool) {
    let mut lexer = Lexer {
        rest: text,
        syntax,
        tokens: Vec::new(),
        pending: Vec::new(),
        broken: false,
        newline: true,
        space: false,
    };
    while !lexer.rest.is_empty() {
        lexer.step();
    }
    let broken = lexer.broken || !lexer.pending.is_empty();
    (lexer.tokens, broken)
}

impl Lexer<'_> {
    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn second(&self) -> Option<char> {
        self.rest.chars().nth(1)
    }

    pub(super) fn bump(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next();
        self.rest = chars.as_str();
        c
    }

    pub(super) fn eat(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    pub(super) fn take(&mut self, fits: impl Fn(char) -> bool) -> String {
        let rest = self.rest.trim_start_matches(&fits);
        let taken = self.rest.strip_suffix(rest).unwrap_or_default().to_owned();
        self.rest = rest;
        taken
    }

    pub(super) fn push(&mut self, kind: Kind) {
        self.tokens.push(Token { kind, newline: self.newline, space: self.space });
        (self.newline, self.space) = (false, false);
    }

    pub(super) fn op(&mut self, text: &str) {
        self.push(Kind::Op(text.to_owned()));
    }

    /// Skips all up to `end`, and `end` itself.
    pub(super) fn skip_past(&mut self, end: &str) {
        match self.rest.split_once(end) {
            Some((_, rest)) => self.rest = rest,
            None => self.rest = "",
        }
    }

    /// Whether a value ends right here, so that `/` divides and `<<` shifts.
    pub(super) fn after_value(&self) -> bool {
        match self.tokens.last().map(|token| &token.kind) {
            Some(Kind::Name(name)) => !self.syntax.before_value.contains(&name.as_str()),
            Some(Kind::Op(op)) => matches!(op.as_str(), ")" | "]" | "}"),
            Some(_) => true,
            None => false,
        }
    }

    fn step(&mut self) {
        let Some(c) = self.peek() else { return };
        if c == '\n' {
            self.bump();
            (self.newline, self.space) = (true, true);
            return self.bodies();
        }
        if c.is_whitespace() {
            self.bump();
            self.space = true;
            return;
        }
        if c == '\\' && self.second() == Some('\n') {
            self.bump();
            self.bump();
            self.space = true;
            return;
        }
        if self.comment() || self.literal() {
            return;
        }
        if c.is_ascii_digit() {
            let number = self.take(|c| c.is_ascii_alphanumeric() || c == '_');
            return self.push(Kind::Number(number));
        }
        if self.is_name_start(c) {
            let name = self.word();
            return self.push(Kind::Name(name));
        }
        self.operator(c);
    }

    fn is_name_start(&self, c: char) -> bool {
        let sigil = match self.syntax.family {
            Family::Perl => {
                matches!(c, '$' | '@' | '%' | '&')
                    && !(self.after_value() && matches!(c, '%' | '&'))
            }
            Family::Php => c == '$' || c == '\\' && self.second().is_some_and(char::is_alphabetic),
            Family::Ruby => matches!(c, '$' | '@'),
            Family::JavaScript => c == '$' || c == '#',
            _ => false,
        };
        let named = |c: char| c.is_alphanumeric() || matches!(c, '_' | '{' | '$' | '@' | '(');
        c.is_alphabetic()
            || c == '_'
            || sigil
                && (self.syntax.family == Family::JavaScript || self.second().is_some_and(named))
    }

    /// A name with its sigil and the `::` in it.
    pub(super) fn word(&mut self) -> String {
        let mut name = self.take(|c| matches!(c, '$' | '@' | '%' | '&' | '\\' | '#'));
        name += &self.take(|c| c.is_alphanumeric() || matches!(c, '_' | '$'));
        let scoped = matches!(self.syntax.family, Family::Perl | Family::Ruby | Family::Php);
        if self.syntax.family == Family::Ruby && self.second() != Some('=') && !name.is_empty() {
            name += &self.take_one(|c| matches!(c, '?' | '!'));
        }
        while scoped && !name.is_empty() {
            let mark = if self.syntax.family == Family::Php { "\\" } else { "::" };
            let inner = self.rest.strip_prefix(mark).and_then(|rest| rest.chars().next());
            if !inner.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                break;
            }
            self.eat(mark);
            name += mark;
            name += &self.take(|c| c.is_alphanumeric() || c == '_');
        }
        name
    }

    fn take_one(&mut self, fits: impl Fn(char) -> bool) -> String {
        match self.peek() {
            Some(c) if fits(c) => {
                self.bump();
                c.to_string()
            }
            _ => String::new(),
        }
    }

    fn operator(&mut self, c: char) {
        const LONG: [&str; 34] = [
            "===", "!==", "**=", "||=", "&&=", "??=", "//=", "<=>", "...", "==", "!=", "<=", ">=",
            "=>", "->", "::", "||", "&&", "??", "?.", "+=", "-=", "*=", ".=", ":=", "=~", "!~",
            "<<", ">>", "**", "..", "//", "|&", "<-",
        ];
        for op in LONG {
            if self.rest.starts_with(op) {
                // R's arrow only; elsewhere it compares with a negative. Slices are no scopes.
                let family = self.syntax.family;
                if op == "<-" && family != Family::R || op == "::" && family == Family::Python {
                    continue;
                }
                self.eat(op);
                return self.op(op);
            }
        }
        self.bump();
        self.op(c.encode_utf8(&mut [0; 4]));
    }

    fn comment(&mut self) -> bool {
        for mark in self.syntax.line_comments {
            if self.rest.starts_with(mark) {
                self.take(|c| c != '\n');
                return true;
            }
        }
        if self.syntax.block_comments && self.eat("/*") {
            self.skip_past("*/");
            self.space = true;
            return true;
        }
        false
    }

    fn literal(&mut self) -> bool {
        match self.syntax.family {
            Family::Python => self.python(),
            Family::JavaScript => self.javascript(),
            Family::Perl => self.perl(),
            Family::Ruby => self.ruby(),
            Family::Php => self.php(),
            Family::Lua => self.lua(),
            Family::Awk => self.awk(),
            Family::R | Family::Java | Family::AppleScript | Family::Other => self.plain(),
        }
    }
}
