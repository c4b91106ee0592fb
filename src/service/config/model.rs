//! `[egress.model]`: the listener by which an agent reaches its model without a key.

use super::egress::{At, place};
use super::http::token_in;
use super::{ConfigError, credential};
use crate::limits::{EGRESS_DIAL_TIMEOUT, EGRESS_HEADER_TIMEOUT, MODEL_IDLE};
use crate::model::host::Host;
use crate::model::url::Network;
use crate::plane::egress::gateway::{Provider, Terms, Upstream};
use serde::Deserialize;
use std::path::PathBuf;

/// What the operator says of the model's listener.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// An address with its port, or `unix:` and a path.
    pub listen: String,
    /// Whose interface it is.
    pub provider: Provider,
    /// Where requests go; the provider's own address if nothing is said.
    pub upstream: Option<String>,
    /// The name of the credential that is set.
    pub credential: String,
    /// The file that holds the token without which nobody is served: the agent says it where it
    /// would say its key.
    pub token_file: Option<PathBuf>,
}

impl Model {
    /// Where it listens.
    ///
    /// # Errors
    /// If other machines could use it without a token.
    pub fn at(&self, expose: bool) -> Result<At, ConfigError> {
        if expose
            && self.token_file.is_none()
            && place(&self.listen, "egress.model", false).is_err()
        {
            return Err(ConfigError::Value(
                "`[egress.model]` can be reached from other machines, so it needs `token_file`"
                    .to_owned(),
            ));
        }
        place(&self.listen, "egress.model", expose)
    }

    /// What it goes by.
    ///
    /// # Errors
    /// If the upstream, the credential or the token cannot be used.
    pub fn terms(&self, credentials: &[credential::Credential]) -> Result<Terms, ConfigError> {
        if !credentials.iter().any(|one| one.name == self.credential) {
            return Err(ConfigError::Value(format!(
                "`[egress.model]` sets the credential `{}`, and no `[[credential]]` has that name",
                self.credential
            )));
        }
        Ok(Terms {
            provider: self.provider,
            upstream: self.upstream()?,
            credential: self.credential.clone(),
            token: self.token_file.as_deref().map(token_in).transpose()?,
            header: EGRESS_HEADER_TIMEOUT,
            dial: EGRESS_DIAL_TIMEOUT,
            idle: MODEL_IDLE,
        })
    }

    fn upstream(&self) -> Result<Upstream, ConfigError> {
        let text = self.upstream.as_deref().unwrap_or(match self.provider {
            Provider::Anthropic => "https://api.anthropic.com",
            Provider::Openai => "https://api.openai.com",
        });
        let wrong = |why: &str| {
            Err(ConfigError::Value(format!("`upstream = \"{text}\"` in `[egress.model]` {why}")))
        };
        let Ok(Network { scheme: Some(scheme), host, port: Some(port), path, .. }) =
            Network::parse_url(text)
        else {
            return wrong("must be a URL, as \"https://api.example\"");
        };
        let prefix = path.unwrap_or_default().trim_end_matches('/').to_owned();
        if prefix.contains(['?', '%']) || prefix.split('/').any(|part| part == "..") {
            return wrong("has a path that cannot stand before others");
        }
        let is_here = matches!(&host, Host::Address(ip) if ip.to_canonical().is_loopback());
        match scheme.as_str() {
            "https" => Ok(Upstream { host, port, encrypted: true, prefix }),
            "http" if is_here => Ok(Upstream { host, port, encrypted: false, prefix }),
            "http" => wrong("would send the credential in the clear; use https://"),
            _ => wrong("must begin with https://"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn model(text: &str) -> Result<(At, Terms), String> {
        let text = format!(
            "[egress.model]\nlisten = \"127.0.0.1:0\"\nprovider = \"anthropic\"\n\
             credential = \"api\"\n{text}\n[[credential]]\nname = \"api\"\n\
             source = {{ file = \"/run/secret\" }}\n"
        );
        let config = toml::from_str::<Config>(&text).map_err(|error| error.to_string())?;
        let model = config.egress.model.ok_or("there is none")?;
        let at = model.at(config.egress.expose).map_err(|error| error.to_string())?;
        let terms = model.terms(&config.credential).map_err(|error| error.to_string())?;
        Ok((at, terms))
    }

    #[test]
    fn where_requests_go() {
        let to =
            |upstream: &str| model(&format!("upstream = \"{upstream}\"")).map(|it| it.1.upstream);
        let parts = |upstream: &str| {
            let Upstream { host, port, encrypted, prefix } = to(upstream).unwrap();
            format!("{host} {port} {encrypted} {prefix}")
        };
        assert_eq!(model("").unwrap().1.upstream.host.to_string(), "api.anthropic.com");
        assert_eq!(parts("https://api.example"), "api.example 443 true ");
        assert_eq!(parts("https://api.example:8443/base/"), "api.example 8443 true /base");
        assert_eq!(parts("http://127.0.0.1:8080"), "127.0.0.1 8080 false ");
        for (refused, why) in [
            ("http://api.example", "in the clear"),
            ("http://10.0.0.1", "in the clear"),
            ("ftp://api.example", "https://"),
            ("api.example", "a URL"),
            ("https://0x7f.1", "a URL"),
            ("https://api.example/a?b", "stand before others"),
        ] {
            let error = to(refused).unwrap_err();
            assert!(error.contains(why), "{refused}: {error}");
        }
    }

    #[test]
    fn what_is_refused() {
        assert!(model("credentials = 1").is_err());
        let stated = |text: &str| toml::from_str::<Config>(text).unwrap();
        let config = stated(
            "[egress.model]\nlisten = \"127.0.0.1:0\"\nprovider = \"openai\"\ncredential = \"x\"",
        );
        let error = config.egress.model.unwrap().terms(&config.credential).unwrap_err();
        assert!(error.to_string().contains("no `[[credential]]`"), "{error}");
        let config = stated(
            "[egress]\nexpose = true\n[egress.model]\nlisten = \"0.0.0.0:1\"\n\
             provider = \"openai\"\ncredential = \"x\"",
        );
        let model = config.egress.model.unwrap();
        assert!(model.at(true).unwrap_err().to_string().contains("token_file"));
        assert!(model.at(false).unwrap_err().to_string().contains("other machines"));
    }
}
