//! Texts of several lines, with their lines kept and all else made visible.

use crate::model::json::Json;
use crate::review::web::view::Shown;

/// Bytes of a text that a page shows; the rest is for `toolgate audit show`.
const CHARS: usize = 20_000;

/// A value as people read it.
pub(super) fn shown(value: &Json) -> Shown {
    // JSON escapes control characters, so that the only line breaks are ours.
    lines(&serde_json::to_string_pretty(value).unwrap_or_default())
}

/// A text of several lines.
pub(super) fn lines(text: &str) -> Shown {
    let cut = text.char_indices().nth(CHARS).map(|(at, _)| at);
    let (kept, more) = match cut.and_then(|at| text.split_at_checked(at)) {
        Some((kept, _)) => (kept, "\n… (cut)"),
        None => (text, ""),
    };
    Shown::lines(&format!("{kept}{more}"))
}
