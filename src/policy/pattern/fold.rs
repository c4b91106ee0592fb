//! Letters without their case, for what tightens: denies ignore case in paths.

/// One letter for all that differ by case only, `ſ` and the Kelvin sign among them.
pub(crate) fn folded(c: char) -> char {
    if c.is_ascii() { c.to_ascii_lowercase() } else { lower(upper(lower(c))) }
}

/// Whether folding leaves the text as it is, as it does with most names there are.
pub(crate) fn is_folded(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase())
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
