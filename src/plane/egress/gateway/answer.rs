//! What the model's listener itself answers: refusals and failures in the provider's shape.

use super::Provider;
use crate::gate::network::Denial;
use crate::model::reason::Reason;
use crate::plane::egress::answer::body;

/// A refusal. The agent is not to try again, and not to look for another way.
pub(super) fn denial(provider: Provider, denial: &Denial, to: &str) -> Vec<u8> {
    let (status, words) = match denial.reason {
        _ if denial.unrecorded => (503, "Service Unavailable"),
        Reason::AuthRequired | Reason::AuthFailed => (401, "Unauthorized"),
        Reason::MethodNotAllowed
        | Reason::PathNotAllowed
        | Reason::UpgradeNotAllowed
        | Reason::NestedConnect
        | Reason::SelfConnection => (403, "Forbidden"),
        Reason::HeaderTooLarge => (431, "Request Header Fields Too Large"),
        Reason::HeaderTimeout => (408, "Request Timeout"),
        Reason::UpstreamTls | Reason::DnsFailure => (502, "Bad Gateway"),
        _ => (400, "Bad Request"),
    };
    let text = match denial.reason {
        Reason::AuthRequired | Reason::AuthFailed => format!(
            "toolgate: {}: {}. Set the session's token where the key would stand.",
            denial.reason.as_str(),
            denial.why
        ),
        _ => body(denial, to).trim_end().to_owned(),
    };
    whole((status, words), Some(denial.reason), &provider.error(status, &text))
}

/// An allowed request that could not be sent, or whose answer did not come.
pub(super) fn unreachable(provider: Provider, why: &str) -> Vec<u8> {
    let text = format!("toolgate: the model cannot be reached: {why}");
    whole((502, "Bad Gateway"), None, &provider.error(502, &text))
}

fn whole((status, words): (u16, &str), reason: Option<Reason>, body: &[u8]) -> Vec<u8> {
    let code = reason.map(|reason| format!("x-toolgate-reason: {}\r\n", reason.as_str()));
    let again = if status < 500 { "x-should-retry: false\r\n" } else { "" };
    let head = format!(
        "HTTP/1.1 {status} {words}\r\n{}{again}content-type: application/json\r\n\
         content-length: {}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n",
        code.unwrap_or_default(),
        body.len()
    );
    [head.as_bytes(), body].concat()
}
