//! Logged texts made visible and harmless: an agent wrote them, and a person looks at them.
//!
//! The one place for that. A text goes through here before a terminal, a page, a picture, a table
//! for spreadsheets or the name of a file: what could move a cursor, change the order of a line,
//! hide itself or be taken for a formula is shown as what it is. Each function gives the same for
//! what it gave itself (`fuzz/targets_shared/visible.rs` holds that, and that nothing gets by).

use icu_normalizer::properties::CanonicalCombiningClassMap;

/// A text as one line of a terminal or a page: control, bidirectional and invisible characters are
/// shown as escapes, and a heap of combining marks after its fourth.
#[must_use]
pub fn plain(text: &str) -> String {
    made_visible(text, |_| false)
}

/// The same of a text of several lines, which stay: only the newline itself gets through.
#[must_use]
pub fn lines(text: &str) -> String {
    made_visible(text, |c| c == '\n')
}

/// A text in a page or a picture, outside of templates, which escape by themselves: visible, and
/// without a character that begins or ends anything there.
#[must_use]
pub fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in plain(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A text as a cell of a CSV file: visible, and no formula to any spreadsheet. The quoting is the
/// writer's.
#[must_use]
pub fn cell(text: &str) -> String {
    let shown = plain(text);
    // Some spreadsheets pass over spaces first.
    if shown.trim_start().starts_with(FORMULAS) { format!("'{shown}") } else { shown }
}

/// A text as a part of a file's name, as in a header of HTTP: letters, digits, `-`, `_` and `.`
/// that is not the first. Never empty.
#[must_use]
pub fn file_name(text: &str) -> String {
    let kept = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' => c,
        _ => '_',
    };
    let name: String = text.chars().take(FILE_NAME_CHARS_MAX).map(kept).collect();
    let name = name.trim_start_matches('.');
    if name.is_empty() { "_".to_owned() } else { name.to_owned() }
}

/// What a spreadsheet takes for the beginning of a formula; the wide forms too.
pub const FORMULAS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// Names that are longer are no help to anybody.
const FILE_NAME_CHARS_MAX: usize = 100;

/// Marks on one letter that are shown; no script that people write has more.
const MARKS_MAX: usize = 4;

fn made_visible(text: &str, passes: impl Fn(char) -> bool) -> String {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
    let classes = CanonicalCombiningClassMap::new();
    let mut out = String::with_capacity(text.len());
    let mut marks = 0;
    for c in text.chars() {
        marks = if is_mark(c, classes.get_u8(c)) { marks + 1 } else { 0 };
        if (is_hostile(c) && !passes(c)) || marks > MARKS_MAX {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Whether a character stands on the one before it.
fn is_mark(c: char, combining_class: u8) -> bool {
    combining_class != 0
        || matches!(c, '\u{488}' | '\u{489}' | '\u{20dd}'..='\u{20e0}' | '\u{20e2}'..='\u{20e4}')
}

/// Whether a character does something other than stand there: controls, what changes the order,
/// what is not seen (Unicode's Default_Ignorable_Code_Point), what ends a line, and the braille
/// pattern that has no dot.
#[must_use]
pub fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hostile_reaches_the_terminal() {
        assert_eq!(plain("a\u{1b}[31mb\u{202e}c\n"), "a\\u{1b}[31mb\\u{202e}c\\u{a}");
        assert_eq!(plain("é ∂ 日本 e\u{301}"), "é ∂ 日本 e\u{301}");
        assert_eq!(plain("x\u{9b}31m\u{e0041}\u{fe0f}"), "x\\u{9b}31m\\u{e0041}\\u{fe0f}");
        assert_eq!(lines("a\r\nb\tc"), "a\\u{d}\nb\\u{9}c");
        let heap = format!("z{}", "\u{301}".repeat(6));
        assert_eq!(plain(&heap), format!("z{}\\u{{301}}\\u{{301}}", "\u{301}".repeat(4)));
    }

    #[test]
    fn no_cell_is_a_formula() {
        for (text, shown) in [
            ("=1+1", "'=1+1"),
            ("  @SUM(A1)", "'  @SUM(A1)"),
            ("\t=1", "\\u{9}=1"),
            ("＝1", "'＝1"),
            ("-rf", "'-rf"),
            ("a=1", "a=1"),
            ("", ""),
        ] {
            assert_eq!(cell(text), shown);
        }
    }

    #[test]
    fn names_of_files() {
        for (text, name) in [
            ("s1", "s1"),
            ("../../etc/passwd", "_.._etc_passwd"),
            ("a\r\nSet-Cookie: x", "a__Set-Cookie__x"),
            ("...", "_"),
            ("", "_"),
        ] {
            assert_eq!(file_name(text), name);
        }
    }

    #[test]
    fn nothing_of_a_page_begins_in_a_text() {
        assert_eq!(html("<a b='\"&'>\u{0}"), "&lt;a b=&#39;&quot;&amp;&#39;&gt;\\u{0}");
    }
}
