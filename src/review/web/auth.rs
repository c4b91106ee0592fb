//! Who may look: whoever bears the cookie that the token was exchanged for.
//!
//! Token and cookie are known by their digests and compared in constant time. The cookie is another
//! secret than the token, new at each start. A request must name the address that we listen at:
//! otherwise a page of another name that resolves to us could read along (DNS rebinding).

use axum::http::header::{COOKIE, HOST};
use axum::http::{HeaderMap, Uri};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use subtle::ConstantTimeEq;

/// Bytes of a secret: 256 bits.
const SECRET_BYTES: usize = 32;

/// A secret that only its bearer has the text of.
#[derive(Clone)]
struct Secret([u8; 32]);

impl Secret {
    fn of(text: &str) -> Secret {
        Secret(Sha256::digest(text.as_bytes()).into())
    }

    fn is(&self, stated: &str) -> bool {
        let stated: [u8; 32] = Sha256::digest(stated.as_bytes()).into();
        self.0.ct_eq(&stated).into()
    }
}

/// 256 random bits as hexadecimal digits.
///
/// # Errors
/// If the system has none.
pub fn random() -> Result<String, getrandom::Error> {
    use std::fmt::Write as _;
    let mut bytes = [0_u8; SECRET_BYTES];
    getrandom::fill(&mut bytes)?;
    let mut text = String::with_capacity(2 * SECRET_BYTES);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

/// Who may look, and at which names we are.
pub(super) struct Door {
    token: Secret,
    cookie: Secret,
    /// The text of the cookie, for who shows the token.
    cookie_text: String,
    /// Cookies know no ports: the name tells ours from those of another start.
    cookie_name: String,
    /// What may stand in `Host`.
    hosts: Vec<String>,
}

impl Door {
    pub(super) fn new(
        token: &str,
        at: SocketAddr,
        hosts: &[String],
    ) -> Result<Door, getrandom::Error> {
        let cookie_text = random()?;
        let port = at.port();
        let mut named = vec![at.to_string(), format!("localhost:{port}")];
        if at.ip().is_loopback() {
            named.push(format!("127.0.0.1:{port}"));
            named.push(format!("[::1]:{port}"));
        }
        named.extend(hosts.iter().map(|host| host.to_ascii_lowercase()));
        Ok(Door {
            token: Secret::of(token),
            cookie: Secret::of(&cookie_text),
            cookie_text,
            cookie_name: format!("toolgate_review_{port}"),
            hosts: named,
        })
    }

    /// Whether a request names us: in its one `Host`, and in its target if that names any.
    pub(super) fn is_for_us(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        let mut all = headers.get_all(HOST).iter();
        let (Some(host), None) = (all.next(), all.next()) else { return false };
        let named = |host: &str| self.hosts.iter().any(|ours| ours.eq_ignore_ascii_case(host));
        host.to_str().is_ok_and(named) && uri.authority().is_none_or(|at| named(at.as_str()))
    }

    /// The cookie for who shows the token.
    pub(super) fn exchange(&self, token: &str) -> Option<String> {
        self.token.is(token).then(|| {
            let (name, text) = (&self.cookie_name, &self.cookie_text);
            format!("{name}={text}; HttpOnly; SameSite=Strict; Path=/")
        })
    }

    /// Whether a request bears the cookie.
    pub(super) fn lets_in(&self, headers: &HeaderMap) -> bool {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        cookies.flat_map(|all| all.split(';')).any(|one| {
            let stated = one.trim().split_once('=');
            stated.is_some_and(|(name, text)| name == self.cookie_name && self.cookie.is(text))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: axum::http::HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(&name, value.parse().unwrap());
        }
        headers
    }

    fn door() -> Door {
        let at = "127.0.0.1:9000".parse().unwrap();
        Door::new("secret", at, &["Review.example".to_owned()]).unwrap()
    }

    #[test]
    fn only_our_own_names_are_ours() {
        let door = door();
        let (here, root) = ("127.0.0.1:9000", Uri::from_static("/"));
        for ours in [here, "localhost:9000", "LOCALHOST:9000", "[::1]:9000", "review.example"] {
            assert!(door.is_for_us(&headers(HOST, &[ours]), &root), "{ours}");
        }
        for other in [
            "",
            "127.0.0.1",
            "127.0.0.1:9001",
            "evil.example:9000",
            "localhost:9000.",
            "a@localhost:9000",
        ] {
            assert!(!door.is_for_us(&headers(HOST, &[other]), &root), "{other}");
        }
        assert!(!door.is_for_us(&headers(HOST, &[]), &root));
        assert!(!door.is_for_us(&headers(HOST, &[here, here]), &root));
        let elsewhere = Uri::from_static("http://evil.example/");
        assert!(!door.is_for_us(&headers(HOST, &[here]), &elsewhere));
    }

    #[test]
    fn the_token_is_exchanged_for_another_secret() {
        let door = door();
        assert!(door.exchange("secreT").is_none() && door.exchange("").is_none());
        let cookie = door.exchange("secret").unwrap();
        assert!(cookie.ends_with("; HttpOnly; SameSite=Strict; Path=/"), "{cookie}");
        assert!(!cookie.contains("secret"));
        let pair = cookie.split(';').next().unwrap();
        assert!(door.lets_in(&headers(COOKIE, &[&format!("a=b; {pair}")])));
        assert!(door.lets_in(&headers(COOKIE, &["a=b", pair])));
        let wrong =
            ["", "toolgate_review_9000=", "toolgate_review_9000=secret", pair.get(1..).unwrap()];
        for wrong in wrong {
            assert!(!door.lets_in(&headers(COOKIE, &[wrong])), "{wrong}");
        }
        let texts: std::collections::BTreeSet<_> = (0..64).map(|_| random().unwrap()).collect();
        assert!(texts.len() == 64 && texts.iter().all(|text| text.len() == 64));
    }
}
