use super::*;
use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof};
use toml_parser::Source;
use toml_parser::lexer::TokenKind;

#[test]
fn the_one_layout() {
    for (text, expected) in [
        ("", ""),
        ("\n\n", ""),
        ("a=1", "a = 1\n"),
        ("\u{feff}a=1\r\nb  =   2\r\n", "a = 1\nb = 2\n"),
        // One column for lines that stand together.
        ("a=1\nlong = 2\n\nb=3\n", "a    = 1\nlong = 2\n\nb = 3\n"),
        ("a=1\n# why\nlong = 2\n", "a = 1\n# why\nlong = 2\n"),
        ("\"q k\".b . c=1\nx=2\n", "\"q k\".b.c = 1\nx         = 2\n"),
        (
            "a_very_long_key_of_more_columns = 1\nab = 2\nc = 3\n",
            "a_very_long_key_of_more_columns = 1\nab = 2\nc  = 3\n",
        ),
        // A last list of tables moves nothing, and others do.
        ("id='a'\nexamples=[\n{}\n]\n", "id = 'a'\nexamples = [\n  {},\n]\n"),
        ("examples=[\n{}\n]\nid='a'\n", "examples = [\n  {},\n]\nid       = 'a'\n"),
        ("ask=[]\ndeny=[\n'a'\n]\n", "ask  = []\ndeny = [\n  'a',\n]\n"),
        ("allow=[\n'a'\n]\nask=['b']", "allow = [\n  'a',\n]\nask   = ['b']\n"),
        // Tables stand apart, with the comments that belong to them.
        ("a=1\n[b]\n\n\nc=1\n# of d\n[[ d ]]\n", "a = 1\n\n[b]\nc = 1\n\n# of d\n[[d]]\n"),
        ("#:schema x\n[a]\n[a.\"b c\"]#x\n", "#:schema x\n[a]\n\n[a.\"b c\"] #x\n"),
        ("[a]\n# of a\n\n[b]\n", "[a]\n# of a\n\n[b]\n"),
        ("[a]\n# of b\n[b]\n", "[a]\n\n# of b\n[b]\n"),
        ("a = 1\n\n\n\n# x\n\n\n", "a = 1\n\n# x\n"),
        // Lists.
        ("a=[ 1,2 ,  3, ]", "a = [1, 2, 3]\n"),
        ("a=[\n]", "a = [\n]\n"),
        ("a=[1,\n2, 3]", "a = [\n  1,\n  2, 3,\n]\n"),
        ("a=[\n\n1\n\n\n#x\n,2#y\n\n]#z\n", "a = [\n  1,\n\n  #x\n  2, #y\n] #z\n"),
        ("a = { b=1,c = [ 1 ],d={} , }", "a = { b = 1, c = [1], d = {} }\n"),
        ("a={b=1,\n# x\nc=2}\nlong=1", "a    = {b=1,\n# x\nc=2}\nlong = 1\n"),
        ("a=[{b=1},[1,\n 2]\n]", "a = [\n  { b = 1 }, [1,\n 2],\n]\n"),
        ("a = \"\"\"\n  x  \n\"\"\"  # y \nbc=1", "a  = \"\"\"\n  x  \n\"\"\"  # y\nbc = 1\n"),
        // Blanks that line up what stands below one another are the author's.
        (
            "a=[\n{ b='xx',  c   = 1},\n{b='x',   c = 1 }\n]",
            "a = [\n  { b = 'xx',  c   = 1 },\n  { b = 'x',   c = 1 },\n]\n",
        ),
        // Comments in one column stay in one.
        ("a=1    # x\nlong=22# y", "a    = 1  # x\nlong = 22 # y\n"),
        ("a=1     # x\nlong = 2 # y", "a    = 1     # x\nlong = 2 # y\n"),
        ("a=[\n1,  # x\n22 # y\n]", "a = [\n  1,  # x\n  22, # y\n]\n"),
    ] {
        let laid_out = format(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!(laid_out, expected, "{text:?}");
        assert_eq!(format(&laid_out).as_deref(), Ok(expected), "twice: {text:?}");
    }
}

#[test]
fn a_list_that_is_too_long_gets_a_line_for_each_entry() {
    let word = format!("\"{}\"", "x".repeat(50));
    let fits = format!("a = [{word}, {word}, 123456]\n");
    assert_eq!(fits.trim_end().chars().count(), COLUMNS);
    assert_eq!(format(&fits).unwrap(), fits);
    let long = format!("a = [{word}, {word}, 1234567]\n");
    let rows = format!("a = [\n  {word},\n  {word},\n  1234567,\n]\n");
    assert_eq!(format(&long).unwrap(), rows);
    assert_eq!(format(&rows).unwrap(), rows);
    // A line of its own would be no shorter.
    let one = format!("a = [\"{}\"]\n", "x".repeat(COLUMNS));
    assert_eq!(format(&one).unwrap(), one);
}

#[test]
fn what_is_no_toml_has_no_layout() {
    let deep = format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    for text in ["a", "a = ", "a = \"", "[a", "a = 1\na = 2", "a = 1\0", "[a]\n[a]", "x = y", &deep]
    {
        assert_eq!(format(text), Err(FormatError::NoToml), "{}", text.get(..9).unwrap_or(text));
    }
}

const SHIPPED: [&str; 3] = [
    include_str!("../../../policies/default.toml"),
    include_str!("../../../policies/std/secrets@1.toml"),
    include_str!("../../../tests/cases/ordinary/default.toml"),
];

/// A change that a person at an editor could make.
#[derive(Debug, Clone)]
enum Slip {
    /// Puts this text into a place.
    Put(usize, &'static str),
    /// Takes out some bytes.
    Cut(usize, usize),
    /// Puts another text in the place of one that occurs.
    Swap(usize, &'static str, &'static str),
}

fn slip() -> impl Strategy<Value = Slip> {
    let put = prop::sample::select(vec![
        " ", "  ", "\t", "\n", "\n\n", "# x\n", "\n# y\n", " # z", "\r\n", ",", "]", "[", "{", "}",
        "=", "\"", "'", "\"\"\"", ".", "a = 1\n", "[z]\n", "\u{feff}", "é",
    ]);
    let swap = prop::sample::select(vec![
        (" = ", "="),
        (" = ", "  =   "),
        (", ", ","),
        (", ", ",\n"),
        (", ", " , # c\n"),
        (",\n", ", "),
        ("[", "[\n"),
        ("]\n", ",]\n"),
        ("\n\n", "\n"),
        ("\n", "\r\n"),
        ("\n", "  # d\n"),
        ("\n[", "\n# e\n["),
        ("{ ", "{"),
        ("\"", "\"\"\""),
    ]);
    prop_oneof![
        1 => (any::<usize>(), put).prop_map(|(at, text)| Slip::Put(at, text)),
        1 => (any::<usize>(), 1..4_usize).prop_map(|(at, count)| Slip::Cut(at, count)),
        6 => (any::<usize>(), swap).prop_map(|(at, (old, new))| Slip::Swap(at, old, new)),
    ]
}

fn apply(text: &mut String, slip: &Slip) {
    let border = |at: usize, text: &str| {
        let at = at % (text.len() + 1);
        (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap()
    };
    match slip {
        Slip::Put(at, put) => text.insert_str(border(*at, text), put),
        Slip::Cut(at, count) => {
            let start = border(*at, text);
            let end = border((start + count).min(text.len()), text);
            text.replace_range(start..end.max(start), "");
        }
        Slip::Swap(at, old, new) => {
            let places: Vec<usize> = text.match_indices(old).map(|(at, _)| at).collect();
            if let Some(at) = places.get(at % places.len().max(1)) {
                text.replace_range(*at..at + old.len(), new);
            }
        }
    }
}

/// The comments of a text, each without the blanks behind it.
fn comments(text: &str) -> Vec<String> {
    let tokens = Source::new(text).lex();
    let comments = tokens.filter(|token| token.kind() == TokenKind::Comment);
    let raw =
        |span: toml_parser::Span| text.get(span.start()..span.end()).unwrap().trim_end().to_owned();
    comments.map(|token| raw(token.span())).collect()
}

proptest::proptest! {
    /// A layout of a layout is itself, every comment stays, and nothing means another thing.
    #[test]
    fn a_layout_stays_and_says_the_same(
        which in 0..SHIPPED.len(),
        slips in prop::collection::vec(slip(), 0..12),
    ) {
        let mut text = SHIPPED[which].to_owned();
        // The first part of a long text is enough, and its slips lie nearer together.
        let tables: Vec<usize> = text.match_indices("\n[[").map(|(at, _)| at).take(9).collect();
        text.truncate(tables.last().copied().unwrap_or(text.len()));
        slips.iter().for_each(|slip| apply(&mut text, slip));
        match format(&text) {
            Ok(laid_out) => {
                prop_assert_eq!(meaning(&laid_out), meaning(&text));
                prop_assert_eq!(comments(&laid_out), comments(&text));
                prop_assert_eq!(format(&laid_out), Ok(laid_out.clone()));
            }
            Err(error) => {
                prop_assert_eq!(error, FormatError::NoToml);
                prop_assert!(meaning(&text).is_err());
            }
        }
    }
}
