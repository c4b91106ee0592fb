//! What toolgate says that a text would do, held against an effect.

use crate::rows::{Effect, Row};
use toolgate::author::call::{Circumstances, facts_of};
use toolgate::facts::{Place, commands};
use toolgate::model::access::{Access, Arg, Certainty, Command, OptionClass, Role, Target, Verb};
use toolgate::model::path::{AbsPath, Extent, PathTarget, Real};
use toolgate::model::url::Destination;
use toolgate::model::word::Word;
use toolgate::policy::document::CallText;
use toolgate::world::Frozen;

/// How surely an effect is among the accesses of a text, from not at all on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Told {
    /// No access says it.
    Nothing,
    /// An access of its verb has a target that is not known.
    Unknown,
    /// An access says that it may happen, or is suspected.
    Possible,
    /// An access says that it happens.
    Certain,
}

fn path(text: &str) -> AbsPath {
    AbsPath::parse(text).unwrap()
}

fn within<T>(row: &Row, read: impl FnOnce(&Place<'_>) -> T) -> T {
    let files: Vec<AbsPath> = row.files.keys().map(|file| path(file)).collect();
    let world = Frozen::with_files(&files);
    read(&Place { world: &world, workspace: &path("/work"), tmp: &path("/tmp") })
}

/// Everything that the row's text would do, as the gate has it.
pub fn accesses(row: &Row) -> Vec<Access> {
    let call = CallText::Bash(row.text.clone());
    let around = Circumstances::plain(path("/work"));
    within(row, |place| facts_of(&call, &around, &[], place).accesses)
}

/// The accesses, for who reads a failure.
pub fn listed(accesses: &[Access]) -> String {
    let one = |access: &Access| {
        format!("    {} {} {:?}\n", access.target.verb(), access.target, access.certainty)
    };
    accesses.iter().map(one).collect()
}

/// How surely the accesses have the row's effect; `argv` are the words of a program that runs.
pub fn told(row: &Row, argv: Option<&[String]>, accesses: &[Access]) -> Told {
    let words: Vec<String>;
    let wanted = match (&row.effect, argv) {
        (Effect::Runs(_), Some(argv)) => command(row, argv),
        (Effect::Runs(text), None) => {
            words = text.split(' ').map(str::to_owned).collect();
            command(row, &words)
        }
        _ => None,
    };
    let one = |access: &Access| {
        let told = match (&row.effect, &access.target) {
            (effect, Target::Unknown { verb, .. })
                if *verb == verb_of(effect) || *verb == Verb::Exec =>
            {
                // A program that is not known may do anything.
                Told::Unknown
            }
            (Effect::Runs(_), Target::Exec(found)) => {
                wanted.as_ref().map_or(Told::Nothing, |wanted| same(found, wanted))
            }
            (Effect::Reads(path), Target::Read(target))
            | (Effect::Writes(path) | Effect::Deletes(path), Target::Write(target)) => {
                reaches(target, path)
            }
            (Effect::Connects(host), Target::Connect(Destination::Network(network))) => {
                let port = network.port.map_or_else(String::new, |port| port.to_string());
                let (name, wanted) = host.rsplit_once(':').unwrap();
                match network.host.to_string() == name && (port.is_empty() || port == wanted) {
                    true => Told::Certain,
                    false => Told::Nothing,
                }
            }
            _ => Told::Nothing,
        };
        match access.certainty {
            Certainty::Certain => told,
            Certainty::Possible(_) | Certainty::Suspected(_) => told.min(Told::Possible),
        }
    };
    let opaque = accesses.iter().any(|access| opaque(access, accesses, row.server.is_some()));
    let least = if opaque { Told::Unknown } else { Told::Nothing };
    accesses.iter().map(one).max().unwrap_or(least).max(least)
}

/// Whether a command's own allow is a maybe, since the text does not show what it does: an option
/// that runs or reads what no access names, a doubt, or words that came from the network.
fn opaque(access: &Access, accesses: &[Access], downloads: bool) -> bool {
    let Target::Exec(command) = &access.target else { return false };
    let hazard =
        |arg: &Arg| matches!(&arg.role, Role::Option { class: OptionClass::Hazardous, .. });
    let downloader = |fed: &usize| match accesses.get(*fed).map(|access| &access.target) {
        Some(Target::Exec(from)) => {
            matches!(from.program.word.as_known(), Some("curl" | "wget"))
        }
        _ => false,
    };
    let downloaded = downloads && command.fed_by.iter().any(downloader);
    !command.doubts.is_empty() || command.args.iter().any(hazard) || downloaded
}

fn verb_of(effect: &Effect) -> Verb {
    match effect {
        Effect::Runs(_) => Verb::Exec,
        Effect::Reads(_) => Verb::Read,
        Effect::Writes(_) | Effect::Deletes(_) => Verb::Write,
        Effect::Connects(_) => Verb::Connect,
    }
}

fn reaches(target: &PathTarget, wanted: &str) -> Told {
    let wanted = path(wanted);
    let real = match &target.real {
        Real::At(real) => real,
        Real::Unknown(_) => return Told::Unknown,
    };
    match &target.extent {
        Extent::Fitting(_) => Told::Nothing,
        _ if *real == wanted => Told::Certain,
        Extent::Below(paths) | Extent::Seen(paths) if paths.contains(&wanted) => Told::Certain,
        Extent::Below(_) | Extent::BelowUnknown(_) if wanted.is_within(real) => Told::Possible,
        _ => Told::Nothing,
    }
}

/// The command that these words are.
fn command(row: &Row, argv: &[String]) -> Option<Command> {
    let mut accesses = Vec::new();
    within(row, |place| {
        commands::read_argv(argv, Some(&path("/work")), place, &mut accesses);
    });
    accesses.into_iter().find_map(|access| match access.target {
        Target::Exec(command) => Some(command),
        _ => None,
    })
}

fn same(found: &Command, wanted: &Command) -> Told {
    let [found, wanted] = [found, wanted].map(words);
    let certain = |(found, wanted): (&Word, &Word)| {
        found.as_known().is_some() && found.as_known() == wanted.as_known()
    };
    if found.len() == wanted.len() && found.iter().zip(&wanted).all(certain) {
        return Told::Certain;
    }
    if may_be(&found, &wanted) { Told::Possible } else { Told::Nothing }
}

/// The program's own name, then all words after it.
fn words(command: &Command) -> Vec<Word> {
    let base = |text: &String| text.rsplit('/').next().unwrap_or_default().to_owned();
    let program = match &command.program.word {
        Word::Known(text) => Word::Known(base(text)),
        Word::OneOf(texts) => Word::one_of(texts.iter().map(base).collect()),
        unknown => unknown.clone(),
    };
    let mut words = vec![program];
    for arg in &command.args {
        words.push(arg.word.clone());
        if let Role::Option { value: Some(value), .. } = &arg.role {
            words.push(value.clone());
        }
    }
    words
}

/// Whether words of which some are not known can come to `wanted`.
fn may_be(found: &[Word], wanted: &[Word]) -> bool {
    let text = |word: &Word| word.as_known().unwrap_or_default().to_owned();
    match (found.split_first(), wanted.split_first()) {
        (None, None) => true,
        (None, Some(_)) => false,
        (Some((Word::Unknown(unknown), rest)), _) if !unknown.single => {
            (0..=wanted.len()).any(|taken| may_be(rest, &wanted[taken..]))
        }
        (Some(_), None) => false,
        (Some((word, rest)), Some((next, after))) => {
            let fits = match word {
                Word::Known(_) | Word::OneOf(_) => {
                    word.values().is_some_and(|values| values.contains(&text(next)))
                }
                Word::Unknown(unknown) => text(next).starts_with(&unknown.prefix),
            };
            fits && may_be(rest, after)
        }
    }
}
