//! Placeholders: what an agent holds in a secret's stead, looked for in everything that it sends.
//!
//! A placeholder is worth nothing, but one on its way to where its secret is not bound tells that
//! somebody tries. It is also found where it stands encoded: percent-encoded, and within base64,
//! whatever stands before it there.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem::Finder;

/// All placeholders, ready to be looked for.
#[derive(Debug, Default)]
pub struct Markers {
    finders: Vec<(usize, Finder<'static>)>,
    /// The longest text that is looked for.
    longest: usize,
}

/// A stream that is looked through as it passes, with what could be the beginning of one.
#[derive(Debug)]
pub struct Passing<'m> {
    markers: &'m Markers,
    tail: Vec<u8>,
}

impl Markers {
    /// To look for these, each of the credential with that place.
    pub(super) fn of<'t>(placeholders: impl Iterator<Item = (usize, &'t str)>) -> Markers {
        let mut markers = Markers::default();
        for (place, text) in placeholders {
            for form in forms(text) {
                markers.longest = markers.longest.max(form.len());
                markers.finders.push((place, Finder::new(&form).into_owned()));
            }
        }
        markers
    }

    /// Whose placeholder stands in it, if there is one; percent-encoding is read too.
    #[must_use]
    pub fn find(&self, text: &[u8]) -> Option<usize> {
        if self.finders.is_empty() {
            return None;
        }
        let plain = |text: &[u8]| {
            let found = |(place, finder): &(usize, Finder<'_>)| {
                finder.find(text).is_some().then_some(*place)
            };
            self.finders.iter().find_map(found)
        };
        plain(text).or_else(|| text.contains(&b'%').then(|| plain(&unescaped(text))).flatten())
    }

    /// Begins to look through a stream.
    #[must_use]
    pub fn passing(&self) -> Passing<'_> {
        Passing { markers: self, tail: Vec::new() }
    }
}

impl Passing<'_> {
    /// Looks through the next bytes: whose placeholder ends in them, if one does.
    pub fn next(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.markers.finders.is_empty() {
            return None;
        }
        self.tail.extend_from_slice(bytes);
        let found = self.markers.find(&self.tail);
        // Three times: each byte may have been escaped.
        let kept = self.markers.longest.saturating_mul(3).saturating_sub(1);
        let done = self.tail.len().saturating_sub(kept);
        self.tail.drain(..done);
        found
    }
}

/// The text itself, and what is the same in every base64 text that holds it: at each of the three
/// places where it can begin within a group, less the letters that its neighbours share.
fn forms(text: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![text.as_bytes().to_vec()];
    for shift in 0..3_usize {
        let mut shifted = vec![0; shift];
        shifted.extend_from_slice(text.as_bytes());
        let first = (shift * 8).div_ceil(6);
        let last = shifted.len() * 8 / 6;
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let encoded = engine.encode(&shifted);
            if let Some(core) = encoded.get(first..last) {
                forms.push(core.as_bytes().to_vec());
            }
        }
    }
    forms.sort();
    forms.dedup();
    forms
}

/// The bytes with each whole `%xx` read once.
pub(in crate::plane::egress) fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let digit = |at: usize| char::from(*after.get(at)?).to_digit(16);
        let value = digit(0).zip(digit(1)).and_then(|(a, b)| u8::try_from(a * 16 + b).ok());
        match value.filter(|_| *byte == b'%') {
            Some(value) => {
                bytes.push(value);
                rest = after.get(2..).unwrap_or_default();
            }
            None => bytes.push(*byte),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "tg-placeholder-0123456789";

    fn markers() -> Markers {
        Markers::of([(0, "another-placeholder-xyz"), (1, TEXT)].into_iter())
    }

    #[test]
    fn it_is_found_however_it_is_written() {
        let markers = markers();
        let escaped: String = TEXT.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let mut texts = vec![
            TEXT.to_owned(),
            format!("Bearer {TEXT}"),
            format!("a=1&token={}", TEXT.replace('-', "%2d")),
            escaped,
        ];
        for user in ["", "a", "ab", "git", "x-access-token"] {
            let pair = format!("{user}:{TEXT}");
            let standard = base64::engine::general_purpose::STANDARD.encode(&pair);
            texts.push(format!("Basic {standard}"));
            texts.push(URL_SAFE_NO_PAD.encode(format!("{pair}>>>???")));
        }
        for text in texts {
            assert_eq!(markers.find(text.as_bytes()), Some(1), "{text}");
        }
        for honest in
            ["", "%", "%2", "%zz", "tg-placeholder-012345678", "tg_placeholder_0123456789"]
        {
            assert_eq!(markers.find(honest.as_bytes()), None, "{honest}");
        }
        assert_eq!(Markers::default().find(TEXT.as_bytes()), None);
    }

    #[test]
    fn it_is_found_wherever_a_stream_is_cut() {
        let markers = markers();
        let escaped = TEXT.replace('-', "%2D");
        for text in [format!("before {TEXT} after"), format!("before {escaped} after")] {
            for cut in 1..text.len() {
                let mut passing = markers.passing();
                let (one, other) = text.as_bytes().split_at(cut);
                let found = passing.next(one).or_else(|| passing.next(other));
                assert_eq!(found, Some(1), "{cut}");
            }
            let mut passing = markers.passing();
            assert!(text.bytes().any(|byte| passing.next(&[byte]) == Some(1)));
        }
    }

    proptest::proptest! {
        #[test]
        fn base64_of_anything_around_it_holds_it(
            before in proptest::collection::vec(proptest::num::u8::ANY, 0..20),
            after in proptest::collection::vec(proptest::num::u8::ANY, 0..20),
        ) {
            let all = [before, TEXT.as_bytes().to_vec(), after].concat();
            let markers = markers();
            for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
                proptest::prop_assert_eq!(markers.find(engine.encode(&all).as_bytes()), Some(1));
            }
        }
    }
}
