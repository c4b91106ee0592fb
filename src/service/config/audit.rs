//! `[audit]`: where the log is, how firmly it is kept, and what happens when it cannot be written.

use super::ConfigError;
use crate::audit::{
    BlobBounds, OnFailure, Options, Retention, SEGMENT_BYTES_MAX, Signing, SpaceMarks,
    commitment_key_file,
};
use crate::limits::{JOURNAL_DEADLINE_MAX, JOURNAL_DEADLINE_MIN, JOURNAL_RESERVE_BYTES};
use crate::limits::{RETENTION_MIN_DAYS, SEGMENT_MB_MAX, SEGMENT_MINUTES_MAX};
use crate::redact::{CommitmentKey, KeepTexts, Keeping, Redactor};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `[audit]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// Where the log is written.
    pub dir: Option<PathBuf>,
    /// A file that reached so many megabytes is followed by the next.
    pub segment_mb: Option<u64>,
    /// So is one in which something happened so many minutes ago.
    pub segment_minutes: Option<u64>,
    /// Whether files stay plain when they are closed.
    pub keep_plain: bool,
    /// `[audit.retention]`
    pub retention: RetentionKeys,
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

/// `[audit.retention]`: how long the log is kept; for ever if nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionKeys {
    /// What is older than so many days is deleted.
    pub days: Option<u32>,
    /// While the log takes more, its oldest files are deleted, as `"20GiB"`.
    pub max_bytes: Option<String>,
    /// Nothing younger than so many days is deleted.
    pub min_days: Option<u32>,
    /// Whether less than that may be asked for.
    pub allow_short: bool,
    /// Nothing is deleted: a legal hold.
    pub hold: bool,
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

impl RetentionKeys {
    /// How long the log is kept.
    ///
    /// # Errors
    /// If a value is none, or the log would be kept shorter than `min_days` and nobody insists.
    pub fn retention(&self) -> Result<Retention, ConfigError> {
        let min_days = self.min_days.unwrap_or(RETENTION_MIN_DAYS);
        if let Some(days) = self.days.filter(|days| *days < min_days && !self.allow_short) {
            return Err(ConfigError::Value(format!(
                "`days = {days}` in `[audit.retention]` is less than `min_days = {min_days}`; \
                 add `allow_short = true` if the log may really be deleted so soon"
            )));
        }
        let max_bytes = self.max_bytes.as_deref().map(bytes).transpose()?;
        // Unless somebody insists, what is younger is not deleted for its size either.
        let min_days = if self.allow_short { self.min_days.unwrap_or(0) } else { min_days };
        Ok(Retention { days: self.days, max_bytes, min_days, hold: self.hold })
    }
}

/// Reads `20GiB`.
fn bytes(text: &str) -> Result<u64, ConfigError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).unwrap_or_default();
    let unit = match unit.trim() {
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        "TiB" => Some(1_u64 << 40),
        _ => None,
    };
    let number = number.parse::<u64>().ok();
    let all = number.zip(unit).and_then(|(number, unit)| number.checked_mul(unit));
    all.filter(|all| *all > 0).ok_or_else(|| {
        ConfigError::Value(format!(
            "`max_bytes = \"{text}\"` in `[audit.retention]` is no size; write one like \"20GiB\" \
             (MiB, GiB or TiB)"
        ))
    })
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
        let within = |what: &str, value: Option<u64>, usual: u64, max: u64| match value {
            Some(value) if value == 0 || value > max => Err(ConfigError::Value(format!(
                "`{what} = {value}` in `[audit]` must be from 1 to {max}"
            ))),
            value => Ok(value.unwrap_or(usual)),
        };
        let megabytes =
            within("segment_mb", self.segment_mb, SEGMENT_BYTES_MAX >> 20, SEGMENT_MB_MAX)?;
        let usual_minutes = usual.segment_age.as_secs() / 60;
        let minutes =
            within("segment_minutes", self.segment_minutes, usual_minutes, SEGMENT_MINUTES_MAX)?;
        Ok(Options {
            segment_bytes: megabytes << 20,
            segment_age: Duration::from_secs(minutes * 60),
            seal: !self.keep_plain,
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
    /// The file of the key by which secrets are committed to: beside the one that signs.
    #[must_use]
    pub fn commitment_key(&self, directory: &Path) -> PathBuf {
        let signing = self.key.as_deref().and_then(Path::parent);
        commitment_key_file(signing.unwrap_or(directory))
    }

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
            "`{key} = \"{text}\"` in `[audit]` must be a part of the disk, as \"20%\"; \"0%\" for \
             none"
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
    fn the_log_is_kept_as_long_as_is_said() {
        let retention = |text: &str| toml::from_str::<RetentionKeys>(text).unwrap().retention();
        let usual = Retention { min_days: RETENTION_MIN_DAYS, ..Retention::default() };
        assert_eq!(retention("").unwrap(), usual);
        let twenty = Some(20 << 30);
        for (text, expected) in [
            ("days = 200", Retention { days: Some(200), ..usual.clone() }),
            ("max_bytes = \"20GiB\"", Retention { max_bytes: twenty, ..usual.clone() }),
            ("max_bytes = \"20480 MiB\"", Retention { max_bytes: twenty, ..usual.clone() }),
            ("hold = true", Retention { hold: true, ..usual.clone() }),
            (
                "min_days = 30\ndays = 30",
                Retention { days: Some(30), min_days: 30, ..usual.clone() },
            ),
            (
                "allow_short = true\ndays = 0",
                Retention { days: Some(0), min_days: 0, ..usual.clone() },
            ),
            ("allow_short = true\nmin_days = 7", Retention { min_days: 7, ..usual.clone() }),
        ] {
            assert_eq!(retention(text).unwrap(), expected, "{text}");
        }
        for (text, told) in [
            ("days = 179", "allow_short = true"),
            ("days = 20\nmin_days = 30", "min_days = 30"),
            ("max_bytes = \"20GB\"", "no size"),
            ("max_bytes = \"0GiB\"", "no size"),
            ("max_bytes = \"GiB\"", "no size"),
            ("max_bytes = \"99999999999TiB\"", "no size"),
        ] {
            let why = retention(text).unwrap_err().to_string();
            assert!(why.contains(told), "{text}: {why}");
        }
        for text in ["days = -1", "days = \"200\"", "hold = 1", "keep = 3"] {
            assert!(toml::from_str::<RetentionKeys>(text).is_err(), "{text}");
        }
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
