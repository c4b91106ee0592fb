//! What an agent's environment must say so that its programs go through the proxy.
//!
//! A program that does not read these variables reaches nothing where the proxy is the only way
//! out, and everything where it is not: the variables are a convenience, never the guard.

use crate::model::url::Network;
use std::fmt::Write;

/// What is known of the proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// Where it listens, as `127.0.0.1:3128`.
    pub proxy: String,
    /// Certificates: the system's and, if connections are opened, the proxy's own.
    pub bundle: Option<String>,
    /// Where the model is reached.
    pub model: Option<Model>,
    /// Hosts that are reached without it; none unless the operator says so.
    pub direct: String,
}

/// Where the model is reached, and by which variable a client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// The base URL.
    pub url: String,
    /// Whose API it is.
    pub provider: Provider,
}

/// Whose API a model is reached by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// `ANTHROPIC_BASE_URL`
    Anthropic,
    /// `OPENAI_BASE_URL`
    OpenAi,
}

/// The variables by which programs are told of certificates: Node, OpenSSL, Python's requests and
/// pip, curl, git, cargo, Deno, AWS.
const BUNDLES: [&str; 10] = [
    "NODE_EXTRA_CA_CERTS",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "CARGO_HTTP_CAINFO",
    "PIP_CERT",
    "DENO_CERT",
    "AWS_CA_BUNDLE",
    "npm_config_cafile",
];

impl Way {
    /// What is reached without the proxy: the model's own listener among it, that judges by itself.
    fn direct(&self) -> String {
        let url = self.model.as_ref().and_then(|model| Network::parse_url(&model.url).ok());
        let model = url.map(|url| match url.port {
            Some(port) => format!("{}:{port}", url.host),
            None => url.host.to_string(),
        });
        let said = Some(self.direct.clone()).filter(|text| !text.is_empty());
        said.into_iter().chain(model).collect::<Vec<_>>().join(",")
    }
}

/// Every variable with its value, in an order that a person can read.
#[must_use]
pub fn variables(way: &Way) -> Vec<(&'static str, String)> {
    let http = format!("http://{}", way.proxy);
    // The name is the proxy's to look up: a program that asked by itself would leak it, or fail.
    let socks = format!("socks5h://{}", way.proxy);
    let direct = way.direct();
    let mut all = vec![
        ("HTTP_PROXY", http.clone()),
        ("HTTPS_PROXY", http.clone()),
        ("ALL_PROXY", socks.clone()),
        // Said even if empty: one that is inherited would lead around the proxy, and in a network
        // namespace of its own even `localhost` is reached only through it.
        ("NO_PROXY", direct.clone()),
        // curl reads HTTP_PROXY in lower case only, as a web server's programs must not be told
        // of it by a request header (CVE-2016-5385).
        ("http_proxy", http.clone()),
        ("https_proxy", http),
        ("all_proxy", socks),
        ("no_proxy", direct),
        // Node's own fetch reads the variables above only if this is set (24.5, 22.21).
        ("NODE_USE_ENV_PROXY", "1".to_owned()),
    ];
    if let Some(bundle) = &way.bundle {
        all.extend(BUNDLES.map(|name| (name, bundle.clone())));
    }
    if let Some(model) = &way.model {
        let name = match model.provider {
            Provider::Anthropic => "ANTHROPIC_BASE_URL",
            Provider::OpenAi => "OPENAI_BASE_URL",
        };
        all.push((name, model.url.clone()));
    }
    all
}

/// For a shell: `eval "$(toolgate egress env)"`.
#[must_use]
pub fn shell(variables: &[(&str, String)]) -> String {
    lines(variables, |name, value| format!("export {name}={}", shell_quoted(value)))
}

/// For a service in a compose file.
#[must_use]
pub fn compose(variables: &[(&str, String)]) -> String {
    let each = lines(variables, |name, value| format!("  {name}: {}", yaml_quoted(value)));
    format!("environment:\n{each}")
}

/// For a container in a Kubernetes pod.
#[must_use]
pub fn kubernetes(variables: &[(&str, String)]) -> String {
    let each = lines(variables, |name, value| {
        format!("  - name: {name}\n    value: {}", yaml_quoted(value))
    });
    format!("env:\n{each}")
}

fn lines(variables: &[(&str, String)], line: impl Fn(&str, &str) -> String) -> String {
    let mut text = String::new();
    for (name, value) in variables {
        // A string takes every line.
        let _ = writeln!(text, "{}", line(name, value));
    }
    text
}

/// In single quotes, in which a POSIX shell reads everything but a single quote as it is.
fn shell_quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// A JSON string is a YAML string (YAML 1.2 §1.3); compose would read `$` as a variable's.
fn yaml_quoted(value: &str) -> String {
    serde_json::Value::from(value.replace('$', "$$")).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way() -> Way {
        let model =
            Model { url: "http://127.0.0.1:8787".to_owned(), provider: Provider::Anthropic };
        Way {
            proxy: "127.0.0.1:3128".to_owned(),
            bundle: Some("/run/it's/ca.pem".to_owned()),
            model: Some(model),
            direct: String::new(),
        }
    }

    #[test]
    fn a_shell_reads_what_was_meant() {
        let text = format!("{}env", shell(&variables(&way())));
        let run = std::process::Command::new("sh").args(["-c", &text]).env_clear().output();
        let seen = String::from_utf8(run.unwrap().stdout).unwrap();
        for expected in [
            "HTTPS_PROXY=http://127.0.0.1:3128",
            "all_proxy=socks5h://127.0.0.1:3128",
            "NO_PROXY=127.0.0.1:8787",
            "CURL_CA_BUNDLE=/run/it's/ca.pem",
            "ANTHROPIC_BASE_URL=http://127.0.0.1:8787",
        ] {
            assert!(seen.lines().any(|line| line == expected), "{expected} in {seen}");
        }
    }

    #[test]
    fn only_what_is_known_is_said() {
        let bare = Way { bundle: None, model: None, ..way() };
        let names: Vec<&str> = variables(&bare).into_iter().map(|(name, _)| name).collect();
        assert!(!names.contains(&"SSL_CERT_FILE") && !names.contains(&"ANTHROPIC_BASE_URL"));
        assert!(names.contains(&"https_proxy"));
    }

    #[test]
    fn yaml_is_quoted() {
        let variables = [("A", "a\"b $c".to_owned())];
        assert_eq!(compose(&variables), "environment:\n  A: \"a\\\"b $$c\"\n");
        assert_eq!(kubernetes(&variables), "env:\n  - name: A\n    value: \"a\\\"b $$c\"\n");
    }
}
