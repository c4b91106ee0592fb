//! What is counted under which name, and that rules cannot make it grow without end.

use super::*;
use crate::limits::METRIC_RULES_MAX;
use crate::model::decision::{Fired, PolicyId};
use crate::model::effect::Effect;
use crate::model::path::AbsPath;
use crate::model::truth::Truth;
use crate::policy::builtin::Protected;
use crate::policy::pattern::Anchors;
use crate::policy::{Source, compile};
use std::collections::BTreeSet;

fn policy(text: &str) -> Policy {
    let source = Source { name: "p.toml".to_owned(), text: text.to_owned(), layer: None };
    let root = AbsPath::parse("/work").unwrap();
    let anchors = Anchors { workspace: root.clone(), home: None, tmp: root, aliases: Vec::new() };
    let compiled = compile(&[source], &anchors, &Protected::default());
    compiled.policy.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics))
}

const HEAD: &str = "schema = 1\n[policy]\nname = \"p\"\ndefault = \"deny\"\n";

fn with_rules(ids: impl IntoIterator<Item = String>) -> Policy {
    let rule =
        |id: String| format!("[[rule]]\nid = \"{id}\"\ndeny = \"read\"\nmatch = [\"/{id}\"]\n");
    policy(&format!("{HEAD}{}", ids.into_iter().map(rule).collect::<String>()))
}

fn fired(id: &str, effect: Effect, shadow: bool) -> Fired {
    Fired {
        id: id.to_owned(),
        effect,
        verb: None,
        truth: Truth::Yes,
        file: "p.toml".to_owned(),
        line: 1,
        why: None,
        shadow,
    }
}

fn denied(by: &PolicyId, rules: Vec<Fired>) -> Decision {
    let refused = Decision::refusal(String::new(), by.clone());
    Decision { rules, basis: Basis::Rule, ..refused }
}

/// The samples of one name, as they stand in the text.
fn samples(metrics: &Metrics, of: &Policy, name: &str) -> Vec<String> {
    let now = Now {
        version: "1",
        started: 1.5,
        policy: &of.id,
        ready: true,
        log: Log::default(),
        sessions: 0,
        connections: &[("hook", 2)],
        sinks: &[SinkNow {
            name: "siem".to_owned(),
            behind: 7,
            behind_for: Duration::from_millis(1_500),
            sent: 9,
            late: true,
        }],
        heads_failing: 0,
        texts_not_kept: 0,
    };
    let text = metrics.text(&now).unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let start = format!("{name}{{");
    text.lines().filter_map(|line| line.strip_prefix(&start)).map(str::to_owned).collect()
}

fn matches(metrics: &Metrics, of: &Policy) -> Vec<String> {
    samples(metrics, of, "toolgate_rule_matches_total")
}

#[test]
fn a_rule_stands_at_zero_and_loses_its_row_when_it_goes() {
    let metrics = Metrics::new();
    let one = with_rules(["a", "b"].map(str::to_owned));
    metrics.in_force(&one);
    let floor = |rest: &[&str]| {
        let ids = ["admin", "extension", "secret", "self", "socket", "wiring"];
        let built_in = ids.map(|id| format!("rule=\"toolgate:{id}\",effect=\"deny\"}} 0"));
        let rest = rest.iter().map(|line| (*line).to_owned());
        let mut all: Vec<_> = rest.chain(built_in).collect();
        all.sort();
        all
    };
    let sorted = |of: &Policy| {
        let mut all = matches(&metrics, of);
        all.sort();
        all
    };
    let at = |id: &str, count: u32| format!("rule=\"{id}\",effect=\"deny\"}} {count}");
    assert_eq!(sorted(&one), floor(&[&at("a", 0), &at("b", 0)]));
    let both = vec![fired("a", Effect::Deny, false), fired("b", Effect::Deny, false)];
    metrics.decided(Kind::ToolPre, &denied(&one.id, both.clone()), Duration::ZERO);
    metrics.unrecorded(Kind::ToolPre, &denied(&one.id, both), Duration::ZERO);
    assert_eq!(sorted(&one), floor(&[&at("a", 2), &at("b", 2)]));

    let two = with_rules(["b", "c"].map(str::to_owned));
    metrics.in_force(&two);
    assert_eq!(sorted(&two), floor(&[&at("b", 2), &at("c", 0)]));
    // A call that began before does not bring a rule back.
    let late =
        denied(&one.id, vec![fired("a", Effect::Deny, false), fired("b", Effect::Deny, false)]);
    metrics.decided(Kind::ToolPre, &late, Duration::ZERO);
    assert_eq!(sorted(&two), floor(&[&at("b", 2), &at("c", 0), &at("other", 2)]));
}

#[test]
fn many_rules_get_their_rows_as_they_speak_and_never_too_many() {
    let metrics = Metrics::new();
    let many = with_rules((0..METRIC_RULES_MAX + 10).map(|n| format!("r{n}")));
    metrics.in_force(&many);
    assert_eq!(matches(&metrics, &many), Vec::<String>::new());
    for n in 0..METRIC_RULES_MAX + 10 {
        let decision = denied(&many.id, vec![fired(&format!("r{n}"), Effect::Deny, false)]);
        metrics.decided(Kind::ToolPre, &decision, Duration::ZERO);
    }
    let told = matches(&metrics, &many);
    assert_eq!(told.len(), METRIC_RULES_MAX + 1);
    assert!(told.contains(&"rule=\"other\",effect=\"deny\"} 10".to_owned()));
}

#[test]
fn no_rule_stands_twice_or_breaks_a_line() {
    let metrics = Metrics::new();
    let odd = policy(&format!(
        "{HEAD}[[rule]]\nid = \"other\"\ndeny = \"read\"\nmatch = [\"/o\"]\n\
         [[rule]]\nid = \"tried\"\nmode = \"shadow\"\ndeny = \"read\"\nmatch = [\"/t\"]\n\
         [[rule]]\nid = \"hide\"\nredact = \"output\"\nmatch = [\"$keys\"]\n"
    ));
    metrics.in_force(&odd);
    let rules = vec![
        fired("other", Effect::Deny, false),
        fired("tried", Effect::Deny, true),
        fired("hide", Effect::Allow, false),
        fired("a\"b\\c\nd", Effect::Ask, false),
    ];
    metrics.decided(Kind::ToolPost, &denied(&odd.id, rules), Duration::ZERO);
    let told = matches(&metrics, &odd);
    assert_eq!(told.iter().collect::<BTreeSet<_>>().len(), told.len());
    for line in [
        "rule=\"other\",effect=\"deny\"} 1",
        "rule=\"hide\",effect=\"redact\"} 1",
        "rule=\"a\\\"b\\\\c\\nd\",effect=\"ask\"} 1",
    ] {
        assert!(told.contains(&line.to_owned()), "{line} {told:?}");
    }
    let shadow = samples(&metrics, &odd, "toolgate_shadow_rule_matches_total");
    assert_eq!(shadow, ["rule=\"tried\",effect=\"deny\"} 1"]);
}

#[test]
fn codes_are_bounded_too() {
    let metrics = Metrics::new();
    let any = with_rules([]);
    for n in 0..METRIC_CODES_MAX + 5 {
        let details = vec![("code", format!("c{n}").into())];
        metrics.recorded(&Record { details, ..Record::new(Kind::Finding) });
    }
    metrics.recorded(&Record::new(Kind::ToolPre));
    let told = samples(&metrics, &any, "toolgate_findings_total");
    assert_eq!(told.len(), METRIC_CODES_MAX + 1);
    assert!(told.contains(&"code=\"other\"} 5".to_owned()));
}

#[test]
fn how_sinks_stand_is_told() {
    let (metrics, policy) = (Metrics::new(), policy(HEAD));
    for (name, value) in [
        ("toolgate_sink_late", "1"),
        ("toolgate_sink_behind_records", "7"),
        ("toolgate_sink_behind_seconds", "1.5"),
        ("toolgate_sink_records_total", "9"),
    ] {
        let expected = format!("sink=\"siem\"}} {value}");
        assert_eq!(samples(&metrics, &policy, name), [expected]);
    }
}
