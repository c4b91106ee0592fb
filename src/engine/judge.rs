//! One access against the layers: what each comes to, and which of them stands.
//!
//! Rules are found by index. Where somebody listens, each rule that was found is asked and told, in
//! the order of the policy; else only what they come to is wanted, and most of them are not even
//! looked at. Both ways are this one walk.

use super::ask::{Asked, Context, ask, ask_found, happens};
use super::lanes;
use super::limits::Taken;
use crate::model::access::{Access, Certainty, Target, Verb};
use crate::model::effect::{Effect, Verdict};
use crate::model::truth::Truth;
use crate::policy::index::{Effects, Entry, Lane, Probe, Rules, Visit};
use crate::policy::rule::{Layer, LayerKind, Policy, Power, Rule};

/// Hears what the rules answer while a call is judged. The decision alone hears nothing: `()`.
pub(super) trait Listener {
    /// Whether it wants to hear at all.
    const LISTENS: bool = true;
    /// Whether it hears the rules that say no as well: then every rule is asked of every access,
    /// besides those that the index found.
    const EVERY: bool = false;

    /// A rule was asked of an access; only where every rule is heard.
    fn asked(&mut self, _: &Rule, _: &Access, _: Asked) {}
    /// A rule that decides answered yes or maybe to the access in hand.
    fn answered(&mut self, rule: &Rule, layer: Option<LayerKind>, effect: Effect, asked: Asked);
    /// The floor has been asked of the access in hand; the layers follow.
    fn floor(&mut self, _: Option<Verdict>) {}
    /// A layer came to this.
    fn layer(&mut self, _: &OfLayer<'_>) {}
    /// The layers together came to this; nothing if the access turned out to be none.
    fn concluded(&mut self, access: &Access, verdict: Option<Verdict>);
}

impl Listener for () {
    const LISTENS: bool = false;

    fn answered(&mut self, _: &Rule, _: Option<LayerKind>, _: Effect, _: Asked) {}
    fn concluded(&mut self, _: &Access, _: Option<Verdict>) {}
}

impl<A: Listener, B: Listener> Listener for (A, B) {
    const LISTENS: bool = A::LISTENS || B::LISTENS;
    const EVERY: bool = A::EVERY || B::EVERY;

    fn asked(&mut self, rule: &Rule, access: &Access, asked: Asked) {
        self.0.asked(rule, access, asked);
        self.1.asked(rule, access, asked);
    }

    fn answered(&mut self, rule: &Rule, layer: Option<LayerKind>, effect: Effect, asked: Asked) {
        self.0.answered(rule, layer, effect, asked);
        self.1.answered(rule, layer, effect, asked);
    }

    fn floor(&mut self, verdict: Option<Verdict>) {
        self.0.floor(verdict);
        self.1.floor(verdict);
    }

    fn layer(&mut self, told: &OfLayer<'_>) {
        self.0.layer(told);
        self.1.layer(told);
    }

    fn concluded(&mut self, access: &Access, verdict: Option<Verdict>) {
        self.0.concluded(access, verdict);
        self.1.concluded(access, verdict);
    }
}

/// What one layer came to for one access, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct OfLayer<'a> {
    pub(super) layer: &'a Layer,
    /// What stands where no rule speaks.
    pub(super) fallback: Fallback,
    /// What the verdict starts from.
    pub(super) base: Base,
    /// Some ask or deny says maybe, which adds an ask to the base.
    pub(super) doubted: bool,
    /// What its own rules come to; nothing if the access turned out to be none.
    pub(super) alone: Option<Verdict>,
    /// The same, less an allow where a layer above has spoken and this one only fills.
    pub(super) verdict: Option<Verdict>,
    /// Whether a layer below may not fill any more.
    pub(super) spoke: bool,
}

/// What the verdict of a layer on one access starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// The strictest effect among the rules that say yes.
    Rule(Effect),
    /// No rule says yes to the whole, and some allow says yes to each way that the path leads.
    Apart,
    /// No rule says yes, an allow says maybe, and what stands else is a deny: then it is an ask.
    MaybeAllowed,
    /// No rule says yes: what stands else.
    Fallback,
    /// The text merely names it; only a doubtful ask or deny makes it an access (§11.13).
    Suspicion,
}

/// What an access comes to in a layer of which no rule speaks of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// `default`
    Default,
    /// `opaque`, for a tool that nothing describes to the layer.
    Opaque,
    /// A wrapper needs only what it runs to be allowed (policy language §11.9).
    Wrapper,
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
    listener.floor(verdict);
    let mut spoken = false;
    let ways = lanes::apart(access);
    for layer in &policy.layers {
        let mut heard = asking.hear(&layer.rules, Some(layer.kind), taken, listener);
        // A rule that says yes decides; else each way that the path leads may have its own.
        if heard.yes.is_none() && !ways.is_empty() {
            heard.hear_apart(lanes::together(&layer.rules, &ways, context));
        }
        let fallback = fallback(policy, layer, access, context);
        let default = fallback.verdict(layer);
        let alone = heard.conclude(access, default);
        let mut own = alone;
        // A layer that fills may allow only what no layer above has spoken on.
        if layer.power == Power::Fill && spoken && own == Some(Verdict::Allow) {
            own = Some(Verdict::Defer);
        }
        let spoke = heard.spoke(default);
        let (base, doubted) = (heard.base(access, default), heard.doubted);
        listener.layer(&OfLayer { layer, fallback, base, doubted, alone, verdict: own, spoke });
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
            // On commands the floor speaks of the guard's own program by its name only: what a
            // command is that nobody can read is for the policy to judge.
            only_sure: layer.is_none() && self.access.target.verb() == Verb::Exec,
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
        if L::EVERY {
            self.every(rules, layer, listener);
        }
        heard
    }
}

impl Asking<'_> {
    /// Tells what each rule of a layer answers, whatever it is.
    fn every<L: Listener>(&self, rules: &Rules, layer: Option<LayerKind>, listener: &mut L) {
        for rule in rules {
            let asked = ask(rule, self.access, self.context);
            // As above: there the floor says nothing that is not sure.
            let unsure = layer.is_none() && self.access.target.verb() == Verb::Exec;
            if !(unsure && asked.truth != Truth::Yes) {
                listener.asked(rule, self.access, asked);
            }
        }
    }
}

/// Hears the rules of one layer as the index finds them.
struct Hearing<'a, L> {
    asking: Asking<'a>,
    rules: &'a Rules,
    /// A maybe says nothing.
    only_sure: bool,
    heard: Heard,
    taken: &'a mut Taken,
    /// Each that was asked, for a listener; else none.
    answers: Vec<(u32, Asked)>,
    listener: std::marker::PhantomData<L>,
}

impl<L: Listener> Visit for Hearing<'_, L> {
    const EACH: bool = L::LISTENS;

    fn sure(&mut self, effects: Effects, truth: Truth) {
        for effect in [Effect::Allow, Effect::Ask, Effect::Deny] {
            let truth = happens(truth, self.asking.access, Some(effect));
            if effects.has(effect) && (!self.only_sure || truth == Truth::Yes) {
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
        if asked == Asked::SILENT || (self.only_sure && asked.truth != Truth::Yes) {
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
    /// It took several allows, each for a way that the path leads.
    apart: bool,
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

    /// What the allows come to where each speaks for one way of looking at the path.
    fn hear_apart(&mut self, asked: Asked) {
        self.apart = asked.truth == Truth::Yes;
        self.add(Effect::Allow, asked);
    }

    fn any(self) -> bool {
        self != Heard::default()
    }

    /// The base is the strictest effect among those that say yes; then each doubtful ask or deny
    /// adds an ask. A maybe never replaces the default, so a new deny never turns a refusal into
    /// a question.
    fn conclude(self, access: &Access, default: Verdict) -> Option<Verdict> {
        let base = match self.base(access, default) {
            Base::Suspicion => return self.doubted.then_some(Verdict::Ask),
            Base::Rule(effect) => Verdict::from(effect),
            Base::Apart => Verdict::Allow,
            Base::MaybeAllowed => Verdict::Ask,
            Base::Fallback => default,
        };
        Some(if self.doubted { base.stricter_access(Verdict::Ask) } else { base })
    }

    fn base(self, access: &Access, default: Verdict) -> Base {
        match (&access.certainty, self.yes) {
            (Certainty::Suspected(_), _) => Base::Suspicion,
            (_, Some(Effect::Allow)) if self.apart => Base::Apart,
            (_, Some(effect)) => Base::Rule(effect),
            (_, None) if default == Verdict::Deny && self.maybe_allow => Base::MaybeAllowed,
            (_, None) => Base::Fallback,
        }
    }

    /// Whether the layer has an opinion that one below may not fill over (policy language §11.2).
    fn spoke(self, default: Verdict) -> bool {
        let held_back = self.doubted || self.yes.is_some_and(|effect| effect != Effect::Allow);
        self.covered || held_back || matches!(default, Verdict::Deny | Verdict::Ask)
    }
}

impl Fallback {
    pub(super) fn verdict(self, layer: &Layer) -> Verdict {
        match self {
            Fallback::Default => layer.default.verdict(),
            Fallback::Opaque => layer.opaque.verdict(),
            Fallback::Wrapper => Verdict::Allow,
        }
    }
}

/// What stands in this layer for an access that no rule of it speaks of.
fn fallback(policy: &Policy, layer: &Layer, access: &Access, context: &Context<'_>) -> Fallback {
    match &access.target {
        Target::Exec(command) if command.transparent => Fallback::Wrapper,
        // A row of a lower layer describes the tool to that layer alone.
        Target::Call(tool) if !context.facts.described && !policy.describes(tool, layer.kind) => {
            Fallback::Opaque
        }
        Target::Read(_)
        | Target::Write(_)
        | Target::Exec(_)
        | Target::Connect(_)
        | Target::Call(_)
        | Target::Unknown { .. } => Fallback::Default,
    }
}
