//! One thing that a call would do: a verb on one target.

use super::call::ToolName;
use super::doubt::Doubt;
use super::path::{Extent, PathTarget};
use super::url::Destination;
use super::word::Word;

/// One thing a call would do, and how surely.
#[derive(Debug, Clone, PartialEq)]
pub struct Access {
    /// The verb and what it is done to.
    pub target: Target,
    /// Whether it happens at all.
    pub certainty: Certainty,
    /// The command that it belongs to (an index into the call's accesses): the program that reads
    /// the file, the shell or wrapper that runs the command. Nothing for what the call does itself.
    pub within: Option<usize>,
}

/// A verb and its target. Closed on purpose: a new kind of access must visit every match.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// The contents of a file or directory are read.
    Read(PathTarget),
    /// A file or directory is made, changed, moved or removed.
    Write(PathTarget),
    /// A program is run.
    Exec(Command),
    /// A connection is made.
    Connect(Destination),
    /// A tool of the runtime is called.
    Call(ToolName),
    /// The verb is known, its target is not.
    Unknown {
        /// What would be done.
        verb: Verb,
        /// Why its target is not known.
        reason: Doubt,
    },
}

/// The five verbs that are judged before a tool runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Reading a path.
    Read,
    /// Writing a path.
    Write,
    /// Running a command.
    Exec,
    /// Connecting to a host or socket.
    Connect,
    /// Calling a tool.
    Call,
}

/// Whether an access happens when the call runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Certainty {
    /// It does, as far as the call's own text goes.
    Certain,
    /// It may. A rule that would say yes says maybe; with no rule the default stands.
    Possible(Doubt),
    /// The text merely names it in a place where it could mean this. Only an ask or a deny that
    /// fits makes it count, as a maybe; else it is no access at all (policy language §11.13).
    Suspected(Doubt),
}

/// A command as it would be executed: the program and its arguments after parsing.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// The program.
    pub program: Program,
    /// Its arguments, classified by the program's table; clusters such as `-rf` are split.
    pub args: Vec<Arg>,
    /// Commands (indexes into the call's accesses) whose output reaches this one's input.
    pub fed_by: Vec<usize>,
    /// Everything that makes an allow of this command a maybe, wherever it matches.
    pub doubts: Vec<Doubt>,
    /// Commands that only run what follows them need no allow of their own (`env`, `timeout`).
    pub transparent: bool,
    /// Whether the call's exit status is this command's.
    pub status: Status,
}

/// Whether a call's exit status tells a command's own (policy language §11.21).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The command is all that the call runs.
    Whole,
    /// It stands in a chain of `&&`: if the call succeeded, it did.
    Chained,
    /// Another command, a pipe, `||`, `!` or `&` stands between.
    Hidden,
}

/// The program of a command.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    /// As written, after quote removal.
    pub word: Word,
    /// The file, if the word is a path; nothing for a bare name, which PATH resolves.
    pub file: Option<PathTarget>,
    /// Whether a table describes this program's arguments.
    pub known: bool,
}

/// One argument.
#[derive(Debug, Clone, PartialEq)]
pub struct Arg {
    /// As it would be passed; for one letter of a cluster, that option alone (`-r`).
    pub word: Word,
    /// What the program takes it for.
    pub role: Role,
    /// Where it leads if it is a path: known operands and option values only.
    pub path: Option<PathTarget>,
}

/// What a program takes an argument for.
#[derive(Debug, Clone, PartialEq)]
pub enum Role {
    /// An operand: a file, a subcommand, a text.
    Operand,
    /// An option.
    Option {
        /// Every spelling that means the same, as `-f` and `--force`.
        spellings: Vec<String>,
        /// Its value, attached or in the next word.
        value: Option<Word>,
        /// How much it may change.
        class: OptionClass,
    },
    /// `--`: what follows are operands.
    EndOfOptions,
}

/// How much an option changes what the command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionClass {
    /// It changes nothing that a rule could care for, or its effect is an access of its own.
    Harmless,
    /// The table knows it; it may matter to a rule that does not name it.
    Plain,
    /// It runs code, reads configuration, or writes what no access names.
    Hazardous,
    /// No table knows it.
    Unknown,
}

impl Target {
    /// The verb.
    #[must_use]
    pub fn verb(&self) -> Verb {
        match self {
            Target::Read(_) => Verb::Read,
            Target::Write(_) => Verb::Write,
            Target::Exec(_) => Verb::Exec,
            Target::Connect(_) => Verb::Connect,
            Target::Call(_) => Verb::Call,
            Target::Unknown { verb, .. } => *verb,
        }
    }
}

impl Access {
    /// An access that happens if the call runs.
    #[must_use]
    pub fn certain(target: Target) -> Access {
        Access { target, certainty: Certainty::Certain, within: None }
    }

    /// An access that may happen.
    #[must_use]
    pub fn possible(target: Target, doubt: Doubt) -> Access {
        Access { target, certainty: Certainty::Possible(doubt), within: None }
    }

    /// An access that only counts where an ask or a deny fits it.
    #[must_use]
    pub fn suspected(target: Target, doubt: Doubt) -> Access {
        Access { target, certainty: Certainty::Suspected(doubt), within: None }
    }

    /// An access of `verb` whose target is not known.
    #[must_use]
    pub fn unknown(verb: Verb, reason: Doubt) -> Access {
        Access::certain(Target::Unknown { verb, reason })
    }

    /// Whether its target is any path that fits a file name pattern, there or not.
    #[must_use]
    pub fn is_of_pattern(&self) -> bool {
        matches!(
            &self.target,
            Target::Read(path) | Target::Write(path) if matches!(path.extent, Extent::Fitting(_))
        )
    }

    /// Whether both the target and that it happens are known.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.certainty == Certainty::Certain && !matches!(self.target, Target::Unknown { .. })
    }
}

impl Verb {
    /// All five, in the order of the language's grid.
    pub const ALL: [Verb; 5] = [Verb::Read, Verb::Write, Verb::Exec, Verb::Connect, Verb::Call];

    /// The word in policy, log and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Read => "read",
            Verb::Write => "write",
            Verb::Exec => "exec",
            Verb::Connect => "connect",
            Verb::Call => "call",
        }
    }
}

impl std::fmt::Display for Verb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Display for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.program.word)?;
        for arg in &self.args {
            write!(f, " {}", arg.word)?;
            if let Role::Option { value: Some(value), .. } = &arg.role {
                write!(f, " {value}")?;
            }
        }
        Ok(())
    }
}

/// The target as log, answers and messages show it.
impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Read(path) | Target::Write(path) => write!(f, "{}", path.written),
            Target::Exec(command) => write!(f, "{command}"),
            Target::Connect(destination) => write!(f, "{destination}"),
            Target::Call(tool) => write!(f, "{tool}"),
            Target::Unknown { reason, .. } => write!(f, "⟨unknown: {reason}⟩"),
        }
    }
}
