//! Statements for a database's client: the commands of the client's own among them run programs
//! and name files of this machine. SQL itself is the server's.

use super::Walker;
use super::state::{Fed, Input, State};
use crate::catalogue::options::Reading;
use crate::catalogue::program::Kind;
use crate::model::access::{Access, Role, Target, Verb};
use crate::model::doubt::Doubt;

/// Whether the program is such a client.
pub(super) fn is_client(base: &str) -> bool {
    matches!(
        base,
        "psql" | "mysql" | "mariadb" | "sqlite3" | "sqlite" | "duckdb" | "mycli" | "pgcli"
    )
}

impl Walker<'_> {
    /// Every statement among the words, and in what is fed to it.
    pub(super) fn statements(
        &mut self,
        base: &str,
        reading: &Reading,
        state: &State,
        input: &Input,
    ) {
        if let Fed::Text(text) = &input.text {
            self.statement(base, text, state);
        }
        for item in reading.items.iter().filter(|item| item.kind == Kind::Code) {
            let word = match &item.arg.role {
                Role::Operand => &item.arg.word,
                Role::Option { value: Some(value), .. } => value,
                Role::Option { value: None, .. } | Role::EndOfOptions => continue,
            };
            match word.values() {
                Some(texts) => texts.iter().for_each(|text| self.statement(base, text, state)),
                None => {
                    let reason = super::builtin::first_doubt(std::slice::from_ref(word));
                    for verb in [Verb::Read, Verb::Write, Verb::Exec] {
                        let target = Target::Unknown { verb, reason: reason.clone() };
                        self.push(Access::possible(target, reason.clone()));
                    }
                }
            }
        }
    }

    fn statement(&mut self, base: &str, text: &str, state: &State) {
        for line in text.lines() {
            let line = line.trim_start();
            if matches!(base, "sqlite3" | "sqlite" | "duckdb") {
                if let Some(rest) = line.strip_prefix('.') {
                    self.dot_command(rest, state);
                }
            } else if let Some(at) = line.find('\\') {
                self.backslash(line.get(at + 1..).unwrap_or_default(), state);
            }
        }
        self.named_in_sql(text, state);
    }

    /// `.shell cmd`, `.read file`, `.output file` of sqlite3.
    fn dot_command(&mut self, line: &str, state: &State) {
        let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        let begins = |full: &str, least: usize| name.len() >= least && full.starts_with(name);
        let last = unquoted(rest.split_whitespace().last().unwrap_or_default());
        if begins("shell", 2) || begins("system", 2) {
            self.runs_text(rest, state);
        } else if begins("read", 3) || begins("output", 1) || begins("once", 2) {
            let verb = if begins("read", 3) { Verb::Read } else { Verb::Write };
            match rest.strip_prefix('|') {
                Some(command) => self.runs_text(command, state),
                None if !matches!(rest, "" | "stdout" | "stderr" | "off") => {
                    self.paths(last, state, &[verb], None);
                }
                None => {}
            }
        } else if begins("import", 2) {
            let mut words = rest.split_whitespace().filter(|word| !word.starts_with('-'));
            let file = unquoted(words.next().unwrap_or_default());
            match file.strip_prefix('|') {
                Some(command) => self.runs_text(command, state),
                None => self.paths(file, state, &[Verb::Read], None),
            }
        } else if begins("backup", 1) || begins("save", 2) || begins("log", 3) {
            self.paths(last, state, &[Verb::Write], None);
        } else if begins("restore", 3) || begins("open", 2) {
            self.paths(last, state, &[Verb::Read, Verb::Write], None);
        } else if begins("load", 3) {
            self.paths(last, state, &[Verb::Read], None);
            self.unknown(Verb::Exec, Doubt::InlineCode(format!(".{name}")));
        }
    }

    /// `\! cmd`, `\i file`, `\o file`, `\copy` of psql; `\! cmd`, `\. file`, `\T file` of mysql.
    fn backslash(&mut self, line: &str, state: &State) {
        let name: String = line.chars().take_while(|c| !c.is_whitespace()).collect();
        let rest = line.get(name.len()..).unwrap_or_default().trim();
        let word = unquoted(rest.split_whitespace().next().unwrap_or_default());
        match name.as_str() {
            _ if name.starts_with('!') => {
                self.runs_text(line.get(1..).unwrap_or_default(), state);
            }
            "i" | "ir" | "include" | "." => self.paths(word, state, &[Verb::Read], None),
            "o" | "out" | "g" | "gx" | "w" | "write" | "T" | "s"
                if !word.is_empty() && !word.starts_with(';') =>
            {
                match rest.strip_prefix('|') {
                    Some(command) => self.runs_text(command, state),
                    None => self.paths(word, state, &[Verb::Write], None),
                }
            }
            "copy" => self.copies(rest, state),
            "lo_import" => self.paths(word, state, &[Verb::Read], None),
            "lo_export" => {
                let file = unquoted(rest.split_whitespace().nth(1).unwrap_or_default());
                self.paths(file, state, &[Verb::Write], None);
            }
            _ => {}
        }
    }

    /// `\copy t to 'file'`, and the same with `program 'cmd'`.
    fn copies(&mut self, text: &str, state: &State) {
        let lower = text.to_ascii_lowercase();
        for (mark, verb) in [(" from ", Verb::Read), (" to ", Verb::Write)] {
            let Some(at) = lower.rfind(mark) else { continue };
            let rest = text.get(at + mark.len()..).unwrap_or_default().trim_start();
            let program = rest.get(..7).is_some_and(|word| word.eq_ignore_ascii_case("program"));
            if program {
                self.runs_text(quoted(rest).unwrap_or_default(), state);
                continue;
            }
            let file = match quoted(rest) {
                Some(file) if rest.starts_with('\'') => file,
                _ => rest.split_whitespace().next().unwrap_or_default(),
            };
            if !matches!(file, "" | "stdin" | "stdout" | "pstdin" | "pstdout")
                && !file.starts_with('(')
            {
                self.paths(file, state, &[verb], None);
            }
        }
    }

    /// What SQL names by itself: possible, for it may be the server's machine that is meant.
    fn named_in_sql(&mut self, text: &str, state: &State) {
        let lower = text.to_ascii_lowercase();
        let start = self.accesses.len();
        for (mark, verb) in [
            (" program ", Verb::Exec),
            ("infile ", Verb::Read),
            ("outfile ", Verb::Write),
            ("dumpfile ", Verb::Write),
            ("readfile(", Verb::Read),
            ("writefile(", Verb::Write),
            ("load_file(", Verb::Read),
            ("pg_read_file(", Verb::Read),
            ("read_csv(", Verb::Read),
            ("read_text(", Verb::Read),
            ("read_parquet(", Verb::Read),
            ("vacuum into ", Verb::Write),
            ("attach ", Verb::Read),
            ("attach database ", Verb::Read),
        ] {
            for (at, _) in lower.match_indices(mark) {
                let rest = text.get(at + mark.len()..).unwrap_or_default().trim_start();
                let Some(value) = quoted(rest).filter(|_| rest.starts_with(['\'', '"'])) else {
                    continue;
                };
                match verb {
                    Verb::Exec => self.runs_text(value, state),
                    verb => self.paths(value, state, &[verb], None),
                }
            }
        }
        let doubt = Doubt::InlineCode("SQL".to_owned());
        for access in self.accesses.iter_mut().skip(start) {
            access.certainty = crate::model::access::Certainty::Possible(doubt.clone());
        }
    }

    fn runs_text(&mut self, text: &str, state: &State) {
        let text = unquoted(text.trim());
        self.hidden(|walker| {
            walker.text(text, &mut state.clone(), &Input::default(), true);
        });
    }
}

/// What stands between the first two quotes.
fn quoted(text: &str) -> Option<&str> {
    let at = text.find(['\'', '"'])?;
    let quote = text.get(at..at + 1)?;
    text.get(at + 1..)?.split(quote).next()
}

/// A word without the quotes around all of it.
fn unquoted(text: &str) -> &str {
    ['\'', '"']
        .into_iter()
        .find_map(|quote| {
            let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
            (!inner.contains(quote)).then_some(inner)
        })
        .unwrap_or(text)
}
