//! JSON as a value that can be trusted to mean one thing: no duplicate key, bounded depth.
//!
//! `serde_json::Value` keeps the last of two equal keys, so two readers of one event could see
//! two different calls. Events, calls and samples are read through here instead.

use crate::limits::JSON_DEPTH_MAX;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// The value type; its objects keep no duplicate because none can be read.
pub type Json = serde_json::Value;

/// Why a text is no JSON value that can be trusted.
#[derive(Debug, thiserror::Error)]
#[error("the JSON cannot be read: {0}")]
pub struct JsonError(#[from] serde_json::Error);

/// Reads one JSON value and nothing after it.
///
/// # Errors
/// On bad syntax, bad UTF-8, lone surrogates, a duplicate key at any depth, trailing bytes, or
/// nesting deeper than [`JSON_DEPTH_MAX`].
pub fn parse(bytes: &[u8]) -> Result<Json, JsonError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0 }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: Error>(self) -> Result<Strict, E> {
        if self.depth >= JSON_DEPTH_MAX {
            return Err(E::custom(format!("nested deeper than {JSON_DEPTH_MAX}")));
        }
        Ok(Strict { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Json, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Json;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(Json::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(Json::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
        serde_json::Number::from_f64(value)
            .map(Json::Number)
            .ok_or_else(|| E::custom("a number is not finite"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Json, E> {
        Ok(Json::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Json::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let inner = self.deeper()?;
        let mut object = serde_json::Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(inner)?;
            if object.contains_key(&key) {
                return Err(A::Error::custom(format!("the key `{key}` stands twice")));
            }
            object.insert(key, value);
        }
        Ok(Json::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused() {
        let deep = format!("{}1{}", "[".repeat(65), "]".repeat(65));
        for bad in [
            "",
            "{",
            "{} {}",
            "{}\0",
            r#"{"a":1,"a":2}"#,
            r#"{"a":{"b":1,"\u0062":2}}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":1e999}"#,
            deep.as_str(),
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(parse(b"{\"a\":\"\xff\"}").is_err());
    }

    #[test]
    fn what_is_read() {
        let edge = format!("{}1{}", "[".repeat(64), "]".repeat(64));
        assert!(parse(edge.as_bytes()).is_ok());
        assert_eq!(parse(br#" {"a":[1,-2,1.5,null,true,"x"]} "#).unwrap()["a"][5], "x");
    }

    proptest::proptest! {
        #[test]
        fn what_it_reads_serde_json_reads_alike(text in r#"[\[\]{}:,"a0-9 .e-]{0,30}"#) {
            if let Ok(value) = parse(text.as_bytes()) {
                let other: Json = serde_json::from_str(&text).unwrap();
                proptest::prop_assert_eq!(value, other);
            }
        }
    }
}
