//! The files that a prompt mentions with `@`: the runtime puts them before the model itself, and
//! asks no hook about it.
//!
//! What looks like a mention and is none costs nothing: only one that names a file which is there
//! is judged (`door`).

use crate::limits::MENTIONS_MAX;
use crate::model::path::AbsPath;
use std::collections::BTreeSet;

/// What may stand before the `@`: in `a@b.example` it is part of an address.
fn begins(before: Option<char>) -> bool {
    before
        .is_none_or(|c| c.is_whitespace() || matches!(c, '(' | '[' | '{' | '"' | '\'' | '`' | ','))
}

/// The paths that a prompt mentions, as they are written, each once; nothing if they are more than
/// anyone would look at.
#[must_use]
pub fn mentions(prompt: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut known = BTreeSet::new();
    let mut before = None;
    for (at, c) in prompt.char_indices() {
        if c == '@' && begins(before) {
            let spelt = spellings(prompt.get(at + 1..).unwrap_or_default());
            found.extend(spelt.into_iter().filter(|path| known.insert(path.clone())));
            if found.len() > MENTIONS_MAX {
                return None;
            }
        }
        before = Some(c);
    }
    Some(found)
}

/// Where a mention leads: from the working directory, or from home.
#[must_use]
pub fn leads_to(file: &str, cwd: Option<&AbsPath>, home: Option<&AbsPath>) -> Option<AbsPath> {
    let text = match file.strip_prefix("~/") {
        Some(rest) => format!("{}/{rest}", home?),
        None if file.starts_with('/') => file.to_owned(),
        None => format!("{}/{file}", cwd?),
    };
    AbsPath::parse(&text).ok()
}

/// What a mention may mean: quoted, it is what stands between; else it ends at a blank, and a
/// line range or a sentence's punctuation may or may not be part of the name.
fn spellings(rest: &str) -> Vec<String> {
    if let Some(quoted) = rest.strip_prefix('"') {
        return quoted.split_once('"').map(|(path, _)| vec![path.to_owned()]).unwrap_or_default();
    }
    let whole = rest.split(char::is_whitespace).next().unwrap_or_default();
    let without_lines = whole.split_once("#L").map_or(whole, |(path, _)| path);
    let without_punctuation = without_lines
        .trim_end_matches([',', '.', ';', ':', '!', '?', ')', ']', '}', '"', '\'', '`']);
    let mut all = Vec::new();
    for path in [whole, without_lines, without_punctuation] {
        if !path.is_empty() && !all.iter().any(|known| known == path) {
            all.push(path.to_owned());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mentions_as_they_are_written() {
        for (prompt, expected) in [
            ("look at @.env", vec![".env"]),
            ("@src/main.rs, please", vec!["src/main.rs,", "src/main.rs"]),
            ("(@a.txt)", vec!["a.txt)", "a.txt"]),
            ("lines @a.rs#L10-20", vec!["a.rs#L10-20", "a.rs"]),
            ("@\"my file.txt\" and @~/.ssh/id", vec!["my file.txt", "~/.ssh/id"]),
            ("write to me@host.example or @", vec![]),
            ("@a @a\n@b", vec!["a", "b"]),
            ("@\"open", vec![]),
        ] {
            let expected = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(mentions(prompt), Some(expected), "{prompt}");
        }
    }

    #[test]
    fn a_prompt_of_mentions_is_not_read_in_part() {
        let prompt = (0..=MENTIONS_MAX).map(|n| format!("@f{n} ")).collect::<String>();
        assert_eq!(mentions(&prompt), None);
        assert_eq!(mentions(&"@same ".repeat(MENTIONS_MAX + 1)), Some(vec!["same".to_owned()]));
    }

    #[test]
    fn where_they_lead() {
        let path = |text| AbsPath::parse(text).unwrap();
        let (work, home) = (path("/work"), path("/home/agent"));
        let to = |file| leads_to(file, Some(&work), Some(&home)).map(|path| path.to_string());
        assert_eq!(to("a/../.env").as_deref(), Some("/work/.env"));
        assert_eq!(to("~/.ssh/id").as_deref(), Some("/home/agent/.ssh/id"));
        assert_eq!(to("/etc/shadow").as_deref(), Some("/etc/shadow"));
        assert_eq!(leads_to("a", None, Some(&home)), None);
    }
}
