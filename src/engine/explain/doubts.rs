//! Everything about an access that is not known: the reasons of every maybe on it.

use crate::model::access::{Access, Arg, Certainty, Command, OptionClass, Role, Target};
use crate::model::doubt::Doubt;
use crate::model::path::{Extent, PathTarget, Real};
use crate::model::url::{Destination, Network};
use crate::model::word::Word;

/// The reasons, each once, in the order in which they would be looked for.
pub(super) fn doubts(access: &Access) -> Vec<Doubt> {
    let mut found = Vec::new();
    match &access.certainty {
        Certainty::Certain => {}
        Certainty::Possible(doubt) | Certainty::Suspected(doubt) => found.push(doubt.clone()),
    }
    match &access.target {
        Target::Read(path) | Target::Write(path) => of_path(path, &mut found),
        Target::Exec(command) => of_command(command, &mut found),
        Target::Connect(Destination::Unix(path)) => of_path(path, &mut found),
        Target::Connect(Destination::Network(to)) => of_network(to, &mut found),
        Target::Call(_) => {}
        Target::Unknown { reason, .. } => found.push(reason.clone()),
    }
    let mut told: Vec<Doubt> = Vec::new();
    for doubt in found {
        if !told.contains(&doubt) {
            told.push(doubt);
        }
    }
    told
}

fn of_path(path: &PathTarget, into: &mut Vec<Doubt>) {
    match &path.real {
        Real::At(_) => {}
        Real::Unknown(doubt) => into.push(doubt.clone()),
    }
    match &path.extent {
        Extent::Itself | Extent::Below(_) | Extent::Seen(_) | Extent::Fitting(_) => {}
        Extent::BelowUnknown(doubt) => into.push(doubt.clone()),
    }
}

fn of_command(command: &Command, into: &mut Vec<Doubt>) {
    into.extend(command.doubts.iter().cloned());
    of_word(&command.program.word, into);
    if let Some(file) = &command.program.file {
        of_path(file, into);
    }
    let program = || command.program.word.to_string();
    for arg in &command.args {
        of_arg(arg, command.program.known, &program, into);
    }
}

fn of_arg(arg: &Arg, known: bool, program: &dyn Fn() -> String, into: &mut Vec<Doubt>) {
    of_word(&arg.word, into);
    if let Some(path) = &arg.path {
        of_path(path, into);
    }
    let Role::Option { value, class, .. } = &arg.role else { return };
    if let Some(value) = value {
        of_word(value, into);
    }
    let option = || arg.word.to_string();
    into.extend(match class {
        OptionClass::Harmless | OptionClass::Plain => None,
        OptionClass::Hazardous => {
            Some(Doubt::HazardousOption { program: program(), option: option() })
        }
        OptionClass::Unknown if known => {
            Some(Doubt::UnknownOption { program: program(), option: option() })
        }
        OptionClass::Unknown => Some(Doubt::UnknownProgram(program())),
    });
}

fn of_word(word: &Word, into: &mut Vec<Doubt>) {
    match word {
        Word::Known(_) => {}
        Word::OneOf(values) => {
            into.push(Doubt::Other(format!("it is one of {}", values.join(", "))));
        }
        Word::Unknown(unknown) => into.push(unknown.reason.clone()),
    }
}

/// What only a plane that sees the request itself would know.
fn of_network(to: &Network, into: &mut Vec<Doubt>) {
    let unseen = [
        ("scheme", to.scheme.is_none()),
        ("port", to.port.is_none()),
        ("method", to.method.is_none()),
        ("path", to.path.is_none()),
    ];
    let names: Vec<&str> =
        unseen.into_iter().filter_map(|(name, unseen)| unseen.then_some(name)).collect();
    if !names.is_empty() {
        into.push(Doubt::Other(format!("its {} cannot be seen here", names.join(", "))));
    }
}
