//! A value as the log keeps it: redacted, counted, and small enough for one line.
//!
//! A long string becomes `{"sha256":…,"bytes":…}` of its redacted text; the list of redactions
//! names its place, so an agent that writes such an object itself is not mistaken for it.

use super::Redactor;
use crate::model::json::Json;
use crate::model::record::{Capture, Redaction};
use sha2::{Digest, Sha256};

/// A captured value in bytes of JSON text. Input and output of one call must both fit on a line of
/// `RECORD_BYTES_MAX`, with 16 KiB left for everything else.
pub const CAPTURE_BYTES_MAX: usize = 24 * 1024;
/// One string in a captured value, in bytes; what a person still reads in a terminal.
pub const CAPTURE_STRING_BYTES_MAX: usize = 4 * 1024;
/// Stands for a detector's id where a string was left out for its length.
pub const TOO_LONG: &str = "too-long";

impl Redactor {
    /// The value as the log keeps it.
    #[must_use]
    pub fn capture(&self, value: &Json) -> Capture {
        let bytes = json_bytes(value);
        let (clean, mut redactions) = self.redact_json(value);
        let (kept, left_out) = fit(clean);
        redactions.extend(left_out);
        Capture { value: Some(kept), bytes, redactions }
    }
}

/// Length and SHA-256 in place of a text.
#[must_use]
pub fn digest(text: &str) -> Json {
    let sha256 = Sha256::digest(text.as_bytes());
    let hex: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    serde_json::json!({ "sha256": hex, "bytes": text.len() })
}

/// The value with as few and as long strings left out as make it fit.
fn fit(value: Json) -> (Json, Vec<Redaction>) {
    if json_bytes(&value) <= CAPTURE_STRING_BYTES_MAX {
        return (value, Vec::new());
    }
    let mut limit = CAPTURE_STRING_BYTES_MAX;
    while limit >= 64 {
        let mut left_out = Vec::new();
        let kept = shorten(&value, limit, &mut String::new(), &mut left_out);
        if json_bytes(&kept) <= CAPTURE_BYTES_MAX {
            return (kept, left_out);
        }
        limit /= 4;
    }
    let whole = Redaction { pointer: String::new(), detector: TOO_LONG.to_owned() };
    (digest(&value.to_string()), vec![whole])
}

fn shorten(value: &Json, limit: usize, pointer: &mut String, out: &mut Vec<Redaction>) -> Json {
    match value {
        Json::String(text) if text.len() > limit => {
            out.push(Redaction { pointer: pointer.clone(), detector: TOO_LONG.to_owned() });
            digest(text)
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => value.clone(),
        Json::Array(items) => {
            let mut kept = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                let length = push_step(pointer, &index.to_string());
                kept.push(shorten(item, limit, pointer, out));
                pointer.truncate(length);
            }
            Json::Array(kept)
        }
        Json::Object(members) => {
            let mut kept = serde_json::Map::new();
            for (key, member) in members {
                let length = push_step(pointer, key);
                kept.insert(key.clone(), shorten(member, limit, pointer, out));
                pointer.truncate(length);
            }
            Json::Object(kept)
        }
    }
}

/// Lengthens a JSON pointer by one step; the length before, to cut it back to.
pub(super) fn push_step(pointer: &mut String, step: &str) -> usize {
    let length = pointer.len();
    pointer.push('/');
    pointer.push_str(&step.replace('~', "~0").replace('/', "~1"));
    length
}

/// Length of the value's JSON text, which is only counted.
fn json_bytes(value: &Json) -> usize {
    use std::fmt::Write;
    struct Count(usize);
    impl Write for Count {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0 = self.0.saturating_add(text.len());
            Ok(())
        }
    }
    let mut count = Count(0);
    match write!(count, "{value}") {
        Ok(()) => count.0,
        // A value that cannot be written counts as too long to keep.
        Err(_) => usize::MAX,
    }
}
