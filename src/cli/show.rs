//! How things look on a terminal: colour that never carries meaning alone, nothing hostile.

pub(super) use crate::review::visible::{lines, plain};
use std::io::IsTerminal;

/// Whether standard output takes colour: a terminal, and nobody said NO_COLOR.
pub(super) fn colour() -> bool {
    colour_on(&std::io::stdout())
}

/// The same of any stream.
pub(super) fn colour_on(stream: &impl IsTerminal) -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && stream.is_terminal()
}

/// Colours by what they mean.
#[derive(Debug, Clone, Copy)]
pub(super) enum Paint {
    Allow,
    Ask,
    Deny,
    Defer,
    Dim,
}

/// The text in a colour, if there is colour.
pub(super) fn paint(text: &str, paint: Paint, colour: bool) -> String {
    let code = match paint {
        Paint::Allow => "32",
        Paint::Ask => "33",
        Paint::Deny => "1;31",
        Paint::Defer => "36",
        Paint::Dim => "2",
    };
    if colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// The first `width` characters, with a mark where something is left out.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_marked() {
        assert_eq!(cut("abcdef", 4), "abc…");
    }
}
