//! Names whose value changes what a program does, and the values that are harmless.
//!
//! An assignment to such a name makes every command that it reaches unknown (policy language
//! §11.8), but for values with which it only prints otherwise.

use super::Walker;
use super::state::State;
use crate::catalogue::program::Kind;
use crate::facts::paths;
use crate::model::access::Verb;
use crate::model::doubt::Doubt;
use crate::model::word::Word as Value;
use crate::shell::vars;

impl Walker<'_> {
    /// An assignment that changes what later commands do is a doubt on each, and an access itself.
    pub(super) fn note_hazard(&mut self, name: &str, value: &vars::Value, state: &mut State) {
        if !super::builtin::is_hazard_name(name) {
            return;
        }
        if let ("CARGO_TARGET_DIR", vars::Value::Texts(texts)) = (name, value) {
            let word = Value::one_of(texts.clone());
            self.word(Kind::Write, &word, state, None);
        }
        let harmless = match value {
            vars::Value::Texts(texts) => {
                texts.iter().all(|text| self.is_harmless_value(name, text, state))
            }
            vars::Value::Array(_) | vars::Value::Unknown(_) => false,
        };
        if !harmless {
            let doubt = Doubt::HazardAssignment(name.to_owned());
            state.hazard(doubt.clone());
            self.unknown(Verb::Exec, doubt);
        }
    }

    fn is_harmless_value(&self, name: &str, text: &str, state: &State) -> bool {
        match name {
            "PYTHONUNBUFFERED"
            | "PYTHONDONTWRITEBYTECODE"
            | "PYTHONIOENCODING"
            | "PYTHONHASHSEED" => true,
            "PAGER" | "GIT_PAGER" => text == "cat" || text.is_empty(),
            "EDITOR" | "VISUAL" | "GIT_EDITOR" | "GIT_SEQUENCE_EDITOR" => {
                text == "true" || text == ":"
            }
            // Who made a commit, and when.
            _ if name.starts_with("GIT_AUTHOR_") || name.starts_with("GIT_COMMITTER_") => true,
            "RUSTFLAGS" => are_lints(text),
            "NODE_OPTIONS" => text.split_whitespace().all(is_harmless_to_node),
            // Where it writes is judged as a write.
            "CARGO_TARGET_DIR" => true,
            "GIT_TRACE" => matches!(text, "0" | "1" | "2"),
            "GIT_TERMINAL_PROMPT" | "GIT_OPTIONAL_LOCKS" => matches!(text, "0" | "1"),
            "PYTHONPATH" => text.split(':').all(|part| {
                let path = paths::target(part, state.directory(), self.place);
                path.is_ok_and(|path| path.written.is_within(self.place.workspace))
            }),
            _ => false,
        }
    }
}

/// `-D warnings`, `-Awarnings`: how strict rustc is, and nothing else.
fn are_lints(text: &str) -> bool {
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        let Some(rest) = ["-D", "-W", "-A", "-F"].iter().find_map(|flag| word.strip_prefix(flag))
        else {
            return false;
        };
        let lint = if rest.is_empty() { words.next().unwrap_or_default() } else { rest };
        if !lint.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-:".contains(&b)) {
            return false;
        }
    }
    true
}

fn is_harmless_to_node(word: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    ["--max-old-space-size=", "--max_old_space_size="]
        .iter()
        .any(|option| word.strip_prefix(option).is_some_and(number))
        || matches!(
            word,
            "--no-warnings"
                | "--enable-source-maps"
                | "--experimental-vm-modules"
                | "--trace-warnings"
                | "--trace-deprecation"
                | "--no-deprecation"
        )
}
