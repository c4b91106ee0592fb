//! Redaction of JSON: every string value and every key, with the place of each secret.

use super::capture::push_step;
use super::detector::words;
use super::spread::add;
use super::{Found, MARK, Redactor, Spotted, around_marks};
use crate::model::json::Json;
use crate::model::record::Redaction;
use serde_json::Map;

/// Texts of a list that may be the words of one command.
const WORDS_MAX: usize = 64;
/// The longest name of a member that is looked at as a name.
const NAME_BYTES_MAX: usize = 128;

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
            Json::Array(items) => self.array(items, pointer, found),
            Json::Object(members) => Json::Object(self.object(members, &[], pointer, found)),
        }
    }

    /// A list. Texts in it may be the words of one command, where a word tells what the next one
    /// is, or the name and the value of a header.
    fn array(&self, items: &[Json], pointer: &mut String, found: &mut Vec<Redaction>) -> Json {
        let texts: Option<Vec<&str>> = items.iter().map(Json::as_str).collect();
        let texts = texts.filter(|texts| (2..=WORDS_MAX).contains(&texts.len()));
        let names = match texts.as_deref() {
            Some(&[name, _]) if is_header(name) && self.names_secret(name) => vec![name],
            _ => Vec::new(),
        };
        let within = texts.map_or_else(|| self.clone(), |texts| self.knowing_command(&texts));
        let item = |(index, item): (usize, &Json)| {
            let length = push_step(pointer, &index.to_string());
            let clean = match index {
                1 => within.member(&names, item, pointer, found),
                _ => within.walk(item, pointer, found),
            };
            pointer.truncate(length);
            clean
        };
        Json::Array(items.iter().enumerate().map(item).collect())
    }

    /// The same that also knows what is a secret where these words are a command.
    fn knowing_command(&self, words: &[&str]) -> Redactor {
        let command = words.join(" ");
        let mut secrets = self.known_secrets();
        let before = secrets.len();
        for Found { range, detector } in self.find(&command) {
            add(&mut secrets, self.name(detector), command.get(range).unwrap_or_default());
        }
        if secrets.len() == before { self.clone() } else { self.knowing(&secrets) }
    }

    /// An object; `outer` are names of what holds it, if these say that there are secrets in it.
    fn object(
        &self,
        members: &Map<String, Json>,
        outer: &[&str],
        pointer: &mut String,
        found: &mut Vec<Redaction>,
    ) -> Map<String, Json> {
        let beside = self.named_beside(members);
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
            let mut names = vec![key.as_str(), name.as_str()];
            if !(DESCRIBES.is(key) && DESCRIBES.is(&name)) {
                names.extend(outer);
            }
            if HOLDS_VALUE.is(key) || HOLDS_VALUE.is(&name) {
                names.extend(beside.iter().map(String::as_str));
            }
            let member = self.member(&names, value, pointer, found);
            pointer.truncate(length);
            clean.insert(name, member);
        }
        clean
    }

    /// The names that an object gives to the value beside them (`{"name": …, "value": …}`), as they
    /// stand and as they are kept.
    fn named_beside(&self, members: &Map<String, Json>) -> Vec<String> {
        let names = members.iter().filter(|(key, _)| HOLDS_NAME.is(key));
        let texts = names.filter_map(|(_, value)| value.as_str());
        let both = texts.flat_map(|text| [text.to_owned(), self.clean(text).into_owned()]);
        both.filter(|name| self.names_secret(name)).collect()
    }

    /// The redacted value of a member that has these names.
    fn member(
        &self,
        names: &[&str],
        value: &Json,
        pointer: &mut String,
        found: &mut Vec<Redaction>,
    ) -> Json {
        let is_named = || names.iter().any(|name| self.names_secret(name));
        match value {
            Json::Array(items) if is_named() => {
                let item = |(index, item): (usize, &Json)| {
                    let length = push_step(pointer, &index.to_string());
                    let clean = self.member(names, item, pointer, found);
                    pointer.truncate(length);
                    clean
                };
                Json::Array(items.iter().enumerate().map(item).collect())
            }
            Json::Object(members) if is_named() => {
                Json::Object(self.object(members, names, pointer, found))
            }
            _ => self.text_of(names, value, pointer, found),
        }
    }

    /// The redacted value of a member that holds no others.
    fn text_of(
        &self,
        names: &[&str],
        value: &Json,
        pointer: &mut String,
        found: &mut Vec<Redaction>,
    ) -> Json {
        let before = found.len();
        let clean = self.walk(value, pointer, found);
        let texts = [value.as_str(), clean.as_str()];
        let named = |text: &str| names.iter().find_map(|name| self.named_secret(name, text));
        let Some(detector) = texts.into_iter().flatten().find_map(named) else {
            return clean;
        };
        // Of what was found inside, only the commitments tell something that this one does not.
        let inside = found.split_off(before);
        let key = self.keeping.key.as_ref();
        let hmac = key.zip(value.as_str()).map(|(key, secret)| key.commit(secret));
        self.note(detector, value.as_str().unwrap_or_default());
        let whole = Spotted { id: detector.to_owned(), hmac }.at(pointer);
        let inside = inside.into_iter().filter(|one| one.hmac.is_some() && one.hmac != whole.hmac);
        let inside: Vec<Redaction> = inside.collect();
        found.push(whole);
        found.extend(inside);
        Json::String(format!("{MARK}{detector}]"))
    }

    /// Whether a name says that what it names is a secret.
    fn names_secret(&self, name: &str) -> bool {
        let words = name_words(name);
        let mut members = self.detectors.all.iter().filter(|one| one.is_for_members());
        words.is_some_and(|words| members.any(|one| one.is_named(&words)))
    }

    /// The detector that takes a whole value for a secret because of the member's name.
    fn named_secret(&self, name: &str, text: &str) -> Option<&str> {
        let words = name_words(name)?;
        let detector = self.detectors.all.iter().find(|detector| {
            detector.is_for_members()
                && detector.is_named(&words)
                && detector.secrets(text).next().is_some()
        })?;
        around_marks(0..text.len(), &self.marks(text)).map(|_| detector.id.as_str())
    }
}

/// A name as its words; nothing if it is too long for a name.
fn name_words(name: &str) -> Option<String> {
    (name.len() <= NAME_BYTES_MAX).then(|| words(name))
}

/// Whether a text in a list can only be the name of what follows it, and no word among others.
fn is_header(name: &str) -> bool {
    let words = name_words(name).unwrap_or_default();
    words.contains('_') || words == "authorization" || words == "cookie"
}

/// Last words of names that say what kind of thing a member holds.
struct Last(&'static [&'static str]);

impl Last {
    fn is(&self, name: &str) -> bool {
        let words = name_words(name).unwrap_or_default();
        self.0.iter().any(|last| words.rsplit('_').next() == Some(last))
    }
}

/// What stands beside a secret and describes it: a schema's words, who it is of, where it lies.
const DESCRIBES: Last = Last(&[
    "type",
    "name",
    "names",
    "description",
    "title",
    "format",
    "kind",
    "id",
    "ref",
    "path",
    "file",
    "url",
    "uri",
    "host",
    "user",
    "username",
    "login",
    "email",
    "provider",
    "scope",
    "scopes",
    "namespace",
    "version",
    "algorithm",
    "expires",
    "expiry",
    "at",
    "label",
    "help",
    "required",
    "pattern",
    "comment",
    "source",
    "domain",
    "status",
    "mode",
    "policy",
    "region",
    "account",
]);
/// What holds the name of what stands beside it.
const HOLDS_NAME: Last =
    Last(&["name", "key", "header", "variable", "var", "env", "field", "id", "k"]);
/// What holds the value of what is named beside it.
const HOLDS_VALUE: Last = Last(&["value", "values", "val", "content", "data", "text", "v"]);

impl Spotted {
    /// The same, said of a place.
    fn at(self, pointer: &str) -> Redaction {
        Redaction { hmac: self.hmac, ..Redaction::new(pointer, &self.id) }
    }
}
