//! Which of the rules that spoke made a decision; the rest of them is told beside.
//!
//! A rule made it that says what it came to, and surely. Where no rule is sure and a question was
//! asked because one may speak, it is the one that the reason names: all that may speak of
//! something unknown are nearly all there are. A default, a budget or a failure is made by none.
//! What came back of a call is no second decision, but its rules are those that changed it.

use super::{WireDecision, WireRecord, WireRule};
use crate::model::record::Kind;

/// How one rule spoke.
#[derive(Debug, Clone, Copy)]
pub(in crate::audit) struct Spoke<'a> {
    pub(in crate::audit) effect: &'a [u8],
    pub(in crate::audit) sure: bool,
    pub(in crate::audit) shadow: bool,
    pub(in crate::audit) built_in: bool,
}

/// Which of them made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::audit) enum Made<'a> {
    /// None of them.
    None,
    /// Those that surely say this.
    Sure(&'a [u8]),
    /// The one at this place.
    One(usize),
    /// The one with this id, whose limit was reached.
    Named(&'a str),
    /// Every one that is enforced: it changed what came back.
    Enforced,
}

impl<'a> Made<'a> {
    /// From what it came to with somebody there to ask, what that rests on, the reason, and the
    /// rules that spoke.
    pub(in crate::audit) fn of<'r>(
        attended: &'a [u8],
        basis: &[u8],
        reason: &'a str,
        rules: impl Iterator<Item = Spoke<'r>> + Clone,
    ) -> Made<'a> {
        match basis {
            b"default" | b"budget" | b"failsafe" => return Made::None,
            b"limit" => return reason.split('`').nth(1).map_or(Made::None, Made::Named),
            _ => {}
        }
        if rules.clone().any(|rule| !rule.shadow && rule.sure && rule.effect == attended) {
            return Made::Sure(attended);
        }
        if attended != b"ask" {
            return Made::None;
        }
        let doubtful =
            rules.enumerate().filter(|(_, rule)| !rule.shadow && rule.effect != b"allow");
        let named = doubtful.min_by_key(|(_, rule)| rule.built_in);
        named.map_or(Made::None, |(place, _)| Made::One(place))
    }

    /// Whether the rule at a place is one of them.
    pub(in crate::audit) fn is(self, place: usize, rule: Spoke<'_>, id: impl Fn() -> bool) -> bool {
        !rule.shadow
            && match self {
                Made::None => false,
                Made::Sure(effect) => rule.sure && rule.effect == effect,
                Made::One(one) => one == place,
                Made::Named(_) => id(),
                Made::Enforced => true,
            }
    }
}

/// Whether a record of this kind tells of what came back, and so makes no decision of its own.
pub(in crate::audit) fn came_back(kind: &str) -> bool {
    [Kind::ToolPost, Kind::McpResult, Kind::NetClose].iter().any(|one| one.as_str() == kind)
}

impl WireRecord {
    /// What was decided; nothing of a record of what came back.
    #[must_use]
    pub fn decided(&self) -> Option<&WireDecision> {
        self.decision.as_ref().filter(|_| !came_back(&self.kind))
    }

    /// The rules that made the decision, or changed what came back.
    #[must_use]
    pub fn deciding(&self) -> Vec<&WireRule> {
        let Some(decision) = &self.decision else { return Vec::new() };
        let made = match came_back(&self.kind) {
            true => Made::Enforced,
            false => Made::of(
                decision.attended.as_deref().unwrap_or(&decision.effect).as_bytes(),
                decision.basis.as_bytes(),
                &decision.reason,
                decision.rules.iter().map(WireRule::spoke),
            ),
        };
        let named = |rule: &WireRule| matches!(made, Made::Named(id) if id == rule.id);
        let places = decision.rules.iter().enumerate();
        places
            .filter(|(place, rule)| made.is(*place, rule.spoke(), || named(rule)))
            .map(|(_, rule)| rule)
            .collect()
    }

    /// What decided, in a few words: the first rule that did, or what the decision rests on, in
    /// brackets.
    #[must_use]
    pub fn decider(&self) -> Option<String> {
        let decision = self.decided()?;
        let rule = self.deciding().first().map(|rule| rule.id.clone());
        Some(rule.unwrap_or_else(|| match decision.basis.as_str() {
            // Some rule may have spoken, and none of them decided.
            "rule" => "(default)".to_owned(),
            basis => format!("({basis})"),
        }))
    }
}

impl WireRule {
    fn spoke(&self) -> Spoke<'_> {
        Spoke {
            effect: self.effect.as_bytes(),
            sure: self.matched == "yes",
            shadow: self.shadow,
            built_in: self.line == 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::query::Field;

    /// `id effect match line`, and `shadow` behind it.
    fn rule(text: &str) -> WireRule {
        let words: Vec<&str> = text.split(' ').collect();
        WireRule {
            id: words[0].to_owned(),
            file: "p.toml".to_owned(),
            line: words[3].parse().unwrap(),
            effect: words[1].to_owned(),
            matched: words[2].to_owned(),
            shadow: words.get(4).is_some(),
        }
    }

    #[test]
    fn the_rules_that_made_a_decision() {
        for (kind, effect, basis, reason, rules, made, decides) in [
            ("tool.pre", "deny", "rule", "", "d deny yes 1,m deny maybe 2,a allow yes 3", "d", "d"),
            (
                "tool.pre",
                "deny",
                "built-in",
                "",
                "toolgate:x deny yes 0,a allow yes 3",
                "toolgate:x",
                "toolgate:x",
            ),
            (
                "tool.pre",
                "allow",
                "rule",
                "",
                "a allow yes 1,b allow yes 2,c allow maybe 3",
                "a b",
                "a",
            ),
            ("tool.pre", "deny", "default", "", "a allow yes 1,m deny maybe 2", "", "(default)"),
            // A rule that may refuse never makes a refusal.
            ("tool.pre", "deny", "rule", "", "m deny maybe 2", "", "(default)"),
            ("tool.pre", "ask", "rule", "", "m deny maybe 1,q ask yes 2,n ask maybe 3", "q", "q"),
            (
                "tool.pre",
                "ask",
                "rule",
                "",
                "toolgate:x deny maybe 0,m deny maybe 4,n ask maybe 3",
                "m",
                "m",
            ),
            ("tool.pre", "ask", "rule", "", "s ask yes 1 shadow,n ask maybe 3", "n", "n"),
            ("tool.pre", "deny/ask", "unattended", "", "q ask yes 1,a allow yes 2", "q", "q"),
            ("tool.pre", "deny/defer", "unattended", "", "a allow yes 2", "", "(unattended)"),
            (
                "tool.pre",
                "deny",
                "limit",
                "the limit of `a` is reached",
                "a allow yes 2,b allow yes 3",
                "a",
                "a",
            ),
            ("tool.pre", "deny", "budget", "", "a allow yes 2", "", "(budget)"),
            ("tool.pre", "deny", "failsafe", "", "", "", "(failsafe)"),
            ("tool.post", "allow", "rule", "", "r allow yes 2,w deny yes 3", "r w", ""),
            ("tool.post", "allow", "default", "", "", "", ""),
        ] {
            let (effect, attended) = match effect.split_once('/') {
                Some((effect, attended)) => (effect, Some(attended.to_owned())),
                None => (effect, None),
            };
            let record = WireRecord {
                v: 1,
                kind: kind.to_owned(),
                decision: Some(WireDecision {
                    effect: effect.to_owned(),
                    basis: basis.to_owned(),
                    reason: reason.to_owned(),
                    rules: rules.split(',').filter(|text| !text.is_empty()).map(rule).collect(),
                    rules_more: 0,
                    attended,
                    obligations: Vec::new(),
                }),
                ..WireRecord::default()
            };
            let ids: Vec<&str> = record.deciding().iter().map(|rule| rule.id.as_str()).collect();
            assert_eq!(ids.join(" "), made, "{record:?}");
            assert_eq!(record.decider().unwrap_or_default(), decides, "{record:?}");
            // A question to the log says the same, and of what came back that nothing is decided.
            assert_eq!(Field::Rule.of(&record), ids, "{record:?}");
            let decision = Field::Decision.of(&record);
            assert_eq!(decision.is_empty(), kind == "tool.post", "{record:?}");
            assert_eq!(Field::Basis.of(&record).is_empty(), kind == "tool.post", "{record:?}");
            let heard: Vec<String> = record
                .decision
                .iter()
                .flat_map(|one| &one.rules)
                .filter(|rule| !rule.shadow)
                .map(|rule| rule.id.clone())
                .collect();
            assert_eq!(Field::Matched.of(&record), heard, "{record:?}");
        }
    }
}
