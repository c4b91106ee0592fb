use super::expand::{Known, fields};
use super::ir::{Node, Script};
use super::parse;
use super::vars::{Value, Vars};

/// The words of the first simple command.
fn words(text: &str) -> String {
    let script = match parse(text, 0) {
        Ok(script) => script,
        Err(doubt) => return format!("! {doubt}"),
    };
    let mut vars = Vars::default();
    vars.set("x", Value::Texts(vec!["v w".to_owned()]));
    vars.set("d", Value::Texts(vec!["a".to_owned(), "b".to_owned()]));
    let known = Known {
        vars: &vars,
        home: Some("/home/agent"),
        directory: Some("/work"),
        redefined: &std::collections::BTreeSet::new(),
        made: &std::cell::Cell::new(0),
    };
    let Script { nodes } = script;
    match nodes.first() {
        Some(Node::Simple(simple)) => {
            let all = simple.words.iter().flat_map(|word| fields(word, known));
            all.map(|word| format!("<{word}>")).collect::<String>()
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn words_are_what_bash_makes_of_them() {
    for (text, expected) in [
        (r#"a\ b"x\"\$y\n"'q'"#, r#"<a bx"$y\nq>"#),
        ("curl \\\n  \"a\\\nb\" \\\nc", "<curl><ab><c>"),
        (r"$'\x41b\'c' $'\101'", "<Ab'c><A>"),
        (
            "{a,b}c {1..3} \"{a,b}\" {a,\"b c\"} a{b}c {a,{b,c}}d",
            "<ac><bc><1><2><3><{a,b}><a><b c><a{b}c><ad><bd><cd>",
        ),
        (
            "echo ~/x \"~/x\" ~ a~ of=~/y",
            "<echo></home/agent/x><~/x></home/agent><a~><of=/home/agent/y>",
        ),
        ("echo $x \"$x\" '$x' \\$x ${x} $d/f", "<echo><v><w><v w><$x><$x><v><w><{a/f,b/f}>"),
        (
            "echo \"$(cat <<'E'\nhi $x\nE\n)\" $(echo lit) $(printf '%s' 'a b')",
            "<echo><hi $x><lit><a><b>",
        ),
        ("echo *.c \\*.c '*'.c src/*", "<echo><⟨?⟩><*.c><*.c><src/⟨?⟩>"),
        ("echo $HOME $PWD/x $NOPE a$NOPE", "<echo></home/agent></work/x><⟨?⟩><a⟨?⟩>"),
        ("echo $((1+2)) ${x%v} $(id) `id`", "<echo><⟨?⟩><⟨?⟩><⟨?⟩><⟨?⟩>"),
        ("echo \"\" '' a\"\"b", "<echo><><><ab>"),
        ("echo a#b # c", "<echo><a#b>"),
        ("\\ls -\\l", "<ls><-l>"),
    ] {
        assert_eq!(words(text), expected, "{text}");
    }
}

#[test]
fn a_text_that_shells_read_is_read() {
    for text in [
        "f() { a; }",
        "function f { a; }",
        "f() ( a )",
        "coproc c { ls; }",
        "coproc ls",
        "ls &>>f",
        "ls {fd}>f 2>&1 <&- >|g",
        "{ ls; }; ls",
        "{ ls; } | { cat; }",
        "{ { ls; }; }",
        "( { ls; } )",
        "if a; then b; elif c; then d; else e; fi; ls",
        "time -p ls",
        "! time ls",
        "x=1 y=2 ls >f",
        "a=(b c); a+=(d); a[1]=e",
        "while a; do b; done < c",
        "echo } {} {a} {{.Names}} stash@{0} HEAD@{1}",
        "( ls ) & wait",
        "case a in b|c) ls;; (d) ls; esac",
        "for ((i=0; i<3; i++)); do ls; done",
        "select x in a b; do ls; done",
        "[[ -f a && ! -d b ]] && (( x > 1 )) || ls",
        "cat <<'E' | sh\na\nE\n",
        "cat <<-E >f\n\ta\n\tE\n",
        "cat <(ls) >(cat) <<<x",
    ] {
        let text = text.replace("\\n", "\n").replace("\\t", "\t");
        assert_eq!(parse(&text, 0).err(), None, "{text}");
    }
}
