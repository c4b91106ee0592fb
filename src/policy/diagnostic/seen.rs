//! A policy's own text as it may be shown: whatever a reader could not see is spelled out, and what
//! steers a terminal never reaches one.

use crate::limits::SHOWN_CHARS_MAX;
use crate::policy::pattern::unseen;
use std::borrow::Cow;
use std::ops::Range;

/// One line of text for a reader: characters that show as nothing are spelled as `\u{1b}`, and a
/// text that nobody would read to its end is cut.
#[must_use]
pub fn seen(text: &str) -> Cow<'_, str> {
    if !text.contains(unseen) && text.len() <= SHOWN_CHARS_MAX {
        return Cow::Borrowed(text);
    }
    let mut shown = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == SHOWN_CHARS_MAX {
            shown.push('…');
            break;
        }
        match unseen(c) {
            true => shown.extend(c.escape_unicode()),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// JSON text in which every character that shows as nothing is written by its number.
///
/// In JSON such characters stand only inside strings, so this says the same.
#[must_use]
pub fn ascii(json: &str) -> Cow<'_, str> {
    let hidden = |c: char| c != '\n' && unseen(c);
    if !json.contains(hidden) {
        return Cow::Borrowed(json);
    }
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        if hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                shown.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Lines of a file as they may be shown, each character as one that can be seen; the places in
/// them move along.
pub(super) fn picture(text: &str, spans: &mut [Range<usize>]) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut moved: Vec<(usize, usize)> = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let ends_line = c == '\n' || (c == '\r' && matches!(chars.peek(), Some((_, '\n'))));
        if ends_line || c == '\t' || !unseen(c) {
            shown.push(c);
            continue;
        }
        let stands_for = match c {
            '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)),
            '\u{7f}' => Some('\u{2421}'),
            _ => None,
        };
        shown.push(stands_for.unwrap_or(char::REPLACEMENT_CHARACTER));
        moved.push((at + c.len_utf8(), shown.len()));
    }
    let place = |at: usize| match moved.partition_point(|(old, _)| *old <= at).checked_sub(1) {
        Some(index) => moved.get(index).map_or(at, |(old, new)| at - old + new),
        None => at,
    };
    for span in spans {
        *span = place(span.start)..place(span.end);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hidden_is_shown() {
        assert_eq!(seen("a\u{1b}[2Kb"), "a\\u{1b}[2Kb");
        assert_eq!(seen("a\u{202e}b\n"), "a\\u{202e}b\\u{a}");
        assert_eq!(seen("ä…"), "ä…");
        let long = seen(&"é".repeat(9_999)).into_owned();
        assert_eq!(long.chars().count(), SHOWN_CHARS_MAX + 1);
    }

    #[test]
    fn json_says_the_same_in_what_can_be_seen() {
        let told = serde_json::json!({ "a": "\u{7f}\u{202e}\u{e0001}\u{1b}é\n" });
        let text = serde_json::to_string_pretty(&told).unwrap();
        let shown = ascii(&text).into_owned();
        assert!(!shown.contains(|c| c != '\n' && unseen(c)), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), told);
    }

    #[test]
    fn places_move_with_the_picture() {
        let text = "a\u{1b}b\u{85}c\r\n\td\u{feff}e\rf";
        let place = |c| text.find(c).unwrap()..text.find(c).unwrap() + 1;
        let mut spans: Vec<_> = ['a', 'b', 'c', 'd', 'e', 'f'].map(place).into();
        let shown = picture(text, &mut spans);
        assert_eq!(shown, "a\u{241b}b\u{fffd}c\r\n\td\u{fffd}e\u{240d}f");
        let found: Vec<_> = spans.into_iter().map(|span| shown.get(span).unwrap()).collect();
        assert_eq!(found, ["a", "b", "c", "d", "e", "f"]);
    }
}
