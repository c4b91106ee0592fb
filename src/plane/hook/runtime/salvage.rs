//! What an event that failed still tells of itself, so that an output in it can be withheld.
//!
//! An output that a tool has already brought back is hidden only by another one of the same shape;
//! a denial leaves it standing. So an event is looked at loosely here when it cannot be read
//! strictly: a doubled key, deep nesting or half a surrogate pair must not carry a secret past.
//! Of one that is cut short its name may be left, so that it is answered in its own form.
//! Nothing is ever let through by what is read here.

use crate::model::json::Json;
use crate::model::principal::Runtime;
use crate::plane::hook::events::{self, Role};
use crate::plane::hook::glimpse;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The parts of an event that its failure is answered by.
#[derive(Default, Deserialize)]
pub(in crate::plane::hook) struct Salvage<'a> {
    /// The event's name.
    #[serde(borrow)]
    pub(in crate::plane::hook) hook_event_name: Option<Cow<'a, str>>,
    /// The tool's name.
    #[serde(borrow, default)]
    pub(in crate::plane::hook) tool_name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    tool_response: Option<&'a RawValue>,
    /// Whether it is known by its beginning only.
    #[serde(skip)]
    pub(in crate::plane::hook) is_cut: bool,
}

impl<'a> Salvage<'a> {
    /// Looks at an event, whole or cut short. One that is no JSON object, or says two things of
    /// these parts, tells nothing.
    pub(in crate::plane::hook) fn of(event: &'a str) -> Salvage<'a> {
        Salvage::read(event).unwrap_or_else(|| {
            let name = glimpse::event_name(event.as_bytes());
            let is_cut = name.is_some();
            Salvage { hook_event_name: name.map(Cow::Owned), is_cut, ..Salvage::default() }
        })
    }

    fn read(event: &'a str) -> Option<Salvage<'a>> {
        serde_json::from_str(event).ok()
    }

    /// The event in whose form a failure is said: its own name, if there is such a form. Nothing
    /// hides from Claude Code's model an output of which the shape is not known.
    pub(in crate::plane::hook) fn answered_as(&self, runtime: Runtime) -> Option<&str> {
        let name = self.hook_event_name.as_deref();
        name.filter(|name| {
            !(self.is_cut && runtime == Runtime::Claude && events::role(name) == Role::Returns)
        })
    }

    /// What the tool brought back, if there is anything: in its own shape, or, where that cannot
    /// be read at all, as a text, which an MCP tool's output may always be.
    pub(in crate::plane::hook) fn output(&self) -> Option<Json> {
        let text = self.tool_response?.get();
        let read = serde_json::from_str(&mend(text));
        Some(read.unwrap_or_else(|_| Json::String(String::new())))
    }
}

/// JSON text with each half of a surrogate pair that stands alone replaced by U+FFFD.
fn mend(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        mended.push_str(before);
        let low = |text: &str| {
            let next = text.strip_prefix('\\').and_then(unit);
            next.is_some_and(|unit| (0xDC00..0xE000).contains(&unit))
        };
        // The escape without its backslash, as it stays, and how much of the text it is.
        let (kept, length) = match unit(escape) {
            Some(0xD800..0xDC00) if escape.get(5..).is_some_and(low) => (escape.get(..11), 11),
            Some(0xD800..0xE000) => (Some("ufffd"), 5),
            Some(_) | None => {
                let length = escape.chars().next().map_or(0, char::len_utf8);
                (escape.get(..length), length)
            }
        };
        mended.push('\\');
        mended.push_str(kept.unwrap_or_default());
        rest = escape.get(length..).unwrap_or_default();
    }
    mended.push_str(rest);
    mended
}

/// The UTF-16 unit of an escape `u` and four digits, given without its backslash.
fn unit(escape: &str) -> Option<u16> {
    let digits = escape.strip_prefix('u')?.get(..4)?;
    let hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
    u16::from_str_radix(digits, 16).ok().filter(|_| hex)
}

#[cfg(test)]
mod tests {
    use super::{Salvage, mend};

    #[test]
    fn only_halves_that_stand_alone_are_replaced() {
        for (text, expected) in [
            (r#""a\ud83e\udd80b""#, r#""a\ud83e\udd80b""#),
            (r#""\ud83e""#, r#""\ufffd""#),
            (r#""\udd80\ud83e""#, r#""\ufffd\ufffd""#),
            (r#""\ud83e\ud83e\udd80""#, r#""\ufffd\ud83e\udd80""#),
            (r#""\\ud83e\\\uD83E""#, r#""\\ud83e\\\ufffd""#),
            (r#""é\"\u00e9\é""#, r#""é\"\u00e9\é""#),
            (r"\", r"\"),
            (r"\u+12", r"\u+12"),
        ] {
            assert_eq!(mend(text), expected);
        }
    }

    #[test]
    fn what_is_cut_short_tells_its_name() {
        let told = Salvage::of(r#"{"hook_event_name":"Stop","x":"#);
        assert_eq!((told.hook_event_name.as_deref(), told.is_cut), (Some("Stop"), true));
        let told = Salvage::of(r#"{"hook_event_name":"Stop","tool_name":1}"#);
        assert_eq!((told.hook_event_name.as_deref(), told.is_cut), (None, false));
    }

    #[test]
    fn what_says_two_things_tells_nothing() {
        for text in ["", "[]", r#"{"tool_name":1}"#, r#"{"tool_name":"a","tool_n\u0061me":"b"}"#] {
            assert!(Salvage::read(text).is_none(), "{text}");
        }
        assert!(Salvage::read(r#"{"tool_response":null,"x":1,"x":2}"#).is_some());
    }
}
