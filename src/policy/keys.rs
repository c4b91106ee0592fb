//! The one table of keys: what may stand where in a policy file, what it is for, and what it takes.
//!
//! The reader, did-you-mean, the JSON Schema and the reference are made from it, so a key cannot
//! be accepted in one place and unknown in another.

pub mod foreign;

/// One key of a table.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The key.
    pub name: &'static str,
    /// What it says, in one line.
    pub what: &'static str,
    /// What its value may be.
    pub takes: Takes,
    /// Whether it stands in a policy. One that is the operator's is refused, never passed over.
    pub ready: bool,
    /// Whether its table is nothing without it.
    pub needed: bool,
}

/// What the value of a key may be.
#[derive(Debug, Clone, Copy)]
pub enum Takes {
    /// The number 1.
    One,
    /// A string.
    Text,
    /// One string or a list of them.
    Texts,
    /// One of these words.
    Word(&'static [&'static str]),
    /// One or more of these words.
    Words(&'static [&'static str]),
    /// A number.
    Number,
    /// A TOML date or date-time.
    Date,
    /// Patterns of one verb, or of `output` where a table may stand.
    Patterns,
    /// A table with these keys.
    Table(&'static [Key]),
    /// A table with these keys, and any other that begins so, each with such a value.
    Open(&'static [Key], &'static str, &'static Takes),
    /// A list of tables with these keys.
    Tables(&'static [Key]),
    /// A table whose keys the author chooses, each with such a value.
    Named(&'static Takes),
    /// A string, or a table with these keys.
    TextOr(&'static [Key]),
    /// What a condition asks of a value: text, number, yes or no, a list, or a table.
    Condition,
    /// Any value.
    Any,
}

const fn key(name: &'static str, what: &'static str, takes: Takes) -> Key {
    Key { name, what, takes, ready: true, needed: false }
}

const fn needed(name: &'static str, what: &'static str, takes: Takes) -> Key {
    Key { name, what, takes, ready: true, needed: true }
}

const fn operators(name: &'static str, what: &'static str) -> Key {
    Key { name, what, takes: Takes::Any, ready: false, needed: false }
}

/// Where a key stands, in words, for one that was written elsewhere; nothing if in several places.
#[must_use]
pub fn home_of(name: &str) -> Option<&'static str> {
    let tables: [(&str, &[Key]); 6] = [
        ("at the top of the file", TOP),
        ("in [policy]", POLICY),
        ("in [layers]", LAYERS),
        ("in [[rule]]", RULE),
        ("in [budget]", BUDGET),
        ("in [labels]", LABELS),
    ];
    let mut homes =
        tables.iter().filter(|(_, keys)| keys.iter().any(|key| key.name == name && key.ready));
    match (homes.next(), homes.next()) {
        (Some((home, _)), None) => Some(home),
        _ => None,
    }
}

/// The effects a default may have. There is no `allow` (policy language §4).
pub const DEFAULTS: &[&str] = &["deny", "ask", "defer"];
/// What an ask or a deferral may come to where nobody is there.
pub const UNATTENDED: &[&str] = &["deny", "defer"];
/// The layers, the upper first.
pub const LAYERS_WORDS: &[&str] = &["org", "user", "project"];
/// What a layer lets a lower one do.
pub const POWERS: &[&str] = &["tighten", "fill"];
/// The verbs that a rule may speak of.
pub const VERBS: &[&str] = &["read", "write", "exec", "connect", "call", "output"];

/// The top level of a file.
pub const TOP: &[Key] = &[
    needed("schema", "version of the language: 1", Takes::One),
    needed("policy", "name, version, layer, default, unattended, include", Takes::Table(POLICY)),
    key("layers", "what the layers below this one may do", Takes::Table(LAYERS)),
    key("let", "names for places and lists", Takes::Open(LET, "", &Takes::Texts)),
    key("read", "paths that may, or may not, be read", Takes::Table(GRID)),
    key("write", "paths that may, or may not, be written", Takes::Table(GRID)),
    key("exec", "commands", Takes::Table(GRID)),
    key("connect", "hosts and URLs", Takes::Table(GRID)),
    key("call", "tools", Takes::Table(GRID)),
    key("rule", "rules in the long form", Takes::Tables(RULE)),
    key("test", "claims about the merged policy, run at load", Takes::Tables(TEST)),
    key("tool", "what a tool's arguments mean", Takes::Named(&Takes::Table(TOOL))),
    key("budget", "turns, cost, time and calls of a session", Takes::Table(BUDGET)),
    key("mcp", "MCP servers and their pins", Takes::Named(&Takes::Table(MCP))),
    key("labels", "labels that an operator sets", Takes::Table(LABELS)),
    operators("egress", "the network plane"),
    operators("credential", "secrets that the network plane sets"),
];

/// `[policy]`
pub const POLICY: &[Key] = &[
    needed("name", "the policy's name, in every record", Takes::Text),
    key("version", "its version, in every record", Takes::Text),
    key("layer", "whose policy it is: org, user or project", Takes::Word(LAYERS_WORDS)),
    key(
        "default",
        "what an access comes to that no rule speaks of: deny, ask or defer",
        Takes::Word(DEFAULTS),
    ),
    key(
        "unattended",
        "what a deferral comes to where nobody can be asked: deny or defer",
        Takes::Word(UNATTENDED),
    ),
    key("opaque", "`default` for tools that nothing describes", Takes::Word(DEFAULTS)),
    key("include", "packs of rules, as `std:secrets@1`", Takes::Texts),
    key("signers", "who must have signed this file", Takes::Texts),
];

/// `[layers]`
pub const LAYERS: &[Key] = &[
    key("user", "what a user's policy may do: tighten or fill", Takes::Word(POWERS)),
    key("project", "what a repository's policy may do: tighten or fill", Takes::Word(POWERS)),
];

/// `[let]`: any name, and these two.
pub const LET: &[Key] = &[
    key("workspace", "the directory that `$workspace` stands for", Takes::Text),
    key("open", "lists that a layer below may add to", Takes::Named(&Takes::Texts)),
];

/// `[read]`, `[write]`, `[exec]`, `[connect]`, `[call]`
pub const GRID: &[Key] = &[
    key("allow", "patterns of what may happen", Takes::Texts),
    key("ask", "patterns of what a person must be asked about", Takes::Texts),
    key("deny", "patterns of what must not happen", Takes::Texts),
];

/// `[[rule]]`
pub const RULE: &[Key] = &[
    needed("id", "the rule's name, in every record and message", Takes::Text),
    key("allow", "the verb or verbs that may happen", Takes::Words(VERBS)),
    key("ask", "the verb or verbs that a person must be asked about", Takes::Words(VERBS)),
    key(
        "deny",
        "the verb or verbs that must not happen; with `output`, withhold it",
        Takes::Words(VERBS),
    ),
    key("redact", "`output`: replace what matches", Takes::Words(VERBS)),
    key("note", "the verb or verbs that are only told", Takes::Words(VERBS)),
    needed("match", "patterns of what it speaks of", Takes::Patterns),
    key("unless", "patterns of what it excepts", Takes::Patterns),
    key(
        "when",
        "conditions: arguments as `args.NAME`, labels, agent, mode, result",
        Takes::Open(WHEN, "args.", &Takes::Condition),
    ),
    key("mark", "labels that the session gets", Takes::Texts),
    key("unmark", "labels that the session loses", Takes::Texts),
    key("limit", "how often, or how much: `30/min` or a table", Takes::TextOr(LIMIT)),
    key(
        "mode",
        "`shadow`: evaluated and told, never enforced",
        Takes::Word(&["shadow", "enforce"]),
    ),
    key("until", "the date on which a shadow or allow rule ends by itself", Takes::Date),
    key("why", "goes to the agent: say what to do instead", Takes::Text),
    key(
        "capture",
        "how much of the call the log keeps: digest, redacted or full",
        Takes::Word(&["digest", "redacted", "full"]),
    ),
    key("examples", "calls that must match or skip, run at load", Takes::Tables(EXAMPLE)),
];

/// A pattern of `output` as a table.
pub const PATTERN: &[Key] = &[needed("regex", "a regular expression, in linear time", Takes::Text)];

/// Another such pattern: what a machine drew.
pub const ENTROPY: &[Key] = &[
    needed("entropy", "the least bits for a character, as 4.5", Takes::Number),
    key("near", "a word that stands before it", Takes::Text),
];

/// `when`; beside these, `args.NAME` for any argument of the tool.
pub const WHEN: &[Key] = &[
    key("seen", "a label that the session has", Takes::Text),
    key("not_seen", "a label that the session has not", Takes::Text),
    key("agent", "the agent: `main`, or a subagent's kind", Takes::Condition),
    key("permission_mode", "the runtime's permission mode", Takes::Condition),
    key("result.exit", "the command's exit status, after it ran", Takes::Condition),
];

/// `limit` as a table.
pub const LIMIT: &[Key] = &[
    key("max", "the most there may be", Takes::Number),
    key(
        "per",
        "in what time: min, hour, day or session",
        Takes::Word(&["min", "hour", "day", "session"]),
    ),
    key(
        "sum",
        "the argument that is added up, as `args.amount`; else calls are counted",
        Takes::Text,
    ),
    key("over", "what is said of what goes over it: deny or ask", Takes::Word(&["deny", "ask"])),
    key("scope", "whose count it is: session or user", Takes::Word(&["session", "user"])),
];

/// The keys of a `[[test]]`'s call; what else a test says stands beside `call`.
pub const CALL: &[Key] = &[
    key("bash", "a whole Bash call: the command", Takes::Text),
    key("read", "one bare read of a path", Takes::Text),
    key("write", "one bare write of a path", Takes::Text),
    key("exec", "one bare command", Takes::Text),
    key("connect", "one bare connection to a URL", Takes::Text),
    key("call", "a tool's name", Takes::Text),
    key("output", "what a tool brought back", Takes::Text),
    key("args", "the tool's arguments", Takes::Any),
];

/// The keys of one example and of the short form of a call.
pub const EXAMPLE: &[Key] = &[
    key("bash", "a whole Bash call: the command", Takes::Text),
    key("read", "one bare read of a path", Takes::Text),
    key("write", "one bare write of a path", Takes::Text),
    key("exec", "one bare command", Takes::Text),
    key("connect", "one bare connection to a URL", Takes::Text),
    key("call", "a tool's name", Takes::Text),
    key("output", "what a tool brought back", Takes::Text),
    key("args", "the tool's arguments", Takes::Any),
    key("cwd", "the working directory", Takes::Text),
    key("agent", "the agent: `main`, or a subagent's kind", Takes::Text),
    key("permission_mode", "the runtime's permission mode", Takes::Text),
    key("exit", "the command's exit status: the call has run", Takes::Number),
    key("after", "labels that the session has", Takes::Texts),
    key("files", "files that are there", Takes::Texts),
    needed("expect", "match, maybe or skip", Takes::Word(&["match", "maybe", "skip"])),
    key("note", "for the reader", Takes::Text),
];

/// `[[test]]`
pub const TEST: &[Key] = &[
    needed("name", "what is claimed", Takes::Text),
    key("call", "the call", Takes::Table(CALL)),
    key("every", "a claim over all targets of a verb, not proved yet", Takes::Word(VERBS)),
    key("unless", "what a claim over all targets excepts", Takes::Patterns),
    key("after", "labels that the session has", Takes::Texts),
    key("agent", "the agent: `main`, or a subagent's kind", Takes::Text),
    key("permission_mode", "the runtime's permission mode", Takes::Text),
    needed("expect", "allow, ask, deny or defer", Takes::Word(&["allow", "ask", "deny", "defer"])),
    key("files", "files that are there", Takes::Texts),
    key("cwd", "the working directory", Takes::Text),
    key("note", "for the reader", Takes::Text),
];

/// `[tool."name"]`
pub const TOOL: &[Key] = &[
    key("read", "the argument that is a path read, as `args.path`", Takes::Texts),
    key("write", "the argument that is a path written", Takes::Texts),
    key("exec", "the argument that is a shell command", Takes::Texts),
    key("connect", "the argument that is a URL", Takes::Texts),
];

/// `[budget]`
pub const BUDGET: &[Key] = &[
    key("turns", "turns of the model, estimated from the transcript", Takes::Number),
    key("cost_usd", "what the session costs, estimated from the transcript", Takes::Number),
    key("wall", "how long the session may take, as `30m`", Takes::Text),
    key("calls", "calls that were not refused", Takes::Number),
    key("output_bytes", "bytes that tools bring back", Takes::Number),
    key("models", "models that may be used, where a plane sees the model", Takes::Texts),
];

/// `[mcp.NAME]`
pub const MCP: &[Key] = &[
    key("command", "how the server is started", Takes::Texts),
    key("url", "where the server is reached", Takes::Text),
    key("pin", "`lock`: its tools are held to policy.lock", Takes::Word(&["lock", "none"])),
    key("on_change", "what a changed tool comes to: deny or ask", Takes::Word(&["deny", "ask"])),
];

/// `[labels]`
pub const LABELS: &[Key] =
    &[key("external", "labels that an operator sets; `name:*` for keyed ones", Takes::Texts)];
