//! The tables of `policies/catalogue/programs/*.toml`: what each program takes its words for.
//!
//! An option is written as its spellings with what its value is: `"-f,--file=read"` takes a file
//! that it reads, `"--color[=text]"` takes a value only when attached, `"-r,--recursive"` none. The
//! list it stands in is its class. `others` says what an option is that no list names; without it
//! such an option is unknown.

use crate::model::access::OptionClass;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// What a word means to a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Text that names nothing: a pattern, a number, a message.
    Text,
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
    /// A URL.
    Url,
    /// A URL that may lack its scheme, as curl takes it.
    WebAddress,
    /// `[user@]host`, or an `ssh://` URL.
    Host,
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
    /// The rest of the words is a command.
    Command,
    /// The rest of the words, joined, is a shell text.
    ShellText,
    /// A subcommand, with a table of its own.
    Subcommand,
    /// `name=value` for the environment.
    Assignment,
    /// A git revision, or `revision:path`.
    Revision,
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
    /// How much it may change.
    pub class: OptionClass,
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
    /// Whether it only runs another program.
    pub wrapper: Option<Wrapper>,
    /// Whether it runs code that it is given.
    pub interpreter: Option<Interpreter>,
    /// Tables by subcommand.
    pub subcommands: BTreeMap<String, Program>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct Written {
    also: Vec<String>,
    operands: Vec<String>,
    first_given_by: Vec<String>,
    last_given_by: Vec<String>,
    harmless: Vec<String>,
    plain: Vec<String>,
    hazardous: Vec<String>,
    others: Option<String>,
    style: Style,
    numeric: bool,
    tree: bool,
    tree_options: Vec<String>,
    walk: Walk,
    here: bool,
    in_place: Vec<String>,
    wrapper: Option<Wrapper>,
    interpreter: Option<Interpreter>,
    subcommands: BTreeMap<String, Written>,
}

/// Every embedded file, by name.
const FILES: [(&str, &str); 6] = [
    ("files", include_str!("../../policies/catalogue/programs/files.toml")),
    ("text", include_str!("../../policies/catalogue/programs/text.toml")),
    ("build", include_str!("../../policies/catalogue/programs/build.toml")),
    ("git", include_str!("../../policies/catalogue/programs/git.toml")),
    ("network", include_str!("../../policies/catalogue/programs/network.toml")),
    ("wrappers", include_str!("../../policies/catalogue/programs/wrappers.toml")),
];

/// A table that cannot be read is no table: its programs are unknown, and a test fails.
static PROGRAMS: LazyLock<BTreeMap<String, Program>> =
    LazyLock::new(|| FILES.iter().filter_map(|(_, text)| read(text).ok()).flatten().collect());

/// The table of the program `name`, a base name without directories.
#[must_use]
pub fn find(name: &str) -> Option<&'static Program> {
    if name.starts_with("mkfs.") {
        return PROGRAMS.get("mkfs");
    }
    PROGRAMS.get(name)
}

/// The tables of one file.
fn read(text: &str) -> Result<BTreeMap<String, Program>, String> {
    let written: BTreeMap<String, Written> =
        toml::from_str(text).map_err(|error| error.to_string())?;
    let mut programs = BTreeMap::new();
    for (name, written) in written {
        let also = written.also.clone();
        let program = compile(written).map_err(|error| format!("`{name}`: {error}"))?;
        for other in also {
            programs.insert(other, program.clone());
        }
        programs.insert(name, program);
    }
    Ok(programs)
}

fn compile(written: Written) -> Result<Program, String> {
    let mut options = Vec::new();
    for (texts, class) in [
        (&written.harmless, OptionClass::Harmless),
        (&written.plain, OptionClass::Plain),
        (&written.hazardous, OptionClass::Hazardous),
    ] {
        for text in texts {
            options.push(option(text, class)?);
        }
    }
    let others = match written.others.as_deref() {
        None => None,
        Some("harmless") => Some(OptionClass::Harmless),
        Some("plain") => Some(OptionClass::Plain),
        Some("hazardous") => Some(OptionClass::Hazardous),
        Some(other) => return Err(format!("no option is `{other}`")),
    };
    let mut subcommands = BTreeMap::new();
    for (names, table) in written.subcommands {
        let table = compile(table)?;
        for name in names.split(',') {
            subcommands.insert(name.to_owned(), table.clone());
        }
    }
    Ok(Program {
        operands: written.operands.iter().map(|text| slot(text)).collect::<Result<_, _>>()?,
        first_given_by: written.first_given_by,
        last_given_by: written.last_given_by,
        options,
        others,
        style: written.style,
        numeric: written.numeric,
        tree: written.tree,
        tree_options: written.tree_options,
        walk: written.walk,
        here: written.here,
        in_place: written.in_place,
        wrapper: written.wrapper,
        interpreter: written.interpreter,
        subcommands,
    })
}

fn kind(text: &str) -> Result<Kind, String> {
    let deserializer = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(text);
    Kind::deserialize(deserializer).map_err(|error| error.to_string())
}

fn slot(text: &str) -> Result<Slot, String> {
    match text.strip_suffix('*') {
        Some(text) => Ok(Slot { kind: kind(text)?, many: true }),
        None => Ok(Slot { kind: kind(text)?, many: false }),
    }
}

fn option(text: &str, class: OptionClass) -> Result<OptionSpec, String> {
    let (names, value, attached) = if let Some((names, rest)) = text.split_once("[=") {
        (names, Some(kind(rest.trim_end_matches(']'))?), true)
    } else if let Some((names, rest)) = text.rsplit_once('=') {
        (names, Some(kind(rest)?), false)
    } else {
        (text, None, false)
    };
    let spellings = names.split(',').map(str::to_owned).collect();
    Ok(OptionSpec { spellings, value, attached, class })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_can_be_read() {
        for (name, text) in FILES {
            if let Err(error) = read(text) {
                panic!("{name}: {error}");
            }
        }
        assert!(find("git").unwrap().subcommands.contains_key("push"));
        assert!(find("mkfs.ext4").is_some());
    }

    #[test]
    fn no_option_stands_in_two_classes() {
        for (name, program) in PROGRAMS.iter() {
            let mut seen = std::collections::BTreeSet::new();
            for spelling in program.options.iter().flat_map(|option| &option.spellings) {
                assert!(seen.insert(spelling), "{name} {spelling}");
            }
        }
    }
}
