//! What the language brings along: lists, packs, and the floor that no policy can switch off.

use super::condition::{Condition, Conditions};
use super::pattern::connect::ConnectPattern;
use super::pattern::exec::ExecPattern;
use super::pattern::path::PathPattern;
use super::pattern::{Anchors, Stance};
use super::rule::{Marks, Origin, Rule, Says, Scope, Targets};
use crate::model::access::Verb;
use crate::model::effect::Effect;
use crate::model::path::AbsPath;

/// `$credentials`: files that hold keys and passwords, each well known by name.
///
/// None of these is `.env`: projects keep harmless settings there too, so that is the policy
/// author's to say.
pub const CREDENTIALS: &[&str] = &[
    "$home/.ssh/",
    "$home/.gnupg/",
    "$home/.aws/",
    "$home/.azure/",
    "$home/.config/gcloud/",
    "$home/.config/gh/hosts.yml",
    "$home/.config/op/",
    "$home/.kube/",
    "$home/.docker/config.json",
    "$home/.netrc",
    "$home/.git-credentials",
    "$home/.config/git/credentials",
    "$home/.npmrc",
    "$home/.pypirc",
    "$home/.pgpass",
    "$home/.my.cnf",
    "$home/.cargo/credentials",
    "$home/.cargo/credentials.toml",
    "$home/.terraform.d/credentials.tfrc.json",
    "$home/.vault-token",
    "$home/.password-store/",
    "$home/.local/share/keyrings/",
    "$home/.mozilla/firefox/",
    "$home/.config/google-chrome/",
    "$home/.claude/.credentials.json",
    "$home/.codex/auth.json",
    "/root/.ssh/",
    "/root/.aws/",
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/sudoers",
    "/etc/sudoers.d/",
    "/etc/ssl/private/",
    "/etc/kubernetes/",
    "/run/secrets/",
    "/var/run/secrets/",
    "**/id_rsa",
    "**/id_dsa",
    "**/id_ecdsa",
    "**/id_ed25519",
    "/proc/*/environ",
    "/proc/*/mem",
    "/proc/kcore",
    "/dev/mem",
];

/// `$private`: addresses that lead into a private network (RFC 1918, 6598, 4193, 3927, 4291).
pub const PRIVATE: &[&str] = &[
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
];

/// `$loopback`: this machine itself (RFC 1122 §3.2.1.3, RFC 4291 §2.5.2-3, RFC 6761
/// §6.3). A connection to the unspecified address reaches it too.
pub const LOOPBACK: &[&str] = &["127.0.0.0/8", "0.0.0.0/8", "::1/128", "::/128", "localhost:*"];

/// `$metadata`: where clouds hand out a machine's own credentials, by address and by name.
pub const METADATA: &[&str] = &[
    "169.254.169.254/32",
    "169.254.170.2/32",
    "169.254.170.23/32",
    "169.254.42.42/32",
    "169.254.0.23/32",
    "100.100.100.200/32",
    "168.63.129.16/32",
    "192.0.0.192/32",
    "fd00:ec2::254/128",
    "fd00:ec2::23/128",
    "fd20:ce::254/128",
    "fd00:42::42/128",
    "fd00:c1::a9fe:a9fe/128",
    "fd00:a9fe:a9fe::1/128",
    "fe80::a9fe:a9fe/128",
    "metadata.google.internal:*",
    "metadata.goog:*",
    "instance-data.ec2.internal:*",
];

/// `$transparent`: tools whose accesses the catalogue knows whole, and tools that touch nothing
/// (policy language §11.18).
pub const TRANSPARENT: &[&str] = &[
    "Read",
    "Write",
    "Edit",
    "MultiEdit",
    "NotebookEdit",
    "NotebookRead",
    "Bash",
    "Monitor",
    "Glob",
    "Grep",
    "LS",
    "WebFetch",
    "Agent",
    "TodoWrite",
    "TodoRead",
    "AskUserQuestion",
    "ExitPlanMode",
    "TaskStop",
    "TaskOutput",
    "BashOutput",
    "KillShell",
    "ListAgents",
    "ReportFindings",
    "ToolSearch",
    // Codex's.
    "shell",
    "apply_patch",
    "view_image",
    "spawn_agent",
    "collaborationspawn_agent",
    "get_goal",
    "create_goal",
    "update_goal",
];

/// Tools of the runtimes that are not transparent: known by name, for messages only.
pub const OTHER_TOOLS: &[&str] =
    &["Task", "WebSearch", "Skill", "SlashCommand", "KillBash", "EnterPlanMode", "CronCreate"];

/// The text of a shipped pack, by the name a policy includes it by.
#[must_use]
pub fn pack(name: &str) -> Option<&'static str> {
    match name {
        "std:secrets@1" => Some(include_str!("../../policies/std/secrets@1.toml")),
        "std:metadata@1" => Some(include_str!("../../policies/std/metadata@1.toml")),
        "std:control-files@1" => Some(include_str!("../../policies/std/control-files@1.toml")),
        "std:package-scripts@1" => Some(include_str!("../../policies/std/package-scripts@1.toml")),
        "std:destructive@1" => Some(include_str!("../../policies/std/destructive@1.toml")),
        "std:escalation@1" => Some(include_str!("../../policies/std/escalation@1.toml")),
        "std:exfiltration@1" => Some(include_str!("../../policies/std/exfiltration@1.toml")),
        "std:persistence@1" => Some(include_str!("../../policies/std/persistence@1.toml")),
        "std:remote-code@1" => Some(include_str!("../../policies/std/remote-code@1.toml")),
        _ => None,
    }
}

/// The packs there are.
pub const PACKS: &[&str] = &[
    "std:secrets@1",
    "std:metadata@1",
    "std:control-files@1",
    "std:package-scripts@1",
    "std:destructive@1",
    "std:escalation@1",
    "std:exfiltration@1",
    "std:persistence@1",
    "std:remote-code@1",
];

/// A list that the language brings along.
#[must_use]
pub fn list(name: &str) -> Option<&'static [&'static str]> {
    match name {
        "credentials" => Some(CREDENTIALS),
        "private" => Some(PRIVATE),
        "loopback" => Some(LOOPBACK),
        "metadata" => Some(METADATA),
        "transparent" => Some(TRANSPARENT),
        _ => None,
    }
}

/// What the patterns of a rule, or the entries of a list, are of: each has a syntax of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Of `read` and `write`.
    Paths,
    /// Of `exec`.
    Commands,
    /// Of `connect`.
    Hosts,
    /// Of `call`.
    Tools,
    /// Of `output`.
    Output,
}

impl Kind {
    /// What the entries are, in a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Kind::Paths => "paths",
            Kind::Commands => "commands",
            Kind::Hosts => "hosts",
            Kind::Tools => "tools",
            Kind::Output => "what is looked for in output",
        }
    }

    /// What a rule with such patterns names, as the second half of a sentence.
    #[must_use]
    pub fn rule(self) -> &'static str {
        match self {
            Kind::Paths => "a read or write rule names paths",
            Kind::Commands => "an exec rule names commands",
            Kind::Hosts => "a connect rule names hosts",
            Kind::Tools => "a call rule names tools",
            Kind::Output => "an output rule names `$keys`, `**` or `{ regex = \"...\" }`",
        }
    }

    /// What belongs in such a rule of what the language brings along.
    #[must_use]
    pub fn of(name: &str) -> Option<Kind> {
        Some(match name {
            "workspace" | "home" | "tmp" | "credentials" => Kind::Paths,
            "private" | "loopback" | "metadata" => Kind::Hosts,
            "transparent" => Kind::Tools,
            "keys" => Kind::Output,
            _ => return None,
        })
    }
}

/// The names of all lists and places that the language brings along, for messages.
pub const NAMES: &[&str] = &[
    "workspace",
    "home",
    "tmp",
    "credentials",
    "keys",
    "private",
    "loopback",
    "metadata",
    "transparent",
];

/// What belongs to toolgate itself on this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Protected {
    /// Policy files, configuration, the log's directory, the wiring of the runtimes.
    pub paths: Vec<AbsPath>,
    /// Symbolic links on the way to these: whoever turns one leads the guard to another file.
    pub links: Vec<AbsPath>,
    /// Sockets that the sidecar listens on.
    pub sockets: Vec<AbsPath>,
    /// Files whose content tells the sidecar who speaks.
    pub secrets: Vec<AbsPath>,
}

/// Files that switch a runtime's hooks on and off, or that name programs which it starts by itself,
/// wherever they lie, there or not (CVE-2026-25725 is a missing one that was not protected).
const WIRING: &[&str] = &[
    "**/.claude/settings.json",
    "**/.claude/settings.local.json",
    "**/.claude/settings.*.json",
    // Where the client keeps what an organisation's server has told it.
    "**/.claude/remote-settings.json",
    "**/.claude/hooks/",
    "**/.claude/plugins/",
    "**/.claude.json",
    "**/.mcp.json",
    "**/.lsp.json",
    "**/hooks/hooks.json",
    "/etc/claude-code/",
    "**/.codex/*.toml",
    "**/.codex/hooks.json",
    "**/.codex/hooks/",
    "**/.codex/agents/",
    "**/.codex/plugins/",
    "**/.codex/rules/",
    "**/.agents/plugins/",
    "/etc/codex/",
    // What `toolgate init --undo` puts back, wherever the settings lie.
    "**/*.json.toolgate-*",
    "**/*.toml.toolgate-*",
];

/// What extends a runtime, and may hold commands that it runs with no hook asked: agents may write
/// these as long as it is seen that they hold none. A directory of these that becomes a link
/// elsewhere would be written unseen, so the same is asked of it.
const EXTENSIONS: &[&str] = &[
    "**/.claude/skills/",
    "**/.claude/commands/",
    "**/.claude/agents/",
    "**/.claude-plugin/",
    "**/.codex/skills/",
    "**/.codex/prompts/",
];

/// The directories that hold the wiring and the extensions: turned into links, they are elsewhere.
const HOLDERS: &[&str] = &["**/.claude", "**/.codex"];

/// What an operator tells a running guard. Where the agent is the same user, the guard's own
/// program would be its way to the admin socket.
const ADMIN: &str = "toolgate {reload,label} ...";

/// The floor: the agent can never write the policy, the hook wiring, the log or the socket.
#[must_use]
pub fn floor(protected: &Protected, anchors: &Anchors) -> Vec<Rule> {
    let path = |text: &str| PathPattern::parse(text, anchors, Stance::Tighten).ok();
    // Not read as patterns: a place with a strange name is protected as well.
    let own: Vec<PathPattern> = protected
        .paths
        .iter()
        .chain(&protected.sockets)
        .chain(&protected.secrets)
        .map(PathPattern::held)
        .chain(protected.links.iter().map(PathPattern::held_alone))
        .collect();
    let admin = ExecPattern::parse(ADMIN, anchors, Stance::Tighten);
    let sockets = protected.sockets.iter().map(ConnectPattern::held_socket);
    let writes = |matches| Targets::Paths { verbs: vec![Verb::Write], matches, unless: Vec::new() };
    let reads = |matches| Targets::Paths { verbs: vec![Verb::Read], matches, unless: Vec::new() };
    let secrets = protected.secrets.iter().map(PathPattern::held);
    vec![
        built_in(
            "toolgate:self",
            writes(own),
            "This belongs to the guard itself, which no agent may change.",
        ),
        built_in(
            "toolgate:secret",
            reads(secrets.collect()),
            "Who can read this can speak to the guard as the runtime does.",
        ),
        built_in(
            "toolgate:wiring",
            writes(WIRING.iter().copied().filter_map(path).collect()),
            "This file switches the guard on and off. Ask the person you work for to change it.",
        ),
        extension(&path),
        built_in(
            "toolgate:socket",
            Targets::Connect { matches: sockets.collect(), unless: Vec::new() },
            "Only the runtime itself speaks to the guard.",
        ),
        built_in(
            "toolgate:admin",
            Targets::Exec { matches: admin.into_iter().collect(), unless: Vec::new() },
            "Only the person who runs the guard may tell it what to do.",
        ),
    ]
}

/// The one rule of the floor that looks at what is written.
fn extension(path: &dyn Fn(&str) -> Option<PathPattern>) -> Rule {
    let trees = EXTENSIONS.iter().filter_map(|text| path(text));
    let holders = HOLDERS.iter().filter_map(|text| path(text)).map(PathPattern::alone);
    let matches = trees.chain(holders).collect();
    let rule = built_in(
        "toolgate:extension",
        Targets::Paths { verbs: vec![Verb::Write], matches, unless: Vec::new() },
        "The runtime may run what stands there without asking the guard. Write it with Write or \
         Edit, without inline shell commands, hooks and servers; a person adds those.",
    );
    Rule { when: Conditions { rest: vec![Condition::Brings], ..Conditions::default() }, ..rule }
}

fn built_in(id: &str, targets: Targets, why: &str) -> Rule {
    Rule {
        id: id.to_owned(),
        says: Says::Effect(Effect::Deny),
        scope: Scope { stance: Stance::Tighten, targets },
        when: Conditions::default(),
        marks: Marks::default(),
        limit: None,
        shadow: false,
        until: None,
        capture: None,
        why: Some(why.to_owned()),
        origin: Origin { file: "built-in".to_owned(), line: 0 },
    }
}

#[cfg(test)]
mod tests {
    use super::{LOOPBACK, METADATA, PRIVATE};
    use crate::model::address::{AddressClass, classify};
    use ipnet::IpNet;

    #[test]
    fn the_named_networks_are_the_classes() {
        let all = [METADATA, PRIVATE, LOOPBACK].concat();
        for network in all.iter().filter_map(|text| text.parse::<IpNet>().ok()) {
            let expected: &[AddressClass] = match network.to_string().as_str() {
                text if METADATA.contains(&text) => &[AddressClass::Metadata],
                text if LOOPBACK.contains(&text) => &[AddressClass::Loopback],
                _ => &[AddressClass::Private, AddressClass::LinkLocal],
            };
            for end in [network.network(), network.broadcast()] {
                assert!(expected.contains(&classify(end)), "{network}");
            }
        }
    }
}
