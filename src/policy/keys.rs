//! The one table of keys: what may stand where in a policy file, and what it is for.
//!
//! The reader, did-you-mean and (later) the JSON Schema and the reference are made from it, so a
//! key cannot be accepted in one place and unknown in another.

/// One key of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The key.
    pub name: &'static str,
    /// What it says, in one line.
    pub what: &'static str,
    /// Whether this version enforces it. A key that it does not is refused, never passed over.
    pub ready: bool,
}

const fn key(name: &'static str, what: &'static str) -> Key {
    Key { name, what, ready: true }
}

const fn later(name: &'static str, what: &'static str) -> Key {
    Key { name, what, ready: false }
}

/// The top level of a file.
pub const TOP: &[Key] = &[
    key("schema", "version of the language: 1"),
    key("policy", "name, version, default, unattended, include"),
    key("let", "names for places and lists"),
    key("read", "paths that may, or may not, be read"),
    key("write", "paths that may, or may not, be written"),
    key("exec", "commands"),
    key("connect", "hosts and URLs"),
    key("call", "tools"),
    key("rule", "rules in the long form"),
    key("test", "claims about the merged policy, run at load"),
    key("tool", "what a tool's arguments mean"),
    later("layers", "what layers below may do"),
    later("budget", "turns, cost, time and calls of a session"),
    later("mcp", "MCP servers and their pins"),
    later("labels", "labels that an operator sets"),
    later("egress", "the network plane"),
    later("credential", "secrets that the network plane sets"),
];

/// `[policy]`
pub const POLICY: &[Key] = &[
    key("name", "the policy's name, in every record"),
    key("version", "its version, in every record"),
    key("default", "what an access comes to that no rule speaks of: deny, ask or defer"),
    key("unattended", "what a deferral comes to where nobody can be asked: deny or defer"),
    key("opaque", "`default` for tools that nothing describes"),
    key("include", "packs of rules, as `std:secrets@1`"),
    later("layer", "org, user or project"),
    later("signers", "who must have signed this file"),
];

/// `[read]`, `[write]`, `[exec]`, `[connect]`, `[call]`
pub const GRID: &[Key] = &[
    key("allow", "patterns of what may happen"),
    key("ask", "patterns of what a person must be asked about"),
    key("deny", "patterns of what must not happen"),
];

/// `[[rule]]`
pub const RULE: &[Key] = &[
    key("id", "the rule's name, in every record and message"),
    key("allow", "the verb or verbs that may happen"),
    key("ask", "the verb or verbs that a person must be asked about"),
    key("deny", "the verb or verbs that must not happen; with `output`, withhold it"),
    key("redact", "`output`: replace what matches"),
    key("note", "the verb or verbs that are only told"),
    key("match", "patterns of what it speaks of"),
    key("unless", "patterns of what it excepts"),
    key("mode", "`shadow`: evaluated and told, never enforced"),
    key("why", "goes to the agent: say what to do instead"),
    key("examples", "calls that must match or skip, run at load"),
    later("when", "conditions: arguments, labels, agent, result"),
    later("mark", "labels that the session gets"),
    later("unmark", "labels that the session loses"),
    later("limit", "how often, or how much"),
    later("until", "the date on which it ends by itself"),
    later("capture", "how much of the call the log keeps"),
];

/// The keys of a `[[test]]`'s call; what else a test says stands beside `call`.
pub const CALL: &[Key] = &[
    key("bash", "a whole Bash call: the command"),
    key("read", "one bare read of a path"),
    key("write", "one bare write of a path"),
    key("exec", "one bare command"),
    key("connect", "one bare connection to a URL"),
    key("call", "a tool's name"),
    key("args", "the tool's arguments"),
];

/// The keys of one example and of the short form of a call.
pub const EXAMPLE: &[Key] = &[
    key("bash", "a whole Bash call: the command"),
    key("read", "one bare read of a path"),
    key("write", "one bare write of a path"),
    key("exec", "one bare command"),
    key("connect", "one bare connection to a URL"),
    key("call", "a tool's name"),
    key("args", "the tool's arguments"),
    key("cwd", "the working directory"),
    key("expect", "match, maybe or skip"),
    key("note", "for the reader"),
    key("files", "files that are there"),
    later("after", "labels that the session has"),
];

/// `[[test]]`
pub const TEST: &[Key] = &[
    key("name", "what is claimed"),
    key("call", "the call"),
    key("expect", "allow, ask, deny or defer"),
    key("files", "files that are there"),
    key("cwd", "the working directory"),
    key("note", "for the reader"),
    later("every", "a claim over all targets of a verb"),
    later("unless", "what a claim over all targets excepts"),
    later("after", "labels that the session has"),
];

/// `[tool."name"]`
pub const TOOL: &[Key] = &[
    key("read", "the argument that is a path read, as `args.path`"),
    key("write", "the argument that is a path written"),
    key("exec", "the argument that is a shell command"),
    key("connect", "the argument that is a URL"),
];
