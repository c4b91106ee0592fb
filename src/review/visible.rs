//! Logged texts made visible and harmless: an agent wrote them, and a person looks at them.

/// A logged text made harmless: control, bidirectional and invisible characters are shown as
/// escapes, so that nothing an agent wrote can move the cursor or reorder a line.
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if is_hostile(c) { c.escape_unicode().to_string() } else { c.to_string() })
        .collect()
}

fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hostile_reaches_the_terminal() {
        assert_eq!(plain("a\u{1b}[31mb\u{202e}c\n"), "a\\u{1b}[31mb\\u{202e}c\\u{a}");
        assert_eq!(plain("é ∂ 日本"), "é ∂ 日本");
    }
}
