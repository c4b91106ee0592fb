//! The files that a prompt mentions with `@`: the runtime puts them before the model itself, and
//! asks no hook about it.
//!
//! Where a mention ends is Claude Code's to say (2.1.330: seen by trying). Every reading of it
//! that a client may take is given; one that names no file costs nothing (`door`).

use crate::limits::MENTIONS_MAX;
use crate::model::path::AbsPath;
use std::collections::BTreeSet;

/// What ends a word for the runtime: JavaScript's `\s`, which has U+FEFF and not U+0085.
fn is_blank(c: char) -> bool {
    c == '\u{feff}' || (c.is_whitespace() && c != '\u{85}')
}

/// What may stand before the `@`: in `a@b.example` it is part of an address.
fn begins(before: Option<char>) -> bool {
    before.is_none_or(|c| is_blank(c) || matches!(c, '。' | '、' | '？' | '！'))
}

/// The paths that a prompt mentions, as they may be read, each once; nothing if they are more than
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

/// What a mention may mean: quoted, it is what stands between; else it ends at a blank. A part
/// behind `#` names lines, and what is no letter or digit at its end may belong to the sentence.
fn spellings(rest: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut add = |path: &str| {
        if !path.is_empty() && !all.iter().any(|known| known == path) {
            all.push(path.to_owned());
        }
    };
    let quoted = rest.strip_prefix('"').and_then(|rest| rest.split_once('"'));
    let whole = match quoted {
        Some((path, _)) => path,
        None => rest.split(is_blank).next().unwrap_or_default(),
    };
    let first = whole.split_once('#').map_or(whole, |(path, _)| path);
    let last = whole.rsplit_once('#').map_or(whole, |(path, _)| path);
    for path in [whole, first, last] {
        add(path);
        add(path.trim_matches(is_blank));
        add(path.trim_end_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
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
            ("lines @a.rs#L10-20", vec!["a.rs#L10-20", "a.rs"]),
            ("@a#b#c!", vec!["a#b#c!", "a#b#c", "a", "a#b"]),
            ("@\"my file.txt\" and @~/.ssh/id", vec!["my file.txt", "~/.ssh/id"]),
            ("@\" f#L1 \"", vec![" f#L1 ", "f#L1", " f#L1", " f", "f"]),
            ("读。@f。", vec!["f。", "f"]),
            ("@f\u{feff}g \u{feff}@h", vec!["f", "h"]),
            ("@f\u{85}g", vec!["f\u{85}g"]),
            ("write to me@host.example or @", vec![]),
            ("(@a) [@b] `@c` '@d' \"@e\" x,@f", vec![]),
            ("@a @a\n@b", vec!["a", "b"]),
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
