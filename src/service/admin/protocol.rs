//! What is said at the admin socket: one request a connection, as one line of JSON, and one answer.
//!
//! Requests with anything unknown in them are refused; answers may grow.

use super::label::LabelChange;
use crate::limits::{ADMIN_LINE_BYTES_MAX, METRICS_BYTES_MAX};
use crate::model::json;
use serde::{Deserialize, Serialize};

/// What an operator asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Request {
    /// What the sidecar is and does.
    Status,
    /// Read the policy's files again.
    Reload,
    /// Whether it can do its work.
    Health,
    /// What is counted.
    Metrics,
    /// Set or remove a label.
    Label(LabelChange),
    /// Erase texts that are kept beside the log.
    Erase(Erase),
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reply {
    /// To `status`.
    Status(Box<Status>),
    /// To `reload`.
    Reload(Reload),
    /// To `health`.
    Health(Health),
    /// To `metrics`: their text, as Prometheus reads it.
    Metrics(String),
    /// To `label`: this was done.
    Label(LabelChange),
    /// To `erase`: this was done.
    Erased(Erased),
    /// To anything: it was not done, and why.
    Error(String),
}

/// Texts to erase, by their names; at most `NAMES_ERASED_MAX`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erase {
    /// Their SHA-256.
    pub texts: Vec<String>,
    /// Why, for the record.
    pub why: String,
}

/// What was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// Texts that are gone now.
    pub texts: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// What the sidecar is and does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// toolgate's version.
    pub version: String,
    /// The sidecar's process.
    pub pid: u32,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// The policy in force.
    pub policy: Policy,
    /// The last reload, if there was one.
    pub reload: Option<Reload>,
    /// The log.
    pub audit: Audit,
    /// Who is being served.
    pub connections: Connections,
}

/// The policy in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Its name and version.
    pub name: String,
    /// Its digest, as every decision's record has it.
    pub sha256: String,
    /// Since when it is in force.
    pub loaded_at: String,
    /// Its layers.
    pub layers: Vec<Layer>,
    /// Layers that did not fit here.
    pub layers_more: usize,
    /// Files whose signatures were not checked.
    pub unsigned: Vec<String>,
}

/// One layer of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// Its name and version.
    pub name: String,
    /// How many rules it has, those of its packs included.
    pub rules: usize,
}

/// What came of a reload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reload {
    /// When it ended.
    pub at: String,
    /// What asked for it: `sighup`, `command`, `poll`, or several joined by `+`.
    pub cause: String,
    /// What it came to.
    pub outcome: Reloaded,
    /// The name of the policy in force after it.
    pub policy: String,
    /// The digest of the policy in force after it.
    pub sha256: String,
    /// Why it was refused: every mistake with its place, as far as there is room.
    pub why: Option<String>,
}

/// What a reload came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reloaded {
    /// What the files hold is in force now.
    Loaded,
    /// It was already.
    Unchanged,
    /// It is not; the policy before it stays.
    Refused,
}

/// The log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// Its directory, if texts are kept beside it.
    #[serde(default)]
    pub dir: Option<String>,
    /// The newest record, as `audit verify --head` takes it.
    pub head: Option<String>,
    /// Why nothing can be recorded now, if that is so.
    pub failure: Option<String>,
    /// What becomes of calls then: `deny`, `allow_readonly` or `allow`.
    #[serde(default)]
    pub on_failure: String,
    /// Records not yet on the disk, and records kept in memory until the log takes some.
    #[serde(default)]
    pub waiting: u64,
    /// As above.
    #[serde(default)]
    pub kept: usize,
    /// Records that are in no log, since the start.
    #[serde(default)]
    pub lost: u64,
    /// The room on its disk: `enough`, `warn`, `low` or `full`.
    #[serde(default)]
    pub space: String,
    /// Free bytes there.
    #[serde(default)]
    pub free_bytes: Option<u64>,
    /// When its newest signed head was made.
    #[serde(default)]
    pub signed_at: Option<String>,
}

/// Connections being served now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    /// Of hooks.
    pub hook: usize,
    /// Of the network plane, if it listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress: Option<usize>,
    /// Of operators, the one that asks included.
    pub admin: usize,
}

/// Whether the sidecar can do its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Calls can be judged and recorded.
    pub ready: bool,
    /// What stands against that.
    pub problems: Vec<String>,
    /// What an operator should look at all the same.
    pub warnings: Vec<String>,
}

impl Request {
    /// How long the answer may be, in bytes.
    pub(super) fn answer_bytes_max(&self) -> usize {
        match self {
            Request::Metrics => METRICS_BYTES_MAX,
            Request::Status
            | Request::Reload
            | Request::Health
            | Request::Label(_)
            | Request::Erase(_) => ADMIN_LINE_BYTES_MAX,
        }
    }

    /// Reads one line, without its end.
    ///
    /// # Errors
    /// In words for the operator, if it is no request.
    pub fn parse(line: &[u8]) -> Result<Request, String> {
        let value = json::parse(line).map_err(|error| error.to_string())?;
        serde_json::from_value(value).map_err(|error| format!("this is no request: {error}"))
    }
}

impl Reply {
    /// One line with its end. An answer that would be too long says so instead.
    #[must_use]
    pub fn to_line(&self) -> Vec<u8> {
        let line = line(self);
        let most = match self {
            Reply::Metrics(_) => METRICS_BYTES_MAX,
            Reply::Status(_)
            | Reply::Reload(_)
            | Reply::Health(_)
            | Reply::Label(_)
            | Reply::Erased(_)
            | Reply::Error(_) => ADMIN_LINE_BYTES_MAX,
        };
        match line.len() <= most {
            true => line,
            false => line_of_error("the answer is too long"),
        }
    }
}

/// A value as one line: JSON has no line end but in its own spaces, and none is written there.
pub(super) fn line(value: &impl Serialize) -> Vec<u8> {
    match serde_json::to_vec(value) {
        Ok(mut line) => {
            line.push(b'\n');
            line
        }
        Err(error) => line_of_error(&error.to_string()),
    }
}

fn line_of_error(why: &str) -> Vec<u8> {
    format!("{}\n", serde_json::json!({ "error": why })).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::label::Change;
    use super::*;

    #[test]
    fn requests_are_read_strictly() {
        let label = LabelChange {
            session: "s".to_owned(),
            change: Change::Add,
            label: "approved:T1".to_owned(),
        };
        let good = [
            (r#""status""#, Request::Status),
            (r#" "reload" "#, Request::Reload),
            (r#""health""#, Request::Health),
            (r#""metrics""#, Request::Metrics),
            (
                r#"{"label":{"session":"s","change":"add","label":"approved:T1"}}"#,
                Request::Label(label),
            ),
        ];
        for (text, request) in good {
            assert_eq!(Request::parse(text.as_bytes()).unwrap(), request, "{text}");
            let line = line(&request);
            assert_eq!(Request::parse(line.trim_ascii_end()).unwrap(), request);
        }
        for bad in [
            "",
            "status",
            r#""stop""#,
            r#"{"status":1}"#,
            r#""status" "status""#,
            r#"{"label":{"session":"s","change":"add"}}"#,
            r#"{"label":{"session":"s","change":"drop","label":"x"}}"#,
            r#"{"label":{"session":"s","change":"add","label":"x","by":"me"}}"#,
            r#"{"label":{"session":"s","change":"add","label":"x","label":"y"}}"#,
            r#"{"label":{"session":"s","change":"add","label":"x"},"reload":null}"#,
            "\u{feff}\"status\"",
        ] {
            assert!(Request::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(Request::parse(b"\"stat\xff\"").is_err());
    }

    #[test]
    fn an_answer_is_one_line_and_never_too_long() {
        let line = Reply::Error("a\nb".to_owned()).to_line();
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        let long = Reply::Error("\u{1}".repeat(ADMIN_LINE_BYTES_MAX)).to_line();
        assert_eq!(long, b"{\"error\":\"the answer is too long\"}\n");
    }
}
