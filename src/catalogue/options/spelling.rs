//! What a word is to a table before it is read: an option by one of its spellings, a key, a sign.
//!
//! Nothing here takes words from the command; `options.rs` does, and asks these.

use crate::catalogue::program::{Kind, OptionSpec, Program};
use crate::model::access::OptionClass;
use crate::model::word::Word;

/// `SHELL=x` among the words of make, where the table knows `SHELL=`.
pub(super) fn is_key(text: &str, table: &'static Program) -> bool {
    text.split_once('=').is_some_and(|(key, _)| exact(table, &format!("{key}=")).is_some())
}

/// `cargo +nightly build` and `gcc @words`, where the table knows `+` or `@`.
pub(super) fn sign(text: &str, table: &'static Program) -> Option<&'static str> {
    let known = |sign: &&str| text.starts_with(*sign) && exact(table, sign).is_some();
    ["+", "@"].into_iter().filter(|_| text.len() > 1).find(known)
}

/// The class of an option whose value is a setting, by the setting's name.
pub(super) fn class_of(spec: &OptionSpec, value: Option<&Word>, table: &Program) -> OptionClass {
    let name = match value {
        Some(Word::Known(text)) if spec.value == Some(Kind::Setting) => {
            text.split(['=', ' ']).next().unwrap_or_default()
        }
        _ => return spec.class,
    };
    // `l,-rpath=x,-o,y`: a word of a list says nothing of the words behind it.
    let behind = value.and_then(Word::as_known).and_then(|text| text.get(name.len()..));
    let more = name.contains(',') && behind.is_none_or(|text| text.contains(','));
    if !more && table.is_harmless_setting(name) { OptionClass::Harmless } else { spec.class }
}

/// How many operands must stand before the slot at `position`.
pub(super) fn least(table: &Program, position: usize) -> usize {
    table.operands.iter().take(position).filter(|slot| !slot.many).count()
}

pub(super) fn looks_like_option(word: &Word) -> bool {
    match word {
        Word::Known(text) => text.starts_with('-') && text.len() > 1,
        Word::OneOf(texts) => texts.iter().any(|text| text.starts_with('-')),
        Word::Unknown(unknown) => unknown.prefix.starts_with('-'),
    }
}

pub(super) fn exact(table: &'static Program, name: &str) -> Option<&'static OptionSpec> {
    table.option(name)
}

/// `-Xmx2g` and `-javaagent:x.jar` where whole names have one dash: the longest spelling that the
/// word begins with, of those whose value may only be attached.
pub(super) fn joined_value<'a>(
    table: &'static Program,
    text: &'a str,
) -> Option<(&'static str, &'a str)> {
    let joins = |spelling: &str| {
        spelling.ends_with([':', '-'])
            || spelling.chars().nth(1).is_some_and(|c| c.is_ascii_uppercase())
    };
    let fitting = table.options.iter().filter(|o| o.attached).flat_map(|o| &o.spellings);
    let longest = fitting.filter(|s| joins(s) && text.starts_with(*s)).max_by_key(|s| s.len())?;
    text.strip_prefix(longest.as_str()).map(|value| (longest.as_str(), value))
}

/// The one long option that `name` is the beginning of.
pub(super) fn abbreviated(table: &'static Program, name: &str) -> Option<&'static OptionSpec> {
    if !name.starts_with("--") || name.len() < 3 {
        return None;
    }
    let mut fitting = table
        .options
        .iter()
        .filter(|option| option.spellings.iter().any(|spelling| spelling.starts_with(name)));
    match (fitting.next(), fitting.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}
