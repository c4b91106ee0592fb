//! One access against the layers: what each comes to, and which of them stands.

use super::ask::{Asked, Context, ask};
use super::limits::Taken;
use crate::model::access::{Access, Certainty, Target};
use crate::model::effect::{Effect, Verdict};
use crate::model::truth::Truth;
use crate::policy::rule::{Layer, LayerKind, Policy, Power, Rule, Targets};

/// Hears what every rule answers that does not say no. The decision alone hears nothing: `()`.
pub(super) trait Listener {
    /// A rule that decides answered yes or maybe to the access in hand.
    fn answered(&mut self, rule: &Rule, layer: Option<LayerKind>, effect: Effect, asked: Asked);
    /// A layer came to this; nothing if the access turned out to be none.
    fn layer(&mut self, layer: &Layer, verdict: Option<Verdict>, spoke: bool);
    /// The layers together came to this.
    fn concluded(&mut self, access: &Access, verdict: Option<Verdict>);
}

impl Listener for () {
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
    let mut floor = Heard::default();
    for rule in &policy.floor {
        let asked = ask(rule, access, context);
        // On commands the floor speaks of the guard's own program by its name only: what a command
        // is that nobody can read is for the policy to judge.
        if asked.truth == Truth::Yes || !matches!(rule.scope.targets, Targets::Exec { .. }) {
            floor.hear(rule, None, asked, listener);
        }
    }
    let mut verdict = floor.any().then(|| floor.conclude(access, Verdict::Defer)).flatten();
    let by_floor = verdict == Some(Verdict::Deny);
    let mut spoken = false;
    for layer in &policy.layers {
        let mut heard = Heard::default();
        for rule in &layer.rules {
            let asked = ask(rule, access, context);
            heard.hear(rule, Some(layer.kind), asked, listener);
            taken.note(rule, asked.truth);
        }
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
    fn hear<L: Listener>(
        &mut self,
        rule: &Rule,
        layer: Option<LayerKind>,
        asked: Asked,
        listener: &mut L,
    ) {
        let Some(effect) = rule.effect() else { return };
        if asked.truth.possible() {
            listener.answered(rule, layer, effect, asked);
        }
        // Rules in shadow are told, and never speak.
        if rule.shadow {
            return;
        }
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
