//! What client and sidecar say to each other: one request, one reply, then the end.
//!
//! Both begin with one short line of plain text and go on with exactly as many bytes as it says,
//! so that a truncated message is never taken for a whole one.
//!
//! ```text
//! toolgate/1 claude 312\n<312 bytes of event>        client to sidecar
//! toolgate/1 2 181 64\n<181 bytes stdout><64 bytes stderr>   sidecar to client
//! ```

use crate::model::principal::Runtime;

/// The first word of every message, with the protocol's version.
pub const MAGIC: &str = "toolgate/1";
/// The longest first line, its newline included.
pub const HEAD_BYTES_MAX: usize = 64;

/// What the client prints and how it ends: the runtime's own answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The exit code: 0 to go on, 2 to hold back.
    pub code: u8,
    /// Everything on standard output: one JSON object, or nothing.
    pub stdout: Vec<u8>,
    /// Everything on standard error.
    pub stderr: Vec<u8>,
}

/// Why a message cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the first line of the message is not of this protocol")]
pub struct BadHead;

/// The first line of a request.
#[must_use]
pub fn request_head(runtime: Runtime, length: usize) -> String {
    format!("{MAGIC} {} {length}\n", runtime.as_str())
}

/// Reads the first line of a request, without its newline: the runtime and the event's length.
///
/// # Errors
/// If it is anything else.
pub fn parse_request_head(line: &str) -> Result<(Runtime, usize), BadHead> {
    let [magic, runtime, length] = words(line)?;
    if magic != MAGIC {
        return Err(BadHead);
    }
    Ok((runtime.parse().map_err(|_| BadHead)?, number(length)?))
}

impl Reply {
    /// The whole reply as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let head = format!("{MAGIC} {} {} {}\n", self.code, self.stdout.len(), self.stderr.len());
        [head.as_bytes(), &self.stdout, &self.stderr].concat()
    }

    /// Reads a whole reply, up to the end of the connection.
    ///
    /// # Errors
    /// If it is cut short, too long, or not of this protocol.
    pub fn parse(bytes: &[u8]) -> Result<Reply, BadHead> {
        let end = bytes.iter().take(HEAD_BYTES_MAX).position(|b| *b == b'\n').ok_or(BadHead)?;
        let (head, body) = bytes.split_at_checked(end).ok_or(BadHead)?;
        let body = body.strip_prefix(b"\n").ok_or(BadHead)?;
        let head = std::str::from_utf8(head).map_err(|_| BadHead)?;
        let [magic, code, stdout, stderr] = words(head)?;
        let (stdout, stderr) = (number(stdout)?, number(stderr)?);
        let whole = stdout.checked_add(stderr) == Some(body.len());
        if magic != MAGIC || !whole {
            return Err(BadHead);
        }
        // Any other exit code means to a runtime that its hook failed, and then the tool runs.
        let code = match code {
            "0" => 0,
            "2" => 2,
            _ => return Err(BadHead),
        };
        let (stdout, stderr) = body.split_at_checked(stdout).ok_or(BadHead)?;
        Ok(Reply { code, stdout: stdout.to_vec(), stderr: stderr.to_vec() })
    }
}

fn words<const N: usize>(line: &str) -> Result<[&str; N], BadHead> {
    let words: Vec<&str> = line.split(' ').collect();
    words.try_into().map_err(|_| BadHead)
}

/// A number as it must be written: digits only.
fn number(text: &str) -> Result<usize, BadHead> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(BadHead);
    }
    text.parse().map_err(|_| BadHead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        let good = request_head(Runtime::Claude, 12);
        assert_eq!(parse_request_head(good.trim_end()), Ok((Runtime::Claude, 12)));
        for bad in [
            "",
            "toolgate/1 claude",
            "toolgate/2 claude 1",
            "toolgate/1 x 1",
            "GET / HTTP/1.1",
            "toolgate/1 claude -1",
            "toolgate/1 claude +1",
            "toolgate/1  claude 1",
            "toolgate/1 claude 1 ",
        ] {
            assert_eq!(parse_request_head(bad), Err(BadHead), "{bad}");
        }
    }

    #[test]
    fn a_reply_that_ends_otherwise_than_with_0_or_2_is_none() {
        for code in ["1", "3", "00", "02", "101", "255", "256", "-2", ""] {
            let bytes = format!("{MAGIC} {code} 0 0\n");
            assert_eq!(Reply::parse(bytes.as_bytes()), Err(BadHead), "{code}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_reply_is_read_whole_or_not_at_all(
            held: bool, stdout: Vec<u8>, stderr: Vec<u8>, cut in 0usize..80,
        ) {
            let reply = Reply { code: if held { 2 } else { 0 }, stdout, stderr };
            let bytes = reply.to_bytes();
            proptest::prop_assert_eq!(Reply::parse(&bytes), Ok(reply));
            let shorter = &bytes[..bytes.len().saturating_sub(cut + 1)];
            proptest::prop_assert_eq!(Reply::parse(shorter), Err(BadHead));
            proptest::prop_assert_eq!(Reply::parse(&[&bytes[..], b"x"].concat()), Err(BadHead));
        }
    }
}
