//! Why something is not known. A doubt is carried from where it arose to the log and to `explain`.

/// The reason of a maybe, in the words that a reader of the log gets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Doubt {
    /// The value of a variable that this text does not set.
    Variable(String),
    /// The output of a command, known only when it runs.
    CommandOutput,
    /// A shell expansion that is not computed: its name, such as `arithmetic`.
    Expansion(&'static str),
    /// A file name pattern, as written.
    Glob(String),
    /// A loop or list variable with more values than are kept.
    TooManyValues,
    /// The text could not be parsed.
    Unparsable(String),
    /// A control or invisible character in the text.
    StrangeCharacter(char),
    /// No table knows this program, so its operands may be anything.
    UnknownProgram(String),
    /// The program's table does not know this option.
    UnknownOption {
        /// The program's name.
        program: String,
        /// The option as written.
        option: String,
    },
    /// An option that runs code, reads configuration, or writes what cannot be named.
    HazardousOption {
        /// The program's name.
        program: String,
        /// The option as written.
        option: String,
    },
    /// Code handed to an interpreter: the interpreter's name.
    InlineCode(String),
    /// A variable assignment that changes what later commands do: its name.
    HazardAssignment(String),
    /// The name is defined as a function or alias in this text.
    Redefined(String),
    /// The program lies, or may lie, where the agent can write.
    WritableProgram(String),
    /// The working directory is not known here.
    DirectoryUnknown,
    /// A tool that no catalogue describes.
    UnknownTool(String),
    /// An argument that should name the target is missing or of another type: its name.
    Argument(String),
    /// The path cannot be resolved here: the operating system's reason.
    Unresolved(String),
    /// The path lies outside the mounts that this listener declares.
    OutsideMounts,
    /// This listener has no world configured, so no path of the agent can be resolved.
    NoWorld,
    /// A magic link or another path that names something else for each process.
    MagicLink,
    /// A bound of the program was met: its name.
    Limit(&'static str),
    /// What lies below a directory is not known beforehand (an archive, a tree too large).
    TreeUnknown,
    /// The program's own settings tell it, not the text.
    Settings,
    /// Another reason, in words.
    Other(String),
}

impl std::fmt::Display for Doubt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Doubt::Variable(name) => write!(f, "the value of `${name}` is not known"),
            Doubt::CommandOutput => f.write_str("it is the output of a command"),
            Doubt::Expansion(kind) => write!(f, "{kind} expansion is not computed"),
            Doubt::Glob(text) => write!(f, "`{text}` names the files that are there when it runs"),
            Doubt::TooManyValues => f.write_str("it has too many possible values"),
            Doubt::Unparsable(why) => write!(f, "the text cannot be read: {why}"),
            Doubt::StrangeCharacter(c) => write!(f, "the text holds the character {:?}", c),
            Doubt::UnknownProgram(name) => write!(f, "no table describes the program `{name}`"),
            Doubt::UnknownOption { program, option } => {
                write!(f, "the table of `{program}` does not know `{option}`")
            }
            Doubt::HazardousOption { program, option } => {
                write!(f, "`{program} {option}` runs or reads what the text does not show")
            }
            Doubt::InlineCode(name) => write!(f, "it is code for `{name}`"),
            Doubt::HazardAssignment(name) => {
                write!(f, "`{name}` is set, which changes what the command does")
            }
            Doubt::Redefined(name) => write!(f, "`{name}` is redefined in this text"),
            Doubt::WritableProgram(path) => {
                write!(f, "`{path}` lies where the agent can write")
            }
            Doubt::DirectoryUnknown => f.write_str("the working directory is not known here"),
            Doubt::UnknownTool(name) => write!(f, "no catalogue describes the tool `{name}`"),
            Doubt::Argument(name) => write!(f, "the argument `{name}` is missing or unreadable"),
            Doubt::Unresolved(why) => write!(f, "the path cannot be resolved: {why}"),
            Doubt::OutsideMounts => f.write_str("the path lies outside the declared mounts"),
            Doubt::NoWorld => f.write_str("no world is configured for this listener"),
            Doubt::MagicLink => f.write_str("the path names something else for each process"),
            Doubt::Limit(name) => write!(f, "the limit on {name} was met"),
            Doubt::TreeUnknown => f.write_str("what lies below it is not known beforehand"),
            Doubt::Settings => f.write_str("the program's own settings tell it"),
            Doubt::Other(why) => f.write_str(why),
        }
    }
}
