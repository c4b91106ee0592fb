//! What wrappers run besides the command in their words: `env` with a text that it splits, and those
//! that run a shell on their input.

use super::Walker;
use super::state::{Fed, Input, State};
use crate::model::doubt::Doubt;
use crate::model::word::Word;

impl Walker<'_> {
    /// Without a command some wrappers run a shell, and `parallel` the lines of its input.
    pub(super) fn fed_shell(&mut self, base: &str, input: &Input, state: &State) {
        let shell = matches!(
            base,
            "su" | "runuser"
                | "sudo"
                | "doas"
                | "chroot"
                | "unshare"
                | "nsenter"
                | "parallel"
                | "script"
                | "firejail"
                | "newgrp"
                | "fakeroot"
                | "systemd-nspawn"
                | "setarch"
        );
        match &input.text {
            _ if !shell => {}
            Fed::Text(text) => self.text(text, &mut state.clone(), &Input::default(), true),
            Fed::Unknown(doubt) => self.everything(doubt),
            Fed::Names(_) => self.everything(&Doubt::CommandOutput),
            Fed::Nothing | Fed::Files => {}
        }
    }
}

/// `env - x` is `env -i x`, and `env -S 'x y' z` is `env x y z`.
pub(super) fn spelt_out(words: &[Word]) -> Vec<Word> {
    let mut all: Vec<Word> = Vec::new();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let Some(text) = word.as_known().filter(|text| text.starts_with('-')) else {
            all.push(word.clone());
            break;
        };
        if text == "-" {
            all.push(Word::known("-i"));
            continue;
        }
        let split = match text.strip_prefix("-S").or_else(|| text.strip_prefix("--split-string=")) {
            Some("") => rest.as_slice().first().and_then(Word::as_known),
            attached => attached,
        };
        // Quotes and escapes are read otherwise there than by a shell.
        if let Some(split) = split.filter(|text| !text.contains(['\'', '"', '\\', '$', '#'])) {
            if text == "-S" {
                rest.next();
            }
            all.extend(split.split_whitespace().map(Word::known));
            break;
        }
        all.push(word.clone());
        if matches!(text, "-u" | "-C" | "-S" | "-a") {
            all.extend(rest.next().cloned());
        }
    }
    all.extend(rest.cloned());
    all
}

#[cfg(test)]
mod tests {
    use super::spelt_out;
    use crate::model::word::Word;

    #[test]
    fn a_text_that_is_split_is_words() {
        for (given, expected) in [
            (vec!["-", "x"], "-i x"),
            (vec!["-S", "rm -rf", "src"], "rm -rf src"),
            (vec!["-u", "-", "-Srm -rf", "src"], "-u - rm -rf src"),
            (vec!["--split-string=A=b x", "y"], "A=b x y"),
            (vec!["-S", "x \"a b\"", "y"], "-S x \"a b\" y"),
            (vec!["x", "-"], "x -"),
        ] {
            let words: Vec<Word> = given.into_iter().map(Word::known).collect();
            let shown: Vec<String> = spelt_out(&words).iter().map(ToString::to_string).collect();
            assert_eq!(shown.join(" "), expected);
        }
    }
}
