//! The policies that were in force, as the log tells of them, and their texts as they stood.
//!
//! Each `policy.load` names its files with the digest of their texts, and the texts are kept once,
//! by digest. A kept policy is compiled again; only where that gives the very digest that the
//! record names is it said to be the policy of then.

mod kept;
mod text;

pub use kept::{Kept, KeptPolicies, KeptPolicy, KeptRule, Nothing, Texts};
pub use text::excerpt;

use crate::audit::wire::WireRecord;
use crate::model::json::Json;
use crate::model::record::Kind;
use serde::Serialize;

/// One coming into force of a policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PolicyLoad {
    /// The stream of its record.
    pub stream: String,
    /// The number of its record.
    pub seq: u64,
    /// When.
    pub ts: String,
    /// Why: `start`, `sighup`, `command`, `poll`.
    pub cause: String,
    /// `name@version`.
    pub name: String,
    /// The policy's digest.
    pub sha256: String,
    /// How many rules it has.
    pub rules: u64,
    /// Its files.
    pub files: Vec<PolicyFile>,
    /// The digest of the policy before it, if there was one.
    pub before_sha256: Option<String>,
    /// What `$workspace` stood for, if it was recorded.
    pub workspace: Option<String>,
    /// What `$home` stood for.
    pub home: Option<String>,
    /// What `$tmp` stood for.
    pub tmp: Option<String>,
}

/// One file of a policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PolicyFile {
    /// Its name.
    pub file: String,
    /// The SHA-256 of its text.
    pub sha256: String,
    /// The layer whose directory it was found in, if it was in one's.
    pub layer: Option<String>,
}

/// The policies of a stretch of the log, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Policies {
    /// Each coming into force.
    pub loads: Vec<PolicyLoad>,
}

impl PolicyLoad {
    /// What a record tells; nothing if it is of another kind.
    #[must_use]
    pub fn of(record: &WireRecord) -> Option<PolicyLoad> {
        if record.kind != Kind::PolicyLoad.as_str() {
            return None;
        }
        let text = |name: &str| record.details.get(name).and_then(Json::as_str).map(str::to_owned);
        let files = record.details.get("files").and_then(Json::as_array);
        Some(PolicyLoad {
            stream: record.stream.clone(),
            seq: record.seq,
            ts: record.ts.clone(),
            cause: text("cause").unwrap_or_default(),
            name: text("policy").unwrap_or_default(),
            sha256: text("sha256").unwrap_or_default(),
            rules: record.details.get("rules").and_then(Json::as_u64).unwrap_or(0),
            files: files.into_iter().flatten().map(PolicyFile::of).collect(),
            before_sha256: text("before_sha256"),
            workspace: text("workspace"),
            home: text("home"),
            tmp: text("tmp"),
        })
    }
}

impl PolicyFile {
    fn of(json: &Json) -> PolicyFile {
        let text = |name: &str| json.get(name).and_then(Json::as_str).map(str::to_owned);
        PolicyFile {
            file: text("file").or_else(|| json.as_str().map(str::to_owned)).unwrap_or_default(),
            sha256: text("sha256").unwrap_or_default(),
            layer: text("layer"),
        }
    }
}

impl Policies {
    /// Looks at one record.
    pub fn take(&mut self, record: &WireRecord) {
        self.loads.extend(PolicyLoad::of(record));
    }

    /// The newest load of a policy; a beginning of its digest will do.
    #[must_use]
    pub fn find(&self, sha256: &str) -> Option<&PolicyLoad> {
        let fits = |load: &&PolicyLoad| !sha256.is_empty() && load.sha256.starts_with(sha256);
        self.loads.iter().rev().find(fits)
    }

    /// The policy that somebody names: by `name@version`, or the beginning of its digest.
    ///
    /// # Errors
    /// In words, if there is none, or if several policies have that name.
    pub fn named(&self, text: &str) -> Result<&PolicyLoad, String> {
        let digest = text.strip_prefix("sha256:").unwrap_or(text);
        let distinct = self.distinct();
        let fits = |load: &&&PolicyLoad| {
            load.name == text || (!digest.is_empty() && load.sha256.starts_with(digest))
        };
        let found: Vec<&PolicyLoad> = distinct.iter().filter(fits).copied().collect();
        let told = |loads: &[&PolicyLoad]| {
            let short = |load: &&PolicyLoad| {
                format!("{} {}", load.name, load.sha256.get(..12).unwrap_or(&load.sha256))
            };
            loads.iter().map(short).collect::<Vec<_>>().join(", ")
        };
        match found.as_slice() {
            [one] => Ok(one),
            [] if distinct.is_empty() => Err("the log tells of no policy".to_owned()),
            [] => Err(format!(
                "no policy of this log is `{text}`, by its name or its digest; there are {}",
                told(&distinct)
            )),
            several => Err(format!(
                "several policies of this log are `{text}`; name one by its digest: {}",
                told(several)
            )),
        }
    }

    /// Each policy once, by its newest load.
    #[must_use]
    pub fn distinct(&self) -> Vec<&PolicyLoad> {
        let mut found: Vec<&PolicyLoad> = Vec::new();
        for load in self.loads.iter().rev() {
            if !found.iter().any(|other| other.sha256 == load.sha256) {
                found.push(load);
            }
        }
        found.reverse();
        found
    }
}
