//! The name of an event that did not come whole: too large, too slow, or from a stranger.
//!
//! A denial is said in the words of its event, and one that gates nothing is not answered with a
//! denial at all. Where an event is cut short, its name may still stand in what came. Nothing is
//! ever let through by what is read here.

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

/// The event's name, if these bytes are the beginning of an object that states one, and only one,
/// before they end. Nothing if they are whole, or no JSON: then they say for themselves what they
/// are.
#[must_use]
pub fn event_name(beginning: &[u8]) -> Option<String> {
    let mut seen = Seen::default();
    let mut reader = serde_json::Deserializer::from_slice(beginning);
    match reader.deserialize_map(&mut seen) {
        Err(error) if error.is_eof() && !seen.twice => seen.name,
        Ok(()) | Err(_) => None,
    }
}

/// What was seen before the end.
#[derive(Default)]
struct Seen {
    name: Option<String>,
    twice: bool,
}

impl<'de> Visitor<'de> for &mut Seen {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key != "hook_event_name" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            self.twice |= self.name.is_some();
            self.name = Some(map.next_value()?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::event_name;

    #[test]
    fn a_name_is_found_once_it_has_come() {
        let whole = r#"{"a":{"hook_event_name":"PreToolUse"},"hook_event_name":"Stop","b":[1]}"#;
        let end = whole.find(r#","b"#).unwrap();
        for cut in 0..whole.len() {
            // The quote ends the name; a comma need not have come.
            let expected = (cut >= end).then(|| "Stop".to_owned());
            assert_eq!(event_name(&whole.as_bytes()[..cut]), expected, "{cut}");
        }
        assert_eq!(event_name(whole.as_bytes()), None);
    }

    #[test]
    fn what_is_in_doubt_has_none() {
        for text in [
            "",
            "[",
            "{",
            "null",
            r#"["hook_event_name","Stop""#,
            r#"{"hook_event_name":1,"#,
            r#"{"hook_event_name":"Stop","hook_event_name":"PreToolUse","#,
            r#"{"hook_event_name":"Stop","hook_\u0065vent_name":"PreToolUse","#,
            r#"{"hook_event_name":"Stop",}"#,
            r#"{"hook_event_name":"Stop"} x"#,
            r#"{"hook_event_name":"Stop" "#,
        ] {
            let expected = text.ends_with("\" ").then(|| "Stop".to_owned());
            assert_eq!(event_name(text.as_bytes()), expected, "{text}");
        }
    }
}
