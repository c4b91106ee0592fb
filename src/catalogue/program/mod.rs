//! The tables of `policies/catalogue/programs/*.toml`: what each program takes its words for.
//!
//! A row is one program, `table.rs` reads it, and `policies/catalogue/programs/README.md` has its
//! keys. A program or a word that no row describes is not guessed at: it is a doubt.

mod embedded;
mod scan;
mod table;
#[cfg(test)]
pub(crate) mod tests;

pub use embedded::find;

use crate::model::access::{OptionClass, Verb};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

/// What a word means to a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Text that names nothing: a pattern, a number, a message.
    Text,
    /// Digits that may be attached; what follows them in a cluster is another option.
    Digits,
    /// A path whose contents are read.
    Read,
    /// A path that is made, changed or removed.
    Write,
    /// A path that is read and changed.
    Update,
    /// A path that is read, with all below it, and then gone.
    Move,
    /// A path that is removed, with all below it if the program was told so.
    Delete,
    /// A path of which only names and times are looked at.
    List,
    /// The directory that what follows is relative to.
    Directory,
    /// A directory that is filled with names that only what is unpacked or fetched tells.
    Fill,
    /// The beginning of the names of files that are made, as split has it.
    Prefix,
    /// A URL.
    Url,
    /// A URL that may lack its scheme, as curl takes it.
    WebAddress,
    /// `[user@]host`, or an `ssh://` URL.
    Host,
    /// `[scheme://][user@]host[:port][/path]`, or the path of a Unix socket.
    Address,
    /// The port of the address beside it.
    Port,
    /// A path, or `[user@]host:path`; read.
    RemoteRead,
    /// A path, or `[user@]host:path`; written.
    RemoteWrite,
    /// A git repository: a URL, `host:path`, a path, or a name that the text does not resolve.
    Repository,
    /// A program text in the program's own language.
    Code,
    /// A file that is run.
    Script,
    /// What a package manager is told to install: a name, a URL, or a local file or directory.
    Package,
    /// A module that is run, with the rest of the words: the program of that name, if a row has it.
    Module,
    /// The rest of the words is a command.
    Command,
    /// The rest of the words, joined, is a shell text.
    ShellText,
    /// A subcommand, with a table of its own.
    Subcommand,
    /// `name=value` for the environment.
    Assignment,
    /// `name=value` for the program itself: harmless if the row's `settings` say so of the name.
    Setting,
    /// A git revision, or `revision:path`.
    Revision,
    /// Text that names a file to read if `@`, `=@` or `file://` says so.
    AtFile,
    /// Text that is a URL if it has a `://`.
    PerhapsUrl,
    /// `[name=]path`; read.
    NamedRead,
    /// `host-path:inside[:ro]`, or `type=bind,source=host-path,...`: a part of the host given away.
    Volume,
    /// A path, or `name:path` in a container; read.
    InsideRead,
    /// A path, or `name:path` in a container; written, with names that the other side tells.
    InsideWrite,
}

/// Where options may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Style {
    /// Anywhere before `--`; letters may be clustered.
    #[default]
    Mixed,
    /// Only before the first operand; letters may be clustered.
    Leading,
    /// The same, and between the operands that stand before the command (`flock FILE -c TEXT`).
    BeforeCommand,
    /// Words with one dash are whole names (`find`, `go`).
    Names,
    /// `key=value` words (`dd`).
    Keys,
}

/// Whether a program only runs another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wrapper {
    /// It needs no allow of its own.
    Pure,
    /// It changes who or where: it needs an allow of its own.
    Guarded,
}

/// Which code a program understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interpreter {
    /// A shell: its texts are read like any other.
    Shell,
    /// Another language: its texts are scanned for names only.
    Other,
}

/// How a program walks a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Walk {
    /// Everything.
    #[default]
    All,
    /// No hidden names.
    Visible,
}

/// One place of the operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// What stands there.
    pub kind: Kind,
    /// Whether any number may.
    pub many: bool,
}

/// One option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionSpec {
    /// Every spelling.
    pub spellings: Vec<String>,
    /// What its value is; nothing if it takes none.
    pub value: Option<Kind>,
    /// Whether the value may only be attached.
    pub attached: bool,
    /// What the words after the value are, if it takes several (`bwrap --bind a b`).
    pub then: Vec<Kind>,
    /// Whether every word up to the next option is a value (`zip -x a b`).
    pub many: bool,
    /// How much it may change.
    pub class: OptionClass,
}

/// What a command comes to besides what its words name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Effects {
    /// URLs that it connects to.
    pub connects: Vec<String>,
    /// Paths that it reads; `~/` is the agent's home.
    pub reads: Vec<String>,
    /// Paths that it writes.
    pub writes: Vec<String>,
    /// Directories that it fills with names that nothing here tells.
    pub fills: Vec<String>,
    /// Commands that it runs, as words between blanks.
    pub runs: Vec<String>,
    /// Verbs of which it has an access to something that nothing here tells.
    pub unknown: Vec<Verb>,
    /// Endings that it adds to the names it updates (`gzip`).
    pub adds: Vec<String>,
    /// Endings that it takes away from the names it updates (`gunzip`).
    pub drops: Vec<String>,
}

/// What else holds when certain options are given, or are not.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Variant {
    /// One of these is given; empty for always.
    pub given: Vec<String>,
    /// None of these is.
    pub absent: Vec<String>,
    /// Fewer operands than this are; nothing for any number.
    pub fewer: Option<usize>,
    /// Options whose file is then not only read but changed.
    pub changes: Vec<String>,
    /// The operands then, in place of the row's.
    pub operands: Option<Vec<Slot>>,
    /// What it then comes to besides.
    pub effects: Effects,
}

/// One program, or one subcommand of a program.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Program {
    /// The operands, in order.
    pub operands: Vec<Slot>,
    /// Options that stand for the first operand (`grep -e`).
    pub first_given_by: Vec<String>,
    /// Options that stand for the last operand (`cp -t`).
    pub last_given_by: Vec<String>,
    /// The options.
    pub options: Vec<OptionSpec>,
    /// What an option is that is not among them.
    pub others: Option<OptionClass>,
    /// Whether such an option may have a value attached, which names nothing.
    pub others_valued: bool,
    /// Where options may stand.
    pub style: Style,
    /// Whether `-20` is an option.
    pub numeric: bool,
    /// Whether directories among the operands are walked.
    pub tree: bool,
    /// Options that make it so.
    pub tree_options: Vec<String>,
    /// How it walks.
    pub walk: Walk,
    /// Whether it reads the working directory if no operand says what.
    pub here: bool,
    /// Options with which what is read is changed too (`sed -i`).
    pub in_place: Vec<String>,
    /// The port of an address that states none.
    pub port: Option<u16>,
    /// Names of settings that change nothing a rule could care for; a final `*` is any ending
    /// without a comma.
    pub settings: Vec<String>,
    /// What it comes to besides what its words name.
    pub effects: Effects,
    /// What else holds with certain options.
    pub variants: Vec<Variant>,
    /// Whether it only runs another program.
    pub wrapper: Option<Wrapper>,
    /// Whether it runs code that it is given.
    pub interpreter: Option<Interpreter>,
    /// Tables by subcommand, each under every name it has.
    pub subcommands: BTreeMap<String, Subcommand>,
    /// Where each spelling stands among the options: filled when one is first asked for.
    spelt: OnceLock<HashMap<String, usize>>,
}

impl Program {
    /// The option of that spelling.
    #[must_use]
    pub fn option(&self, spelling: &str) -> Option<&OptionSpec> {
        let places = self.spelt.get_or_init(|| {
            let mut places = HashMap::new();
            for (at, option) in self.options.iter().enumerate() {
                for spelling in &option.spellings {
                    places.entry(spelling.clone()).or_insert(at);
                }
            }
            places
        });
        places.get(spelling).and_then(|at| self.options.get(*at))
    }

    /// Whether the row says that a setting of this name changes nothing a rule could care for.
    #[must_use]
    pub fn is_harmless_setting(&self, name: &str) -> bool {
        // Options for another program (`-Wl,-z,now`) keep their case, and end at a comma.
        let same = |setting: &str, name: &str| match setting.contains(',') {
            true => setting == name,
            false => setting.eq_ignore_ascii_case(name),
        };
        let fits = |setting: &String| match setting.strip_suffix('*') {
            Some(start) => match (name.get(..start.len()), name.get(start.len()..)) {
                (Some(begun), Some(ending)) => same(start, begun) && !ending.contains(','),
                _ => false,
            },
            None => same(setting, name),
        };
        self.settings.iter().any(fits)
    }

    /// The subcommand of that name; `*` is any that has no table of its own.
    #[must_use]
    pub fn subcommand(&self, name: &str) -> Option<&Subcommand> {
        self.subcommands.get(name).or_else(|| self.subcommands.get("*"))
    }
}

/// A subcommand under one of its names.
#[derive(Debug, Clone, PartialEq)]
pub struct Subcommand {
    /// The name that patterns use: `install` for `npm i`.
    pub name: String,
    /// Its table.
    pub table: Program,
}
