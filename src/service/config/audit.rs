//! `[audit]`: where the log is, how firmly it is kept, and what happens when it cannot be written.

use super::ConfigError;
use crate::audit::{BlobBounds, OnFailure, Options, Signing, SpaceMarks};
use crate::limits::{JOURNAL_DEADLINE_MAX, JOURNAL_DEADLINE_MIN, JOURNAL_RESERVE_BYTES};
use crate::redact::{CommitmentKey, KeepTexts, Keeping, Redactor};
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

/// `[audit]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// Where the log is written.
    pub dir: Option<PathBuf>,
    /// Which records are on the disk before their answer.
    pub durability: DurabilityName,
    /// What a call comes to while the log takes no record.
    pub on_audit_failure: OnFailureName,
    /// How long a record may take, in milliseconds.
    pub deadline_ms: Option<u64>,
    /// Free room of which the first warning is given, as `"20%"`.
    pub space_warn: Option<String>,
    /// Free room of which the second warning is given, as `"10%"`.
    pub space_low: Option<String>,
    /// Whether texts that are too long for a record are kept beside the log: of all calls, of
    /// none, or, if nothing is said, of those whose rule says `capture = "full"`.
    pub blobs: Option<bool>,
    /// One such text, in bytes.
    pub blob_bytes_max: Option<u64>,
    /// All of them, in bytes.
    pub blobs_bytes_max: Option<u64>,
    /// `[[audit.sink]]`: where records go besides.
    pub sink: Vec<super::sinks::Sink>,
    /// `[[audit.head]]`: where signed heads go.
    pub head: Vec<super::sinks::HeadTo>,
    /// The file of the key that signs the log.
    pub key: Option<PathBuf>,
    /// How long a record may stand unsigned, in milliseconds.
    pub checkpoint_ms: Option<u64>,
    /// How long there may be no signed head though no record comes, in seconds.
    pub heartbeat_seconds: Option<u64>,
    /// How long a key signs, in hours; 0 for ever.
    pub key_hours: Option<u64>,
}

/// Which records are on the disk before their answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DurabilityName {
    /// Denials, questions, and calls that change something; the rest within 100 ms.
    #[default]
    Standard,
    /// All.
    Strict,
}

/// What a call comes to while the log takes no record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailureName {
    /// It is refused.
    #[default]
    Deny,
    /// Calls that only read go on.
    AllowReadonly,
    /// All go on.
    Allow,
}

impl Audit {
    /// How the log is opened.
    ///
    /// # Errors
    /// If a value does not fit.
    pub fn options(&self, redactor: Redactor) -> Result<Options, ConfigError> {
        let usual = Options::new(redactor);
        let timeout = match self.deadline_ms {
            None => usual.timeout,
            Some(stated) => deadline(Duration::from_millis(stated))?,
        };
        let SpaceMarks { warn, low } = SpaceMarks::default();
        let space = SpaceMarks {
            warn: hundredths("space_warn", self.space_warn.as_deref())?.unwrap_or(warn),
            low: hundredths("space_low", self.space_low.as_deref())?.unwrap_or(low),
        };
        if space.low > space.warn {
            return Err(ConfigError::Value(format!(
                "`space_low` ({}%) in `[audit]` must not be above `space_warn` ({}%)",
                space.low, space.warn
            )));
        }
        Ok(Options {
            timeout,
            strict: self.durability == DurabilityName::Strict,
            on_failure: match self.on_audit_failure {
                OnFailureName::Deny => OnFailure::Deny,
                OnFailureName::AllowReadonly => OnFailure::AllowReadonly,
                OnFailureName::Allow => OnFailure::Allow,
            },
            space,
            reserve_bytes: JOURNAL_RESERVE_BYTES,
            ..usual
        }
        .signed(self.signing()?))
    }

    fn signing(&self) -> Result<Signing, ConfigError> {
        let within =
            |key: &str, stated: Option<u64>, (low, high): (u64, u64), usual: Duration| match stated
            {
                None => Ok(usual),
                Some(number) if (low..=high).contains(&number) => Ok(Duration::from_secs(number)),
                Some(number) => Err(ConfigError::Value(format!(
                    "`{key} = {number}` in `[audit]` must be from {low} to {high}"
                ))),
            };
        let usual = Signing::default();
        let (ms, seconds, hours) = (self.checkpoint_ms, self.heartbeat_seconds, self.key_hours);
        let every = within("checkpoint_ms", ms, (10, 60_000), usual.every)?;
        Ok(Signing {
            key: self.key.clone(),
            every: if ms.is_some() { every / 1_000 } else { every },
            heartbeat: within("heartbeat_seconds", seconds, (1, 86_400), usual.heartbeat)?,
            rotate: match hours {
                None => usual.rotate,
                Some(_) => within("key_hours", hours, (0, 24 * 366), usual.rotate)? * 3_600,
            },
            heads: None,
        })
    }
}

impl Audit {
    /// What is kept of what is redacted and left out.
    #[must_use]
    pub fn keeping(&self, key: CommitmentKey) -> Keeping {
        let texts = match self.blobs {
            None => KeepTexts::Full,
            Some(true) => KeepTexts::Usual,
            Some(false) => KeepTexts::None,
        };
        Keeping { key: Some(key), texts }
    }

    /// How much is kept beside the log.
    #[must_use]
    pub fn blob_bounds(&self) -> BlobBounds {
        let usual = BlobBounds::default();
        BlobBounds {
            one: self.blob_bytes_max.unwrap_or(usual.one),
            all: self.blobs_bytes_max.unwrap_or(usual.all),
        }
    }
}

fn deadline(stated: Duration) -> Result<Duration, ConfigError> {
    if (JOURNAL_DEADLINE_MIN..=JOURNAL_DEADLINE_MAX).contains(&stated) {
        return Ok(stated);
    }
    Err(ConfigError::Value(format!(
        "`deadline_ms = {}` in `[audit]` must be from {} to {}",
        stated.as_millis(),
        JOURNAL_DEADLINE_MIN.as_millis(),
        JOURNAL_DEADLINE_MAX.as_millis()
    )))
}

/// `"20%"` as 20; nothing if nothing is said.
fn hundredths(key: &str, text: Option<&str>) -> Result<Option<u8>, ConfigError> {
    let Some(text) = text else { return Ok(None) };
    match text.strip_suffix('%').map(str::parse) {
        Some(Ok(number @ 0..=99)) => Ok(Some(number)),
        _ => Err(ConfigError::Value(format!(
            "`{key} = \"{text}\"` in `[audit]` must be a part of the disk, as \"20%\"; \"0%\" for none"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::LazyLock;

    fn options(text: &str) -> Result<Options, ConfigError> {
        static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| Redactor::shipped().unwrap());
        toml::from_str::<Audit>(text).unwrap().options(REDACTOR.clone())
    }

    #[test]
    fn what_is_said_reaches_the_log() {
        let usual = options("").unwrap();
        assert_eq!((usual.on_failure, usual.strict), (OnFailure::Deny, false));
        assert_eq!(usual.space, SpaceMarks { warn: 20, low: 10 });
        assert_eq!(usual.timeout, Duration::from_secs(5));
        let other = options(
            "durability = \"strict\"\non_audit_failure = \"allow_readonly\"\ndeadline_ms = 250\n\
             space_warn = \"5%\"\nspace_low = \"0%\"",
        );
        let other = other.unwrap();
        assert_eq!((other.on_failure, other.strict), (OnFailure::AllowReadonly, true));
        assert_eq!(other.space, SpaceMarks { warn: 5, low: 0 });
        assert_eq!(other.timeout, Duration::from_millis(250));
        let signing = usual.signing.unwrap();
        assert_eq!((signing.key, signing.every), (None, Duration::from_secs(1)));
        let text = "key = \"/k\"\ncheckpoint_ms = 50\nheartbeat_seconds = 5\nkey_hours = 2";
        let signing = options(text).unwrap().signing.unwrap();
        assert_eq!((signing.key, signing.every), (Some("/k".into()), Duration::from_millis(50)));
        let (heartbeat, rotate) = (Duration::from_secs(5), Duration::from_secs(7_200));
        assert_eq!((signing.heartbeat, signing.rotate), (heartbeat, rotate));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (text, key) in [
            ("deadline_ms = 0", "deadline_ms"),
            ("deadline_ms = 600000", "deadline_ms"),
            ("space_warn = \"20\"", "space_warn"),
            ("space_low = \"-1%\"", "space_low"),
            ("space_low = \"100%\"", "space_low"),
            ("space_low = \"30%\"", "space_low"),
            ("checkpoint_ms = 0", "checkpoint_ms"),
            ("heartbeat_seconds = 0", "heartbeat_seconds"),
            ("key_hours = 10000", "key_hours"),
        ] {
            let why = options(text).unwrap_err().to_string();
            assert!(why.contains(key), "{text}: {why}");
        }
        for text in ["durability = \"none\"", "on_audit_failure = \"ignore\"", "deadline_ms = -1"] {
            assert!(toml::from_str::<Audit>(text).is_err(), "{text}");
        }
    }
}
