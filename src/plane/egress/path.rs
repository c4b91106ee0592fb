//! The path of a request as it is judged and as it goes on: the same bytes, read once (RFC 3986
//! §6.2.2).
//!
//! What a server could read as another path is refused where a rule looks at paths: an encoded
//! slash or NUL, a backslash, an encoding of an encoding, `..;`. Where no rule does, a path goes on
//! as it was written: npm asks for `/@scope%2fname`.
//!
//! ```
//! use toolgate::model::reason::Reason;
//! use toolgate::plane::egress::path::canonical;
//! assert_eq!(canonical("/a/%7Eb/../c?q=%2F").as_deref(), Ok("/a/c?q=%2F"));
//! assert_eq!(canonical("/a%2fb"), Err(Reason::PathAmbiguous));
//! ```

use crate::model::reason::Reason;

/// The one path that this one means, with its query as it was written: dots resolved, what needs
/// no encoding decoded, encodings in capitals.
///
/// # Errors
/// [`Reason::PathAmbiguous`] if a server could read another path.
pub fn canonical(target: &str) -> Result<String, Reason> {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let strange = |text: &str| text.bytes().any(|byte| !byte.is_ascii_graphic() || byte == b'#');
    if !path.starts_with('/') || strange(path) || query.is_some_and(strange) {
        return Err(Reason::PathAmbiguous);
    }
    let decoded = decoded(path)?;
    let mut parts: Vec<&str> = Vec::new();
    let mut segments = decoded.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." => {}
            ".." => {
                parts.pop();
            }
            segment if is_dots_to_some(segment) => return Err(Reason::PathAmbiguous),
            segment => {
                parts.push(segment);
                continue;
            }
        }
        if last {
            parts.push("");
        }
    }
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Ok(format!("/{}{query}", parts.join("/")))
}

/// `..;x`, which servers that know parameters read as `..`.
fn is_dots_to_some(segment: &str) -> bool {
    let bare = segment.split(';').next().unwrap_or_default();
    segment.contains(';') && matches!(bare, "." | "..")
}

/// The path with each encoding decoded that encodes nothing (RFC 3986 §2.3), the rest in capitals.
fn decoded(path: &str) -> Result<String, Reason> {
    let mut out = String::with_capacity(path.len());
    let mut rest = path.bytes();
    // How far an encoded `%` is followed by digits: `%252f` is `%2f` to whoever decodes twice.
    let mut twice = Twice::No;
    while let Some(byte) = rest.next() {
        let (byte, encoded) = match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = (digit(), digit());
                let value = high.zip(low).map(|(high, low)| high * 16 + low);
                let value = value.and_then(|value| u8::try_from(value).ok());
                (value.ok_or(Reason::PathAmbiguous)?, true)
            }
            byte => (byte, false),
        };
        twice = twice.after(byte, encoded);
        // No UTF-8 has these two; some readers take what follows for a dot or slash.
        let ambiguous = matches!(byte, 0..b' ' | b'\\' | 0x7f | 0xc0 | 0xc1);
        if ambiguous || (encoded && byte == b'/') || twice == Twice::Yes {
            return Err(Reason::PathAmbiguous);
        }
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if encoded && !plain {
            out.push_str(&format!("%{byte:02X}"));
        } else {
            out.push(char::from(byte));
        }
    }
    Ok(out)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Twice {
    No,
    Percent,
    Digit,
    Yes,
}

impl Twice {
    fn after(self, byte: u8, encoded: bool) -> Twice {
        match self {
            Twice::Percent if byte.is_ascii_hexdigit() => Twice::Digit,
            // `%25u002f`
            Twice::Percent if byte.eq_ignore_ascii_case(&b'u') => Twice::Yes,
            Twice::Digit if byte.is_ascii_hexdigit() => Twice::Yes,
            Twice::Yes => Twice::Yes,
            Twice::No | Twice::Percent | Twice::Digit if encoded && byte == b'%' => Twice::Percent,
            Twice::No | Twice::Percent | Twice::Digit => Twice::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for (path, expected) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b/"),
            ("/a//b", "/a//b"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/..", "/"),
            ("/a/.", "/a/"),
            ("/a/b/..", "/a/"),
            ("/../../b", "/b"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/.%2e/b", "/b"),
            ("/%41%7e%2D", "/A~-"),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/caf%e9", "/caf%E9"),
            ("/a%20b", "/a%20b"),
            ("/100%25", "/100%25"),
            ("/100%25/2f", "/100%25/2f"),
            ("/a%3Bb", "/a%3Bb"),
            ("/a;b=c", "/a;b=c"),
            ("/...", "/..."),
            ("/..a/.b", "/..a/.b"),
            ("/a?../%2f\\%00", "/a?../%2f\\%00"),
            ("/a?", "/a?"),
            ("/a?b?c", "/a?b?c"),
            ("/@scope/name", "/@scope/name"),
        ] {
            assert_eq!(canonical(path).as_deref(), Ok(expected), "{path}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways() {
        for path in [
            "",
            "a",
            "*",
            "?a",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a%00",
            "/a%0d%0ab",
            "/a%7f",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%u002fb",
            "/a%252fb",
            "/a%25%32f",
            "/%25%32%66",
            "/%2525",
            "/..;/b",
            "/..;x=y/b",
            "/.;/b",
            "/%2e%2e;/b",
            "/a%c0%afb",
            "/%c0%ae",
            "/a b",
            "/a#b",
            "/caf\u{e9}",
            "/a\u{7}",
            "/a?b c",
            "/a?#",
        ] {
            assert_eq!(canonical(path), Err(Reason::PathAmbiguous), "{path:?}");
        }
    }

    proptest::proptest! {
        /// What came out is what it means, for good; and holds nothing that a server resolves.
        #[test]
        fn once_is_enough(path in "/([a./%;\\\\?]|%2[0-9EeFf5]|%4[1e]|\\.\\.?/){0,12}") {
            if let Ok(read) = canonical(&path) {
                proptest::prop_assert_eq!(canonical(&read), Ok(read.clone()));
                let plain = read.split('?').next().unwrap_or_default();
                proptest::prop_assert!(plain.split('/').all(|part| part != "." && part != ".."));
            }
        }
    }
}
