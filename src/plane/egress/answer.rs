//! What a refused client is told: the code, where programs look, and words for the agent that reads
//! the body. It says what refused and that another route is no way round.

use super::dial::DialError;
use super::reason::Reason;
use crate::gate::network::Denial;

/// The head and body of an HTTP refusal. `to` is what was asked for; nothing of a HEAD's body.
#[must_use]
pub fn http(denial: &Denial, to: &str, has_body: bool) -> Vec<u8> {
    let (status, words) = status(denial);
    // That the log takes no record has no code: the policy may well allow it.
    let code = match denial.unrecorded {
        true => String::new(),
        false => format!("x-toolgate-reason: {}\r\n", denial.reason.as_str()),
    };
    let text = body(denial, to);
    let wants = match denial.reason {
        Reason::AuthRequired | Reason::AuthFailed => {
            "proxy-authenticate: Basic realm=\"toolgate\"\r\n"
        }
        _ => "",
    };
    let mut answer = format!(
        "HTTP/1.1 {status} {words}\r\n{code}{wants}content-type: \
         text/plain; charset=utf-8\r\ncontent-length: {}\r\ncache-control: no-store\r\n\
         connection: close\r\n\r\n",
        text.len()
    );
    if has_body {
        answer.push_str(&text);
    }
    answer.into_bytes()
}

/// An allowed connection that could not be made.
#[must_use]
pub fn unreachable(error: &DialError, to: &str) -> Vec<u8> {
    let (status, words) = match error {
        DialError::Timeout => (504, "Gateway Timeout"),
        DialError::Io(_) => (502, "Bad Gateway"),
    };
    let text = format!("toolgate: {} is allowed, and cannot be reached: {error}\n", visible(to));
    format!(
        "HTTP/1.1 {status} {words}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: \
         {}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n{text}",
        text.len()
    )
    .into_bytes()
}

/// The words for the agent.
#[must_use]
pub fn body(denial: &Denial, to: &str) -> String {
    let rule = denial.rule.as_deref().map(|rule| format!(" The rule is {rule}."));
    let what = if to.is_empty() { "this request".to_owned() } else { visible(to) };
    let advice = match denial.reason {
        _ if denial.unrecorded => "The guard lets nothing through while it cannot record it.",
        Reason::AuthRequired | Reason::AuthFailed => {
            "Send the proxy's token as the password of `Proxy-Authorization`."
        }
        Reason::DnsFailure => "The name is allowed, and has no usable address.",
        Reason::TooManyConnections | Reason::HeaderTimeout => "Try again later.",
        _ => {
            "This is the policy's decision, not a fault of the network: do not try another route, \
             address or tool to get there; ask the person you work for."
        }
    };
    let code = match denial.unrecorded {
        true => String::new(),
        false => format!("{}: ", denial.reason.as_str()),
    };
    format!(
        "toolgate: {code}{what} is refused: {}.{} {advice}\n",
        visible(denial.why.trim_end_matches('.')),
        visible(rule.as_deref().unwrap_or_default()),
    )
}

fn status(denial: &Denial) -> (u16, &'static str) {
    if denial.unrecorded {
        return (503, "Service Unavailable");
    }
    match denial.reason {
        Reason::BadRequestLine
        | Reason::BadHeader
        | Reason::BadFraming
        | Reason::MissingHost
        | Reason::DuplicateHost
        | Reason::AuthorityMismatch
        | Reason::InvalidAuthority
        | Reason::InvalidHost => (400, "Bad Request"),
        Reason::HeaderTooLarge => (431, "Request Header Fields Too Large"),
        Reason::HeaderTimeout => (408, "Request Timeout"),
        Reason::TooManyConnections => (503, "Service Unavailable"),
        Reason::AuthRequired | Reason::AuthFailed => (407, "Proxy Authentication Required"),
        Reason::DnsFailure | Reason::UpstreamTls => (502, "Bad Gateway"),
        _ => (403, "Forbidden"),
    }
}

/// A text without what could end a line or steer a terminal.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// A fatal TLS alert (RFC 8446 §6) with which a refused tunnel ends: what the client's library
/// says then names a refusal, not a fault.
#[must_use]
pub fn alert(reason: Reason) -> &'static [u8] {
    match reason {
        // unrecognized_name
        Reason::SniMissing | Reason::SniMismatch => &[21, 3, 3, 0, 2, 2, 112],
        // decode_error
        Reason::TlsMalformed => &[21, 3, 3, 0, 2, 2, 50],
        // access_denied
        _ => &[21, 3, 3, 0, 2, 2, 49],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_told_what_refused_and_what_not_to_do() {
        let denial = Denial {
            reason: Reason::HostNotAllowed,
            why: "no rule allows it".to_owned(),
            rule: None,
            unrecorded: false,
        };
        let answer = String::from_utf8(http(&denial, "evil.example:443", true)).unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 403 Forbidden\r\nx-toolgate-reason: host_not_allowed")
        );
        assert!(answer.contains("evil.example:443 is refused: no rule allows it."));
        assert!(answer.contains("do not try another route"));
        let head = String::from_utf8(http(&denial, "x\r\ny", false)).unwrap();
        assert!(head.ends_with("\r\n\r\n"));
        assert!(body(&denial, "x\r\ny").contains("x??y"));
    }
}
