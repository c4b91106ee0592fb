//! The world as a text leaves it: the agent's, with the links that the text itself has made.
//!
//! A link that a command makes is not on disk yet when the call is judged, but is there for every
//! command after it (policy language §11.11). So whatever is looked at while a text is walked is
//! looked at through this world: no path of an access, argument, program or `cd` misses one.
//! Whether the link is really made is not known: what lies there now stays a hop.

use crate::model::doubt::Doubt;
use crate::model::path::{AbsPath, Real, Route};
use crate::world::{Entry, Resolution, World};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Links followed one after another; the kernel follows no more than 40.
const FOLLOWED_MAX: usize = 16;
/// Targets of one link, and paths looked at for one path.
const TARGETS_MAX: usize = 8;

/// The agent's world with the links of a text.
pub(super) struct Linked<'a> {
    world: &'a dyn World,
    made: Mutex<Made>,
}

#[derive(Default)]
struct Made {
    /// Each link with all it may lead to; nothing where that is not known.
    links: BTreeMap<AbsPath, Option<Vec<Route>>>,
    /// A link was made whose very name is not known.
    anywhere: bool,
}

impl Made {
    /// The outermost link that `route` goes through, with what follows it.
    fn on(&self, route: &Route) -> Option<(Option<Vec<Route>>, String)> {
        let mut way = String::new();
        for (at, component) in route.components().iter().enumerate() {
            way.push('/');
            way.push_str(component);
            let Ok(folded) = AbsPath::parse(&way) else { continue };
            if let Some(targets) = self.links.get(&folded) {
                let rest = route.components().get(at + 1..).unwrap_or_default();
                return Some((targets.clone(), rest.join("/")));
            }
        }
        None
    }
}

impl<'a> Linked<'a> {
    pub(super) fn over(world: &'a dyn World) -> Linked<'a> {
        Linked { world, made: Mutex::default() }
    }

    fn made(&self) -> MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A link of this name now leads to `target`; nothing if that is not known.
    pub(super) fn add(&self, name: &AbsPath, target: Option<Route>) {
        let mut names = vec![name.clone()];
        // Its directory may be reached by another name.
        let above = name.parent().map(|parent| self.resolve(&parent).real);
        if let (Some(Real::At(above)), Some(own)) = (above, name.name())
            && let Ok(real) = above.join(own)
            && real != *name
        {
            names.push(real);
        }
        let mut made = self.made();
        for name in names {
            let known = made.links.remove(&name);
            let targets = match (known, target.clone()) {
                (None, Some(target)) => Some(vec![target]),
                (Some(Some(mut all)), Some(target)) => {
                    if !all.contains(&target) {
                        all.push(target);
                    }
                    (all.len() <= TARGETS_MAX).then_some(all)
                }
                (Some(None), _) | (_, None) => None,
            };
            made.links.insert(name, targets);
        }
    }

    /// From now on any name may be a link.
    pub(super) fn add_anywhere(&self) {
        self.made().anywhere = true;
    }

    /// The links at or below `from` are at or below `to` as well.
    pub(super) fn carry(&self, from: &AbsPath, to: &AbsPath) {
        let mut made = self.made();
        let mut carried = Vec::new();
        for (name, targets) in made.links.iter().filter(|(name, _)| name.is_within(from)) {
            let rest = name.as_str().get(from.as_str().len()..).unwrap_or_default();
            if let Ok(name) = AbsPath::parse(&format!("{to}{rest}")) {
                carried.push((name, targets.clone()));
            }
        }
        for (name, targets) in carried {
            made.links.entry(name).or_insert(targets);
        }
    }

    fn follow(&self, route: &Route, left: usize, budget: &mut usize) -> Resolution {
        let now = self.world.walk(route);
        let found = {
            let made = self.made();
            if made.anywhere {
                return unknown(now.hops);
            }
            let real = match &now.real {
                Real::At(real) => Some(Route::from(real)),
                Real::Unknown(_) => None,
            };
            made.on(route).or_else(|| real.and_then(|real| made.on(&real)))
        };
        let Some((targets, rest)) = found else { return now };
        let mut hops = now.hops;
        if let Real::At(real) = &now.real
            && real != route.folded()
        {
            hops.push(real.clone());
        }
        let (Some(targets), Some(left)) = (targets, left.checked_sub(1)) else {
            return unknown(hops);
        };
        let mut reached: Option<Resolution> = None;
        let mut differ = !hops.is_empty() && now.real != Real::At(route.folded().clone());
        for target in targets {
            let way = format!("/{}/{rest}", target.components().join("/"));
            let next = Route::parse(None, &way);
            *budget = budget.saturating_sub(1);
            let (Ok(next), 1..) = (next, *budget) else { return unknown(hops) };
            hops.push(next.folded().clone());
            let found = self.follow(&next, left, budget);
            hops.extend(found.hops.iter().cloned());
            if let Real::At(real) = &found.real {
                hops.push(real.clone());
            }
            differ |= reached.as_ref().is_some_and(|other| other.real != found.real);
            reached = Some(found);
        }
        hops.dedup();
        match reached {
            Some(found) if !differ => Resolution { hops, ..found },
            Some(_) | None => unknown(hops),
        }
    }
}

fn unknown(hops: Vec<AbsPath>) -> Resolution {
    let doubt = || Doubt::Unresolved("a link that this text makes".to_owned());
    Resolution { real: Real::Unknown(doubt()), hops, kind: Err(doubt()), twin: None }
}

impl World for Linked<'_> {
    fn walk(&self, route: &Route) -> Resolution {
        let nothing = {
            let made = self.made();
            made.links.is_empty() && !made.anywhere
        };
        if nothing {
            return self.world.walk(route);
        }
        self.follow(route, FOLLOWED_MAX, &mut (FOLLOWED_MAX * TARGETS_MAX))
    }

    fn list(&self, directory: &AbsPath) -> Result<Vec<Entry>, Doubt> {
        self.world.list(directory)
    }

    fn open(&self, path: &AbsPath) -> Result<std::fs::File, Doubt> {
        self.world.open(path)
    }

    fn find_program(&self, name: &str) -> Result<Option<AbsPath>, Doubt> {
        self.world.find_program(name)
    }

    fn home(&self) -> Option<AbsPath> {
        self.world.home()
    }
}
