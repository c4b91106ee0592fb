//! A shell text as it was read: commands and words, before anything is expanded.
//!
//! The shapes are the shell's own, thinned to what decides what would run: both branches of a
//! condition are kept, in order, and every word with the commands that run to make it.

use crate::model::doubt::Doubt;

/// Commands one after another.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Script {
    /// In order.
    pub nodes: Vec<Node>,
}

/// One command of any kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// A program, function or builtin with its words.
    Simple(Simple),
    /// `export`, `local`, `declare`, `readonly`, `typeset` and what they assign.
    Declare {
        /// The builtin's name.
        builtin: String,
        /// Its options and every operand that is no plain assignment.
        words: Vec<Word>,
        /// What it assigns.
        assignments: Vec<Assignment>,
    },
    /// Commands joined by `&&` and `||`.
    Chain {
        /// The first.
        first: Box<Node>,
        /// The others, each with what stands before it.
        rest: Vec<(Link, Node)>,
    },
    /// Commands joined by `|`.
    Pipe(Vec<Node>),
    /// A command in the background or as a coprocess.
    Background(Box<Node>),
    /// `( ... )`.
    Subshell(Script),
    /// `{ ...; }`, and the keyword `time`.
    Group(Script),
    /// `! command`.
    Not(Box<Node>),
    /// `if` and `elif`: each condition with its body, and the `else`.
    If {
        /// Conditions and bodies.
        arms: Vec<(Script, Script)>,
        /// The `else`.
        otherwise: Option<Script>,
    },
    /// `while`, `until` and the arithmetic `for`.
    Loop {
        /// What is run before each round.
        condition: Script,
        /// The round.
        body: Script,
    },
    /// `for` and `select` over words; without words, over the script's arguments.
    For {
        /// The loop variable.
        variable: String,
        /// Its values, one after another.
        words: Option<Vec<Word>>,
        /// The round.
        body: Script,
    },
    /// `case`.
    Case {
        /// What is compared, and the patterns: only the commands in them matter.
        words: Vec<Word>,
        /// The bodies.
        arms: Vec<Script>,
    },
    /// A function's definition.
    Function {
        /// Its name.
        name: String,
        /// Its body.
        body: Box<Node>,
    },
    /// `[[ ... ]]` and `(( ... ))`: only the commands in their words matter.
    Test(Vec<Word>),
    /// A compound command with redirections of its own.
    Redirected {
        /// The command.
        node: Box<Node>,
        /// Its redirections.
        redirects: Vec<Redirect>,
    },
}

/// What joins two commands of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// `&&`.
    And,
    /// `||`.
    Or,
}

/// A simple command.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Simple {
    /// Assignments before the name; without words they stay.
    pub assignments: Vec<Assignment>,
    /// The name and the arguments; may be empty.
    pub words: Vec<Word>,
    /// In order.
    pub redirects: Vec<Redirect>,
}

/// `name=value`.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// The variable.
    pub name: String,
    /// Whether an element of an array is set.
    pub indexed: bool,
    /// `+=`.
    pub append: bool,
    /// The value.
    pub value: Assigned,
}

/// What is assigned.
#[derive(Debug, Clone, PartialEq)]
pub enum Assigned {
    /// One word, which is not split.
    Scalar(Word),
    /// The words of an array.
    Array(Vec<Word>),
}

/// One redirection.
#[derive(Debug, Clone, PartialEq)]
pub struct Redirect {
    /// The descriptor, if stated.
    pub fd: Option<i32>,
    /// What is done.
    pub kind: RedirectKind,
}

/// What a redirection does.
#[derive(Debug, Clone, PartialEq)]
pub enum RedirectKind {
    /// `<`.
    Input(Word),
    /// `>`, `>>`, `>|`, `&>`.
    Output(Word),
    /// `<>`.
    Both(Word),
    /// `>&` or `<&` and a descriptor, or `-`, or a file name.
    Duplicate(Word),
    /// A here-document or here-string: the text that becomes the input.
    Text(Word),
}

/// A word as it was read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Word {
    /// Its pieces, in order.
    pub pieces: Vec<Piece>,
}

/// One piece of a word.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// Characters after quote removal.
    Text {
        /// The characters.
        text: String,
        /// Whether quotes or a backslash keep the shell from looking into them.
        quoted: bool,
    },
    /// `$x` or `${x}`.
    Variable {
        /// The name, or a digit or special character.
        name: String,
        /// Whether braces end the name: what comes to stand behind it cannot become part of it.
        braced: bool,
        /// Whether it stands in double quotes.
        quoted: bool,
    },
    /// `${x:-word}`, `${x-word}`, `${x:=word}`, `${x=word}`.
    Default {
        /// The name.
        name: String,
        /// What is used if it is not set.
        word: Word,
        /// Whether the variable keeps it.
        assigns: bool,
        /// Whether it stands in double quotes.
        quoted: bool,
    },
    /// `$( ... )` or back-ticks.
    Substitution {
        /// What runs.
        script: Script,
        /// Whether it stands in double quotes.
        quoted: bool,
    },
    /// `<( ... )` and `>( ... )`.
    Process {
        /// What runs.
        script: Script,
        /// True for `<(`: its output is what the command reads.
        output: bool,
    },
    /// An expansion that is not computed; the commands in its words run to make it.
    Opaque {
        /// Why it is not known.
        doubt: Doubt,
        /// Whether it stands in double quotes.
        quoted: bool,
        /// Texts that are evaluated as arithmetic or as a subscript.
        evaluates: Vec<Word>,
        /// Other words in it.
        holds: Vec<Word>,
        /// The variable of whose value it is a part.
        of: Option<String>,
    },
}

impl Node {
    /// A coprocess sets the variable of its name to its descriptors.
    #[must_use]
    pub fn coprocess(name: &str, body: Node) -> Node {
        let descriptors = Piece::Opaque {
            doubt: Doubt::Expansion("coprocess"),
            quoted: true,
            evaluates: Vec::new(),
            holds: Vec::new(),
            of: None,
        };
        let assignment = Assignment {
            name: name.to_owned(),
            indexed: false,
            append: false,
            value: Assigned::Scalar(Word { pieces: vec![descriptors] }),
        };
        let sets = Simple { assignments: vec![assignment], ..Simple::default() };
        Node::Group(Script { nodes: vec![Node::Simple(sets), body] })
    }
}

impl Word {
    /// A word of plain quoted text.
    #[must_use]
    pub fn quoted(text: &str) -> Word {
        Word { pieces: vec![Piece::Text { text: text.to_owned(), quoted: true }] }
    }

    /// Every script that runs while this word is made, outermost first.
    #[must_use]
    pub fn scripts(&self) -> Vec<&Script> {
        let mut all = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text { .. } | Piece::Variable { .. } => {}
                Piece::Default { word, .. } => all.extend(word.scripts()),
                Piece::Substitution { script, .. } | Piece::Process { script, .. } => {
                    all.push(script);
                }
                Piece::Opaque { evaluates, holds, .. } => {
                    all.extend(evaluates.iter().chain(holds).flat_map(Word::scripts));
                }
            }
        }
        all
    }
}
