use super::*;
use crate::limits::LIST_DEPTH_MAX;

fn errors(text: &str) -> Vec<String> {
    let source = Source { name: "p.toml".to_owned(), text: text.to_owned(), layer: None };
    let compiled = compile(&[source], &Anchors::frozen(None), &Protected::default());
    compiled.diagnostics.iter().map(|found| format!("{} {}", found.code, found.message)).collect()
}

const HEAD: &str = "schema = 1\n[policy]\nname = 'p'\n";

#[test]
fn what_would_be_misread_does_not_load() {
    for (text, expected) in [
        ("[[rule]]\nid = 'a'\ndeny = 'read'\nmatch = []", "P002"),
        ("[[rule]]\nid = 'a'\ndeny = 'read'\nmatch = ['/a']\nunless = []", "P002"),
        ("[[rule]]\nid = ''\ndeny = 'read'\nmatch = ['/a']", "P006"),
        ("[[rule]]\nid = \"a\\u001b[2K\"\ndeny = 'read'\nmatch = ['/a']", "P006"),
        ("[tool.'mcp:a/b']", "P007"),
        ("[tool.'mcp:a/*']\nread = 'args.p'", "P007"),
        ("[tool.'mcp:a']\nread = 'args.p'", "P007"),
        (
            "[[rule]]\nid='a'\ndeny='call'\nmatch=['X']\n\
             examples=[{ call = 'X', args = 1, expect = 'match' }]",
            "P005",
        ),
        ("[[test]]\nname='a'\nexpect='deny'\ncall={ bash = 'x', expect = 'deny' }", "P003"),
        ("[[test]]\nname='a'\nexpect='deny'\ncall={ bash = 'x', args = {} }", "P008"),
        ("[read]\ndeny = ['/a/../b']", "P009"),
        ("[write]\nallow = ['$workspace/../out/']", "P009"),
        ("[exec]\ndeny = ['git push...']", "P009"),
        ("[connect]\ndeny = ['10.0.0.0/33']", "P009"),
        ("[call]\ndeny = ['Bash(git push:*)']", "P009"),
    ] {
        let found = errors(&format!("{HEAD}{text}"));
        assert!(found.iter().any(|one| one.starts_with(expected)), "{text}: {found:?}");
    }
    for name in ["", " ", "a\\u200bb", "a\\nb"] {
        let found = errors(&format!("schema = 1\n[policy]\nname = \"{name}\"\n"));
        assert!(found.iter().any(|one| one.starts_with("P006")), "{name}: {found:?}");
    }
    assert_eq!(errors(&format!("{HEAD}[tool.'mcp:a/b']\nread = 'args.p'")), Vec::<String>::new());
}

#[test]
fn what_a_table_of_output_may_say() {
    for (pattern, expected) in [
        ("{ entropy = 4.5, near = 'password' }", ""),
        ("{ entropy = 4 }", ""),
        ("{ entropy = 0x4 }", ""),
        ("{ entropy = 8.5 }", "P009"),
        ("{ entropy = -1 }", "P009"),
        ("{ entropy = nan }", "P009"),
        ("{ entropy = 4.5, near = '' }", "P009"),
        ("{ entropy = '4.5' }", "P005"),
        ("{ entropy = 4.5, near = 1 }", "P005"),
        ("{ entropy = 4.5, regex = 'a' }", "P005"),
        ("{ entropy = 4.5, by = 'a' }", "P005"),
        ("{ near = 'password' }", "P005"),
    ] {
        let found = errors(&format!("{HEAD}[[rule]]\nid='r'\nredact='output'\nmatch=[{pattern}]"));
        let codes: Vec<&str> = found.iter().filter_map(|one| one.get(..4)).collect();
        let expected: Vec<&str> =
            Some(expected).filter(|code| !code.is_empty()).into_iter().collect();
        assert_eq!(codes, expected, "{pattern}: {found:?}");
    }
    let found = errors(&format!("{HEAD}[[rule]]\nid='r'\ndeny='read'\nmatch=[{{ entropy = 4 }}]"));
    assert_eq!(found, ["P009 a table stands only for output"]);
}

#[test]
fn a_circle_of_lists_is_not_a_chain_that_is_too_long() {
    let chain = |count: usize| -> String {
        let link = |at| format!("l{at} = ['$l{}']\n", at + 1);
        let links: String = (1..count).map(link).collect();
        format!("{HEAD}[let]\n{links}l{count} = ['/a']\n[read]\ndeny = ['$l1']")
    };
    assert_eq!(errors(&chain(LIST_DEPTH_MAX)), Vec::<String>::new());
    let found = errors(&chain(LIST_DEPTH_MAX + 1));
    let expected = "P009 the list `$l17` is the end of more than 16 lists that name one another";
    assert_eq!(found, [expected]);
    for lists in ["a = ['$a']", "a = ['/a', '$b']\nb = ['$c']\nc = ['$a']"] {
        let found = errors(&format!("{HEAD}[let]\n{lists}\n[read]\ndeny = ['$a']"));
        assert_eq!(found, ["P009 the list `$a` names itself"], "{lists}");
    }
    // One that is named twice, but by two others, is none.
    let twice = "a = ['$b', '$c']\nb = ['$c']\nc = ['/a']";
    let found = errors(&format!("{HEAD}[let]\n{twice}\n[read]\ndeny = ['$a']"));
    assert_eq!(found, Vec::<String>::new());
}

/// A rule's further keys, and the code that refuses them; or nothing, where they are well.
#[test]
fn what_state_may_be_written() {
    let rule = |effect: &str, keys: &str| {
        format!("{HEAD}[[rule]]\nid='r'\n{effect}='call'\nmatch=['mcp:a/b']\n{keys}\n")
    };
    for (effect, keys, code) in [
        ("allow", "limit='30/min'", ""),
        ("ask", "limit='30/min'", ""),
        ("deny", "limit='30/min'", "P015"),
        ("note", "limit='30/min'", "P015"),
        ("ask", "limit={ max = 1, over = 'ask' }", "P015"),
        ("allow", "limit={ max = 1, per = 'day', scope = 'session' }", "P015"),
        ("allow", "limit={ per = 'day' }", "P002"),
        ("allow", "limit={ max = -1 }", "P006"),
        ("allow", "limit={ max = inf }", "P006"),
        ("allow", "limit='30/week'", "P006"),
        ("allow", "limit={ max = 1, sum = 'amount' }", "P007"),
        ("allow", "until=2027-01-01", ""),
        ("deny", "until=2027-01-01", "P016"),
        ("ask", "until=2027-01-01", "P016"),
        ("deny", "until=2027-01-01\nmode='shadow'", ""),
        ("allow", "until='2027-01-01'", "P005"),
        ("allow", "when={ seen = 'a' }\nunmark=['a']", ""),
        ("deny", "when={ seen = 'a' }\nunmark=['a']", "P017"),
        ("deny", "when={ seen = 'a', not_seen = 'a' }", "P017"),
        ("allow", "when={ seen = ['a', 'b'] }", "P018"),
        ("allow", "when={ not_seen = ['a', 'b'] }", ""),
        ("allow", "when={ 'result.exit' = 0 }", "P018"),
        ("note", "when={ 'result.exit' = 0 }\nmark=['a']", ""),
        ("note", "when={ result.exit = 0 }\nmark=['a']", ""),
        ("allow", "when={ 'args.x' = '<= many' }", "P018"),
        ("allow", "when={ 'args.x' = { regex = '(' } }", "P018"),
        ("allow", "when={ 'args.x' = { regex = 'a', absent = true } }", "P005"),
        ("allow", "when={ args.x.y = '<= 5', agent = ['main', 'rev*'] }", ""),
        ("allow", "when={ sen = 'a' }", "P003"),
        ("allow", "when={ args = 1 }", "P003"),
        ("allow", "when={ 'args.' = 1 }", "P003"),
        ("allow", "when={}", "P002"),
        ("allow", "when={ seen = 'a b' }", "P019"),
        ("allow", "mark=['a:']", "P019"),
        ("allow", "mark=['${args.x}']", "P019"),
        ("allow", "capture='all'", "P006"),
    ] {
        let found = errors(&rule(effect, keys));
        match code {
            "" => assert!(found.is_empty(), "{effect} {keys}: {found:?}"),
            _ => assert!(found.iter().any(|one| one.starts_with(code)), "{keys}: {found:?}"),
        }
    }
}

/// Files by their layer; whether there is a policy, and the codes that are told.
#[test]
fn layers_and_what_they_may_do() {
    let file = |layer: &str, body: &str| Source {
        name: format!("{layer}.toml"),
        text: format!("schema = 1\n[policy]\nname='{layer}'\nlayer='{layer}'\n{body}"),
        layer: None,
    };
    let org_reads = "[[rule]]\nid='o'\ndeny='connect'\nmatch=['**']\nwhen={ seen = 'x' }\n";
    let user_proves = "[[rule]]\nid='u'\nallow='connect'\nmatch=['**']\nwhen={ seen = 'x' }\n";
    let proof = "[[rule]]\nid='o'\nallow='connect'\nmatch=['**']\nwhen={ seen = 'x' }\n";
    let marks = "[[rule]]\nid='m'\nnote='exec'\nmatch=['true']\nmark=['x']\n";
    let fill = "[layers]\nuser='fill'\nproject='fill'\n";
    for (files, loads, codes) in [
        (vec![file("org", org_reads), file("user", user_proves)], true, vec!["P017"]),
        (vec![file("user", &format!("{org_reads}{user_proves}"))], false, vec!["P017"]),
        (vec![file("org", proof), file("user", marks)], true, vec!["P033"]),
        (vec![file("org", org_reads), file("user", marks)], true, vec![]),
        (vec![file("org", ""), file("user", "[read]\nallow=['/a']")], true, vec!["P032"]),
        (vec![file("org", fill), file("user", "[read]\nallow=['/a']")], true, vec![]),
        (vec![file("org", fill), file("project", "[read]\nallow=['/a']")], true, vec![]),
        (vec![file("user", fill), file("project", "")], false, vec!["P020", "P033"]),
        (vec![file("user", "[layers]\nproject='fill'"), file("project", "")], true, vec!["P033"]),
        (vec![file("project", "[layers]\nuser='fill'")], false, vec!["P020"]),
        (
            vec![
                file("org", &format!("{fill}[let.open]\nl=['/a']\n[read]\nallow=['$l']")),
                file("user", "[let.open]\nl=['b']"),
            ],
            false,
            vec!["P009"],
        ),
        (
            vec![file("org", "[let.open]\nl=['/a']"), file("user", "[let.open]\nl=['b']")],
            true,
            vec!["P033"],
        ),
    ] {
        let compiled = compile(&files, &Anchors::frozen(None), &Protected::default());
        let told: Vec<&str> = compiled.diagnostics.iter().map(|found| found.code).collect();
        assert_eq!((compiled.policy.is_some(), told), (loads, codes), "{files:?}");
    }
    let found = Source { layer: Some(rule::LayerKind::Project), ..file("user", "") };
    let compiled = compile(&[found], &Anchors::frozen(None), &Protected::default());
    assert_eq!(compiled.diagnostics.iter().map(|f| f.code).collect::<Vec<_>>(), ["P020"]);
}

/// The warnings of a policy with so many patterns.
fn priced(table: &str, count: usize, pattern: impl Fn(usize) -> String) -> Vec<String> {
    let entries: Vec<String> = (0..count).map(|nth| format!("'{}'", pattern(nth))).collect();
    errors(&format!("{HEAD}{table}\ndeny = [{}]\n", entries.join(",")))
}

#[test]
fn the_author_is_told_what_no_index_takes() {
    let told = |table: &str, pattern: &dyn Fn(usize) -> String, always: bool| {
        assert_eq!(priced(table, 64, pattern), Vec::<String>::new(), "{table}");
        let found = priced(table, 200, pattern);
        let words = if always { "no index finds" } else { "found by the same text" };
        assert!(
            matches!(found.as_slice(), [one] if one.starts_with("P040") && one.contains(words)),
            "{table} {found:?}"
        );
        assert!(found.iter().all(|one| one.contains(&pattern(0)) && one.contains(" 10 µs")));
    };
    told("[read]", &|nth| format!("**/*a{nth}*"), true);
    told("[write]", &|nth| format!("/srv/*/?a{nth}?"), false);
    told("[exec]", &|nth| format!("* --x{nth} ..."), true);
    told("[exec]", &|nth| format!("git -x{nth} ..."), false);
    told("[connect]", &|nth| format!("https://*/{nth}"), true);
    told("[connect]", &|nth| format!("https://a.example/{nth}"), false);
    told("[call]", &|nth| format!("*a{nth}*"), true);
    for (table, pattern) in [
        ("[read]", "/srv/*/conf{n}/*.env"),
        ("[read]", "**/*.x{n}"),
        ("[read]", "**/{n}x*"),
        ("[exec]", "git push{n} -f ..."),
        ("[exec]", "tool{n}.* ..."),
        ("[connect]", "GET https://*.a{n}.example/x"),
        ("[connect]", "10.0.{n}.0/24"),
        ("[call]", "mcp:a{n}/*"),
    ] {
        let found = priced(table, 200, |nth| pattern.replace("{n}", &nth.to_string()));
        assert_eq!(found, Vec::<String>::new(), "{pattern}");
    }
}

/// A text, and whether it must be refused.
fn large() -> Vec<(&'static str, String, bool)> {
    let lists = |first: &str| {
        let mut text = format!("{HEAD}[let]\na0 = [{first}]\n");
        for depth in 1..14 {
            let names = vec![format!("'$a{}'", depth - 1); 10].join(",");
            text.push_str(&format!("a{depth} = [{names}]\n"));
        }
        text + "[read]\ndeny = ['$a13']\n"
    };
    let many = |count: usize, entry: &dyn Fn(usize) -> String| {
        let entries: Vec<String> = (0..count).map(entry).collect();
        format!("{HEAD}[read]\ndeny = [{}]\n", entries.join(","))
    };
    let lines = |line: &dyn Fn(usize) -> String| -> String {
        (0..200_000).map(|n| line(n) + "\n").collect()
    };
    let words = vec!["'raed'"; 300_000].join(",");
    let many_words = format!("{HEAD}[[rule]]\nid = 'a'\nmatch = '/a'\ndeny = [{words}]\n");
    let braces = "{a,b}".repeat(10);
    vec![
        ("lists of lists", lists("'/x'"), true),
        ("lists of empty lists", lists(""), true),
        ("deep braces", many(1, &|_| format!("'/{}'", "{a,".repeat(50_000))), true),
        ("a long pattern", many(1, &|_| format!("'/{}'", "a".repeat(5_000))), true),
        ("too many paths", many(500_000, &|n| format!("'/a/{n}'")), true),
        ("many paths", many(150_000, &|n| format!("'/a/{n}'")), false),
        ("many globs", many(50_000, &|n| format!("'**/a{n}/*.x'")), false),
        ("many braces", many(2_000, &|n| format!("'/{n}/{braces}'")), true),
        (
            "many unknown keys",
            format!("{HEAD}[read]\n{}", lines(&|n| format!("dney{n} = 1"))),
            true,
        ),
        ("many wrong words", many_words, true),
        ("many errors", lines(&|n| format!("k{n} = ?")), true),
        ("many mistakes", many(300_000, &|n| format!("'$nowhere{n}'")), true),
    ]
}

#[test]
fn a_large_policy_is_read_or_refused() {
    for (what, text, refused) in large() {
        let found = errors(&text);
        assert_eq!(!found.is_empty(), refused, "{what}: {:?}", found.first());
        assert!(found.len() <= DIAGNOSTICS_MAX, "{what}");
        // Each takes a second at most; without its bound it takes minutes, or all memory. No clock
        // is asked, since a busy machine is no mistake of ours.
        println!("{what}: {:?}", found.first());
    }
}
