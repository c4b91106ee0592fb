//! The token of the proxy: known by its digest, and compared in constant time. A client says it as
//! the password of any user, since that is what clients can be told to send.

use crate::limits::TOKEN_CHARS_MIN;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A token, without its text.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// The token in a file's text: whitespace around it is the file's, not the token's.
    ///
    /// # Errors
    /// If it could be guessed, or could not be sent.
    pub fn parse(text: &[u8]) -> Result<Token, String> {
        let text = text.trim_ascii();
        if !text.iter().all(u8::is_ascii_graphic) {
            return Err("may hold visible ASCII characters only, and one line".to_owned());
        }
        if text.len() < TOKEN_CHARS_MIN {
            return Err(format!("has fewer than {TOKEN_CHARS_MIN} characters"));
        }
        Ok(Token(Sha256::digest(text).into()))
    }

    /// Whether this is its text.
    #[must_use]
    pub fn is(&self, text: &[u8]) -> bool {
        let digest: [u8; 32] = Sha256::digest(text).into();
        self.0.ct_eq(&digest).into()
    }

    /// Whether `Proxy-Authorization` bears it: `Bearer TOKEN`, or `Basic` with it as the password.
    #[must_use]
    pub fn is_borne_by(&self, value: &[u8]) -> bool {
        let scheme = |name: &str| {
            let (stated, rest) = value.split_at_checked(name.len())?;
            stated.eq_ignore_ascii_case(name.as_bytes()).then_some(rest.trim_ascii())
        };
        if let Some(bearer) = scheme("Bearer ") {
            return self.is(bearer);
        }
        let Some(basic) = scheme("Basic ") else { return false };
        let Ok(pair) = STANDARD.decode(basic) else { return false };
        let colon = pair.iter().position(|byte| *byte == b':');
        colon.and_then(|at| pair.get(at + 1..)).is_some_and(|password| self.is(password))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn who_bears_it() {
        let token = Token::parse(format!("{TEXT}\n").as_bytes()).unwrap();
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        for (value, expected) in [
            (format!("Bearer {TEXT}"), true),
            (format!("bearer {TEXT}"), true),
            (basic(&format!("any:{TEXT}")), true),
            (basic(&format!(":{TEXT}")), true),
            (basic(TEXT), false),
            (basic(&format!("{TEXT}:")), false),
            (basic(&format!("a:b:{TEXT}")), false),
            (TEXT.to_owned(), false),
            (format!("Bearer {TEXT}0"), false),
            ("Basic !".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(token.is_borne_by(value.as_bytes()), expected, "{value}");
        }
        assert!(Token::parse(b"short").is_err());
    }
}
