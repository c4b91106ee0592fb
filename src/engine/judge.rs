//! One access against the layers: what each comes to, and which of them stands.
//!
//! Rules are found by index. Where somebody listens, each rule that was found is asked and told, in
//! the order of the policy; else only what they come to is wanted, and most of them are not even
//! looked at. Both ways are this one walk.

use super::ask::{Asked, Context, ask_found, happens};
use super::limits::Taken;
use crate::model::access::{Access, Certainty, Target};
use crate::model::effect::{Effect, Verdict};
use crate::model::truth::Truth;
use crate::policy::index::{Effects, Entry, Lane, Probe, Rules, Visit};
use crate::policy::rule::{Layer, LayerKind, Policy, Power, Rule};

/// Hears what every rule answers that does not say no. The decision alone hears nothing: `()`.
pub(super) trait Listener {
    /// Whether it wants to hear at all.
    const LISTENS: bool = true;

    /// A rule that decides answered yes or maybe to the access in hand.
    fn answered(&mut self, rule: &Rule, layer: Option<LayerKind>, effect: Effect, asked: Asked);
    /// A layer came to this; nothing if the access turned out to be none.
    fn layer(&mut self, layer: &Layer, verdict: Option<Verdict>, spoke: bool);
    /// The layers together came to this.
    fn concluded(&mut self, access: &Access, verdict: Option<Verdict>);
}

impl Listener for () {
    const LISTENS: bool = false;

    fn answered(&mut self, _: &Rule, _: Option<LayerKind>, _: Effect, _: Asked) {}
    fn layer(&mut self, _: &Layer, _: Option<Verdict>, _: bool) {}
    fn concluded(&mut self, _: &Access, _: Option<Verdict>) {}
}

/// What was concluded of one access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Concluded {
    /// Nothing, if the access turned out to be none (policy language §11.13).
    pub(super) verdict: Option<Verdict>,
    /// The floor refused it.
    pub(super) by_floor: bool,
}

/// What the floor and the layers come to for one access (policy language §11.1-2).
pub(super) fn judge<L: Listener>(
    policy: &Policy,
    access: &Access,
    context: &Context<'_>,
    taken: &mut Taken,
    listener: &mut L,
) -> Concluded {
    let mut lane;
    let lane = match Lane::path_of(&access.target) {
        None => None,
        Some(path) => {
            lane = Lane::empty();
            lane.cut(path.as_str());
            Some(&lane)
        }
    };
    let probe = Probe::of(&access.target, context.writable, lane);
    let asking = Asking { access, probe: &probe, context };
    let floor = asking.hear(&policy.floor, None, taken, listener);
    let mut verdict = floor.any().then(|| floor.conclude(access, Verdict::Defer)).flatten();
    let by_floor = verdict == Some(Verdict::Deny);
    let mut spoken = false;
    for layer in &policy.layers {
        let heard = asking.hear(&layer.rules, Some(layer.kind), taken, listener);
        let default = default_of(policy, layer, access, context);
        let mut own = heard.conclude(access, default);
        // A layer that fills may allow only what no layer above has spoken on.
        if layer.power == Power::Fill && spoken && own == Some(Verdict::Allow) {
            own = Some(Verdict::Defer);
        }
        let spoke = heard.spoke(default);
        listener.layer(layer, own, spoke);
        spoken |= spoke;
        verdict = match (verdict, own) {
            (Some(so_far), Some(next)) => Some(so_far.stricter_layer(next)),
            (one, other) => one.or(other),
        };
    }
    listener.concluded(access, verdict);
    Concluded { verdict, by_floor }
}

/// One access, and what rules are asked about it with.
#[derive(Clone, Copy)]
struct Asking<'a> {
    access: &'a Access,
    probe: &'a Probe<'a>,
    context: &'a Context<'a>,
}

impl Asking<'_> {
    /// What the rules of a layer answer.
    fn hear<L: Listener>(
        &self,
        rules: &Rules,
        layer: Option<LayerKind>,
        taken: &mut Taken,
        listener: &mut L,
    ) -> Heard {
        let mut hearing = Hearing::<L> {
            asking: *self,
            rules,
            heard: Heard::default(),
            taken,
            answers: Vec::new(),
            listener: std::marker::PhantomData,
        };
        rules.find(self.probe, &mut hearing);
        let Hearing { mut heard, taken, mut answers, .. } = hearing;
        if !L::LISTENS {
            return heard;
        }
        // A rule may have been found by several of its patterns: it says what the strongest says.
        answers.sort_by_key(|(place, _)| *place);
        answers.dedup_by(|(place, asked), (kept, so_far)| {
            let same = place == kept;
            if same {
                *so_far = so_far.or(*asked);
            }
            same
        });
        for (place, asked) in answers {
            let Some(rule) = rules.at(place) else { continue };
            heard.hear(rule, asked);
            taken.note(rule, asked.truth);
            if let Some(effect) = rule.effect().filter(|_| asked.truth.possible()) {
                listener.answered(rule, layer, effect, asked);
            }
        }
        heard
    }
}

/// Hears the rules of one layer as the index finds them.
struct Hearing<'a, L> {
    asking: Asking<'a>,
    rules: &'a Rules,
    heard: Heard,
    taken: &'a mut Taken,
    /// Each that was asked, for a listener; else none.
    answers: Vec<(u32, Asked)>,
    listener: std::marker::PhantomData<L>,
}

impl<L: Listener> Visit for Hearing<'_, L> {
    const EACH: bool = L::LISTENS;

    fn sure(&mut self, effects: Effects, truth: Truth) {
        let truth = happens(truth, self.asking.access);
        for effect in [Effect::Allow, Effect::Ask, Effect::Deny] {
            if effects.has(effect) {
                self.heard.add(effect, Asked { covers: truth, truth });
            }
        }
    }

    fn ask(&mut self, entry: &Entry, matched: Option<Truth>) {
        if matched == Some(Truth::No) {
            return;
        }
        let Some(rule) = self.rules.at(entry.rule) else {
            // Rules and index are made together, so it is there; if not, that is a doubt.
            self.heard.doubted = true;
            return;
        };
        let Asking { access, probe, context } = self.asking;
        let asked = ask_found(self.rules, rule, entry, matched, (access, probe), context);
        if asked == Asked::SILENT {
            return;
        }
        if L::LISTENS {
            self.answers.push((entry.rule, asked));
        } else {
            self.heard.hear(rule, asked);
            self.taken.note(rule, asked.truth);
        }
    }
}

/// What the rules of one layer answered to one access.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Heard {
    /// The strictest effect that says yes.
    yes: Option<Effect>,
    /// Some allow says maybe.
    maybe_allow: bool,
    /// Some ask or deny says maybe.
    doubted: bool,
    /// Some allow names the access, whatever became of its conditions.
    covered: bool,
}

impl Heard {
    /// What one rule answers; those in shadow never speak.
    fn hear(&mut self, rule: &Rule, asked: Asked) {
        if let Some(effect) = rule.effect().filter(|_| !rule.shadow) {
            self.add(effect, asked);
        }
    }

    fn add(&mut self, effect: Effect, asked: Asked) {
        self.covered |= effect == Effect::Allow && asked.covers.possible();
        match (asked.truth, effect) {
            (Truth::No, _) => {}
            (Truth::Yes, _) => self.yes = self.yes.max(Some(effect)),
            (Truth::Maybe, Effect::Allow) => self.maybe_allow = true,
            (Truth::Maybe, Effect::Ask | Effect::Deny) => self.doubted = true,
        }
    }

    fn any(self) -> bool {
        self != Heard::default()
    }

    /// The base is the strictest effect among those that say yes; then each doubtful ask or deny
    /// adds an ask. A maybe never replaces the default, so a new deny never turns a refusal into
    /// a question.
    fn conclude(self, access: &Access, default: Verdict) -> Option<Verdict> {
        if matches!(access.certainty, Certainty::Suspected(_)) {
            return self.doubted.then_some(Verdict::Ask);
        }
        let base = match self.yes {
            Some(effect) => Verdict::from(effect),
            None if default == Verdict::Deny && self.maybe_allow => Verdict::Ask,
            None => default,
        };
        Some(if self.doubted { base.stricter_access(Verdict::Ask) } else { base })
    }

    /// Whether the layer has an opinion that one below may not fill over (policy language §11.2).
    fn spoke(self, default: Verdict) -> bool {
        let held_back = self.doubted || self.yes.is_some_and(|effect| effect != Effect::Allow);
        self.covered || held_back || matches!(default, Verdict::Deny | Verdict::Ask)
    }
}

/// What this layer says of an access that no rule of it speaks of.
fn default_of(policy: &Policy, layer: &Layer, access: &Access, context: &Context<'_>) -> Verdict {
    match &access.target {
        // A wrapper needs only what it runs to be allowed (policy language §11.9).
        Target::Exec(command) if command.transparent => Verdict::Allow,
        // A row of a lower layer describes the tool to that layer alone.
        Target::Call(tool) if !context.facts.described && !policy.describes(tool, layer.kind) => {
            layer.opaque.verdict()
        }
        Target::Read(_)
        | Target::Write(_)
        | Target::Exec(_)
        | Target::Connect(_)
        | Target::Call(_)
        | Target::Unknown { .. } => layer.default.verdict(),
    }
}
