//! Laws of the readers; what whole commands come to stands in `tests/cases/commands/code.toml`.

use super::effect::{Effect, Use};
use super::read;
use proptest::prelude::*;

/// How one character of a string is spelt; Perl has its own way for a code point.
fn spelt(language: usize, c: char, how: u8) -> String {
    let code = u32::from(c);
    match (language, how % 4) {
        (0..=3, 1) => format!("\\x{code:02x}"),
        (2, 2) => format!("\\x{{{code:x}}}"),
        (0 | 1 | 3, 2) => format!("\\u{code:04x}"),
        _ => c.to_string(),
    }
}

/// A program of each language that opens `path`, spelt in two pieces.
fn program(language: usize, path: &str, how: &[u8], split: usize) -> (&'static str, String) {
    let each = path.chars().zip(how.iter().cycle());
    let all: Vec<String> = each.map(|(c, how)| spelt(language, c, *how)).collect();
    let (head, tail) = all.split_at(split % all.len());
    let (head, tail) = (head.concat(), tail.concat());
    match language {
        0 => ("python3", format!("open(\"{head}\" '{tail}' ) . read()")),
        1 => ("node", format!("require(`fs`) .readFileSync('{head}' + \"{tail}\")")),
        2 => ("perl", format!("open my $f, '<', \"{head}\" . qq{{{tail}}};")),
        3 => ("ruby", format!("puts File .read \"{head}\" + %Q({tail})")),
        4 => ("php", format!("$x = '{head}'; echo file_get_contents($x . '{tail}');")),
        5 => ("lua", format!("local x = [[{head}]] io.open(x .. '{tail}')")),
        _ => ("awk", format!("BEGIN {{ getline x < (\"{head}\" \"{tail}\") }}")),
    }
}

proptest! {
    #[test]
    fn a_path_is_found_however_it_is_quoted(
        language in 0_usize..7,
        path in "/[a-z]{1,6}/[a-z_.]{1,8}",
        how in proptest::collection::vec(0_u8..4, 1..12),
        split in 0_usize..32,
    ) {
        let (name, code) = program(language, &path, &how, split);
        let found = read(name, &code);
        let wanted = Effect::Path { does: Use::Read, text: path, glob: false };
        prop_assert!(found.effects.contains(&wanted), "{code} {found:?}");
    }

    #[test]
    fn no_program_panics(
        language in 0_usize..12,
        parts in proptest::collection::vec(
            proptest::sample::select(vec![
                "(", ")", "[", "]", "{", "}", "'", "\"", "`", "\\", "/", "\n", ";", ",", "=", "=>",
                "+", ".", "..", "%", "<<E", "<<~E\n", "E\n", "#", "//", "#{", "${", "$", "@", "qq{",
                "q(", "s/a/b/e", "%w[", "f'{", "r'", "'''", "[[", "]]", "--", "open", "x", "system",
                "import os", "from a import b", "const {", "for x in ", "if ", "else ", "print ",
                "getline < ", "| ", "> ", "|x|", "lambda x: ", "é", "1", "0x2f", "::", "->", " ",
            ]),
            0..40,
        )
    ) {
        let programs = [
            "python3", "node", "perl", "ruby", "php", "lua", "awk", "Rscript", "jshell",
            "osascript", "ghc", "deno",
        ];
        read(programs[language], &parts.concat());
    }
}

/// Each would take its square or worse if something were read again and again.
#[test]
fn long_programs_are_read_once() {
    for part in [
        "(",
        "[",
        "{",
        "a.",
        "a(",
        "f'{",
        "'",
        "\"",
        "`${",
        "a=a+a;",
        "x='ab'+x;",
        "a,",
        "<<E\n",
        "system(",
        "print>",
        "a|",
        "getline<",
        "for x in ",
        "if ",
        "[a,",
        "{a:",
        "qq{",
        "#{",
        "- ",
    ] {
        let code = part.repeat(crate::limits::SHELL_BYTES_MAX / part.len());
        for program in ["python3", "node", "perl", "ruby", "awk", "lua"] {
            let found = read(program, &code);
            assert!(found.effects.len() <= crate::limits::CODE_EFFECTS_MAX, "{program} {part}");
        }
    }
}
