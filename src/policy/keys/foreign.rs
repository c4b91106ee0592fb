//! Keys that newcomers write, from other tools or from common sense, and what is meant by them.
//!
//! Nearness of letters would lead them astray: `name` is near `note`, and in a rule it is the `id`.
//! A word that is a key of its table does not belong here.

/// What is meant by a key that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meant {
    /// This key, with the same value.
    Key(&'static str),
    /// Something else, in a sentence that says what to write.
    Other(&'static str),
}

use Meant::{Key, Other};

/// The place of a table, words that are written there, and what is meant.
const TABLE: &[(&str, &[&str], Meant)] = &[
    ("[[rule]]", &["name"], Key("id")),
    ("[[rule]]", &["reason", "message", "msg", "description", "desc", "because"], Key("why")),
    (
        "[[rule]]",
        &["except", "excepting", "exception", "exceptions", "unless_match", "exclude"],
        Key("unless"),
    ),
    ("[[rule]]", &["expires", "expiry", "expire", "expires_at", "valid_until"], Key("until")),
    ("[[rule]]", &["pattern", "patterns", "matches", "target", "targets"], Key("match")),
    ("[[rule]]", &["conditions", "condition", "if", "where"], Key("when")),
    ("[[rule]]", &["tests", "test", "cases"], Key("examples")),
    (
        "[[rule]]",
        &["label", "labels", "tag", "tags", "taint"],
        Other(
            "write `mark` for labels that the session gets, `when = { seen = .. }` for one it has",
        ),
    ),
    ("[[rule]]", &["rate", "rate_limit"], Key("limit")),
    ("[[rule]]", &["block", "forbid", "disallow"], Key("deny")),
    ("[[rule]]", &["confirm", "prompt"], Key("ask")),
    ("[[rule]]", &["permit"], Key("allow")),
    (
        "[[rule]]",
        &["verbs", "verb", "action", "actions", "effect", "decision"],
        Other(
            "the effect is the key and its verbs the value: write `deny = [\"read\", \"write\"]`",
        ),
    ),
    (
        "[[rule]]",
        &["tool", "tools"],
        Other("write the verb `call` and the tools as patterns: `deny = \"call\"`, `match = [..]`"),
    ),
    (
        "[[rule]]",
        &["shadow", "dry_run", "audit", "enabled", "disabled"],
        Other("write `mode = \"shadow\"` for a rule that is only told, or remove the rule"),
    ),
    ("an example", &["cmd", "command", "shell"], Key("bash")),
    ("an example", &["tool", "tool_name"], Key("call")),
    ("an example", &["url", "host"], Key("connect")),
    ("an example", &["arguments", "input", "tool_input"], Key("args")),
    ("an example", &["expected", "want", "result"], Key("expect")),
    ("an example", &["labels", "seen"], Key("after")),
    ("an example", &["path", "file"], Other("write `read = \"/x\"` or `write = \"/x\"`")),
    ("a test's call", &["cmd", "command", "shell"], Key("bash")),
    ("a test's call", &["tool", "tool_name"], Key("call")),
    ("a test's call", &["url", "host"], Key("connect")),
    ("a test's call", &["arguments", "input", "tool_input"], Key("args")),
    ("a test's call", &["path", "file"], Other("write `read = \"/x\"` or `write = \"/x\"`")),
    ("[[test]]", &["id", "title", "description"], Key("name")),
    ("[[test]]", &["expected", "want", "result"], Key("expect")),
    (
        "[[test]]",
        &["cmd", "command", "bash", "read", "write", "exec", "connect", "args"],
        Other("it stands in the call: write `call = { bash = \"..\" }`"),
    ),
    ("[budget]", &["cost", "usd", "dollars", "max_cost"], Key("cost_usd")),
    ("[budget]", &["time", "duration", "timeout", "wall_time"], Key("wall")),
    ("[budget]", &["max_turns", "steps", "iterations"], Key("turns")),
    ("[budget]", &["max_calls", "tool_calls"], Key("calls")),
    (
        "[budget]",
        &["tokens", "max_tokens"],
        Other("tokens are not counted: write `cost_usd` for what they may cost"),
    ),
    ("[policy]", &["id", "title"], Key("name")),
    ("[policy]", &["includes", "packs", "extends", "import"], Key("include")),
    ("[policy]", &["default_effect", "fallback"], Key("default")),
    (
        "`when`",
        &["args", "arg", "argument", "arguments", "input", "params"],
        Other("write `args.NAME`, with the argument's name"),
    ),
    ("`when`", &["label", "labels", "tainted", "marked"], Key("seen")),
    ("`when`", &["mode"], Key("permission_mode")),
    ("`when`", &["exit", "exit_code"], Other("write `result.exit`")),
    ("a policy file", &["rules"], Other("write `[[rule]]` above each rule")),
    ("a policy file", &["tests"], Other("write `[[test]]` above each test")),
    (
        "a policy file",
        &["version"],
        Other(
            "write `schema = 1`; a policy's own version stands in \
        [policy]",
        ),
    ),
    ("a policy file", &["tools"], Key("tool")),
    ("a policy file", &["lists", "vars", "variables", "define"], Key("let")),
    ("a policy file", &["bash", "shell", "command", "commands"], Key("exec")),
    ("a policy file", &["network", "net", "hosts", "fetch"], Key("connect")),
    (
        "a policy file",
        &["allow", "ask", "deny"],
        Other("write it below a verb: `[read]`, `[write]`, `[exec]`, `[connect]` or `[call]`"),
    ),
    (
        "a policy file",
        &["proxy"],
        Other(
            "this is the operator's: it stands in toolgate.toml; a policy says which hosts, \
             below `[connect]`",
        ),
    ),
    ("a policy file", &["default"], Other("write it into `[policy]`")),
];

/// What is meant by `word` at `place`, if newcomers are known to write it.
#[must_use]
pub fn meant(place: &str, word: &str) -> Option<Meant> {
    let place = match place {
        "[read]" | "[write]" | "[exec]" | "[connect]" | "[call]" => return in_grid(word),
        other => other,
    };
    let row = TABLE.iter().find(|(at, words, _)| *at == place && words.contains(&word))?;
    Some(row.2)
}

fn in_grid(word: &str) -> Option<Meant> {
    Some(match word {
        "block" | "blocked" | "forbid" | "disallow" | "denied" => Key("deny"),
        "confirm" | "prompt" => Key("ask"),
        "permit" | "allowed" => Key("allow"),
        "except" | "unless" | "exception" | "exclude" | "why" | "reason" | "when" => {
            Other("an entry stands alone: write a `[[rule]]` with `match` and what is said of it")
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::keys;

    #[test]
    fn what_is_meant_is_a_key_and_what_is_written_is_none() {
        for (place, words, meant) in TABLE {
            let keys = match *place {
                "[[rule]]" => keys::RULE,
                "an example" => keys::EXAMPLE,
                "a test's call" => keys::CALL,
                "[[test]]" => keys::TEST,
                "[budget]" => keys::BUDGET,
                "[policy]" => keys::POLICY,
                "`when`" => keys::WHEN,
                "a policy file" => keys::TOP,
                other => panic!("{other} is no place"),
            };
            let is_key = |word: &str| keys.iter().any(|key| key.name == word);
            assert!(words.iter().all(|word| !is_key(word)), "{place} {words:?}");
            assert!(matches!(meant, Key(key) if is_key(key)) || matches!(meant, Other(_)));
        }
        assert_eq!(super::meant("[[rule]]", "name"), Some(Key("id")));
        assert_eq!(super::meant("[read]", "block"), Some(Key("deny")));
        assert_eq!(super::meant("[budget]", "name"), None);
    }
}
