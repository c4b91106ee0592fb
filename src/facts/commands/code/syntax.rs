//! What tells the languages apart, as far as finding their calls and strings needs it.

/// Languages with the same literals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Python,
    JavaScript,
    Perl,
    Ruby,
    Php,
    Lua,
    Awk,
    R,
    Java,
    AppleScript,
    /// A language that nobody described: quotes are quotes, `f(x)` is a call.
    Other,
}

#[derive(Debug)]
pub(super) struct Syntax {
    pub(super) family: Family,
    pub(super) line_comments: &'static [&'static str],
    pub(super) block_comments: bool,
    /// What joins two texts.
    pub(super) joins: &'static [&'static str],
    /// What stands between a thing and a part of it.
    pub(super) members: &'static [&'static str],
    /// `f x` calls `f`.
    pub(super) bare_calls: bool,
    /// Words behind which a value begins.
    pub(super) before_value: &'static [&'static str],
}

const WORDS: &[&str] = &[
    "return",
    "typeof",
    "case",
    "in",
    "of",
    "do",
    "else",
    "void",
    "delete",
    "throw",
    "new",
    "await",
    "yield",
    "and",
    "or",
    "not",
    "if",
    "unless",
    "while",
    "until",
    "when",
    "then",
    "elsif",
    "elif",
    "print",
    "puts",
    "split",
    "grep",
    "echo",
    "begin",
    "instanceof",
    "lambda",
    "is",
    "assert",
    "from",
    "import",
    "let",
    "const",
    "var",
    "my",
    "our",
    "local",
    "for",
    "foreach",
    "eq",
    "ne",
    "lt",
    "gt",
    "le",
    "ge",
    "cmp",
    "xor",
    "say",
    "with",
    "as",
    "except",
    "raise",
    "switch",
    "end",
];

/// Words that begin or join statements and call nothing.
pub(super) fn is_word(name: &str) -> bool {
    !matches!(name, "print" | "puts" | "split" | "grep" | "echo" | "say" | "import" | "begin")
        && WORDS.contains(&name)
}

static PYTHON: Syntax = Syntax {
    family: Family::Python,
    line_comments: &["#"],
    block_comments: false,
    joins: &["+"],
    members: &["."],
    bare_calls: false,
    before_value: WORDS,
};
static JAVASCRIPT: Syntax = Syntax {
    family: Family::JavaScript,
    line_comments: &["//"],
    block_comments: true,
    joins: &["+"],
    members: &[".", "?."],
    bare_calls: false,
    before_value: WORDS,
};
static PERL: Syntax = Syntax {
    family: Family::Perl,
    line_comments: &["#"],
    block_comments: false,
    joins: &["."],
    members: &["->"],
    bare_calls: true,
    before_value: WORDS,
};
static RUBY: Syntax = Syntax {
    family: Family::Ruby,
    line_comments: &["#"],
    block_comments: false,
    joins: &["+", "<<"],
    members: &[".", "&.", "::"],
    bare_calls: true,
    before_value: WORDS,
};
static PHP: Syntax = Syntax {
    family: Family::Php,
    line_comments: &["#", "//"],
    block_comments: true,
    joins: &["."],
    members: &["->", "::", "?->"],
    bare_calls: true,
    before_value: WORDS,
};
static LUA: Syntax = Syntax {
    family: Family::Lua,
    line_comments: &[],
    block_comments: false,
    joins: &[".."],
    members: &[".", ":"],
    bare_calls: true,
    before_value: WORDS,
};
pub(super) static AWK: Syntax = Syntax {
    family: Family::Awk,
    line_comments: &["#"],
    block_comments: false,
    joins: &[],
    members: &[],
    bare_calls: false,
    before_value: WORDS,
};
static R: Syntax = Syntax {
    family: Family::R,
    line_comments: &["#"],
    block_comments: false,
    joins: &[],
    members: &["::", "$"],
    bare_calls: false,
    before_value: WORDS,
};
static JAVA: Syntax = Syntax {
    family: Family::Java,
    line_comments: &["//"],
    block_comments: true,
    joins: &["+"],
    members: &["."],
    bare_calls: false,
    before_value: WORDS,
};
static APPLESCRIPT: Syntax = Syntax {
    family: Family::AppleScript,
    line_comments: &["--", "#"],
    block_comments: false,
    joins: &["&"],
    members: &[],
    bare_calls: true,
    before_value: WORDS,
};
static OTHER: Syntax = Syntax {
    family: Family::Other,
    line_comments: &[],
    block_comments: false,
    joins: &["+"],
    members: &[".", "::"],
    bare_calls: true,
    before_value: WORDS,
};

/// The language that a program of this name runs.
pub(super) fn of(program: &str) -> &'static Syntax {
    let name = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    match name {
        "python" | "pypy" | "ipython" | "python3t" => &PYTHON,
        "node" | "nodejs" | "deno" | "bun" | "ts-node" | "tsx" | "qjs" | "d8" => &JAVASCRIPT,
        "perl" => &PERL,
        "ruby" | "jruby" | "irb" | "crystal" => &RUBY,
        "php" | "php-cli" => &PHP,
        "lua" | "luajit" | "texlua" => &LUA,
        "awk" | "gawk" | "mawk" | "nawk" => &AWK,
        "Rscript" | "R" | "littler" => &R,
        "jshell" | "java" | "groovy" | "scala" | "kotlin" => &JAVA,
        "osascript" => &APPLESCRIPT,
        _ => &OTHER,
    }
}
