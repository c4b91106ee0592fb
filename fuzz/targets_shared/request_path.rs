//! Any text: a path that has one reading is that reading for good, holds no dots that a server
//! resolves, nothing encoded that needs no encoding, and the query as it was.

use toolgate::plane::egress::path::canonical;

/// Fails if the property does not hold for these bytes.
pub fn hold(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    one(text);
    one(&format!("/{text}"));
}

fn one(text: &str) {
    let Ok(read) = canonical(text) else { return };
    assert_eq!(canonical(&read).as_ref(), Ok(&read));
    assert_eq!(
        read.split_once('?').map(|parts| parts.1),
        text.split_once('?').map(|parts| parts.1)
    );
    let path = read.split('?').next().unwrap();
    assert!(path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic()));
    let bare = |part: &str| part.split(';').next().unwrap_or_default().to_owned();
    assert!(path.split('/').all(|part| !matches!(bare(part).as_str(), "." | "..")));
    let lower = path.to_ascii_lowercase();
    for never in ["%2f", "%5c", "%00", "%2e", "%61", "%c0", "\\"] {
        assert!(!lower.contains(never), "{path}");
    }
}
