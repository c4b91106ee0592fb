//! Every event of every runtime, with what is done with it and why: one row each.
//!
//! `toolgate init` registers from here, the client knows from here how to fail, and the server
//! what to do. A row that gates is denied in every failure. One that only tells never forces a
//! turn or stops the work: its failure is silence, found later as a gap in the log. An event that
//! is not here counts as one that gates.

use crate::model::principal::Runtime;

/// One event of a runtime (Claude Code's as of 2.1.330, Codex's as of 0.169).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Its name in `hook_event_name`.
    pub name: &'static str,
    /// Whether the runtime waits for leave.
    pub role: Role,
    /// How `init` registers it.
    pub wire: Wire,
    /// What is done with it, and why so; a sentence for the reference.
    pub why: &'static str,
}

/// What an answer to an event can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It may hold something back: every failure is a denial.
    Gates,
    /// It brings back what a tool did: a failure withholds that, where the runtime can.
    Returns,
    /// It only tells: a failure is silence.
    Tells,
}

/// How an event is registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// As a command, always.
    Command,
    /// Over HTTP only, and only if asked for: it comes too often to start a process each time.
    HttpOnRequest,
    /// Not at all.
    Never,
}

use Role::{Gates, Returns, Tells};
use Wire::{Command, HttpOnRequest, Never};

const fn event(name: &'static str, role: Role, wire: Wire, why: &'static str) -> Event {
    Event { name, role, wire, why }
}

/// The 33 of Claude Code.
pub const CLAUDE: &[Event] = &[
    event("PreToolUse", Gates, Command, "judged before the tool runs: the plane itself"),
    event(
        "PermissionRequest",
        Gates,
        Command,
        "judged once more before a person is asked: the input may have been rewritten since; a \
         denial stands, everything else is the person's to answer",
    ),
    event(
        "UserPromptSubmit",
        Gates,
        Command,
        "a file that the prompt mentions with `@` goes to the model without a tool: its read is \
         judged, and a denied one stops the prompt",
    ),
    event(
        "ConfigChange",
        Gates,
        Command,
        "a change of the settings that would weaken this wiring is refused; the old ones stay",
    ),
    event("PostToolUse", Returns, Command, "joined with its call; the output rules are applied"),
    event(
        "PostToolUseFailure",
        Tells,
        Command,
        "joined with its call; the runtime cannot rewrite a failure, and the record says so",
    ),
    event(
        "PostToolBatch",
        Tells,
        Command,
        "shows calls that never reached a hook, and those that were admitted and did not run",
    ),
    event("PermissionDenied", Tells, Command, "recorded: the runtime's own classifier said no"),
    event("SessionStart", Tells, Command, "recorded; it cannot hold a session back"),
    event("SessionEnd", Tells, Command, "recorded; calls without an end are told of"),
    event("Stop", Tells, Command, "recorded; calls without an end are told of"),
    event("StopFailure", Tells, Command, "recorded: a turn that ended in an error"),
    event("SubagentStart", Tells, Command, "recorded: which subagent acts"),
    event("SubagentStop", Tells, Command, "recorded; an answer could force another turn"),
    event("UserPromptExpansion", Tells, Command, "recorded: which skill or command was taken"),
    event("Setup", Tells, Command, "recorded: it runs once, before a session"),
    event("PreCompact", Tells, Command, "recorded: what the model knows changes here"),
    event("PostCompact", Tells, Command, "recorded: what the model knows has changed"),
    event("PreModelSwitch", Tells, Command, "recorded: another model will act"),
    event("PostModelSwitch", Tells, Command, "recorded: another model acts"),
    event("Notification", Tells, Command, "recorded: a person is being asked or told"),
    event("Elicitation", Tells, Command, "recorded: an MCP server asks the person something"),
    event("ElicitationResult", Tells, Command, "recorded: what the MCP server was answered"),
    event("DirectoryAdded", Tells, Command, "recorded: the agent may reach one more tree"),
    event("InstructionsLoaded", Tells, Command, "recorded: text that steers the model came in"),
    event("WorktreeRemove", Tells, Command, "recorded: a working tree is gone"),
    event("TaskCreated", Tells, Command, "recorded; an answer could hold the task back"),
    event("TaskCompleted", Tells, Command, "recorded; an answer could keep the task open"),
    event("TeammateIdle", Tells, Command, "recorded; an answer could force another turn"),
    event(
        "CwdChanged",
        Tells,
        HttpOnRequest,
        "comes with every `cd`; each call states its working directory anyway",
    ),
    event("FileChanged", Tells, HttpOnRequest, "comes with every change of a watched file"),
    event("MessageDisplay", Tells, HttpOnRequest, "comes with every piece of text on the screen"),
    event(
        "WorktreeCreate",
        Tells,
        Never,
        "a hook here takes the place of git: its output is the new tree's path",
    ),
];

/// Those of Codex. It has no HTTP hooks, and no switch that makes a failed hook block.
pub const CODEX: &[Event] = &[
    event("PreToolUse", Gates, Command, "judged before the tool runs: the plane itself"),
    event(
        "PermissionRequest",
        Gates,
        Command,
        "judged once more before a person is asked; a denial stands",
    ),
    event("UserPromptSubmit", Gates, Command, "recorded; a prompt that cannot be is stopped"),
    event("PostToolUse", Returns, Command, "joined with its call; the output rules are applied"),
    event("SessionStart", Tells, Command, "recorded; it cannot hold a session back"),
    event("SessionEnd", Tells, Command, "recorded; calls without an end are told of"),
    event("Stop", Tells, Command, "recorded; calls without an end are told of"),
    event("SubagentStart", Tells, Command, "recorded: which subagent acts"),
    event("SubagentStop", Tells, Command, "recorded; an answer could force another turn"),
    event("PreCompact", Tells, Command, "recorded: what the model knows changes here"),
    event("PostCompact", Tells, Command, "recorded: what the model knows has changed"),
];

/// The events of a runtime.
#[must_use]
pub fn of(runtime: Runtime) -> &'static [Event] {
    match runtime {
        Runtime::Claude => CLAUDE,
        Runtime::Codex => CODEX,
        Runtime::Unknown => &[],
    }
}

/// The event of that name, in whichever runtime has it: their roles are the same.
#[must_use]
pub fn named(name: &str) -> Option<&'static Event> {
    CLAUDE.iter().chain(CODEX).find(|event| event.name == name)
}

/// What an event of that name can do; one that is not known may hold something back.
#[must_use]
pub fn role(name: &str) -> Role {
    named(name).map_or(Gates, |event| event.role)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_event_has_one_row_and_one_role() {
        for (events, count) in [(CLAUDE, 33), (CODEX, 11)] {
            let names: BTreeSet<&str> = events.iter().map(|event| event.name).collect();
            assert_eq!((names.len(), events.len()), (count, count));
        }
        for event in CODEX {
            assert_eq!(role(event.name), event.role, "{}", event.name);
            assert!(event.wire != HttpOnRequest, "{}", event.name);
        }
    }

    #[test]
    fn what_gates_is_always_registered() {
        for event in CLAUDE.iter().chain(CODEX) {
            assert!(event.role == Tells || event.wire == Command, "{}", event.name);
        }
        assert_eq!(role("SomethingNew"), Gates);
    }
}
