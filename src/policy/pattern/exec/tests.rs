use super::*;
use crate::model::access::{Arg, OptionClass, Role};
use crate::model::path::PathTarget;
use crate::model::word::Word;

/// A command written as text; `-x` is a plain option, `-x!` a hazardous one, `-x~` a harmless one,
/// and `-x:v` one with the value `v`.
fn command(text: &str, known: bool) -> Command {
    let mut words = text.split(' ');
    let program = words.next().unwrap();
    let target = |word: &str| AbsPath::parse(word).ok().map(PathTarget::plain);
    let arg = |word: &str| {
        let class = match word.chars().last() {
            Some('!') => OptionClass::Hazardous,
            Some('~') => OptionClass::Harmless,
            _ if known => OptionClass::Plain,
            _ => OptionClass::Unknown,
        };
        let bare = word.trim_end_matches(['!', '~']);
        let role = match bare {
            "--" => Role::EndOfOptions,
            _ if bare.starts_with('-') => {
                let (name, value) = match bare.split_once(':') {
                    Some((name, value)) => (name, Some(Word::known(value))),
                    None => (bare, None),
                };
                Role::Option { spellings: vec![name.to_owned()], value, class }
            }
            _ => Role::Operand,
        };
        Arg { word: Word::known(bare), role, path: target(bare) }
    };
    Command {
        program: Program { word: Word::known(program), file: target(program), known },
        args: words.map(arg).collect(),
        fed_by: Vec::new(),
        doubts: Vec::new(),
        transparent: false,
        status: crate::model::access::Status::Whole,
    }
}

fn ask(pattern: &str, command: &Command, feeders: &[&Command]) -> [Truth; 2] {
    let anchors = Anchors::frozen(None);
    let roots = vec![anchors.workspace.clone(), anchors.tmp.clone()];
    let writable = Writable { roots, ..Writable::default() };
    [Stance::Loosen, Stance::Tighten].map(|stance| {
        let pattern = ExecPattern::parse(pattern, &anchors, stance).unwrap();
        pattern.matches(command, || feeders.iter().copied(), &writable)
    })
}

#[test]
fn tokens_and_options() {
    use Truth::{Maybe, No, Yes};
    for (pattern, text, loosen, tighten) in [
        ("git status", "git status", Yes, Yes),
        ("git status", "git status x", No, No),
        ("git status", "git status -s", No, Yes),
        ("git status", "git status -s~", Yes, Yes),
        ("git status ...", "git status -s x y", Yes, Yes),
        ("git push ...", "git -C~ push", Yes, Yes),
        ("git {status,diff} ...", "git diff", Yes, Yes),
        ("git {status,diff} ...", "git push", No, No),
        ("rg ...", "rg --pre! x", No, Yes),
        ("rm -r? -f? $tmp/**", "rm -r -f /tmp/a", Yes, Yes),
        ("rm -r? -f? $tmp/**", "rm -f /tmp/a", Yes, Yes),
        ("rm -r? -f? $tmp/**", "rm -r /tmp/a /etc", No, No),
        ("rm -rf? $tmp/**", "rm -r -f /tmp/a", Yes, Yes),
        ("rm -r ...", "rm -f x", No, No),
        ("rm -r ...", "rm -f -r x", Yes, Yes),
        ("git push --force* ...", "git push --force-with-lease", Yes, Yes),
        ("mkfs.* ...", "mkfs.ext4 /dev/sda", Yes, Yes),
        ("dd of=/dev/* ...", "dd if=x of=/dev/sda", Maybe, Maybe),
        ("dd of=/dev/* ...", "dd if=x of=/dev/../etc/x", No, No),
        ("foo a=b", "foo a=b", Yes, Yes),
        ("foo a=b", "foo a=c", No, No),
        ("* --force ...", "anything --force", Yes, Yes),
        ("/usr/bin/git status", "/usr/bin/git status", Yes, Yes),
        ("git status", "/usr/bin/git status", Yes, Yes),
        ("git push ...", "/tmp/git push", No, Yes),
        ("./ci/build.sh ...", "/work/ci/build.sh x", Yes, Yes),
        ("a ... b", "a x y b", Yes, Yes),
        ("a ... b", "a x y", No, No),
        // A word of the pattern behind an option that has a value is that value.
        ("python3 -m pytest ...", "python3 -m:pytest -q tests", Yes, Yes),
        ("python3 -m pytest ...", "python3 -m:evil pytest", No, Yes),
        ("python3 -m pytest ...", "python3 -m:evil x", No, No),
        ("python3 -m pytest ...", "python3 -m:pytest -m:evil", No, Yes),
        ("curl -X POST ...", "curl https://a.example -X:POST", Yes, Yes),
        ("curl -X POST ...", "curl -X:GET https://a.example", No, No),
        ("head -n? 5 f", "head 5 f", Yes, Yes),
        ("head -n? 5 f", "head -n:5 f", Yes, Yes),
        ("head -n? 5 f", "head -n:6 f", No, No),
    ] {
        assert_eq!(ask(pattern, &command(text, true), &[]), [loosen, tighten], "{pattern} {text}");
    }
    // Without a table a deny sees through options, an allow does not.
    assert_eq!(ask("foo push", &command("foo -C x push", false), &[]), [No, Maybe]);
    assert_eq!(ask("foo ...", &command("foo -x bar", false), &[]), [Yes, Yes]);
}

#[test]
fn unknown_words() {
    use crate::model::doubt::Doubt;
    use crate::model::word::Unknown;
    let with = |prefix: &str, single| {
        let mut command = command("git x", true);
        let unknown = Unknown { reason: Doubt::CommandOutput, prefix: prefix.to_owned(), single };
        command.args[0].word = Word::Unknown(unknown);
        command
    };
    use Truth::{Maybe, No, Yes};
    assert_eq!(ask("git push ...", &with("", false), &[]), [Maybe, Maybe]);
    assert_eq!(ask("git push ...", &with("pul", true), &[]), [No, No]);
    assert_eq!(ask("git ...", &with("", true), &[]), [Maybe, Yes]);
    assert_eq!(ask("git ...", &with("x", true), &[]), [Yes, Yes]);
    assert_eq!(ask("git", &with("", false), &[]), [Maybe, Maybe]);
    assert_eq!(ask("git", &with("", true), &[]), [No, No]);
    // One quoted word is what `*` stands for, unless it may be an option.
    assert_eq!(ask("git *", &with("", true), &[]), [Maybe, Yes]);
    assert_eq!(ask("git *", &with("x", true), &[]), [Yes, Yes]);
    assert_eq!(ask("git *", &with("", false), &[]), [Maybe, Maybe]);
    let mut ended = with("", true);
    let end = Arg { word: Word::known("--"), role: Role::EndOfOptions, path: None };
    ended.args.insert(0, end);
    assert_eq!(ask("git *", &ended, &[]), [Yes, Yes]);
    assert_eq!(ask("git ...", &ended, &[]), [Yes, Yes]);
}

#[test]
fn the_end_of_options() {
    use Truth::{No, Yes};
    let git = |words: &str| command(&format!("git {words}"), true);
    for (pattern, words, answer) in [
        ("git checkout -- ...", "checkout -- a", [Yes, Yes]),
        ("git checkout -- ...", "checkout main", [No, No]),
        ("git checkout -- ...", "checkout a b", [No, No]),
        ("git checkout -- ...", "checkout main -- a", [No, Yes]),
        ("git checkout * -- ...", "checkout main -- a", [Yes, Yes]),
        ("git checkout ... -- ...", "checkout main -- a", [Yes, Yes]),
        ("git checkout ...", "checkout -- a", [Yes, Yes]),
        ("git checkout a", "checkout -- a", [Yes, Yes]),
        ("git -C x checkout -- ...", "-C:x checkout -- a", [Yes, Yes]),
    ] {
        assert_eq!(ask(pattern, &git(words), &[]), answer, "{pattern} of {words}");
    }
    let spread = |prefix: &str| {
        use crate::model::word::Unknown;
        let mut command = git("checkout x");
        let reason = crate::model::doubt::Doubt::CommandOutput;
        let unknown = Unknown { reason, prefix: prefix.to_owned(), single: false };
        command.args[1].word = Word::Unknown(unknown);
        command
    };
    assert_eq!(ask("git checkout -- ...", &spread(""), &[]), [Truth::Maybe; 2]);
    assert_eq!(ask("git checkout -- ...", &spread("x"), &[]), [No, No]);
}

#[test]
fn pipes() {
    let curl = command("curl https://a.example", true);
    let shell = command("sh", true);
    assert_eq!(ask("curl ... | {sh,bash}", &shell, &[&curl]), [Truth::Yes; 2]);
    assert_eq!(ask("curl ... | {sh,bash}", &shell, &[]), [Truth::No; 2]);
    assert_eq!(ask("wget ... | sh ...", &shell, &[&curl]), [Truth::No; 2]);
}

#[test]
fn what_is_no_pattern() {
    for text in ["", "a | ", "... x", "{a,b"] {
        let read = ExecPattern::parse(text, &Anchors::frozen(None), Stance::Loosen);
        assert!(read.is_err(), "{text:?}");
    }
}

/// What does not fit where nothing is allocated is matched all the same.
#[test]
fn long_commands_and_long_patterns() {
    use Truth::{No, Yes};
    let words = |count: usize| (0..count).map(|nth| format!(" w{nth}")).collect::<String>();
    for count in [14, 15, 16, 17, 63, 64, 65, 100] {
        let text = format!("tool{}", words(count));
        for (pattern, loosen, tighten) in [
            (format!("tool{}", words(count)), Yes, Yes),
            (format!("tool{} ...", words(count)), Yes, Yes),
            (format!("tool ... w{}", count - 1), Yes, Yes),
            (format!("tool{}", words(count - 1)), No, No),
            (format!("tool{} x", words(count)), No, No),
        ] {
            let got = ask(&pattern, &command(&text, true), &[]);
            assert_eq!(got, [loosen, tighten], "{count} {pattern}");
        }
        // Options and `key=value`s behind many words.
        let text = format!("{text} -f k=v -x!");
        for (pattern, loosen, tighten) in [
            ("tool -f -x k=v ...", Yes, Yes),
            ("tool -f k=v ...", No, Yes),
            ("tool -x k=w ...", No, No),
            ("tool -g ...", No, No),
        ] {
            let got = ask(pattern, &command(&text, true), &[]);
            assert_eq!(got, [loosen, tighten], "{count} {pattern}");
        }
    }
}
