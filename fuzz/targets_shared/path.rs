//! Any text: what is read as a path is folded whole, lies in its parent and in no neighbour of it,
//! names what its own pattern names, and is resolved in a frozen world without a panic.

use toolgate::facts::{Place, paths};
use toolgate::model::path::{AbsPath, PathTarget, Real, Route, through_process};
use toolgate::model::truth::Truth;
use toolgate::policy::pattern::path::PathPattern;
use toolgate::policy::pattern::{Anchors, Stance};
use toolgate::world::{Frozen, World};

/// Fails if the property does not hold for these bytes.
pub fn hold(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let work = AbsPath::parse("/work").unwrap();
    for base in [None, Some(&work)] {
        let Ok(route) = Route::parse(base, text) else { continue };
        folded(route.folded());
        let joined = format!("/{}", route.components().join("/"));
        if let Ok(again) = AbsPath::parse(&joined) {
            assert_eq!(again, *route.folded(), "{joined}");
        }
    }
    let files = [AbsPath::parse("/work/.env").unwrap(), AbsPath::parse("/work/src/a").unwrap()];
    let world = Frozen::with_files(&files);
    let tmp = AbsPath::parse("/tmp").unwrap();
    let place = Place { world: &world, workspace: &work, tmp: &tmp };
    if let Ok(target) = paths::target(text, Some(&work), &place) {
        through_process(&target.written, Some(&work)).iter().for_each(folded);
        if let Real::At(real) = &target.real {
            assert_eq!(*real, target.written, "no link is in a frozen world");
        }
        assert!(
            world.resolve(&target.written).kind.is_ok() || matches!(target.real, Real::Unknown(_))
        );
        named(&target);
    }
}

fn folded(path: &AbsPath) {
    let text = path.as_str();
    assert!(path.components().all(|name| !matches!(name, "" | "." | "..")), "{text}");
    assert_eq!(AbsPath::parse(text).as_ref(), Ok(path), "{text}");
    if let Some(parent) = path.parent() {
        assert!(path.is_within(&parent) && !parent.is_within(path), "{text}");
        if let Ok(neighbour) = AbsPath::parse(&format!("{text}x")) {
            assert!(!neighbour.is_within(path) && !path.is_within(&neighbour), "{text}");
        }
    }
}

/// A deny of the very path names it; that of a secret answers, whatever the text holds.
fn named(target: &PathTarget) {
    assert_eq!(PathPattern::held(&target.written).matches(target), Truth::Yes);
    let anchors = Anchors::frozen(None);
    for stance in [Stance::Loosen, Stance::Tighten] {
        let secret = PathPattern::parse("**/.env", &anchors, stance).unwrap();
        let is_named = target.written.name() == Some(".env");
        if is_named && target.real == Real::At(target.written.clone()) && target.hops.is_empty() {
            assert_eq!(secret.matches(target), Truth::Yes);
        }
        let _ = secret.matches(target);
    }
}
