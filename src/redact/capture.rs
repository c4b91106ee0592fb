//! A value as the log keeps it: redacted, counted, and small enough for one line.
//!
//! A long string becomes `{"sha256":…,"bytes":…}` of its redacted text; the list of redactions
//! names its place, so an agent that writes such an object itself is not mistaken for it.

use super::Redactor;
use crate::model::json::Json;
use crate::model::record::{Capture, CaptureLevel, Redaction};
use sha2::{Digest, Sha256};

/// A captured value in bytes of JSON text. Input and output of one call must both fit on a line of
/// `RECORD_BYTES_MAX`, with 16 KiB left for everything else.
pub const CAPTURE_BYTES_MAX: usize = 24 * 1024;
/// One string in a captured value, in bytes; what a person still reads in a terminal.
pub const CAPTURE_STRING_BYTES_MAX: usize = 4 * 1024;
/// The same where a rule asks for all of it. Only an input or an output stands in one record; with
/// little else in it, this much still fits on its line.
pub const CAPTURE_FULL_BYTES_MAX: usize = 40 * 1024;
/// Stands for a detector's id where a rule asks for no more than the digest.
pub const DIGEST_ONLY: &str = "digest-only";
/// Stands for a detector's id where a string was left out for its length.
pub const TOO_LONG: &str = "too-long";

impl Redactor {
    /// The value as the log keeps it. Its digest is that of the redacted text: one of a short
    /// secret would tell the secret.
    #[must_use]
    pub fn capture(&self, value: &Json, level: CaptureLevel) -> Capture {
        let bytes = json_bytes(value);
        let (clean, mut redactions) = self.redact_json(value);
        let (kept, left_out) = match level {
            CaptureLevel::Full => fit(clean, CAPTURE_FULL_BYTES_MAX, CAPTURE_FULL_BYTES_MAX),
            CaptureLevel::Redacted => fit(clean, CAPTURE_STRING_BYTES_MAX, CAPTURE_BYTES_MAX),
            CaptureLevel::Digest => {
                // Where secrets stood names the parts of what is not to be kept.
                redactions.clear();
                (digest(&clean.to_string()), vec![whole(DIGEST_ONLY)])
            }
        };
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

/// The value with as few and as long strings left out as make it fit: none longer than `limit`,
/// and all of it no longer than `most`.
fn fit(value: Json, mut limit: usize, most: usize) -> (Json, Vec<Redaction>) {
    if json_bytes(&value) <= limit {
        return (value, Vec::new());
    }
    while limit >= 64 {
        let mut left_out = Vec::new();
        let kept = shorten(&value, limit, &mut String::new(), &mut left_out);
        if json_bytes(&kept) <= most {
            return (kept, left_out);
        }
        limit /= 4;
    }
    (digest(&value.to_string()), vec![whole(TOO_LONG)])
}

/// Says that all of a value was left out.
fn whole(why: &str) -> Redaction {
    Redaction { pointer: String::new(), detector: why.to_owned() }
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
#[must_use]
pub fn json_bytes(value: &Json) -> usize {
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
