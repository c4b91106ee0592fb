//! A path that leads elsewhere, taken apart into the ways of looking at it.
//!
//! An allow needs every way inside (policy language §2): as written, as it really is, and by way of
//! each link. One rule need not cover them all. `/etc/os-release` is a link into `/usr/lib`, and
//! whoever may read both may read it. So where no allow covers the whole, each way is asked for by
//! itself, as if the path were written so, and the weakest answer is what the layer's allows say.
//! Nothing passes by it that would not pass when it is named directly; asks and denies are asked
//! of the whole, as ever. A rule with a limit must cover the whole by itself: what it counts is
//! accesses, and parts of one are none. The exception of an ask or a deny is asked so as well:
//! every way that matched must itself be excepted (§11.3).

use super::ask::{Asked, Context, ask_found};
use crate::model::access::{Access, Target};
use crate::model::effect::Effect;
use crate::model::path::{AbsPath, Extent, PathTarget, Real};
use crate::model::truth::Truth;
use crate::policy::index::{Effects, Entry, Lane, Probe, Rules, Visit};
use crate::policy::rule::Rule;

/// Each way of looking at an access of a path, as an access of its own; none where there is but
/// one.
pub(super) fn apart(access: &Access) -> Vec<Access> {
    let (Target::Read(path) | Target::Write(path)) = &access.target else { return Vec::new() };
    let real = match &path.real {
        Real::At(real) => Some(real),
        Real::Unknown(_) => None,
    };
    if access.is_of_pattern() {
        return Vec::new();
    }
    if path.hops.is_empty() && real.is_none_or(|real| *real == path.written) {
        return Vec::new();
    }
    let written = std::iter::once(&path.written);
    let mut ways: Vec<&AbsPath> = written.chain(real).chain(&path.hops).collect();
    ways.sort_unstable();
    ways.dedup();
    if ways.len() < 2 {
        return Vec::new();
    }
    let one = |way: &AbsPath| {
        let mut target = PathTarget::plain(way.clone());
        target.extent = match &path.extent {
            Extent::Itself => Extent::Itself,
            below if Some(way) == real => below.clone(),
            // What lies below is known by its real names only: all of the tree must be inside.
            Extent::Below(_) | Extent::Seen(_) => {
                Extent::BelowUnknown(crate::model::doubt::Doubt::TreeUnknown)
            }
            below @ (Extent::BelowUnknown(_) | Extent::Fitting(_)) => below.clone(),
        };
        if let Real::Unknown(doubt) = &path.real {
            target.real = Real::Unknown(doubt.clone());
        }
        let target = match &access.target {
            Target::Write(_) => Target::Write(target),
            _ => Target::Read(target),
        };
        Access { target, ..access.clone() }
    };
    ways.into_iter().map(one).collect()
}

/// The same for an exception: of a tree that is known, what lies below is excepted name by name, so
/// that a rule which excepts all that it names there is silent. Only what `names` says is told.
pub(super) fn apart_with_its_tree(
    access: &Access,
    names: impl Fn(&AbsPath) -> bool,
) -> Vec<Access> {
    let (Target::Read(path) | Target::Write(path)) = &access.target else { return Vec::new() };
    let (below, extent) = match &path.extent {
        Extent::Below(below) => (below, Extent::Below(Vec::new())),
        Extent::Seen(below) => (below, Extent::Seen(Vec::new())),
        Extent::Itself | Extent::BelowUnknown(_) | Extent::Fitting(_) => return apart(access),
    };
    let like = |target: PathTarget| {
        let target = match &access.target {
            Target::Write(_) => Target::Write(target),
            _ => Target::Read(target),
        };
        Access { target, ..access.clone() }
    };
    let mut root = PathTarget::plain(path.written.clone());
    root.real = path.real.clone();
    root.hops = path.hops.clone();
    root.extent = extent;
    let root = like(root);
    let mut ways = apart(&root);
    if ways.is_empty() {
        ways.push(root);
    }
    let named = below.iter().filter(|path| names(path));
    ways.extend(named.map(|path| like(PathTarget::plain(path.clone()))));
    ways
}

/// What the allows of a layer say to all of these together.
pub(super) fn together(rules: &Rules, ways: &[Access], context: &Context<'_>) -> Asked {
    let weakest = |all: Asked, way: &Access| {
        let one = allowed(rules, way, context);
        Asked { covers: all.covers.and(one.covers), truth: all.truth.and(one.truth) }
    };
    ways.iter().fold(Asked { covers: Truth::Yes, truth: Truth::Yes }, weakest)
}

/// The strongest of what the allows say to one.
fn allowed(rules: &Rules, way: &Access, context: &Context<'_>) -> Asked {
    let mut lane = Lane::empty();
    let Some(path) = Lane::path_of(&way.target) else { return Asked::SILENT };
    lane.cut(path.as_str());
    let probe = Probe::of(&way.target, context.writable, Some(&lane));
    let mut allows = Allows { rules, way, probe: &probe, context, strongest: Asked::SILENT };
    rules.find(&probe, &mut allows);
    allows.strongest
}

/// Whether a rule may speak for one way alone.
pub(super) fn speaks_for_a_part(rule: &Rule) -> bool {
    rule.effect() == Some(Effect::Allow) && !rule.shadow && rule.limit.is_none()
}

struct Allows<'a> {
    rules: &'a Rules,
    way: &'a Access,
    probe: &'a Probe<'a>,
    context: &'a Context<'a>,
    strongest: Asked,
}

impl Visit for Allows<'_> {
    const EACH: bool = false;

    fn sure(&mut self, effects: Effects, truth: Truth) {
        if effects.has(Effect::Allow) {
            let truth = super::ask::happens(truth, self.way, Some(Effect::Allow));
            self.strongest = self.strongest.or(Asked { covers: truth, truth });
        }
    }

    fn ask(&mut self, entry: &Entry, matched: Option<Truth>) {
        let rule = self.rules.at(entry.rule).filter(|rule| speaks_for_a_part(rule));
        let (Some(rule), false) = (rule, matched == Some(Truth::No)) else { return };
        let found = (self.way, self.probe);
        let asked = ask_found(self.rules, rule, entry, matched, found, self.context);
        self.strongest = self.strongest.or(asked);
    }
}
