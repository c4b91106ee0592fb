//! `[[audit.sink]]` and `[[audit.head]]`: where records, and the log's signed heads, go besides.

use super::ConfigError;
use crate::audit::sink::{
    Facility, HeadTarget, HttpTarget, SinkOptions, SyslogTarget, SyslogVia, Target,
};
use crate::limits::{SINK_DEADLINE_MS, SINKS_MAX};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One `[[audit.sink]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sink {
    /// What it is.
    pub kind: SinkKind,
    /// Its name; its kind if nothing is said.
    pub name: Option<String>,
    /// Where it leads: `unix:PATH`, `udp://HOST:PORT` or `tcp://HOST:PORT` for syslog, a URL for
    /// OTLP, nothing for standard output.
    pub to: Option<String>,
    /// Whether calls depend on it.
    #[serde(default)]
    pub mode: SinkMode,
    /// How long a required one may take over a record, in milliseconds.
    pub deadline_ms: Option<u64>,
    /// Where it begins while it has no place in the log yet.
    #[serde(default)]
    pub from: SinkFrom,
    /// As what syslog messages are sent.
    pub facility: Option<String>,
    /// For OTLP: a file with headers to send, one a line.
    pub headers_file: Option<PathBuf>,
}

/// What a sink is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SinkKind {
    /// Standard output.
    Stdout,
    /// A syslog daemon, RFC 5424.
    Syslog,
    /// An OpenTelemetry collector, OTLP over HTTP.
    Otlp,
}

/// Whether calls depend on a sink.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SinkMode {
    /// While it does not take records, calls come to what `on_audit_failure` says.
    Required,
    /// It is told of when it is behind.
    #[default]
    BestEffort,
}

/// Where a sink begins while it has no place in the log yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SinkFrom {
    /// With the oldest record.
    #[default]
    Beginning,
    /// With what comes.
    Now,
}

/// One `[[audit.head]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadTo {
    /// `stdout`, `file:PATH`, or a URL that it is posted to.
    pub to: String,
    /// For a file: whether older heads stay in it.
    #[serde(default)]
    pub append: bool,
    /// For a URL: a file with headers to send, one a line.
    pub headers_file: Option<PathBuf>,
}

fn wrong<T>(what: &str, why: &str) -> Result<T, ConfigError> {
    Err(ConfigError::Value(format!("`{what}` {why}")))
}

/// All sinks, as the log takes them.
///
/// # Errors
/// If one does not fit.
pub fn sinks(stated: &[Sink]) -> Result<Vec<SinkOptions>, ConfigError> {
    if stated.len() > SINKS_MAX {
        return wrong("[[audit.sink]]", &format!("stands there more than {SINKS_MAX} times"));
    }
    let mut names = BTreeSet::new();
    let mut sinks = Vec::new();
    for sink in stated {
        let options = sink.options()?;
        if !names.insert(options.name.clone()) {
            let why = "is the name of two sinks in `[[audit.sink]]`; give each its own `name`";
            return wrong(&options.name, why);
        }
        sinks.push(options);
    }
    Ok(sinks)
}

/// All targets of heads.
///
/// # Errors
/// If one does not fit.
pub fn heads(stated: &[HeadTo]) -> Result<Vec<HeadTarget>, ConfigError> {
    if stated.len() > SINKS_MAX {
        return wrong("[[audit.head]]", &format!("stands there more than {SINKS_MAX} times"));
    }
    stated.iter().map(HeadTo::target).collect()
}

impl Sink {
    fn options(&self) -> Result<SinkOptions, ConfigError> {
        let kind = match self.kind {
            SinkKind::Stdout => "stdout",
            SinkKind::Syslog => "syslog",
            SinkKind::Otlp => "otlp",
        };
        let name = self.name.clone().unwrap_or_else(|| kind.to_owned());
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(letter) {
            return wrong(
                &name,
                "is no name of a sink; use lower-case letters, digits and hyphens",
            );
        }
        let required = self.mode == SinkMode::Required;
        let milliseconds = self.deadline_ms.unwrap_or(SINK_DEADLINE_MS);
        if !(10..=60_000).contains(&milliseconds) {
            return wrong("deadline_ms", "in `[[audit.sink]]` must be from 10 to 60000");
        }
        let to = self.target(kind)?;
        if let Target::Syslog(SyslogTarget { via: SyslogVia::Udp(_), .. }) = &to
            && required
        {
            let why = "cannot be required: over UDP nothing tells that it has a record; use `tcp:`";
            return wrong(&name, why);
        }
        let from_now = self.from == SinkFrom::Now;
        Ok(SinkOptions {
            name,
            to,
            required,
            deadline: Duration::from_millis(milliseconds),
            from_now,
        })
    }

    fn target(&self, kind: &str) -> Result<Target, ConfigError> {
        let only = |is_there: bool, key: &str, of: &str| match is_there {
            true => wrong(key, &format!("in `[[audit.sink]]` stands only with kind = \"{of}\"")),
            false => Ok(()),
        };
        only(self.kind != SinkKind::Syslog && self.facility.is_some(), "facility", "syslog")?;
        only(self.kind != SinkKind::Otlp && self.headers_file.is_some(), "headers_file", "otlp")?;
        match (self.kind, self.to.as_deref()) {
            (SinkKind::Stdout, None) => Ok(Target::Stdout),
            (SinkKind::Stdout, Some(_)) => wrong("to", "leads nowhere with kind = \"stdout\""),
            (SinkKind::Syslog | SinkKind::Otlp, None) => {
                wrong("to", &format!("is missing: where does kind = \"{kind}\" lead?"))
            }
            (SinkKind::Syslog, Some(to)) => {
                let named = self.facility.as_deref().unwrap_or("authpriv");
                let Some(facility) = Facility::parse(named) else {
                    return wrong(
                        named,
                        "is no facility; use authpriv, daemon, local0 to local7 ...",
                    );
                };
                Ok(Target::Syslog(SyslogTarget { via: via(to)?, facility }))
            }
            (SinkKind::Otlp, Some(to)) => otlp(url(to)?, self.headers_file.clone()),
        }
    }
}

#[cfg(feature = "otlp")]
fn otlp(url: String, headers_file: Option<PathBuf>) -> Result<Target, ConfigError> {
    Ok(Target::Otlp(posted(url, headers_file)?))
}

#[cfg(not(feature = "otlp"))]
fn otlp(_: String, _: Option<PathBuf>) -> Result<Target, ConfigError> {
    wrong("otlp", "is no kind of sink here: this toolgate was built without the feature `otlp`")
}

/// A target that is posted to. Its headers are read once here, so that a slip is told at the start.
fn posted(url: String, headers_file: Option<PathBuf>) -> Result<HttpTarget, ConfigError> {
    if let Some(file) = &headers_file {
        crate::audit::sink::headers(file).map_err(ConfigError::Value)?;
    }
    Ok(HttpTarget { url, headers_file })
}

impl HeadTo {
    fn target(&self) -> Result<HeadTarget, ConfigError> {
        let path = self.to.strip_prefix("file:").map(Path::new);
        if self.append && path.is_none() {
            return wrong("append", "in `[[audit.head]]` stands only with `to = \"file:PATH\"`");
        }
        match (self.to.as_str(), path) {
            ("stdout", _) => Ok(HeadTarget::Stdout),
            (_, Some(path)) => {
                super::absolute(path)?;
                Ok(HeadTarget::File { path: path.to_owned(), append: self.append })
            }
            (to, None) if to.starts_with(['/', '.']) => wrong(
                to,
                "is no place for a head; write `file:` before the path: to = \"file:/PATH\"",
            ),
            (to, None) if !to.contains("://") => {
                wrong(to, "is no place for a head; use file:/PATH, https://HOST/PATH or stdout")
            }
            (to, None) => Ok(HeadTarget::Http(posted(url(to)?, self.headers_file.clone())?)),
        }
    }
}

/// A syslog daemon's address.
fn via(to: &str) -> Result<SyslogVia, ConfigError> {
    let port = |rest: &str| {
        rest.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
        })
    };
    if let Some(path) = to.strip_prefix("unix:") {
        super::absolute(Path::new(path))?;
        return Ok(SyslogVia::Unix(PathBuf::from(path)));
    }
    match (to.strip_prefix("udp://"), to.strip_prefix("tcp://")) {
        (Some(rest), _) if port(rest) => Ok(SyslogVia::Udp(rest.to_owned())),
        (_, Some(rest)) if port(rest) => Ok(SyslogVia::Tcp(rest.to_owned())),
        _ => {
            wrong(to, "is no syslog daemon; use unix:/dev/log, tcp://HOST:PORT or udp://HOST:PORT")
        }
    }
}

/// A URL that can be posted to.
fn url(to: &str) -> Result<String, ConfigError> {
    let rest = to.strip_prefix("https://").or_else(|| to.strip_prefix("http://"));
    let is_one = rest.is_some_and(|rest| {
        let authority = rest.split('/').next().unwrap_or_default();
        !authority.is_empty()
            && !authority.contains('@')
            && rest.bytes().all(|b| b.is_ascii_graphic())
    });
    match is_one {
        true => Ok(to.to_owned()),
        false => wrong(to, "is no address; use https://HOST/PATH, without a password in it"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn read(text: &str) -> Result<(Vec<SinkOptions>, Vec<HeadTarget>), String> {
        let config: Config = toml::from_str(text).map_err(|error| error.to_string())?;
        let told = |error: ConfigError| error.to_string();
        Ok((sinks(&config.audit.sink).map_err(told)?, heads(&config.audit.head).map_err(told)?))
    }

    #[test]
    fn what_is_said_is_taken() {
        let (sinks, heads) = read(
            "[[audit.sink]]\nkind = \"stdout\"\n\
             [[audit.sink]]\nkind = \"syslog\"\nname = \"siem\"\nto = \"tcp://[::1]:601\"\n\
             mode = \"required\"\ndeadline_ms = 500\nfrom = \"now\"\nfacility = \"local3\"\n\
             [[audit.head]]\nto = \"file:/var/heads/newest\"\n\
             [[audit.head]]\nto = \"https://witness.example/heads\"\n",
        )
        .unwrap();
        assert_eq!((sinks[0].name.as_str(), sinks[0].required), ("stdout", false));
        assert_eq!(sinks[0].deadline, Duration::from_millis(250));
        assert!(sinks[1].required && sinks[1].from_now);
        let facility = Facility::parse("local3").unwrap();
        let via = SyslogVia::Tcp("[::1]:601".to_owned());
        assert_eq!(sinks[1].to, Target::Syslog(SyslogTarget { via, facility }));
        let path = PathBuf::from("/var/heads/newest");
        assert_eq!(heads[0], HeadTarget::File { path, append: false });
        assert_eq!(heads[1].to_string(), "https://witness.example/heads");
    }

    #[test]
    fn a_head_that_has_no_place_is_told_how_to_write_it() {
        for (to, says) in [
            ("/var/heads/newest", "write `file:` before the path"),
            ("./newest", "write `file:` before the path"),
            ("witness.example", "use file:/PATH, https://HOST/PATH or stdout"),
            ("ftp://witness.example/heads", "use https://HOST/PATH"),
        ] {
            let why = read(&format!("[[audit.head]]\nto = \"{to}\"")).unwrap_err();
            assert!(why.contains(says), "{to}: {why}");
        }
    }

    #[test]
    fn what_is_refused() {
        for sink in [
            "kind = \"kafka\"",
            "kind = \"stdout\"\nto = \"x\"",
            "kind = \"stdout\"\nname = \"../x\"",
            "kind = \"stdout\"\nname = \"a.new\"",
            "kind = \"stdout\"\nfacility = \"auth\"",
            "kind = \"stdout\"\nheaders_file = \"/x\"",
            "kind = \"stdout\"\ndeadline_ms = 0",
            "kind = \"stdout\"\nmode = \"sometimes\"",
            "kind = \"stdout\"\nsurprise = 1",
            "kind = \"stdout\"\n[[audit.sink]]\nkind = \"stdout\"",
            "kind = \"syslog\"",
            "kind = \"syslog\"\nto = \"localhost:514\"",
            "kind = \"syslog\"\nto = \"tcp://localhost\"",
            "kind = \"syslog\"\nto = \"unix:dev/log\"",
            "kind = \"syslog\"\nto = \"unix:/dev/log\"\nfacility = \"audit\"",
            "kind = \"syslog\"\nto = \"udp://127.0.0.1:514\"\nmode = \"required\"",
            "kind = \"otlp\"",
            "kind = \"otlp\"\nto = \"ftp://h.example/\"",
            "kind = \"otlp\"\nto = \"https://u:p@h.example/\"",
            "kind = \"otlp\"\nto = \"https://h.example/\"\nheaders_file = \"/nowhere/at/all\"",
        ] {
            assert!(read(&format!("[[audit.sink]]\n{sink}\n")).is_err(), "{sink}");
        }
        for head in [
            "to = \"\"",
            "to = \"/var/heads\"",
            "to = \"file:heads\"",
            "to = \"stdout\"\nappend = true",
            "to = \"https:///x\"",
            "to = \"https://h.example/a b\"",
        ] {
            assert!(read(&format!("[[audit.head]]\n{head}\n")).is_err(), "{head}");
        }
    }
}
