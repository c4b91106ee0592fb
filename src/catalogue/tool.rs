//! The tools of each runtime and what their arguments mean, as data.
//!
//! A tool that is in no catalogue is opaque: what it would touch is not known, and the policy's
//! `opaque` says what that costs.

use crate::model::access::Verb;
use crate::model::principal::Runtime;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// One tool: which of its arguments name what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Arguments that name a path read.
    #[serde(default)]
    pub read: Vec<String>,
    /// Arguments that name a path written.
    #[serde(default)]
    pub write: Vec<String>,
    /// It changes nothing: its call needs no record on the disk before it is answered.
    #[serde(default)]
    pub reading: bool,
    /// How the arguments give the text that is written.
    #[serde(default)]
    pub text: Option<Text>,
    /// Arguments that are a shell command.
    #[serde(default)]
    pub shell: Vec<String>,
    /// Arguments that are a URL.
    #[serde(default)]
    pub connect: Vec<String>,
    /// Arguments that are a patch of files, as Codex's `apply_patch` takes it.
    #[serde(default)]
    pub patch: Vec<String>,
    /// The argument that says where a command runs, if the call may choose.
    #[serde(default)]
    pub directory: Option<String>,
    /// The paths are read with everything below them.
    #[serde(default)]
    pub tree: bool,
    /// The argument that narrows the tree to files whose names fit a glob.
    #[serde(default)]
    pub narrowed: Option<String>,
    /// Arguments that with this value take the tool where its own calls are not judged.
    #[serde(default)]
    pub unjudged: BTreeMap<String, String>,
    /// Arguments that may be absent, and what stands for them then.
    #[serde(default)]
    pub optional: BTreeMap<String, Absent>,
    /// Arguments that the tool's schema lets a call leave out: then they are not there, for sure.
    #[serde(default)]
    pub omittable: Vec<String>,
}

/// How a tool's arguments give the text that a file will hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Text {
    /// `content` is all of it.
    Whole,
    /// `new_string` takes the place of `old_string`, everywhere with `replace_all`.
    Edit,
    /// `edits`, each as that, one after another.
    Edits,
}

/// What an absent argument stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Absent {
    /// The working directory.
    Cwd,
    /// Nothing: there is no such access.
    None,
}

impl Tool {
    /// Each argument with the verb it stands for.
    pub fn arguments(&self) -> impl Iterator<Item = (Verb, &str)> {
        self.read
            .iter()
            .map(|name| (Verb::Read, name.as_str()))
            .chain(self.write.iter().map(|name| (Verb::Write, name.as_str())))
            .chain(self.shell.iter().map(|name| (Verb::Exec, name.as_str())))
            .chain(self.connect.iter().map(|name| (Verb::Connect, name.as_str())))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tool: BTreeMap<String, Tool>,
}

static CLAUDE: LazyLock<Result<BTreeMap<String, Tool>, String>> =
    LazyLock::new(|| parse(include_str!("../../policies/catalogue/claude.toml")));
static CODEX: LazyLock<Result<BTreeMap<String, Tool>, String>> =
    LazyLock::new(|| parse(include_str!("../../policies/catalogue/codex.toml")));

/// The tool of that name, if the runtime's catalogue has it.
#[must_use]
pub fn tool(runtime: Runtime, name: &str) -> Option<&'static Tool> {
    let catalogue = match runtime {
        Runtime::Claude => &*CLAUDE,
        Runtime::Codex => &*CODEX,
        Runtime::Unknown => return None,
    };
    // An unreadable catalogue (which the tests exclude) makes every tool opaque.
    catalogue.as_ref().ok()?.get(name)
}

fn parse(text: &str) -> Result<BTreeMap<String, Tool>, String> {
    toml::from_str::<File>(text).map(|file| file.tool).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::builtin::TRANSPARENT;

    #[test]
    fn the_catalogues_can_be_read() {
        CLAUDE.as_ref().unwrap();
        CODEX.as_ref().unwrap();
    }

    #[test]
    fn every_transparent_tool_is_described() {
        for name in TRANSPARENT {
            let known = |runtime| tool(runtime, name).is_some();
            assert!(known(Runtime::Claude) || known(Runtime::Codex), "{name}");
        }
    }
}
