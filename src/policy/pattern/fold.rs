//! Letters without their case, for what tightens: denies ignore case in paths.

/// One letter for all that differ by case only, `ſ` and the Kelvin sign among them.
pub(crate) fn folded(c: char) -> char {
    if c.is_ascii() { c.to_ascii_lowercase() } else { lower(upper(lower(c))) }
}

/// Whether folding leaves the text as it is, as it does with most names there are; false where
/// that takes a closer look.
pub(crate) fn is_folded(text: &str) -> bool {
    // Without a way out on the way, so that many bytes are looked at at once.
    let other = |byte: u8| !byte.is_ascii() | byte.is_ascii_uppercase();
    !text.bytes().fold(false, |any, byte| any | other(byte))
}

pub(super) fn lower(c: char) -> char {
    single(c, c.to_lowercase())
}

pub(super) fn upper(c: char) -> char {
    single(c, c.to_uppercase())
}

fn single(c: char, mut mapped: impl Iterator<Item = char>) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}
