//! `git config`: what it reads, what it sets, and which settings run a program later.

use super::Walker;
use super::state::State;
use crate::catalogue::options::Reading;
use crate::catalogue::program;
use crate::model::access::{Role, Verb};
use crate::model::doubt::Doubt;
use crate::model::word::Word;

/// Options with which it only looks.
const LOOKS: [&str; 10] = [
    "--get",
    "--get-all",
    "--get-regexp",
    "--get-urlmatch",
    "--get-color",
    "--get-colorbool",
    "-l",
    "--list",
    "--name-only",
    "--show-origin",
];
/// Options with which it changes a file.
const SETS: [&str; 8] = [
    "--add",
    "--replace-all",
    "--unset",
    "--unset-all",
    "--rename-section",
    "--remove-section",
    "-e",
    "--edit",
];
/// The same as words of their own, since git 2.46.
const SET_WORDS: [&str; 5] = ["set", "unset", "edit", "rename-section", "remove-section"];

/// What a `git config` sets: the setting, and its value.
struct Setting {
    key: Option<String>,
    value: Option<String>,
}

fn has(reading: &Reading, names: &[&str]) -> bool {
    names.iter().any(|name| reading.has(&[(*name).to_owned()]))
}

/// What is set, if anything is.
fn setting(reading: &Reading) -> Option<Setting> {
    if reading.subcommand.as_deref() != Some("config") || has(reading, &LOOKS) {
        return None;
    }
    let mut words: Vec<&Word> = reading
        .items
        .iter()
        .skip_while(|item| item.arg.word.as_known() != Some("config"))
        .skip(1)
        .filter(|item| item.arg.role == Role::Operand)
        .map(|item| &item.arg.word)
        .collect();
    let first = words.first().and_then(|word| word.as_known());
    let mut sets = has(reading, &SETS) || words.len() > 1;
    match first {
        Some("get" | "list") => return None,
        Some(word) if SET_WORDS.contains(&word) => {
            words.remove(0);
            sets = true;
        }
        _ => {}
    }
    let known = |at: usize| words.get(at).and_then(|word| word.as_known()).map(str::to_owned);
    sets.then(|| Setting { key: known(0), value: known(1) })
}

/// Whether a setting is one that changes nothing a rule could care for.
fn is_harmless(key: &str) -> bool {
    program::find("git").is_some_and(|git| git.is_harmless_setting(key))
}

/// The shell text in a setting that is one.
fn code(key: &str, value: &str) -> Option<String> {
    let key = key.to_ascii_lowercase();
    let (section, last) = (key.split('.').next()?, key.rsplit('.').next()?);
    if section == "alias" || section == "credential" && last == "helper" {
        return value.strip_prefix('!').map(str::to_owned);
    }
    let runs = matches!(
        (section, last),
        ("core", "pager" | "editor" | "sshcommand" | "askpass" | "fsmonitor" | "gitproxy")
            | ("diff", "external" | "textconv" | "command")
            | ("filter", "clean" | "smudge" | "process")
            | ("merge", "driver")
            | ("difftool" | "mergetool" | "man" | "browser", "cmd")
            | ("gpg" | "ssh", "program" | "defaultkeycommand")
            | ("sequence", "editor")
            | ("pager", _)
            | ("uploadpack", "packobjectshook")
            | ("sendemail", "smtpserver" | "tocmd" | "cccmd" | "headercmd" | "sendmailcmd")
    );
    // A switch, or a program alone that pages or edits, is no text to walk.
    let word = matches!(value, "" | "true" | "false" | "cat" | "less" | "vi" | "vim" | "nano");
    (runs && !word).then(|| value.to_owned())
}

/// A setting that may run a program makes a `git config` more than an allow meant.
pub(super) fn doubt(reading: &Reading) -> Option<Doubt> {
    let setting = setting(reading)?;
    if setting.key.as_deref().is_some_and(is_harmless) {
        return None;
    }
    Some(Doubt::HazardousOption { program: "git".to_owned(), option: "config".to_owned() })
}

impl Walker<'_> {
    /// The file that is read or written, and the command that will run. Harmless settings of the
    /// repository itself are git's own bookkeeping, as a commit is.
    pub(super) fn configures(&mut self, reading: &Reading, state: &State) {
        let file = reading.items.iter().find_map(|item| match &item.arg.role {
            Role::Option { value, .. } if item.is_any(&["-f".to_owned()]) => value.clone(),
            _ => None,
        });
        let Some(setting) = setting(reading) else {
            if let Some(file) = file {
                self.word(program::Kind::Read, &file, state, None);
            }
            return;
        };
        let harmless = setting.key.as_deref().is_some_and(is_harmless);
        if let Some(file) = &file {
            self.word(program::Kind::Update, file, state, None);
        } else if has(reading, &["--global"]) {
            let home = self.home.clone().unwrap_or_else(|| "/root".to_owned());
            self.paths(&format!("{home}/.gitconfig"), state, &[Verb::Write], None);
        } else if has(reading, &["--system"]) {
            self.paths("/etc/gitconfig", state, &[Verb::Write], None);
        } else if !harmless {
            self.paths(".git/config", state, &[Verb::Write], None);
        }
        if let (Some(key), Some(value)) = (&setting.key, &setting.value) {
            self.later(key, value, state);
        }
    }

    /// The command that a setting, or a `git -c`, runs.
    pub(super) fn later(&mut self, key: &str, value: &str, state: &State) {
        if let Some(text) = code(key, value) {
            self.hidden(|walker| {
                let mut inner = state.clone();
                walker.text(&text, &mut inner, &super::state::Input::default(), true);
            });
        }
    }
}
