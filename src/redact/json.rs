//! Redaction of JSON: every string value and every key, with the place of each secret.

use super::capture::push_step;
use super::{MARK, Redactor, Spotted, around_marks};
use crate::model::json::Json;
use crate::model::record::Redaction;
use serde_json::Map;

impl Redactor {
    /// The value without its secrets, and what was taken out of it and where.
    ///
    /// The places are pointers into the redacted value, so a secret in a key is not told by them.
    #[must_use]
    pub fn redact_json(&self, value: &Json) -> (Json, Vec<Redaction>) {
        let mut redactions = Vec::new();
        let clean = self.walk(value, &mut String::new(), &mut redactions);
        (clean, redactions)
    }

    fn walk(&self, value: &Json, pointer: &mut String, found: &mut Vec<Redaction>) -> Json {
        match value {
            Json::Null | Json::Bool(_) | Json::Number(_) => value.clone(),
            Json::String(text) => {
                let Some((clean, spotted)) = self.redact(text) else { return value.clone() };
                found.extend(spotted.into_iter().map(|one| one.at(pointer)));
                Json::String(clean)
            }
            Json::Array(items) => {
                let mut clean = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    let length = push_step(pointer, &index.to_string());
                    clean.push(self.walk(item, pointer, found));
                    pointer.truncate(length);
                }
                Json::Array(clean)
            }
            Json::Object(members) => Json::Object(self.object(members, pointer, found)),
        }
    }

    fn object(
        &self,
        members: &Map<String, Json>,
        pointer: &mut String,
        found: &mut Vec<Redaction>,
    ) -> Map<String, Json> {
        let mut clean = Map::new();
        // Only ever counts up, so that many equal keys cost linear time.
        let mut suffix = 1_usize;
        for (key, value) in members {
            let (base, spotted) = self.redact(key).unwrap_or_else(|| (key.clone(), Vec::new()));
            let mut name = base.clone();
            // A redacted key may equal another one: neither member may be lost.
            while clean.contains_key(&name) {
                suffix += 1;
                name = format!("{base}#{suffix}");
            }
            let length = push_step(pointer, &name);
            found.extend(spotted.into_iter().map(|one| one.at(pointer)));
            let member = self.member((key, &name), value, pointer, found);
            pointer.truncate(length);
            clean.insert(name, member);
        }
        clean
    }

    /// The redacted value of one member; `pointer` already ends in `name`, its redacted key.
    fn member(
        &self,
        (key, name): (&str, &str),
        value: &Json,
        pointer: &mut String,
        found: &mut Vec<Redaction>,
    ) -> Json {
        let before = found.len();
        let clean = self.walk(value, pointer, found);
        let texts = [value.as_str(), clean.as_str()];
        let names_secret =
            |text: &str| self.named_secret(key, text).or_else(|| self.named_secret(name, text));
        let Some(detector) = texts.into_iter().flatten().find_map(names_secret) else {
            return clean;
        };
        // Of what was found inside, only the commitments tell something that this one does not.
        let inside = found.split_off(before);
        let key = self.keeping.key.as_ref();
        let hmac = key.zip(value.as_str()).map(|(key, secret)| key.commit(secret));
        let whole = Spotted { id: detector.to_owned(), hmac }.at(pointer);
        let inside = inside.into_iter().filter(|one| one.hmac.is_some() && one.hmac != whole.hmac);
        let inside: Vec<Redaction> = inside.collect();
        found.push(whole);
        found.extend(inside);
        Json::String(format!("{MARK}{detector}]"))
    }

    /// The detector that takes a whole value for a secret because of the member's name.
    fn named_secret(&self, key: &str, text: &str) -> Option<&str> {
        let detector = self.detectors.iter().find(|detector| {
            detector.key.as_ref().is_some_and(|name| name.is_match(key))
                && detector.secrets(text).next().is_some()
        })?;
        around_marks(0..text.len(), &self.marks(text)).map(|_| detector.id.as_str())
    }
}

impl Spotted {
    /// The same, said of a place.
    fn at(self, pointer: &str) -> Redaction {
        Redaction { hmac: self.hmac, ..Redaction::new(pointer, &self.id) }
    }
}
