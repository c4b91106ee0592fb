//! The literals that each family has of its own.

use super::lexer::{Escapes, Holes, Kind, Lexer, Part};

impl Lexer<'_> {
    /// `r'..'`, `b".."`, `f'{x}'`, `'''..'''` and their mixtures.
    pub(super) fn python(&mut self) -> bool {
        let after = self.rest.trim_start_matches(|c: char| "rRbBuUfFtT".contains(c));
        let prefix = self.rest.strip_suffix(after).unwrap_or_default().to_lowercase();
        let Some(quote @ ('"' | '\'')) = after.chars().next() else { return false };
        if prefix.len() > 2 {
            return false;
        }
        self.rest = after;
        let escapes = if prefix.contains('r') { Escapes::Raw } else { Escapes::All };
        let formatted = prefix.contains(['f', 't']);
        let holes = if formatted { Holes::Braces } else { Holes::None };
        let triple = if quote == '"' { "\"\"\"" } else { "'''" };
        let parts = if self.eat(triple) {
            self.quoted_long(triple, escapes, holes)
        } else {
            self.bump();
            self.quoted(quote, None, escapes, holes)
        };
        self.push(Kind::Text(parts));
        true
    }

    /// `'..'`, `".."`, `` `..${x}..` ``, `/re/flags`.
    pub(super) fn javascript(&mut self) -> bool {
        match self.peek() {
            Some('`') => {
                self.bump();
                let parts = self.quoted('`', None, Escapes::All, Holes::Dollar);
                self.push(Kind::Text(parts));
                true
            }
            Some('/') if !self.after_value() => self.pattern(),
            _ => self.plain(),
        }
    }

    /// `/re/flags`, where a class may hold a `/`.
    fn pattern(&mut self) -> bool {
        self.bump();
        let mut class = false;
        loop {
            match self.bump() {
                None | Some('\n') => {
                    self.broken = true;
                    break;
                }
                Some('\\') => {
                    self.bump();
                }
                Some('[') => class = true,
                Some(']') => class = false,
                Some('/') if !class => break,
                Some(_) => {}
            }
        }
        self.take(|c| c.is_ascii_alphabetic());
        self.push(Kind::Pattern(None));
        true
    }

    /// `$/`, `$!` and the other variables without a letter.
    fn special(&mut self) -> bool {
        if self.rest.starts_with("$#") {
            self.bump();
            self.bump();
            let name = self.take(|c| c.is_alphanumeric() || c == '_' || c == '$');
            self.push(Kind::Name(format!("$#{name}")));
            return true;
        }
        let mark = self.second().filter(|c| "/!,.;\\\"'`&|<>+^~=%:?-@".contains(*c));
        let Some(mark) = mark.filter(|_| self.peek() == Some('$')) else { return false };
        let scope = mark == ':' && self.rest.starts_with("$::");
        if scope || mark == '@' && self.rest.starts_with("$@{") {
            return false;
        }
        self.bump();
        self.bump();
        self.push(Kind::Name(format!("${mark}")));
        true
    }

    /// The character that closes what `open` opened.
    fn closing(open: char) -> (char, Option<char>) {
        match open {
            '(' => (')', Some('(')),
            '[' => (']', Some('[')),
            '{' => ('}', Some('{')),
            '<' => ('>', Some('<')),
            other => (other, None),
        }
    }

    /// `q`, `qq`, `qw`, `qx`, `m`, `qr`, `s`, `tr`, `y`, backticks, heredocs, patterns, pod.
    pub(super) fn perl(&mut self) -> bool {
        if self.newline && self.pod() || self.special() {
            return true;
        }
        match self.peek() {
            Some('\'') => {
                self.bump();
                let parts = self.quoted('\'', None, Escapes::Quote, Holes::None);
                self.push(Kind::Text(parts));
                return true;
            }
            Some(quote @ ('"' | '`')) => {
                self.bump();
                let parts = self.quoted(quote, None, Escapes::All, Holes::Variables);
                self.push(if quote == '"' { Kind::Text(parts) } else { Kind::Command(parts) });
                return true;
            }
            Some('/') if !self.after_value() => return self.pattern(),
            Some('<') if self.rest.starts_with("<<") && !self.after_value() => {
                return self.starts_heredoc();
            }
            _ => {}
        }
        const OPERATORS: [&str; 9] = ["qq", "qw", "qx", "qr", "tr", "q", "m", "s", "y"];
        for name in OPERATORS {
            let Some(rest) = self.rest.strip_prefix(name) else { continue };
            let trimmed = rest.trim_start();
            let spaced = trimmed.len() != rest.len();
            let Some(open) = trimmed.chars().next() else { continue };
            let plain = open.is_alphanumeric() || matches!(open, '_' | ',' | ';' | ')' | '=');
            let delimits = !plain && (!spaced || open != '#');
            let member = self.tokens.last().is_some_and(|last| last.is("->"));
            if rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')
                || !delimits
                || member
                || rest.starts_with("=>")
            {
                continue;
            }
            self.rest = trimmed;
            self.perl_operator(name, open);
            return true;
        }
        false
    }

    fn perl_operator(&mut self, name: &str, open: char) {
        self.bump();
        let (close, nests) = Self::closing(open);
        let plain = open == '\'';
        let holes = if plain { Holes::None } else { Holes::Variables };
        match name {
            "q" => {
                let parts = self.quoted(close, nests, Escapes::Quote, Holes::None);
                self.push(Kind::Text(parts));
            }
            "qq" => {
                let parts = self.quoted(close, nests, Escapes::All, Holes::Variables);
                self.push(Kind::Text(parts));
            }
            "qx" => {
                let parts = self.quoted(close, nests, Escapes::All, holes);
                self.push(Kind::Command(parts));
            }
            "qw" => self.word_list(close, nests),
            _ => {
                self.quoted(close, nests, Escapes::Raw, Holes::None);
                let mut second = String::new();
                if matches!(name, "s" | "tr" | "y") {
                    let (close, nests) = if nests.is_some() {
                        self.take(char::is_whitespace);
                        self.bump().map_or((close, nests), Self::closing)
                    } else {
                        (close, None)
                    };
                    let parts = self.quoted(close, nests, Escapes::Raw, Holes::None);
                    second = literal(&parts);
                }
                let flags = self.take(|c| c.is_ascii_alphabetic());
                // `s/../code/e` runs its second half.
                let runs = name == "s" && flags.contains('e');
                self.push(Kind::Pattern(runs.then_some(second)));
            }
        }
    }

    fn word_list(&mut self, close: char, nests: Option<char>) {
        let parts = self.quoted(close, nests, Escapes::Quote, Holes::None);
        let words = literal(&parts);
        self.push(Kind::Words(words.split_whitespace().map(str::to_owned).collect()));
    }

    /// `=pod` to `=cut`, and all behind `__END__`.
    fn pod(&mut self) -> bool {
        if self.rest.starts_with("__END__") || self.rest.starts_with("__DATA__") {
            self.rest = "";
            return true;
        }
        let pod =
            self.rest.strip_prefix('=').is_some_and(|rest| rest.starts_with(char::is_alphabetic));
        if pod {
            self.skip_past("\n=cut");
            self.take(|c| c != '\n');
        }
        pod
    }

    /// `<<END`, `<<"END"`, `<<'END'`, `<<~END`, `<<-END`.
    fn starts_heredoc(&mut self) -> bool {
        let Some(rest) = self.rest.strip_prefix("<<") else { return false };
        let rest = rest.strip_prefix(['~', '-']).unwrap_or(rest);
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'));
        let (end, after) = match quote {
            Some(quote) => {
                let inner = rest.strip_prefix(quote).unwrap_or_default();
                let Some((end, after)) = inner.split_once(quote) else { return false };
                (end, after)
            }
            None => {
                let after = rest.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
                (rest.strip_suffix(after).unwrap_or_default(), after)
            }
        };
        let starts_well = |c: char| c.is_alphabetic() || c == '_';
        if quote.is_none() && !end.starts_with(starts_well) {
            return false;
        }
        let holes = match (quote, self.syntax.family) {
            (Some('\''), _) => Holes::None,
            (_, super::syntax::Family::Ruby) => Holes::Hash,
            _ => Holes::Variables,
        };
        let end = end.to_owned();
        self.rest = after;
        self.heredoc(end, holes, quote == Some('`'));
        true
    }

    /// `%w`, `%x`, `%q`, `:symbol`, backticks, heredocs, patterns, `=begin`.
    pub(super) fn ruby(&mut self) -> bool {
        if self.newline && self.rest.starts_with("=begin") {
            self.skip_past("\n=end");
            return true;
        }
        if self.newline && self.rest.starts_with("__END__") {
            self.rest = "";
            return true;
        }
        if self.special() {
            return true;
        }
        match (self.peek(), self.second()) {
            (Some('\''), _) => {
                self.bump();
                let parts = self.quoted('\'', None, Escapes::Quote, Holes::None);
                self.push(Kind::Text(parts));
            }
            (Some(quote @ ('"' | '`')), _) => {
                self.bump();
                let parts = self.quoted(quote, None, Escapes::All, Holes::Hash);
                self.push(if quote == '"' { Kind::Text(parts) } else { Kind::Command(parts) });
            }
            (Some(':'), Some('"' | '\'')) => {
                self.bump();
                return self.ruby();
            }
            (Some(':'), Some(c)) if c.is_alphabetic() || c == '_' => {
                self.bump();
                let name = self.take(|c| c.is_alphanumeric() || c == '_');
                self.push(Kind::Text(vec![Part::Literal(name)]));
            }
            (Some('/'), _) if !self.after_value() => return self.pattern(),
            (Some('<'), Some('<')) if !self.after_value() || self.names_heredoc() => {
                return self.starts_heredoc();
            }
            (Some('%'), Some(_)) if !self.after_value() || self.space => return self.percent(),
            _ => return false,
        }
        true
    }

    fn names_heredoc(&self) -> bool {
        let rest = self.rest.strip_prefix("<<").unwrap_or_default();
        rest.starts_with(['~', '-', '\'', '"']) && self.space
    }

    fn percent(&mut self) -> bool {
        let rest = self.rest.strip_prefix('%').unwrap_or_default();
        let letter = rest.chars().next().filter(|c| "wWiIqQxrs".contains(*c));
        let after = letter.map_or(rest, |letter| rest.strip_prefix(letter).unwrap_or_default());
        let Some(open) = after.chars().next() else { return false };
        if open.is_alphanumeric() || open.is_whitespace() || open == '=' {
            return false;
        }
        if letter.is_none() && !matches!(open, '(' | '[' | '{' | '<' | '|' | '!') {
            return false;
        }
        self.rest = after;
        self.bump();
        let (close, nests) = Self::closing(open);
        match letter {
            Some('w' | 'W' | 'i' | 'I') => self.word_list(close, nests),
            Some('q' | 's') => {
                let parts = self.quoted(close, nests, Escapes::Quote, Holes::None);
                self.push(Kind::Text(parts));
            }
            Some('x') => {
                let parts = self.quoted(close, nests, Escapes::All, Holes::Hash);
                self.push(Kind::Command(parts));
            }
            Some('r') => {
                self.quoted(close, nests, Escapes::Raw, Holes::None);
                self.take(|c| c.is_ascii_alphabetic());
                self.push(Kind::Pattern(None));
            }
            _ => {
                let parts = self.quoted(close, nests, Escapes::All, Holes::Hash);
                self.push(Kind::Text(parts));
            }
        }
        true
    }

    /// `'..'`, `"..$x.."`, backticks, `<<<END`, and what stands outside `<?php ?>`.
    pub(super) fn php(&mut self) -> bool {
        if self.eat("<?php") || self.eat("<?=") || self.eat("?>") {
            self.op(";");
            return true;
        }
        match self.peek() {
            Some('\'') => {
                self.bump();
                let parts = self.quoted('\'', None, Escapes::Quote, Holes::None);
                self.push(Kind::Text(parts));
            }
            Some(quote @ ('"' | '`')) => {
                self.bump();
                let parts = self.quoted(quote, None, Escapes::All, Holes::Variables);
                self.push(if quote == '"' { Kind::Text(parts) } else { Kind::Command(parts) });
            }
            Some('<') if self.rest.starts_with("<<<") => {
                self.bump();
                return self.starts_heredoc();
            }
            _ => return false,
        }
        true
    }

    /// `[[..]]`, `[=[..]=]`, `--` comments of both kinds.
    pub(super) fn lua(&mut self) -> bool {
        let comment = self.rest.starts_with("--");
        let rest = self.rest.strip_prefix("--").unwrap_or(self.rest);
        if let Some(inner) = rest.strip_prefix('[') {
            let after = inner.trim_start_matches('=');
            let level = inner.len() - after.len();
            if let Some(body) = after.strip_prefix('[') {
                let end = format!("]{}]", "=".repeat(level));
                self.broken |= !body.contains(&end);
                let text = body.split_once(&end).map_or(body, |(text, _)| text).to_owned();
                self.rest = body;
                self.skip_past(&end);
                if !comment {
                    let text = text.strip_prefix('\n').unwrap_or(&text).to_owned();
                    self.push(Kind::Text(vec![Part::Literal(text)]));
                }
                return true;
            }
        }
        if comment {
            self.take(|c| c != '\n');
            return true;
        }
        self.plain()
    }

    /// `".."` and `/re/`.
    pub(super) fn awk(&mut self) -> bool {
        match self.peek() {
            Some('"') => {
                self.bump();
                let parts = self.quoted('"', None, Escapes::All, Holes::None);
                self.push(Kind::Text(parts));
                true
            }
            Some('/') if !self.after_value() => self.pattern(),
            _ => false,
        }
    }
}

/// What the parts spell, as far as they do.
fn literal(parts: &[Part]) -> String {
    let text = |part: &Part| match part {
        Part::Literal(text) => text.clone(),
        Part::Code(_) => super::value::HOLE.to_string(),
    };
    parts.iter().map(text).collect()
}
