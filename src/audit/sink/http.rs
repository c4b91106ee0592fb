//! Where something is posted by HTTP(S), and how. No proxy of the environment is used, since that
//! is most often the agent's, and no redirect is followed.

use super::deliver::Refused;
use crate::limits::{SINK_ANSWER_BYTES_MAX, SINK_HTTP_TIMEOUT, TOKEN_BYTES_MAX};
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::tls::{RootCerts, TlsConfig};

/// A URL that something is posted to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpTarget {
    /// The URL.
    pub url: String,
    /// A file with headers to send, `Name: value` a line: tokens have no place in a configuration.
    pub headers_file: Option<PathBuf>,
}

/// Posts, one at a time.
pub(super) struct Poster {
    target: HttpTarget,
    agent: ureq::Agent,
}

impl Poster {
    pub(super) fn new(target: HttpTarget) -> Poster {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(SINK_HTTP_TIMEOUT))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            // Whom the machine trusts; an operator's own authority is named by `SSL_CERT_FILE`.
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
            .user_agent(concat!("toolgate/", env!("CARGO_PKG_VERSION")))
            .build();
        Poster { target, agent: config.into() }
    }

    /// Posts a body; what was answered, if that was a success.
    pub(super) fn post(&self, content_type: &str, body: &[u8]) -> Result<Vec<u8>, Refused> {
        let told = |why: String| Refused { why: format!("{}: {why}", self.target.url), wait: None };
        let mut request = self.agent.post(&self.target.url).header("content-type", content_type);
        // Read each time: a token may be renewed.
        if let Some(file) = &self.target.headers_file {
            for (name, value) in headers(file).map_err(told)? {
                request = request.header(name, value);
            }
        }
        let mut response = request.send(body).map_err(|why| told(why.to_string()))?;
        let status = response.status();
        if !status.is_success() {
            let after = response.headers().get("retry-after");
            let after = after.and_then(|after| after.to_str().ok()?.parse().ok());
            return Err(Refused {
                wait: after.map(Duration::from_secs),
                ..told(format!("it answered {status}"))
            });
        }
        let answer = response.body_mut().with_config().limit(SINK_ANSWER_BYTES_MAX).read_to_vec();
        answer.map_err(|why| told(why.to_string()))
    }
}

/// The headers in a file.
///
/// # Errors
/// In words for the operator, if it cannot be read or a line is no header.
pub fn headers(file: &Path) -> Result<Vec<(String, String)>, String> {
    let path = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|why| format!("the headers in `{path}` cannot be read: {why}"))?;
    if text.len() > TOKEN_BYTES_MAX {
        return Err(format!("the headers in `{path}` are too long"));
    }
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let is_one = !name.is_empty()
            && name.bytes().all(is_name)
            && value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        is_one.then(|| (name.to_owned(), value.trim().to_owned()))
    };
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| {
            header(line).ok_or_else(|| {
                format!("`{path}` must have one header a line, as `Authorization: Bearer ...`")
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_line_by_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "Authorization: Bearer a b\n\nX-Key:1\n").unwrap();
        let expected = [("Authorization", "Bearer a b"), ("X-Key", "1")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(headers(file.path()).unwrap(), expected);
        for bad in ["no header", ": x", "a b: c", "x: a\u{7f}", "x: é"] {
            std::fs::write(file.path(), bad).unwrap();
            assert!(headers(file.path()).is_err(), "{bad}");
        }
        assert!(headers(Path::new("/nowhere/at/all")).is_err());
    }
}
