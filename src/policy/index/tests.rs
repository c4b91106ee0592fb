//! What the engine's laws cannot see, because the oracle asks it too: whether a program lies where
//! the agent can write.

use super::PathSet;
use crate::model::doubt::Doubt;
use crate::model::path::{AbsPath, Extent, PathTarget, Real};
use crate::policy::pattern::path::PathPattern;
use crate::policy::pattern::{Anchors, Stance};
use proptest::prelude::{Just, Strategy, any, prop};
use proptest::sample::select;

const PATTERNS: &[&str] = &[
    "$workspace/",
    "**",
    "/opt/*/bin/",
    "**/bin/git",
    "**/*.sh",
    "**/x*",
    "**/*x*",
    "/OPT/a",
    "/usr/**",
    "/a/{b,c*}/d",
];

fn at(text: &str) -> AbsPath {
    AbsPath::parse(text).unwrap()
}

fn path() -> impl Strategy<Value = AbsPath> {
    let names = select(vec!["a", "b", "opt", "Opt", "bin", "git", "git.", "x.sh", "X", "cd", "d"]);
    let start = select(vec!["", "/work", "/usr", "/opt/a/bin"]);
    (start, prop::collection::vec(names, 0..4))
        .prop_map(|(start, names)| at(&format!("{start}/{}", names.join("/"))))
}

fn target() -> impl Strategy<Value = PathTarget> {
    let doubt = || Doubt::Other("as this test wants it".to_owned());
    let real = prop::option::of(path());
    let extent = prop::option::of(prop::option::of(prop::collection::vec(path(), 0..3)));
    let hops = prop::collection::vec(path(), 0..2);
    (path(), any::<bool>(), real, hops, extent, Just(doubt())).prop_map(
        |(written, plain, real, hops, extent, doubt)| {
            if plain {
                return PathTarget::plain(written);
            }
            let real = real.map_or(Real::Unknown(doubt.clone()), Real::At);
            let extent = match extent {
                None => Extent::Itself,
                Some(None) => Extent::BelowUnknown(doubt),
                Some(Some(below)) => Extent::Below(below),
            };
            PathTarget { written, real, hops, extent }
        },
    )
}

proptest::proptest! {
    #[test]
    fn a_set_of_paths_answers_as_its_patterns_do(
        patterns in prop::collection::vec(select(PATTERNS), 0..4),
        targets in prop::collection::vec(target(), 8),
    ) {
        let read = |text: &&str| {
            PathPattern::parse(text, &Anchors::frozen(None), Stance::Tighten).unwrap()
        };
        let patterns: Vec<PathPattern> = patterns.iter().map(read).collect();
        let set = PathSet::from(patterns.clone());
        for target in targets {
            let any = patterns.iter().any(|pattern| pattern.matches(&target).possible());
            proptest::prop_assert_eq!(set.may_cover(&target), any, "{:?}", target);
        }
    }
}
