//! Any policy and any calls: the engine, which looks rules up, says of each call and each access
//! what the oracle says, which asks them all, and the same rules say it; and the laws of the policy
//! language hold: order never matters, a new deny never lets more through, a maybe never allows,
//! layers below only tighten unless they are let.

#[path = "engine_call.rs"]
mod call;
#[path = "engine_choice.rs"]
mod choice;
#[path = "engine_policy.rs"]
mod draft;

use call::Call;
use choice::Choices;
use draft::{Draft, Rule};
use std::sync::LazyLock;
use toolgate::engine::oracle::oracle;
use toolgate::engine::{Told, decide, rule, tell};
use toolgate::model::access::Target;
use toolgate::model::effect::{Effect, Verdict};
use toolgate::model::facts::Facts;
use toolgate::model::path::{Extent, PathTarget};
use toolgate::model::truth::Truth;
use toolgate::policy::Policy;
use toolgate::policy::rule::Power;
use toolgate::redact::Redactor;

/// Fails if a property does not hold for what these bytes stand for.
pub fn hold(bytes: &[u8]) {
    let case = Case::of(bytes);
    case.is_as_the_oracle_says();
    case.order_never_matters();
    case.a_deny_more_never_lets_more_through();
    case.a_maybe_never_allows();
    case.layers_below_only_tighten_unless_they_are_let();
    case.taints_only_tighten_and_proofs_only_loosen();
    case.another_place_that_a_path_leads_to_never_lets_more_through();
}

/// A policy and calls.
pub struct Case<'a> {
    draft: Draft,
    policy: Policy,
    calls: Vec<Call>,
    /// For what else a law needs.
    left: &'a [u8],
}

static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| Redactor::shipped().unwrap());

impl<'a> Case<'a> {
    /// What these bytes stand for.
    pub fn of(bytes: &'a [u8]) -> Case<'a> {
        // A part for each, so that more of the one does not change the other.
        let (policy, rest) = bytes.split_at(bytes.len() / 2);
        let (calls, left) = rest.split_at(rest.len() / 4 * 3);
        let draft = Draft::of(&mut Choices::of(policy));
        let calls = Choices::of(calls).some(1, 12, Call::of);
        Case { policy: draft.policy(), draft, calls, left }
    }

    fn each(&self, hold: impl Fn(&Facts, &Call)) {
        for call in &self.calls {
            hold(&call.facts(&self.policy), call);
        }
    }

    /// The decision, its story, and the bare verdict are one; and they are the oracle's.
    pub fn is_as_the_oracle_says(&self) {
        self.each(|facts, _| {
            let expected = oracle(&self.policy, facts);
            let told = tell(&self.policy, facts);
            assert_eq!(told, expected, "{}\n{facts:#?}", self.draft);
            let ruling = rule(&self.policy, facts);
            let bare = (ruling.verdict, ruling.attended_verdict);
            let decision = decide(&self.policy, facts, &REDACTOR);
            let told = (decision.verdict, decision.attended_verdict);
            assert_eq!(bare, (expected.verdict, expected.attended_verdict), "{}", self.draft);
            assert_eq!(told, bare, "{}\n{facts:#?}", self.draft);
        });
    }

    /// Neither the order of the rules of a file nor that of the files of a layer.
    pub fn order_never_matters(&self) {
        let mut choices = Choices::of(self.left);
        let mut other = self.draft.clone();
        for file in &mut other.files {
            file.rules = choices.shuffled(&file.rules);
        }
        // The names of the files go with their places, and answers name them.
        other.files.sort_by_key(|file| file.layer);
        let other = other.policy();
        self.each(|facts, call| {
            let one = nameless(tell(&self.policy, facts));
            let another = nameless(tell(&other, &call.facts(&other)));
            assert_eq!(one, another, "{}\n{facts:#?}", self.draft);
        });
        let mut turned = self.draft.clone();
        turned.files.reverse();
        let turned = turned.policy();
        self.each(|facts, call| {
            let one = nameless(tell(&self.policy, facts));
            let another = nameless(tell(&turned, &call.facts(&turned)));
            assert_eq!(one, another, "{}\n{facts:#?}", self.draft);
        });
    }

    /// For the same call and the same session state.
    pub fn a_deny_more_never_lets_more_through(&self) {
        let mut choices = Choices::of(self.left);
        let mut more = self.draft.clone();
        let at = choices.below(more.files.len());
        more.files[at].rules.push(Rule::deny("more".to_owned(), &mut choices));
        let policy = more.policy();
        self.each(|facts, call| {
            let with = rule(&policy, &call.facts(&policy));
            let without = rule(&self.policy, facts);
            assert!(freedom(with.verdict) <= freedom(without.verdict), "{more}\n{facts:#?}");
            let (with, without) = (with.attended_verdict, without.attended_verdict);
            assert!(freedom(with) <= freedom(without), "{more}\n{facts:#?}");
        });
    }

    /// What is allowed has for each access an allow that says yes, in the policy's own words, and
    /// no ask or deny that says maybe; a pure wrapper needs no allow.
    pub fn a_maybe_never_allows(&self) {
        self.each(|facts, _| {
            let told = tell(&self.policy, facts);
            let speaks = |answer: &&toolgate::engine::Answer| !answer.shadow;
            for (place, verdict) in told.accesses.iter().enumerate() {
                if *verdict != Some(Verdict::Allow) {
                    continue;
                }
                let of = || told.answers.iter().filter(speaks).filter(|it| it.access == place);
                let sure = of().any(|it| it.effect == Effect::Allow && it.truth == Truth::Yes);
                let held = of().any(|it| it.effect != Effect::Allow);
                let target = &facts.accesses[place].target;
                let wrapper = matches!(target, Target::Exec(command) if command.transparent);
                assert!((sure || wrapper) && !held, "{}\n{told:#?}\n{facts:#?}", self.draft);
            }
            if told.attended_verdict == Verdict::Allow {
                let whole = |it: &Option<Verdict>| matches!(it, None | Some(Verdict::Allow));
                assert!(told.accesses.iter().all(whole), "{}\n{facts:#?}", self.draft);
            }
        });
    }

    /// Without its lowest layer the policy is never stricter, if that may only tighten; if it may
    /// fill, it never is for what the layers above have an opinion on.
    pub fn layers_below_only_tighten_unless_they_are_let(&self) {
        let Some(lowest) = self.policy.layers.last() else { return };
        if self.policy.layers.len() < 2 {
            return;
        }
        let mut upper = self.draft.clone();
        upper.files.retain(|file| file.layer != lowest.kind);
        let policy = upper.policy();
        self.each(|facts, call| {
            let with = tell(&self.policy, facts);
            let without = tell(&policy, &call.facts(&policy));
            let told = || format!("{}\n{facts:#?}\n{with:#?}\n{without:#?}", self.draft);
            if lowest.power == Power::Tighten {
                assert!(freedom(with.verdict) <= freedom(without.verdict), "{}", told());
            }
            for (with, without) in with.accesses.iter().zip(&without.accesses) {
                match (with, without) {
                    (Some(with), Some(without)) if *without != Verdict::Defer => {
                        assert!(freedom(*with) <= freedom(*without), "{}", told());
                    }
                    (None, Some(_)) => panic!("{}", told()),
                    _ => {}
                }
            }
        });
    }

    /// A session with one more taint is let through no more without a person, one with one more
    /// proof no less: an ask is a loosening too where the default is deny, so that a label which
    /// makes a rule ask may make a question of a refusal. And as long as no limit is reached: a
    /// label that takes an allow away takes its limit away as well.
    pub fn taints_only_tighten_and_proofs_only_loosen(&self) {
        self.each(|_, call| {
            let marked = |label: Option<&str>| {
                let mut call = call.clone();
                call.labels.extend(label.map(str::to_owned));
                alone(rule(&self.policy, &unlimited(call.facts(&self.policy))).attended_verdict)
            };
            let before = marked(None);
            for taint in ["t1", "t2"] {
                assert!(marked(Some(taint)) <= before, "{taint} {}\n{call:#?}", self.draft);
            }
            for proof in ["p1", "approved:T1", "approved:*"] {
                assert!(marked(Some(proof)) >= before, "{proof} {}\n{call:#?}", self.draft);
            }
        });
    }

    /// Each hop of a link is a lane more that an allow must cover, and that a deny may fire on, so
    /// that no more is let through without a person: as long as no limit is reached, and no layer
    /// fills where one above it has no opinion.
    pub fn another_place_that_a_path_leads_to_never_lets_more_through(&self) {
        if self.policy.layers.iter().any(|layer| layer.power == Power::Fill) {
            return;
        }
        let hop = call::path(&mut Choices::of(self.left)).written;
        self.each(|facts, _| {
            let facts = unlimited(facts.clone());
            let mut longer = facts.clone();
            let mut paths = longer.accesses.iter_mut().filter_map(|it| match &mut it.target {
                Target::Read(path) | Target::Write(path) => Some(path),
                _ => None,
            });
            let plain = |path: &&mut PathTarget| path.extent == Extent::Itself;
            let Some(path) = paths.find(plain) else { return };
            path.hops.push(hop.clone());
            let with = alone(rule(&self.policy, &longer).attended_verdict);
            let without = alone(rule(&self.policy, &facts).attended_verdict);
            assert!(with <= without, "{}\n{longer:#?}", self.draft);
        });
    }
}

/// The same in a session that no limit holds back.
fn unlimited(mut facts: Facts) -> Facts {
    facts.session.used = vec![f64::MIN; 200];
    // An amount that is none is over every limit.
    facts.call.input["n"] = 1.into();
    facts
}

/// All but the names of the files, which go with their places.
fn nameless(mut told: Told) -> Told {
    told.answers.iter_mut().for_each(|answer| answer.file.clear());
    told.answers.sort();
    told
}

/// How much a verdict lets through.
fn freedom(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Deny => 0,
        Verdict::Ask => 1,
        Verdict::Defer => 2,
        Verdict::Allow => 3,
    }
}

/// How much it lets through without a person.
fn alone(verdict: Verdict) -> u8 {
    freedom(verdict).max(freedom(Verdict::Ask))
}
