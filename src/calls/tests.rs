//! What fits together and what does not, as a table of short stories.

use super::*;
use crate::model::principal::{Runtime, Sender};
use serde_json::json;

fn principal(agent: Agent) -> Principal {
    let session = "s".to_owned();
    Principal { runtime: Runtime::Claude, session, agent, uid: Some(7), sender: Sender::Unproven }
}

fn sub(id: &str) -> Agent {
    Agent::Sub { id: id.to_owned(), kind: "general-purpose".to_owned() }
}

const NOW: Moment = Moment(1_000_000);

/// One thing that happens; what it says follows it, `-` for nothing.
enum Step {
    Begin(&'static str, &'static str, Verdict),
    End(&'static str, &'static str, &'static str),
    Batch(&'static [&'static str], &'static str),
    Over(Ends, &'static str),
    Mode(&'static str, &'static str),
}
use Step::{Batch, Begin, End, Mode, Over};

fn play(story: &str, steps: &[Step]) {
    let calls = Calls::default();
    let tool = ToolName::parse("Bash");
    let main = principal(Agent::Main);
    for (number, step) in steps.iter().enumerate() {
        let (said, expected) = match step {
            Begin(id, input, verdict) => {
                let ours = CallId((*id).to_owned());
                let call = Call { id: &ours, principal: &main, tool: &tool, tool_use_id: Some(id) };
                let pushed =
                    calls.begin(&call, Some(InputDigest::of(&tool, &json!(input))), *verdict, NOW);
                assert!(pushed.is_empty(), "{story}");
                continue;
            }
            End(id, input, expected) => {
                let ours = CallId("post".to_owned());
                let call = Call { id: &ours, principal: &main, tool: &tool, tool_use_id: Some(id) };
                let ended = calls.end(&call, Some(InputDigest::of(&tool, &json!(input))), NOW);
                assert!(ended.call.is_none_or(|call| call.0 == *id), "{story}");
                let asked = ended.asked.then(|| "asked".to_owned());
                let codes = ended.findings.iter().map(|finding| finding.code.as_str().to_owned());
                (codes.chain(asked).collect::<Vec<_>>(), *expected)
            }
            Batch(ids, expected) => {
                let one = |id: &&str| Batched { tool_use_id: (*id).to_owned(), tool: tool.clone() };
                let ends = Ends::Batch(ids.iter().map(one).collect());
                (over(&calls, &main, &ends), *expected)
            }
            Over(ends, expected) => (over(&calls, &main, ends), *expected),
            Mode(mode, expected) => {
                let found = calls.mode(&main, mode, NOW);
                (found.iter().map(|finding| finding.what.join(">")).collect(), *expected)
            }
        };
        let said = if said.is_empty() { "-".to_owned() } else { said.join(" ") };
        assert_eq!(said, *expected, "{story}, step {number}");
    }
}

fn over(calls: &Calls, by: &Principal, ends: &Ends) -> Vec<String> {
    let (loose, findings) = calls.over(by, ends, NOW);
    let mut said: Vec<String> = loose
        .iter()
        .map(|one| {
            format!("{}:{}", one.tool_use_id, if one.not_run { "not_run" } else { "unknown" })
        })
        .collect();
    said.sort();
    said.extend(findings.iter().map(|finding| finding.code.as_str().to_owned()));
    said
}

#[test]
fn stories() {
    use Verdict::{Allow, Ask, Defer, Deny};
    play(
        "an honest call",
        &[Begin("a", "x", Allow), End("a", "x", "-"), Batch(&["a"], "-"), Over(Ends::Turn, "-")],
    );
    play("without batches", &[Begin("a", "x", Allow), End("a", "x", "-"), Over(Ends::Turn, "-")]);
    play("another hook rewrote it", &[Begin("a", "x", Allow), End("a", "y", "input_rewritten")]);
    play("a question that was answered", &[Begin("a", "x", Ask), End("a", "x", "asked")]);
    play("it ran though refused", &[Begin("a", "x", Deny), End("a", "x", "ran_though_refused")]);
    play("nobody was asked", &[End("a", "x", "call_without_pre")]);
    play(
        "an end that comes twice",
        &[Begin("a", "x", Allow), End("a", "x", "-"), End("a", "x", "call_without_pre")],
    );
    play(
        "a batch tells what did not run",
        &[
            Begin("a", "x", Allow),
            Begin("b", "x", Deny),
            Begin("c", "x", Defer),
            Batch(&["a", "b", "c", "d"], "a:not_run c:not_run batch_call_without_pre"),
            Over(Ends::Session, "-"),
        ],
    );
    play(
        "a turn that ends before its calls",
        &[
            Begin("a", "x", Allow),
            Begin("b", "x", Deny),
            Over(Ends::Nothing, "-"),
            Over(Ends::Turn, "a:unknown"),
            End("a", "x", "call_without_pre"),
        ],
    );
    play(
        "modes",
        &[
            Mode("default", "-"),
            Mode("default", "-"),
            Mode("bypassPermissions", "default>bypassPermissions"),
            Mode("default", "bypassPermissions>default"),
        ],
    );
}

#[test]
fn agents_end_their_own_calls_and_begin_with_the_main_threads_mode() {
    let calls = Calls::default();
    let (tool, id) = (ToolName::parse("Bash"), CallId("c".to_owned()));
    for (agent, tool_use_id) in [(Agent::Main, "m"), (sub("1"), "one"), (sub("2"), "two")] {
        let by = principal(agent);
        let call = Call { id: &id, principal: &by, tool: &tool, tool_use_id: Some(tool_use_id) };
        calls.begin(&call, None, Verdict::Allow, NOW);
    }
    assert_eq!(over(&calls, &principal(sub("1")), &Ends::Agent), ["one:unknown"]);
    assert_eq!(over(&calls, &principal(Agent::Main), &Ends::Turn), ["m:unknown"]);
    assert_eq!(calls.mode(&principal(Agent::Main), "plan", NOW), None);
    assert_eq!(calls.mode(&principal(sub("3")), "plan", NOW), None);
    assert!(calls.mode(&principal(sub("4")), "bypassPermissions", NOW).is_some());
    assert_eq!(over(&calls, &principal(Agent::Main), &Ends::Session), ["two:unknown"]);
}

#[test]
fn a_silent_session_is_over_and_a_full_one_makes_room() {
    let calls = Calls::default();
    let (by, tool) = (principal(Agent::Main), ToolName::parse("Bash"));
    let mut pushed = Vec::new();
    for number in 0..=crate::limits::CALLS_OF_SESSION_MAX {
        let (id, tool_use_id) = (CallId(number.to_string()), number.to_string());
        let call = Call { id: &id, principal: &by, tool: &tool, tool_use_id: Some(&tool_use_id) };
        let now = Moment(i64::try_from(number).unwrap());
        pushed.extend(calls.begin(&call, None, Verdict::Allow, now));
    }
    let ids: Vec<&str> = pushed.iter().map(|(_, one)| one.tool_use_id.as_str()).collect();
    assert_eq!(ids, ["0"]);
    assert!(calls.overdue(NOW).is_empty());
    let later = Moment(i64::try_from(2 * CALL_AGE_MAX.as_micros()).unwrap());
    assert_eq!(calls.overdue(later).len(), crate::limits::CALLS_OF_SESSION_MAX);
    assert!(calls.overdue(later).is_empty());
}

#[test]
fn an_input_is_compared_as_a_value() {
    let tool = ToolName::parse("AskUserQuestion");
    let digest = |text: &str| InputDigest::of(&tool, &serde_json::from_str(text).unwrap());
    assert_eq!(digest(r#"{"a":1}"#), digest(r#"{"a":1,"answers":{"q":"yes"}}"#));
    assert_eq!(digest(r#"{"a":1,"b":[2]}"#), digest(r#"{ "b": [2], "a": 1 }"#));
    assert_ne!(digest(r#"{"a":1}"#), digest(r#"{"a":"1"}"#));
}

#[test]
fn an_id_that_is_used_for_another_call() {
    let calls = Calls::default();
    let (by, tool) = (principal(Agent::Main), ToolName::parse("Bash"));
    let begin = |ours: &str, input: &str, verdict| {
        let id = CallId(ours.to_owned());
        let call = Call { id: &id, principal: &by, tool: &tool, tool_use_id: Some("a") };
        let pushed = calls.begin(&call, Some(InputDigest::of(&tool, &json!(input))), verdict, NOW);
        pushed.into_iter().map(|(_, one)| one.call.0).collect::<Vec<_>>()
    };
    assert_eq!(begin("first", "x", Verdict::Ask), [""; 0]);
    // The same asked once more is one call; another one in its place leaves it without an end.
    assert_eq!(begin("again", "x", Verdict::Ask), [""; 0]);
    assert_eq!(begin("other", "y", Verdict::Allow), ["again"]);
}

#[test]
fn an_end_without_an_id_is_one_that_nobody_was_asked_about() {
    let (by, tool, id) = (principal(Agent::Main), ToolName::parse("Bash"), CallId("c".to_owned()));
    let call = Call { id: &id, principal: &by, tool: &tool, tool_use_id: None };
    let ended = Calls::default().end(&call, None, NOW);
    assert_eq!(ended.findings[0].code, Code::CallWithoutPre);
}
