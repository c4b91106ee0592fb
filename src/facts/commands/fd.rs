//! `fd`: the commands that it runs on what it finds.
//!
//! Its search is put in the words of `find`, whose tests are followed; what they cannot say (a
//! regular expression, what git ignores) leaves names in, never out.

use super::Walker;
use super::find::Clause;
use super::state::{Input, State};
use crate::catalogue::options::Reading;
use crate::catalogue::program::Kind;
use crate::limits::{WORD_VALUES_MAX, WRAPPER_DEPTH_MAX};
use crate::model::access::Role;
use crate::model::doubt::Doubt;
use crate::model::word::Word;

/// Letters of fd that take a value: what follows one in its word is no option.
const WITH_VALUE: &str = "dEteSocj";

/// What stands in a command for the path, its name, its directory, and both without an ending.
pub(super) const PLACES: [&str; 5] = ["{/.}", "{//}", "{/}", "{.}", "{}"];

/// The words of `fd` without its commands, and the commands.
pub(super) fn fd_clauses(words: &[Word]) -> (Vec<Word>, Vec<Clause>) {
    let mut own: Vec<Word> = Vec::new();
    let mut clauses = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some((option, first)) = word.as_known().and_then(execs) else {
            own.push(word.clone());
            continue;
        };
        own.push(Word::known(option));
        let mut clause: Vec<Word> = first.map(Word::known).into_iter().collect();
        clause.extend(words.by_ref().take_while(|word| word.as_known() != Some(";")).cloned());
        clauses.push(Clause { words: clause, at: 0, in_each: false });
    }
    (own, clauses)
}

/// The option that starts a command, and the command's first word if it is attached.
fn execs(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(long) = text.strip_prefix("--") {
        let (name, first) = match long.split_once('=') {
            Some((name, first)) => (name, Some(first)),
            None => (long, None),
        };
        return matches!(name, "exec" | "exec-batch").then_some((text, first));
    }
    let letters = text.strip_prefix('-')?;
    for (at, letter) in letters.char_indices() {
        if matches!(letter, 'x' | 'X') {
            let (option, first) = text.split_at_checked(at + 2)?;
            return Some((option, Some(first).filter(|first| !first.is_empty())));
        }
        if WITH_VALUE.contains(letter) {
            return None;
        }
    }
    None
}

impl Walker<'_> {
    /// `fd ... -x command {}`: the command runs on what is found.
    pub(super) fn fd_clause(&mut self, clause: &Clause, reading: &Reading, state: &State) {
        if self.level >= WRAPPER_DEPTH_MAX {
            return self.everything(&Doubt::Limit("wrapper depth"));
        }
        let found = self.found_at(&as_find(reading), &[], state);
        let mut words = Vec::new();
        let mut placed = false;
        for word in &clause.words {
            match word.as_known() {
                Some("{}") => {
                    placed = true;
                    words.extend(found.iter().cloned());
                }
                Some(text) if PLACES.iter().any(|place| text.contains(place)) => {
                    placed = true;
                    words.push(filled(text, &found));
                }
                _ => words.push(word.clone()),
            }
        }
        if !placed {
            words.extend(found);
        }
        let mut inner = state.clone();
        inner.bare = true;
        self.level += 1;
        self.hidden(|walker| walker.argv(&words, &mut inner, &Input::default(), &[]));
        self.level -= 1;
    }
}

/// A word with a path, or a part of one, for each place in it.
fn filled(text: &str, found: &[Word]) -> Word {
    let known: Option<Vec<&str>> = found.iter().map(Word::as_known).collect();
    match known.filter(|all| !all.is_empty() && all.len() <= WORD_VALUES_MAX) {
        Some(all) => Word::one_of(all.iter().map(|path| with(text, path)).collect()),
        None => Word::unknown(Doubt::CommandOutput),
    }
}

fn with(text: &str, path: &str) -> String {
    PLACES.iter().fold(text.to_owned(), |text, place| text.replace(place, &part(place, path)))
}

/// What stands in one of `PLACES`.
pub(super) fn part(place: &str, path: &str) -> String {
    let (directory, name) = path.rsplit_once('/').unwrap_or((".", path));
    let bare = name.rsplit_once('.').map_or(name, |(bare, _)| bare);
    let bare = if bare.is_empty() { name } else { bare };
    match place {
        "{/.}" => bare.to_owned(),
        "{//}" => directory.to_owned(),
        "{/}" => name.to_owned(),
        "{.}" => format!("{directory}/{bare}"),
        _ => path.to_owned(),
    }
}

/// The search in the words of `find`.
fn as_find(reading: &Reading) -> Vec<Word> {
    let has = |name: &str| reading.has(&[name.to_owned()]);
    let values = |name: &str| -> Vec<Word> {
        let given = reading.items.iter().filter(|item| item.is_any(&[name.to_owned()]));
        let value = given.filter_map(|item| match &item.arg.role {
            Role::Option { value, .. } => value.clone(),
            Role::Operand | Role::EndOfOptions => None,
        });
        value.collect()
    };
    let operand = |kind: Kind| {
        let fitting = reading
            .items
            .iter()
            .filter(move |item| item.arg.role == Role::Operand && item.kind == kind);
        fitting.map(|item| item.arg.word.clone())
    };
    let mut words: Vec<Word> = operand(Kind::List).chain(values("--search-path")).collect();
    if words.is_empty() {
        words.push(Word::known("."));
    }
    let mut test = |texts: &[&str]| words.extend(texts.iter().map(|text| Word::known(*text)));
    if !has("-H") && !has("-u") {
        test(&["-not", "-path", "*/.*"]);
    }
    let endings = values("-e");
    if !endings.is_empty() && endings.iter().all(|word| word.as_known().is_some()) {
        for (nth, ending) in endings.iter().filter_map(Word::as_known).enumerate() {
            let glob = format!("*.{}", ending.trim_start_matches('.'));
            test(&[if nth == 0 { "(" } else { "-o" }, "-iname", &glob]);
        }
        test(&[")"]);
    }
    if let [only] = values("-t").as_slice()
        && let Some(kind @ ("f" | "d" | "file" | "directory")) = only.as_known()
    {
        test(&["-type", kind.get(..1).unwrap_or("f")]);
    }
    let pattern = operand(Kind::Text).next();
    let pattern = pattern.as_ref().and_then(Word::as_known).filter(|_| !has("-p"));
    if let Some(glob) = pattern.and_then(|text| if has("-g") { whole(text) } else { glob(text) }) {
        test(&["-iname", &glob]);
    }
    words
}

/// A pattern of `-g`, if `find` reads it alike.
fn whole(text: &str) -> Option<String> {
    (!text.contains(['{', '}', '/', '\\'])).then(|| text.to_owned())
}

/// A simple regular expression as a glob.
fn glob(text: &str) -> Option<String> {
    let (start, text) = match text.strip_prefix('^') {
        Some(text) => ("", text),
        None => ("*", text),
    };
    let (text, end) = match text.strip_suffix('$') {
        Some(text) => (text, ""),
        None => (text, "*"),
    };
    let mut glob = start.to_owned();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next()? {
                '.' => glob.push('.'),
                _ => return None,
            },
            '.' => glob.push('?'),
            c if c.is_ascii_alphanumeric() || c == '_' || c == '-' => glob.push(c),
            _ => return None,
        }
    }
    Some(glob + end)
}

#[cfg(test)]
mod tests {
    use super::{execs, glob};

    #[test]
    fn what_starts_a_command() {
        for (text, expected) in [
            ("-x", Some(("-x", None))),
            ("-Hx", Some(("-Hx", None))),
            ("-Xrm", Some(("-X", Some("rm")))),
            ("-ex", None),
            ("--exec=rm", Some(("--exec=rm", Some("rm")))),
            ("--exclude", None),
            ("x", None),
        ] {
            assert_eq!(execs(text), expected, "{text}");
        }
    }

    #[test]
    fn a_simple_expression_is_a_glob() {
        for (text, expected) in [
            ("\\.rs$", Some("*.rs")),
            ("^main", Some("main*")),
            ("a.b", Some("*a?b*")),
            ("(a|b)", None),
            ("\\w", None),
        ] {
            assert_eq!(glob(text).as_deref(), expected, "{text}");
        }
    }
}
