//! A value as the log keeps it: redacted, counted, and small enough for one line.
//!
//! A long string becomes `{"sha256":…,"bytes":…}` of its redacted text, a shorter one that must go
//! too `{"hmac":…,"bytes":…}`; the list of redactions names its place, so an agent that writes such
//! an object itself is not mistaken for it. The text itself is handed on where it is to be kept.

use super::{KeepTexts, Redactor, together};
use crate::model::json::Json;
use crate::model::record::{Capture, CaptureLevel, LeftOut, Redaction};
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

/// Stands for a detector's id where secrets could not be looked for: nothing of the value is kept.
pub const UNREDACTABLE: &str = "not-redacted";
/// A shorter text may be guessed, and a bare hash would confirm the guess; what is longer is known
/// only to who has it.
const GUESSABLE_BYTES_MAX: usize = 1024;
/// Texts of one value that are handed on to be kept beside the log; the record names each.
pub const TEXTS_KEPT_MAX: usize = 16;

impl Redactor {
    /// The value as the log keeps it. A digest is that of the redacted text, never of a secret.
    ///
    /// It does not fail: of a value on which redacting panics, only the length is kept.
    #[must_use]
    pub fn capture(&self, value: &Json, level: CaptureLevel) -> Capture {
        let bytes = json_bytes(value);
        let work = || self.captured(value, level, bytes);
        // Nothing of ours is changed by the work, so nothing is left half done.
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
            .unwrap_or_else(|_| self.unredactable(value, bytes))
    }

    fn captured(&self, value: &Json, level: CaptureLevel, bytes: usize) -> Capture {
        let watch = self.watching();
        let (mut clean, mut redactions) = watch.redact_json(value);
        let found = watch.found();
        if !found.is_empty() {
            let known = together(self.known_secrets(), &found);
            (clean, redactions) = self.knowing(&known).redact_json(value);
            found.iter().for_each(|(id, secret)| self.note(id, secret));
        }
        let (kept, left_out) = match level {
            CaptureLevel::Full => self.fit(&clean, CAPTURE_FULL_BYTES_MAX, CAPTURE_FULL_BYTES_MAX),
            CaptureLevel::Redacted => self.fit(&clean, CAPTURE_STRING_BYTES_MAX, CAPTURE_BYTES_MAX),
            CaptureLevel::Digest => {
                // Where secrets stood names the parts of what is not to be kept.
                redactions.clear();
                (Some(self.digest(&clean.to_string())), vec![whole(DIGEST_ONLY)])
            }
        };
        let texts = self.texts(&clean, &left_out, level);
        redactions.extend(left_out);
        Capture { value: Some(kept.unwrap_or(clean)), bytes, redactions, texts }
    }

    /// What is said of a value in which secrets could not be looked for.
    fn unredactable(&self, value: &Json, bytes: usize) -> Capture {
        let hmac = self.keeping.key.as_ref().map(|key| key.commit_text(&value.to_string()));
        let mut told = serde_json::Map::new();
        told.extend(hmac.map(|hmac| ("hmac".to_owned(), Json::from(hmac))));
        told.insert("bytes".to_owned(), bytes.into());
        let (value, redactions) = (Some(Json::Object(told)), vec![whole(UNREDACTABLE)]);
        Capture { value, bytes, redactions, texts: Vec::new() }
    }

    /// What stands for a text that is left out: its length, and its SHA-256, or a commitment where
    /// a hash could be guessed at.
    #[must_use]
    pub fn digest(&self, text: &str) -> Json {
        match &self.keeping.key {
            Some(key) if text.len() <= GUESSABLE_BYTES_MAX => {
                serde_json::json!({ "hmac": key.commit_text(text), "bytes": text.len() })
            }
            Some(_) | None => digest(text),
        }
    }

    /// The value with as few and as long strings left out as make it fit: none longer than
    /// `limit`, and all of it no longer than `most`. Nothing if all of it fits.
    fn fit(&self, value: &Json, mut limit: usize, most: usize) -> (Option<Json>, Vec<Redaction>) {
        if json_bytes(value) <= limit {
            return (None, Vec::new());
        }
        while limit >= 64 {
            let mut left_out = Vec::new();
            let kept = self.shorten(value, limit, &mut String::new(), &mut left_out);
            if json_bytes(&kept) <= most {
                return (Some(kept), left_out);
            }
            limit /= 4;
        }
        (Some(self.digest(&value.to_string())), vec![whole(TOO_LONG)])
    }

    /// The texts that were left out, if they are to be kept beside the log.
    fn texts(&self, clean: &Json, left_out: &[Redaction], level: CaptureLevel) -> Vec<LeftOut> {
        let wanted = match level {
            CaptureLevel::Full => self.keeping.texts != KeepTexts::None,
            CaptureLevel::Redacted => self.keeping.texts == KeepTexts::Usual,
            CaptureLevel::Digest => false,
        };
        if !wanted {
            return Vec::new();
        }
        let text = |one: &Redaction| {
            let text = match clean.pointer(&one.pointer)? {
                Json::String(text) => text.clone(),
                whole => whole.to_string(),
            };
            Some(LeftOut { pointer: one.pointer.clone(), text })
        };
        left_out.iter().filter_map(text).take(TEXTS_KEPT_MAX).collect()
    }

    fn shorten(
        &self,
        value: &Json,
        limit: usize,
        pointer: &mut String,
        out: &mut Vec<Redaction>,
    ) -> Json {
        match value {
            Json::String(text) if text.len() > limit => {
                out.push(Redaction::new(pointer, TOO_LONG));
                self.digest(text)
            }
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => value.clone(),
            Json::Array(items) => {
                let mut kept = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    let length = push_step(pointer, &index.to_string());
                    kept.push(self.shorten(item, limit, pointer, out));
                    pointer.truncate(length);
                }
                Json::Array(kept)
            }
            Json::Object(members) => {
                let mut kept = serde_json::Map::new();
                for (key, member) in members {
                    let length = push_step(pointer, key);
                    kept.insert(key.clone(), self.shorten(member, limit, pointer, out));
                    pointer.truncate(length);
                }
                Json::Object(kept)
            }
        }
    }
}

/// Length and SHA-256 in place of a text.
fn digest(text: &str) -> Json {
    let sha256 = Sha256::digest(text.as_bytes());
    let hex: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    serde_json::json!({ "sha256": hex, "bytes": text.len() })
}

/// Says that all of a value was left out.
fn whole(why: &str) -> Redaction {
    Redaction::new("", why)
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
