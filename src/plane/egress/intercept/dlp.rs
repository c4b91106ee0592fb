//! Secrets and placeholders in what an opened tunnel sends: looked for before anything of it goes
//! out, as far as it can be held back, and in the rest as it passes.
//!
//! Only secrets that have a form of their own count. A password in a login, or the client's own
//! `Authorization`, is what a request is for.

use crate::limits::EGRESS_DLP_OVERLAP_BYTES;
use crate::model::reason::Reason;
use crate::plane::egress::credential::{Bindings, Passing, is_proof, unescaped};
use crate::plane::egress::headers::Headers;
use crate::plane::egress::wire::Watch;
use crate::redact::Redactor;

/// Detectors of what is secret by where it stands, not by its form.
const BY_PLACE: &[&str] = &[
    "auth-header",
    "authorization-header",
    "command-password",
    "curl-user",
    "env-assignment",
    "env-password",
    "jwt",
    "mysql-flag",
    "named-field",
    "password-flag",
    "plain-password",
    "query-secret",
    "quoted-assignment",
    "slack-webhook",
    "url-password",
];

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The placeholder of this credential, where it is not bound.
    Marker(String),
    /// A secret that this detector knows.
    Secret(String),
    /// Nobody can look through it.
    Opaque,
}

/// Looks through requests.
#[derive(Clone, Copy)]
pub struct Inspector<'a> {
    /// The placeholders.
    pub bindings: &'a Bindings,
    /// The detectors.
    pub redactor: &'a Redactor,
}

/// A body as it passes.
pub struct Inspected<'a> {
    inspector: Inspector<'a>,
    markers: Passing<'a>,
    tail: Vec<u8>,
    /// What was found, for a record.
    pub found: Option<Found>,
}

impl Found {
    /// The code.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Found::Marker(_) => Reason::SecretMarkerMisdirected,
            Found::Secret(_) | Found::Opaque => Reason::Dlp,
        }
    }

    /// The words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Found::Marker(name) => format!(
                "the placeholder of the credential `{name}` was on its way to where the secret is \
                 not bound"
            ),
            Found::Secret(id) => format!("a secret was found in it ({id})"),
            Found::Opaque => {
                "its body is encoded, or too long, so that nobody can look through it".to_owned()
            }
        }
    }
}

impl<'a> Inspector<'a> {
    /// What is found in one text.
    #[must_use]
    pub fn text(&self, text: &[u8]) -> Option<Found> {
        if let Some(place) = self.bindings.markers().find(text) {
            return Some(Found::Marker(self.bindings.name(place).to_owned()));
        }
        let text = String::from_utf8_lossy(text);
        let (_, ids) = self.redactor.redact_text(&text)?;
        let by_form = ids.into_iter().find(|id| !BY_PLACE.contains(&id.as_str()));
        by_form.map(Found::Secret)
    }

    /// What is found in a request's target and fields; with what proves who the client is, only a
    /// placeholder counts.
    #[must_use]
    pub fn head(&self, path: &str, headers: &Headers) -> Option<Found> {
        let fields = || headers.iter().map(|field| (field.name(), field.value()));
        let marker = |value: &[u8]| {
            let place = self.bindings.markers().find(value)?;
            Some(Found::Marker(self.bindings.name(place).to_owned()))
        };
        let names = || fields().map(|(name, _)| name.as_bytes());
        let values = fields().map(|(_, value)| value);
        let mut all = std::iter::once(path.as_bytes()).chain(names()).chain(values);
        let unescaped = unescaped(path.as_bytes());
        all.find_map(marker).or_else(|| {
            let own = |name: &str| is_proof(name) || name.eq_ignore_ascii_case("cookie");
            let plain = fields().filter(|(name, _)| !own(name)).map(|(_, value)| value);
            let target = [path.as_bytes(), &unescaped];
            target.into_iter().chain(names()).chain(plain).find_map(|text| self.text(text))
        })
    }

    /// Begins to look through a body.
    #[must_use]
    pub fn body(self) -> Inspected<'a> {
        let markers = self.bindings.markers().passing();
        Inspected { inspector: self, markers, tail: Vec::new(), found: None }
    }
}

impl Watch for Inspected<'_> {
    fn see(&mut self, data: &[u8]) -> Result<(), Reason> {
        let marker = self.markers.next(data);
        let bindings = self.inspector.bindings;
        self.found = marker.map(|place| Found::Marker(bindings.name(place).to_owned()));
        if self.found.is_none() {
            self.tail.extend_from_slice(data);
            self.found = self.inspector.text(&self.tail);
            let done = self.tail.len().saturating_sub(EGRESS_DLP_OVERLAP_BYTES);
            self.tail.drain(..done);
        }
        self.said()
    }

    fn see_aside(&mut self, aside: &[u8]) -> Result<(), Reason> {
        self.found = self.inspector.text(aside);
        self.said()
    }
}

impl Inspected<'_> {
    fn said(&self) -> Result<(), Reason> {
        match &self.found {
            Some(found) => Err(found.reason()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plane::egress::headers::Field;

    /// Put together here, so that no scanner takes this file for a leak.
    fn token() -> String {
        ["ghp", "_", "0123456789abcdefghijABCDEFGHIJ012345"].concat()
    }

    #[test]
    fn what_counts() {
        let (bindings, redactor) = (Bindings::default(), Redactor::shipped().unwrap());
        let inspector = Inspector { bindings: &bindings, redactor: &redactor };
        let is_found = |text: &str| inspector.text(text.as_bytes()).is_some();
        assert!(is_found(&format!("{{\"x\":\"{}\"}}", token())));
        for honest in [
            "",
            "user=a&password=correct-horse-battery",
            "{\"name\":\"x\",\"password\":\"hunter2hunter2\"}",
            "Just a text with nothing in it",
            "\u{0}\u{1}binary",
        ] {
            assert!(!is_found(honest), "{honest}");
        }
        let head = |name: &str| {
            let mut headers = Headers::new();
            headers.push(Field::new(name, format!("Bearer {}", token()).as_bytes()).unwrap());
            inspector.head("/", &headers)
        };
        assert_eq!(head("authorization"), None);
        assert!(matches!(head("x-note"), Some(Found::Secret(_))));
        let escaped = token().replace('_', "%5f");
        for path in [format!("/?q={}", token()), format!("/?q={escaped}")] {
            assert!(inspector.head(&path, &Headers::new()).is_some(), "{path}");
        }
        let mut headers = Headers::new();
        headers.push(Field::new(&token(), b"1").unwrap());
        assert!(matches!(inspector.head("/", &headers), Some(Found::Secret(_))));
    }

    #[test]
    fn a_secret_is_found_wherever_the_body_is_cut() {
        let (bindings, redactor) = (Bindings::default(), Redactor::shipped().unwrap());
        let inspector = Inspector { bindings: &bindings, redactor: &redactor };
        let text = format!("before {} after", token());
        for cut in (1..text.len()).step_by(5) {
            let mut body = inspector.body();
            let (one, other) = text.as_bytes().split_at(cut);
            let seen = body.see(one).and_then(|()| body.see(other));
            assert_eq!(seen, Err(Reason::Dlp), "{cut}");
        }
    }
}
