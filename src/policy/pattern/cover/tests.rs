//! What is covered is matched: patterns and targets by chance, from alphabets so small that they
//! meet; and tables of what must be seen.

use super::*;
use crate::model::access::{Arg, Command, OptionClass, Program, Role, Status};
use crate::model::doubt::Doubt;
use crate::model::host::Host;
use crate::model::path::{Extent, PathTarget, Real};
use crate::model::truth::Truth;
use crate::model::url::{Destination, Network};
use crate::model::word::{Unknown, Word};
use crate::policy::pattern::call::CallPattern;
use crate::policy::pattern::connect::ConnectPattern;
use crate::policy::pattern::exec::{ExecPattern, Writable};
use crate::policy::pattern::path::PathPattern;
use crate::policy::pattern::{PatternError, Stance};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::net::IpAddr;

/// Cases of each law: few are slow enough to be missed, and more find nothing.
const CASES: u32 = 500;

const STANCES: [(Stance, Stance); 3] = [
    (Stance::Loosen, Stance::Loosen),
    (Stance::Tighten, Stance::Tighten),
    (Stance::Tighten, Stance::Loosen),
];

/// Reads each with each in each pair of stances, and holds `asked` to it if the first covers the
/// second. Returns how often one did that is not the other.
fn holds<P: Cover + std::fmt::Debug, T: std::fmt::Debug>(
    patterns: &[String],
    parse: impl Fn(&str, Stance) -> Result<P, PatternError>,
    targets: &[T],
    asked: impl Fn(&P, &T) -> Truth,
) -> Result<usize, TestCaseError> {
    let mut covered = 0;
    for wide in patterns {
        for narrow in patterns {
            let found = pair((wide, narrow), &parse, targets, &asked)?;
            covered += if wide == narrow { 0 } else { found };
        }
    }
    Ok(covered)
}

fn pair<P: Cover + std::fmt::Debug, T: std::fmt::Debug>(
    (wide, narrow): (&str, &str),
    parse: &impl Fn(&str, Stance) -> Result<P, PatternError>,
    targets: &[T],
    asked: &impl Fn(&P, &T) -> Truth,
) -> Result<usize, TestCaseError> {
    let mut covered = 0;
    for (stance, other) in STANCES {
        let (Ok(a), Ok(b)) = (parse(wide, stance), parse(narrow, other)) else { return Ok(0) };
        let itself = wide == narrow && stance == other;
        // What stands where beside a `key=value` is not looked into.
        prop_assert!(!itself || a.covers_all_of(&b) || wide.contains('='), "{wide} itself");
        if !a.covers_all_of(&b) {
            continue;
        }
        covered += 1;
        let has = b.has();
        prop_assert!(a.needs().iter().all(|word| has.contains(word)), "{wide} {narrow} {has:?}");
        for target in targets {
            let (more, less) = (asked(&a, target), asked(&b, target));
            let fine =
                if stance == other { more >= less } else { less < Truth::Yes || more == less };
            prop_assert!(fine, "{wide} covers {narrow}, {stance:?}: {more:?} {less:?} {target:?}");
        }
    }
    Ok(covered)
}

/// Runs the law on many cases, the same in every run, and sees to it that it is not void.
fn law<S: Strategy>(cases: &S, test: impl Fn(S::Value) -> Result<usize, TestCaseError>) {
    let config = ProptestConfig { cases: CASES, ..ProptestConfig::default() };
    let rng = proptest::test_runner::TestRng::deterministic_rng(config.rng_algorithm);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let covered = std::cell::Cell::new(0);
    let ran = runner.run(cases, |case| {
        covered.set(covered.get() + test(case)?);
        Ok(())
    });
    // The targets are too many to be read; the reason names the one.
    if let Err(error) = ran {
        let proptest::test_runner::TestError::Fail(reason, _) = error else { panic!("{error}") };
        panic!("{reason}");
    }
    assert!(covered.get() > 500, "only {} were covered", covered.get());
}

fn anchors() -> Anchors {
    Anchors::frozen(Some(AbsPath::parse("/a/b").unwrap()))
}

fn path_pattern() -> impl Strategy<Value = String> {
    let name = "[abA]|[ab]{2}|[ab]?\\*[ab]?|\\?|\\*\\*|\\[[abA]\\]|\\[!a\\]|\\[a-b\\]b?";
    let start = prop_oneof![3 => Just("/"), 2 => Just("**/"), 1 => Just("$workspace/")];
    let end = prop_oneof![2 => Just(""), 1 => Just("/")];
    (start, vec(name, 1..4), end)
        .prop_map(|(start, names, end)| format!("{start}{}{end}", names.join("/")))
}

fn path_text() -> impl Strategy<Value = String> {
    "(/[abA]{1,2}\\.?){0,4}".prop_map(|text| if text.is_empty() { "/".to_owned() } else { text })
}

fn target() -> impl Strategy<Value = PathTarget> {
    let path = || path_text().prop_map(|text| AbsPath::parse(&text).unwrap());
    let below = vec("(/[abA]{1,2}){1,3}", 1..3);
    let extent = prop_oneof![
        3 => Just(None),
        2 => below.prop_map(Some),
        1 => Just(Some(Vec::new())),
    ];
    (path(), option::weighted(0.8, path()), any::<bool>(), vec(path(), 0..2), extent).prop_map(
        |(written, real, same, hops, below)| {
            let real = match (real, same) {
                (Some(_), true) => Real::At(written.clone()),
                (Some(real), false) => Real::At(real),
                (None, _) => Real::Unknown(Doubt::OutsideMounts),
            };
            let below = below.map(|names| {
                let inner = |name: &String| written.join(name.trim_start_matches('/')).unwrap();
                names.iter().map(inner).collect::<Vec<AbsPath>>()
            });
            let extent = match below {
                None => Extent::Itself,
                Some(paths) if paths.is_empty() => Extent::BelowUnknown(Doubt::TreeUnknown),
                Some(paths) => Extent::Below(paths),
            };
            PathTarget { written, real, hops, extent }
        },
    )
}

#[test]
fn what_is_covered_matches_paths() {
    let cases = (vec(path_pattern(), 4), vec(target(), 12));
    law(&cases, |(patterns, targets)| {
        let anchors = anchors();
        let parse = |text: &str, stance| PathPattern::parse(text, &anchors, stance);
        holds(&patterns, parse, &targets, PathPattern::matches)
    });
}

/// The same with places of which nothing is known, bound to where they may be.
#[test]
fn what_is_covered_anywhere_is_covered_wherever_the_places_are() {
    let cases = (vec(path_pattern(), 4), path_text(), vec(target(), 12));
    law(&cases, |(patterns, workspace, targets)| {
        let bound = Anchors::frozen(Some(AbsPath::parse(&workspace).unwrap()));
        // Both readings of one pattern; the first decides, the second is asked.
        let parse = |text: &str, stance| {
            Ok(Anywhere {
                unbound: PathPattern::parse(text, &places(None), stance)?,
                bound: PathPattern::parse(text, &bound, stance)?,
            })
        };
        // No workspace is the root.
        let targets = if workspace == "/" { Vec::new() } else { targets };
        holds(&patterns, parse, &targets, |pattern, target| pattern.bound.matches(target))
    });
}

#[derive(Debug)]
struct Anywhere {
    unbound: PathPattern,
    bound: PathPattern,
}

impl Cover for Anywhere {
    fn covers_all_of(&self, other: &Anywhere) -> bool {
        self.unbound.covers_all_of(&other.unbound)
    }

    fn needs(&self) -> Vec<String> {
        self.unbound.needs()
    }

    fn has(&self) -> Vec<String> {
        self.unbound.has()
    }
}

fn exec_pattern() -> impl Strategy<Value = String> {
    let program = prop_oneof![4 => Just("p"), 1 => Just("p*"), 1 => Just("*"), 1 => Just("/a/p")];
    let token = prop_oneof![
        3 => Just("..."),
        2 => Just("x"),
        1 => Just("y"),
        1 => Just("*"),
        1 => Just("x*"),
        1 => Just("/a/"),
        1 => Just("/a/b"),
        2 => Just("-f"),
        1 => Just("-f?"),
        1 => Just("-g"),
        1 => Just("-fg"),
        1 => Just("--l*"),
        1 => Just("k=/a/*"),
        1 => Just("k=x"),
        1 => Just("--"),
    ];
    let stage = (program, vec(token, 0..4))
        .prop_map(|(program, tokens)| format!("{program} {}", tokens.join(" ")));
    vec(stage, 1..3).prop_map(|stages| match stages.as_slice() {
        // One that is fed is as rare as they are.
        [first, second] if first.len() % 3 == 0 => format!("{first} | {second}"),
        [first, ..] => first.clone(),
        [] => "p".to_owned(),
    })
}

fn arg() -> impl Strategy<Value = Arg> {
    let word = |text: &'static str| Word::known(text);
    let operand = |word: Word, path: Option<&str>| Arg {
        word,
        role: Role::Operand,
        path: path.map(|path| PathTarget::plain(AbsPath::parse(path).unwrap())),
    };
    let unknown = |single, prefix: &str| {
        Word::Unknown(Unknown {
            prefix: prefix.to_owned(),
            single,
            reason: Doubt::Variable("X".to_owned()),
        })
    };
    let plain = prop_oneof![
        3 => Just(operand(word("x"), None)),
        1 => Just(operand(word("y"), None)),
        1 => Just(operand(word("/a/b"), Some("/a/b"))),
        1 => Just(operand(word("/a/c"), Some("/a/c"))),
        1 => Just(operand(word("k=/a/b"), None)),
        1 => Just(operand(word("k=x"), None)),
        1 => Just(operand(unknown(true, ""), None)),
        1 => Just(operand(unknown(true, "x"), None)),
        1 => Just(operand(unknown(false, ""), None)),
        1 => Just(operand(unknown(false, "-"), None)),
        1 => Just(operand(Word::OneOf(vec!["x".to_owned(), "-y".to_owned()]), None)),
        1 => Just(operand(Word::OneOf(vec!["x".to_owned(), "xz".to_owned()]), None)),
    ];
    let class = prop_oneof![
        Just(OptionClass::Harmless),
        Just(OptionClass::Plain),
        Just(OptionClass::Hazardous),
        Just(OptionClass::Unknown),
    ];
    let spelt = prop_oneof![
        Just(vec!["-f", "--force"]),
        Just(vec!["-g"]),
        Just(vec!["-fg"]),
        Just(vec!["--long"]),
        Just(vec!["k="]),
    ];
    let value = option::of(prop_oneof![Just("x"), Just("/a/b")]);
    let given = (class, spelt, value).prop_map(move |(class, spelt, value)| Arg {
        word: Word::known(spelt.first().copied().unwrap_or_default()),
        role: Role::Option {
            spellings: spelt.into_iter().map(str::to_owned).collect(),
            value: value.map(Word::known),
            class,
        },
        path: value
            .filter(|value| value.starts_with('/'))
            .map(|path| PathTarget::plain(AbsPath::parse(path).unwrap())),
    });
    prop_oneof![
        5 => plain,
        4 => given,
        1 => Just(Arg { word: word("--"), role: Role::EndOfOptions, path: None }),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let program = prop_oneof![
        5 => Just("p"),
        1 => Just("pq"),
        1 => Just("/a/p"),
        1 => Just("/usr/bin/p"),
        1 => Just("q"),
    ];
    (program, any::<bool>(), vec(arg(), 0..5), any::<bool>()).prop_map(
        |(program, known, args, doubted)| Command {
            program: Program {
                word: Word::known(program),
                file: AbsPath::parse(program).ok().map(PathTarget::plain),
                known,
            },
            args,
            fed_by: Vec::new(),
            doubts: if doubted { vec![Doubt::TreeUnknown] } else { Vec::new() },
            transparent: false,
            status: Status::Whole,
        },
    )
}

#[test]
fn what_is_covered_matches_commands() {
    let cases = (vec(exec_pattern(), 4), vec((command(), vec(command(), 0..2)), 12));
    let writable = Writable { roots: vec![AbsPath::parse("/a").unwrap()], ..Writable::default() };
    law(&cases, |(patterns, commands)| {
        let anchors = anchors();
        let parse = |text: &str, stance| ExecPattern::parse(text, &anchors, stance);
        holds(&patterns, parse, &commands, |pattern, (command, feeders)| {
            pattern.matches(command, || feeders.iter(), &writable)
        })
    });
}

fn connect_pattern() -> impl Strategy<Value = String> {
    let host = prop_oneof![
        3 => "(a\\.)?b\\.example".prop_map(|host| host),
        2 => "\\*{1,2}\\.(a\\.)?b\\.example".prop_map(|host| host),
        1 => Just("*".to_owned()),
        1 => Just("10.0.0.1".to_owned()),
        1 => Just("[::ffff:10.0.0.1]".to_owned()),
    ];
    let scheme = prop_oneof![
        3 => Just(""),
        2 => Just("https://"),
        1 => Just("http://"),
        1 => Just("wss://"),
        1 => Just("x://"),
    ];
    let port = prop_oneof![3 => Just(""), 1 => Just(":443"), 1 => Just(":80"), 1 => Just(":*")];
    let path = prop_oneof![4 => Just(""), 1 => Just("/a"), 1 => Just("/a*"), 1 => Just("/*/b")];
    let method = prop_oneof![3 => Just(""), 1 => Just("GET "), 1 => Just("POST ")];
    let web = (method, scheme, host, port, path).prop_map(|(method, scheme, host, port, path)| {
        format!("{method}{scheme}{host}{port}{path}")
    });
    let network = prop_oneof![
        Just("10.0.0.0/8".to_owned()),
        Just("10.0.0.1/32".to_owned()),
        Just("::ffff:10.0.0.0/104".to_owned()),
        Just("::/0".to_owned()),
    ];
    prop_oneof![
        8 => web,
        2 => network,
        1 => path_pattern().prop_map(|path| format!("unix:{path}")),
        1 => Just("**".to_owned()),
    ]
}

fn destination() -> impl Strategy<Value = Destination> {
    let host = prop_oneof![
        Just("b.example"),
        Just("a.b.example"),
        Just("c.a.b.example"),
        Just("10.0.0.1"),
        Just("[::ffff:10.0.0.1]"),
        Just("11.0.0.1"),
    ];
    let scheme = option::of(prop_oneof![
        3 => Just("https"),
        1 => Just("http"),
        1 => Just("wss"),
        1 => Just("x"),
    ]);
    let port = option::of(prop_oneof![Just(443_u16), Just(80), Just(22)]);
    let method = option::of(prop_oneof![Just("GET"), Just("POST")]);
    let path = option::of(prop_oneof![
        Just("/a"),
        Just("/a/"),
        Just("/a;x"),
        Just("/%61"),
        Just("/a/b?c"),
        Just("/a/../b"),
        Just("/"),
    ]);
    let address = prop_oneof![Just("10.0.0.1"), Just("::ffff:10.0.0.1"), Just("11.0.0.1")];
    let network = (host, scheme, port, method, path, vec(address, 0..2)).prop_map(
        |(host, scheme, port, method, path, addresses)| {
            Destination::Network(Network {
                scheme: scheme.map(str::to_owned),
                host: Host::parse(host).unwrap(),
                port,
                method: method.map(str::to_owned),
                path: path.map(str::to_owned),
                addresses: addresses.iter().map(|at| at.parse::<IpAddr>().unwrap()).collect(),
            })
        },
    );
    prop_oneof![6 => network, 1 => target().prop_map(Destination::Unix)]
}

#[test]
fn what_is_covered_matches_destinations() {
    let cases = (vec(connect_pattern(), 4), vec(destination(), 12));
    law(&cases, |(patterns, destinations)| {
        let anchors = anchors();
        let parse = |text: &str, stance| ConnectPattern::parse(text, &anchors, stance);
        holds(&patterns, parse, &destinations, ConnectPattern::matches)
    });
}

#[test]
fn what_is_covered_matches_tools() {
    let name = || "\\*\\*|[ab*]{1,3}|mcp:[ab*]{1,2}/[ab*]{1,3}";
    let tool = prop_oneof!["[ab]{1,3}", "mcp__[ab]{1,2}__[ab]{1,3}"];
    let tool = tool.prop_map(|text| crate::model::call::ToolName::parse(&text));
    law(&(vec(name(), 4), vec(tool, 12)), |(patterns, tools)| {
        holds(&patterns, |text, _| CallPattern::parse(text), &tools, CallPattern::matches)
    });
}

#[test]
fn what_must_be_seen() {
    use Stance::{Loosen, Tighten};
    let anchors = places(None);
    let paths = |text: &str, stance| PathPattern::parse(text, &anchors, stance).unwrap();
    for (wide, narrow, expected) in [
        // A deny over an allow, two denies, two allows.
        ("**/.env*", "$workspace/.env.example", [true, false, true]),
        ("**/.env", "**/.ENV", [true, true, false]),
        ("/usr/", "/usr/lib/", [true, true, true]),
        ("/usr", "/usr/lib", [true, true, false]),
        ("/usr/**", "/usr/lib/", [true, false, false]),
        ("/usr/*", "/usr/lib", [true, false, true]),
        ("$workspace/", "$workspace/src/", [true, true, true]),
        ("$workspace/", "$tmp/", [false, false, false]),
        ("/*/", "$workspace/", [false, false, false]),
        ("/*/*/", "$workspace/", [false, false, false]),
        ("**/.git/", "**/.git/hooks/", [true, true, true]),
        ("**/.git/", "$workspace/.git/hooks/", [true, false, true]),
        ("/{a,b}/", "/{b,a}/x", [true, true, true]),
        ("/a", "/", [false, false, false]),
        ("**", "/", [true, true, true]),
    ] {
        let all = [(Tighten, Loosen), (Tighten, Tighten), (Loosen, Loosen)];
        let found = all.map(|(a, b)| paths(wide, a).covers_all_of(&paths(narrow, b)));
        assert_eq!(found, expected, "{wide} over {narrow}");
    }
    let commands = |text: &str, stance| ExecPattern::parse(text, &anchors, stance).unwrap();
    for (wide, narrow, expected) in [
        ("git push ...", "git push -f ...", [true, true, false]),
        ("git push ...", "git push origin main", [true, true, true]),
        ("git {push,pull} ...", "git push", [true, true, true]),
        ("git push -f ...", "git push ...", [false, false, false]),
        ("git ...", "git status", [true, true, true]),
        ("git", "git status", [false, false, false]),
        ("rm ...", "rm -r? $tmp/*", [true, true, false]),
        ("sh ...", "curl ... | sh ...", [true, true, true]),
        ("curl ... | sh ...", "curl x | sh -s", [true, true, false]),
        ("dd ...", "dd of=/dev/* ...", [true, true, false]),
        ("* ...", "git status", [true, true, true]),
        ("**", "git status", [true, true, true]),
    ] {
        let all = [(Tighten, Loosen), (Tighten, Tighten), (Loosen, Loosen)];
        let found = all.map(|(a, b)| commands(wide, a).covers_all_of(&commands(narrow, b)));
        assert_eq!(found, expected, "{wide} over {narrow}");
    }
    let hosts = |text: &str, stance| ConnectPattern::parse(text, &anchors, stance).unwrap();
    for (wide, narrow, expected) in [
        ("**.x.example", "https://a.x.example", [true, true, true]),
        ("*.x.example", "**.x.example", [false, false, false]),
        ("x.example", "GET https://x.example/a/**", [true, true, true]),
        ("https://x.example", "x.example", [false, false, false]),
        ("x.example:*", "x.example:22", [true, true, true]),
        ("https://x.example/a/*", "https://x.example/a/b", [true, true, true]),
        ("https://x.example/a/*", "https://x.example/a/b*", [false, true, true]),
        ("10.0.0.0/8", "10.1.0.0/16", [true, true, true]),
        ("10.0.0.0/8", "http://10.0.0.1", [true, false, true]),
    ] {
        let all = [(Tighten, Loosen), (Tighten, Tighten), (Loosen, Loosen)];
        let found = all.map(|(a, b)| hosts(wide, a).covers_all_of(&hosts(narrow, b)));
        assert_eq!(found, expected, "{wide} over {narrow}");
    }
}
