//! A patch as Codex's `apply_patch` takes it, to the files that it would change.
//!
//! Codex reads headers with or without blanks around them, so whatever could be one counts as one:
//! rather one file too many than one too few. A line that has no place in a patch is a doubt. What
//! is put into the files is not looked at.

use crate::model::access::Verb;
use crate::model::doubt::Doubt;

/// One thing that a patch would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<'a> {
    /// This path, in this way.
    Path(Verb, &'a str),
    /// What cannot be read.
    Doubt(Doubt),
}

const ADD: &str = "*** Add File: ";
const DELETE: &str = "*** Delete File: ";
const UPDATE: &str = "*** Update File: ";
const MOVE: &str = "*** Move to: ";
const BEGIN: &str = "*** Begin Patch";
const END: &str = "*** End Patch";
const END_OF_FILE: &str = "*** End of File";

/// Everything that a patch would do, from its first line to its last.
pub fn read(text: &str) -> impl Iterator<Item = Step<'_>> {
    let is_empty = !text.lines().any(|line| is_header(line.trim()));
    let unreadable = Doubt::Unparsable("it is no patch of files".to_owned());
    text.lines().flat_map(line).chain(is_empty.then_some(Step::Doubt(unreadable)))
}

fn is_header(line: &str) -> bool {
    [ADD, DELETE, UPDATE].iter().any(|header| line.starts_with(header))
}

fn line(line: &str) -> Vec<Step<'_>> {
    let bare = line.trim();
    if line.starts_with(['+', '-']) || bare.is_empty() || [BEGIN, END, END_OF_FILE].contains(&bare)
    {
        return Vec::new();
    }
    for (header, verbs) in [
        (ADD, &[Verb::Write][..]),
        (DELETE, &[Verb::Write]),
        (UPDATE, &[Verb::Read, Verb::Write]),
        (MOVE, &[Verb::Write]),
    ] {
        let Some(path) = line.trim_start().strip_prefix(header) else { continue };
        // Blanks around a path may be its own or not.
        let mut readings = vec![path.trim(), path.trim_end(), path.trim_end_matches('\r'), path];
        readings.sort_unstable();
        readings.dedup();
        let of = |path| verbs.iter().map(move |verb| Step::Path(*verb, path));
        return readings.into_iter().flat_map(of).collect();
    }
    if !bare.starts_with("***") && line.starts_with([' ', '@', '\t']) {
        return Vec::new();
    }
    vec![Step::Doubt(Doubt::Unparsable("a line has no place in a patch".to_owned()))]
}

#[cfg(test)]
mod tests {
    use super::{Step, read};
    use crate::model::access::Verb;

    #[test]
    fn what_a_patch_does() {
        let cases: [(&str, &[&str]); 13] = [
            (
                "*** Begin Patch\n*** Add File: a b\n+x\n+*** Add File: no\n*** End Patch",
                &["write a b"],
            ),
            ("*** Begin Patch\n*** Delete File: a\n*** End Patch\n", &["write a"]),
            (
                "*** Begin Patch\n*** Update File: a\n*** Move to: /b\n@@ fn x\n y\n-z\n\n+w\n\
                 *** End of File\n*** End Patch",
                &["read a", "write a", "write /b"],
            ),
            ("  *** Begin Patch\n\t*** Add File: a\n+x\n*** End Patch  ", &["write a"]),
            ("*** Begin Patch\r\n*** Delete File: a\r\n*** End Patch\r\n", &["write a"]),
            (
                "*** Begin Patch\n*** Delete File:  a \n*** End Patch",
                &["write  a", "write  a ", "write a"],
            ),
            ("*** Begin Patch\n*** Add File:a\n+x\n*** End Patch", &["?", "?"]),
            (
                "*** Begin Patch\n*** Delete File: a\n*** Rename File: b\n*** End Patch",
                &["write a", "?"],
            ),
            ("*** Begin Patch\n***Delete File: a\n*** Add File: b", &["?", "write b"]),
            (
                "<<'EOF'\n*** Begin Patch\n*** Add File: a\n+x\n*** End Patch\nEOF",
                &["?", "write a", "?"],
            ),
            (
                "*** Begin Patch\n*** Environment ID: e\n*** Add File: a\n*** End Patch",
                &["?", "write a"],
            ),
            ("*** Begin Patch\n*** End Patch", &["?"]),
            ("", &["?"]),
        ];
        for (text, expected) in cases {
            let told: Vec<String> = read(text)
                .map(|step| match step {
                    Step::Path(Verb::Read, path) => format!("read {path}"),
                    Step::Path(Verb::Write, path) => format!("write {path}"),
                    Step::Path(verb, _) => panic!("{verb}"),
                    Step::Doubt(_) => "?".to_owned(),
                })
                .collect();
            assert_eq!(told, expected, "{text}");
        }
    }
}
