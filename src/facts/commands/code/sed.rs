//! What a sed program does besides printing: files it reads and writes, commands it runs.
//!
//! The program is read character by character, as sed reads it: splitting it at `;` would cut
//! patterns in two and miss what follows. What cannot be read is code that runs something unseen.

use std::iter::Peekable;
use std::str::Chars;

/// One thing that a sed program does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// Reads this file.
    Reads(String),
    /// Writes this file.
    Writes(String),
    /// Runs a command, or does what could not be read.
    Runs,
}

/// Everything that the program does besides printing.
pub(super) fn effects(program: &str) -> Vec<Effect> {
    let mut reader = Reader { chars: program.chars().peekable(), effects: Vec::new() };
    if reader.program().is_none() {
        reader.effects.push(Effect::Runs);
    }
    reader.effects
}

struct Reader<'a> {
    chars: Peekable<Chars<'a>>,
    effects: Vec<Effect>,
}

impl Reader<'_> {
    /// Nothing if something in it cannot be read.
    fn program(&mut self) -> Option<()> {
        loop {
            self.skip(|c| c.is_whitespace() || matches!(c, ';' | '{' | '}'));
            if self.chars.peek().is_none() {
                return Some(());
            }
            self.addresses()?;
            let Some(command) = self.chars.next() else { return Some(()) };
            self.command(command)?;
        }
    }

    /// `1`, `$`, `/re/I`, `\cREc`, `first~step`, two of them with a comma, and `!`.
    fn addresses(&mut self) -> Option<()> {
        loop {
            match self.chars.peek()? {
                '0'..='9' | '$' | ',' | '~' | '+' | '!' | ' ' | '\t' => {
                    self.chars.next();
                }
                '/' => {
                    self.chars.next();
                    self.until('/')?;
                    self.skip(|c| matches!(c, 'I' | 'M'));
                }
                '\\' => {
                    self.chars.next();
                    let delimiter = self.chars.next()?;
                    self.until(delimiter)?;
                    self.skip(|c| matches!(c, 'I' | 'M'));
                }
                _ => return Some(()),
            }
        }
    }

    fn command(&mut self, command: char) -> Option<()> {
        match command {
            '{' | '}' => {}
            '=' | 'd' | 'D' | 'g' | 'G' | 'h' | 'H' | 'n' | 'N' | 'p' | 'P' | 'x' | 'z' | 'F' => {}
            'q' | 'Q' | 'l' | 'L' => self.skip(|c| c.is_ascii_digit() || c == ' '),
            's' => {
                let delimiter = self.chars.next()?;
                self.until(delimiter)?;
                self.until(delimiter)?;
                self.flags();
            }
            'y' => {
                let delimiter = self.chars.next()?;
                self.until(delimiter)?;
                self.until(delimiter)?;
            }
            'a' | 'i' | 'c' => self.text(),
            ':' | 'b' | 't' | 'T' => self.skip(|c| !matches!(c, '\n' | ';' | '}')),
            '#' => self.skip(|c| c != '\n'),
            'r' | 'R' => {
                let file = self.line();
                self.effects.push(Effect::Reads(file));
            }
            'w' | 'W' => {
                let file = self.line();
                self.effects.push(Effect::Writes(file));
            }
            'e' => {
                self.line();
                self.effects.push(Effect::Runs);
            }
            _ => return None,
        }
        Some(())
    }

    /// What stands behind the second delimiter of an `s`.
    fn flags(&mut self) {
        while let Some(flag) = self.chars.peek().copied() {
            match flag {
                'w' => {
                    self.chars.next();
                    let file = self.line();
                    self.effects.push(Effect::Writes(file));
                }
                'e' => {
                    self.chars.next();
                    self.effects.push(Effect::Runs);
                }
                'g' | 'p' | 'i' | 'I' | 'm' | 'M' | '0'..='9' => {
                    self.chars.next();
                }
                _ => return,
            }
        }
    }

    /// The text of `a`, `i`, `c`: to the end of the line; a backslash takes the next one too.
    fn text(&mut self) {
        while let Some(c) = self.chars.next() {
            match c {
                '\\' => {
                    self.chars.next();
                }
                '\n' => return,
                _ => {}
            }
        }
    }

    /// The rest of the line, as a file's name is written.
    fn line(&mut self) -> String {
        let mut line = String::new();
        while let Some(c) = self.chars.next_if(|c| *c != '\n') {
            line.push(c);
        }
        line.trim().to_owned()
    }

    /// Goes past the next `delimiter` that is not escaped.
    fn until(&mut self, delimiter: char) -> Option<()> {
        loop {
            match self.chars.next()? {
                '\\' => {
                    self.chars.next()?;
                }
                c if c == delimiter => return Some(()),
                _ => {}
            }
        }
    }

    fn skip(&mut self, skipped: impl Fn(char) -> bool) {
        while self.chars.next_if(|c| skipped(*c)).is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::{Effect, effects};

    #[test]
    fn programs() {
        let reads = |file: &str| Effect::Reads(file.to_owned());
        let writes = |file: &str| Effect::Writes(file.to_owned());
        for (program, expected) in [
            ("s/foo/bar/g", vec![]),
            ("1,40p", vec![]),
            ("/^$/d; s/a;w x/b/", vec![]),
            ("s#/usr/bin#/opt#gI;p", vec![]),
            ("$!N; s/\\n/ /; P; D", vec![]),
            (":a;N;$!ba;s/\\n/,/g", vec![]),
            ("/start/,/end/{s/x/y/;p}", vec![]),
            ("a\\\nrm -rf /\\\nmore", vec![]),
            ("2i text; e rm", vec![]),
            ("y/abc/xyz/", vec![]),
            ("0~4d", vec![]),
            ("s/h/x/w out", vec![writes("out")]),
            ("/x/w out", vec![writes("out")]),
            ("1r in\np", vec![reads("in")]),
            ("1s/x;*/cat .env/ep", vec![Effect::Runs]),
            ("\\%x%e cat .env", vec![Effect::Runs]),
            ("\\,x,r .env", vec![reads(".env")]),
            ("\\%.%w /outside", vec![writes("/outside")]),
            ("e", vec![Effect::Runs]),
            ("s/a/b", vec![Effect::Runs]),
            ("k", vec![Effect::Runs]),
        ] {
            assert_eq!(effects(program), expected, "{program}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(program in "[sywaierp/\\\\;{}!$0-9,~\n .x]{0,40}") {
            let _ = effects(&program);
        }
    }
}
