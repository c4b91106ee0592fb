//! Whose interface a model's listener has: which requests pass, and how a refusal is said.

use crate::model::json::Json;
use crate::model::reason::Reason;
use serde::Deserialize;

/// Whose interface it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Anthropic's Messages.
    Anthropic,
    /// OpenAI's Chat Completions and Responses.
    Openai,
}

impl Provider {
    /// The word in configuration and records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Provider::Anthropic => "anthropic",
            Provider::Openai => "openai",
        }
    }

    /// The paths that pass, to be asked with POST. Nothing else is an answer of a model.
    #[must_use]
    pub fn paths(self) -> &'static [&'static str] {
        match self {
            Provider::Anthropic => &["/v1/messages", "/v1/messages/count_tokens"],
            Provider::Openai => &["/v1/chat/completions", "/v1/responses"],
        }
    }

    /// Whether a request passes; its path still has its query.
    ///
    /// # Errors
    /// Why not.
    pub fn check(self, method: &str, path: &str) -> Result<(), Reason> {
        let plain = path.split('?').next().unwrap_or_default();
        if !self.paths().contains(&plain) {
            return Err(Reason::PathNotAllowed);
        }
        if method == "POST" { Ok(()) } else { Err(Reason::MethodNotAllowed) }
    }

    /// An error in the provider's own shape, so that its clients show the words.
    #[must_use]
    pub fn error(self, status: u16, words: &str) -> Vec<u8> {
        let kind = match status {
            401 => "authentication_error",
            403 => "permission_error",
            400..500 => "invalid_request_error",
            _ => "api_error",
        };
        let error = Json::from_iter([("type", kind), ("message", words)]);
        let body = match self {
            Provider::Anthropic => Json::from_iter([("type", "error".into()), ("error", error)]),
            Provider::Openai => Json::from_iter([("error", error)]),
        };
        body.to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes() {
        let (path, method) = (Err(Reason::PathNotAllowed), Err(Reason::MethodNotAllowed));
        for (provider, request, expected) in [
            (Provider::Anthropic, "POST /v1/messages", Ok(())),
            (Provider::Anthropic, "POST /v1/messages?beta=true", Ok(())),
            (Provider::Anthropic, "POST /v1/messages/count_tokens", Ok(())),
            (Provider::Anthropic, "GET /v1/messages", method),
            (Provider::Anthropic, "POST /v1/messages/", path),
            (Provider::Anthropic, "POST /v1/messages/batches", path),
            (Provider::Anthropic, "POST /v1//messages", path),
            (Provider::Anthropic, "POST /v1/%6dessages", path),
            (Provider::Anthropic, "POST /v1/files/../messages", path),
            (Provider::Anthropic, "POST /v1/files", path),
            (Provider::Anthropic, "GET /v1/organizations", path),
            (Provider::Anthropic, "POST /v1/chat/completions", path),
            (Provider::Anthropic, "GET /", path),
            (Provider::Openai, "POST /v1/responses", Ok(())),
            (Provider::Openai, "POST /v1/chat/completions", Ok(())),
            (Provider::Openai, "GET /v1/responses/r_1", path),
            (Provider::Openai, "POST /v1/messages", path),
        ] {
            let (method, path) = request.split_once(' ').unwrap();
            assert_eq!(provider.check(method, path), expected, "{provider:?} {request}");
        }
    }

    #[test]
    fn an_error_has_the_providers_shape() {
        let said = |provider: Provider| {
            serde_json::from_slice::<Json>(&provider.error(403, "no \"x\"")).unwrap()
        };
        assert_eq!(said(Provider::Anthropic)["type"], "error");
        assert_eq!(said(Provider::Anthropic)["error"]["type"], "permission_error");
        assert_eq!(said(Provider::Openai)["error"]["message"], "no \"x\"");
    }
}
