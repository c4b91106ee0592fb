//! The bearer token of HTTP hooks: known by its digest, and compared in constant time.

use crate::limits::TOKEN_CHARS_MIN;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A token, without its text: what is not kept cannot be shown.
#[derive(Clone)]
pub struct Token([u8; 32]);

/// Why a text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    /// It could be guessed.
    #[error("has fewer than {TOKEN_CHARS_MIN} characters")]
    Short,
    /// It could not be sent.
    #[error("may hold visible ASCII characters only, and one line")]
    Unsendable,
}

impl Token {
    /// The token in a file's text: whitespace around it is the file's, not the token's.
    ///
    /// # Errors
    /// If it is too short, or could not stand in a header.
    pub fn parse(text: &[u8]) -> Result<Token, BadToken> {
        let text = text.trim_ascii();
        if !text.iter().all(u8::is_ascii_graphic) {
            return Err(BadToken::Unsendable);
        }
        if text.len() < TOKEN_CHARS_MIN {
            return Err(BadToken::Short);
        }
        Ok(Token(Sha256::digest(text).into()))
    }

    /// Whether a request bears this token, once, and nothing else.
    #[must_use]
    pub fn is_borne_by(&self, headers: &HeaderMap) -> bool {
        let mut all = headers.get_all(AUTHORIZATION).iter();
        let (Some(stated), None) = (all.next(), all.next()) else { return false };
        let Some((scheme, stated)) = stated.as_bytes().split_at_checked(b"Bearer ".len()) else {
            return false;
        };
        let digest: [u8; 32] = Sha256::digest(stated).into();
        let is_same: bool = self.0.ct_eq(&digest).into();
        scheme.eq_ignore_ascii_case(b"Bearer ") && is_same
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "0123456789abcdef0123456789abcdef";
    const SHORTER: &str = "123456789abcdef0123456789abcdef";

    #[test]
    fn what_is_no_token() {
        assert!(Token::parse(TEXT.as_bytes()).is_ok());
        assert!(Token::parse(format!("\t{TEXT}\r\n").as_bytes()).is_ok());
        for (text, error) in [
            ("", BadToken::Short),
            (SHORTER, BadToken::Short),
            (&format!("{}{}", SHORTER, " ".repeat(40)), BadToken::Short),
            (&format!("{TEXT}\n{TEXT}"), BadToken::Unsendable),
            (&format!("{TEXT} x"), BadToken::Unsendable),
            (&format!("{TEXT}é"), BadToken::Unsendable),
            (&format!("{TEXT}\0"), BadToken::Unsendable),
        ] {
            assert_eq!(Token::parse(text.as_bytes()).err(), Some(error), "{text:?}");
        }
    }

    #[test]
    fn who_bears_it() {
        let token = Token::parse(TEXT.as_bytes()).unwrap();
        let bears = |values: &[String]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, value.parse().unwrap());
            }
            token.is_borne_by(&headers)
        };
        let good = format!("Bearer {TEXT}");
        assert!(bears(std::slice::from_ref(&good)) && bears(&[format!("bearer {TEXT}")]));
        for bad in [
            vec![],
            vec![String::new()],
            vec![TEXT.to_owned()],
            vec![format!("Basic {TEXT}")],
            vec![format!("Bearer  {TEXT}")],
            vec![format!("Bearer {TEXT} ")],
            vec![format!("Bearer {}", TEXT.to_uppercase())],
            vec![format!("Bearer {TEXT}0")],
            vec![format!("Bearer {SHORTER}")],
            vec![good.clone(), good],
        ] {
            assert!(!bears(&bad), "{bad:?}");
        }
    }
}
