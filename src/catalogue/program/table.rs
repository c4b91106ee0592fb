//! One file of rows, read: each row as it is written, and the `Program` it comes to.
//!
//! An option is written as its spellings with what its value is: `"-f,--file=read"` takes a file
//! that it reads, `"--color[=text]"` takes a value only when attached, `"-r,--recursive"` none. The
//! list it stands in is its class. `others` says what an option is that no list names; without it
//! such an option is unknown. A row may state its manual and examples, which the tests ask for.

use super::{
    Effects, Interpreter, Kind, OptionSpec, Program, Slot, Style, Subcommand, Variant, Walk,
    Wrapper,
};
use crate::model::access::{OptionClass, Verb};
use serde::Deserialize;
use std::collections::BTreeMap;

/// One row as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(super) struct Written {
    /// Other names of the same program.
    also: Vec<String>,
    /// The manual that the row was written from.
    pub(super) manual: Option<String>,
    /// Commands with all that they do: run by the tests.
    pub(super) examples: Vec<Example>,
    operands: Vec<String>,
    first_given_by: Vec<String>,
    last_given_by: Vec<String>,
    harmless: Vec<String>,
    plain: Vec<String>,
    hazardous: Vec<String>,
    others: Option<String>,
    pass_on: bool,
    style: Style,
    numeric: bool,
    tree: bool,
    tree_options: Vec<String>,
    walk: Walk,
    here: bool,
    in_place: Vec<String>,
    port: Option<u16>,
    settings: Vec<String>,
    connects: Vec<String>,
    reads: Vec<String>,
    writes: Vec<String>,
    fills: Vec<String>,
    runs: Vec<String>,
    unknown: Vec<String>,
    adds: Vec<String>,
    drops: Vec<String>,
    when: Vec<When>,
    wrapper: Option<Wrapper>,
    interpreter: Option<Interpreter>,
    pub(super) subcommands: BTreeMap<String, Written>,
}

#[cfg(test)]
impl Written {
    /// Whether the row knows an option.
    pub(super) fn has_options(&self) -> bool {
        let lists = [&self.harmless, &self.plain, &self.hazardous];
        lists.iter().any(|list| !list.is_empty())
    }
}

/// A command of a row's `examples`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(test), expect(dead_code, reason = "only the tests run them"))]
pub(super) struct Example {
    /// The command.
    pub(super) run: String,
    /// Its accesses, in the notation of `tests/cases/commands`.
    pub(super) does: Vec<String>,
}

/// A row's `when`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct When {
    given: Vec<String>,
    absent: Vec<String>,
    fewer: Option<usize>,
    changes: Vec<String>,
    operands: Option<Vec<String>>,
    connects: Vec<String>,
    reads: Vec<String>,
    writes: Vec<String>,
    fills: Vec<String>,
    runs: Vec<String>,
    unknown: Vec<String>,
    adds: Vec<String>,
    drops: Vec<String>,
}

/// The rows of one file, as they are written.
pub(super) fn rows(text: &str) -> Result<BTreeMap<String, Written>, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

/// The programs of one file, each under every name it has.
#[cfg(test)]
pub(super) fn read(text: &str) -> Result<BTreeMap<String, Program>, String> {
    let mut programs = BTreeMap::new();
    for (name, written) in rows(text)? {
        let also = written.also.clone();
        let program = compile(written).map_err(|error| format!("`{name}`: {error}"))?;
        for other in also {
            programs.insert(other, program.clone());
        }
        programs.insert(name, program);
    }
    Ok(programs)
}

/// The program of a text that has one row.
pub(super) fn read_row(text: &str) -> Result<Program, String> {
    let mut rows = rows(text)?;
    match (rows.pop_first(), rows.is_empty()) {
        (Some((_, written)), true) => compile(written),
        _ => Err("not one row".to_owned()),
    }
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
    let stated = written.others.as_deref();
    let others = match stated.map(|class| class.strip_suffix("=text").unwrap_or(class)) {
        None => None,
        Some("harmless") => Some(OptionClass::Harmless),
        Some("plain") => Some(OptionClass::Plain),
        Some("hazardous") => Some(OptionClass::Hazardous),
        Some(other) => return Err(format!("no option is `{other}`")),
    };
    let handed: &[OptionSpec] = if written.pass_on { &options } else { &[] };
    let subcommands = subcommands(written.subcommands, handed)?;
    Ok(Program {
        operands: slots(&written.operands)?,
        first_given_by: written.first_given_by,
        last_given_by: written.last_given_by,
        options,
        others,
        others_valued: stated.is_some_and(|class| class.ends_with("=text")),
        style: written.style,
        numeric: written.numeric,
        tree: written.tree,
        tree_options: written.tree_options,
        walk: written.walk,
        here: written.here,
        in_place: written.in_place,
        port: written.port,
        settings: written.settings,
        effects: Effects {
            connects: written.connects,
            reads: written.reads,
            writes: written.writes,
            fills: written.fills,
            runs: written.runs,
            unknown: verbs(&written.unknown)?,
            adds: written.adds,
            drops: written.drops,
        },
        variants: written.when.into_iter().map(variant).collect::<Result<_, _>>()?,
        wrapper: written.wrapper,
        interpreter: written.interpreter,
        subcommands,
        ..Program::default()
    })
}

/// The options of a row that may also stand behind its subcommand, which may know better.
fn hand_on(table: &mut Program, options: &[OptionSpec]) {
    let known = |spelling: &String, table: &Program| {
        table.options.iter().any(|option| option.spellings.contains(spelling))
    };
    for option in options {
        let mut option = option.clone();
        option.spellings.retain(|spelling| !known(spelling, table));
        if !option.spellings.is_empty() {
            table.options.push(option);
        }
    }
    for subcommand in table.subcommands.values_mut() {
        hand_on(&mut subcommand.table, options);
    }
}

/// `"install=i=add,remove=rm"`: two subcommands with one table, each with its other names.
fn subcommands(
    written: BTreeMap<String, Written>,
    handed: &[OptionSpec],
) -> Result<BTreeMap<String, Subcommand>, String> {
    let mut subcommands = BTreeMap::new();
    for (names, table) in written {
        let mut table = compile(table)?;
        hand_on(&mut table, handed);
        for names in names.split(',') {
            let name = names.split('=').next().unwrap_or_default();
            for other in names.split('=') {
                let subcommand = Subcommand { name: name.to_owned(), table: table.clone() };
                if subcommands.insert(other.to_owned(), subcommand).is_some() {
                    return Err(format!("`{other}` stands twice"));
                }
            }
        }
    }
    Ok(subcommands)
}

fn variant(when: When) -> Result<Variant, String> {
    Ok(Variant {
        given: when.given,
        absent: when.absent,
        fewer: when.fewer,
        changes: when.changes,
        operands: when.operands.map(|texts| slots(&texts)).transpose()?,
        effects: Effects {
            connects: when.connects,
            reads: when.reads,
            writes: when.writes,
            fills: when.fills,
            runs: when.runs,
            unknown: verbs(&when.unknown)?,
            adds: when.adds,
            drops: when.drops,
        },
    })
}

fn verbs(texts: &[String]) -> Result<Vec<Verb>, String> {
    let verb = |text: &String| {
        let found = Verb::ALL.into_iter().find(|verb| verb.as_str() == text);
        found.ok_or_else(|| format!("no verb is `{text}`"))
    };
    texts.iter().map(verb).collect()
}

fn slots(texts: &[String]) -> Result<Vec<Slot>, String> {
    texts.iter().map(|text| slot(text)).collect()
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
    let (text, many) = match text.strip_suffix('*') {
        Some(text) => (text, true),
        None => (text, false),
    };
    let mut then = Vec::new();
    let (names, value, attached) = if let Some((names, rest)) = text.split_once("[=") {
        (names, Some(kind(rest.trim_end_matches(']'))?), true)
    } else if let Some((names, rest)) = text.rsplit_once('=') {
        let mut kinds = rest.split(',').map(kind);
        let first = kinds.next().transpose()?;
        then = kinds.collect::<Result<_, _>>()?;
        (names, first, false)
    } else {
        (text, None, false)
    };
    let spellings = names.split(',').map(str::to_owned).collect();
    Ok(OptionSpec { spellings, value, attached, then, many, class })
}
