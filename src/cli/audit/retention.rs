//! `toolgate audit retention`: which files of the log, and which texts beside it, retention would
//! delete now. It deletes nothing: the sidecar does, by `[audit.retention]` of its configuration.

use super::Directory;
use crate::audit::{Blobs, Due, Retention, due, newest_file, outlived};
use crate::cli::Outcome;
use crate::cli::out::{complain, say};
use crate::service::config::Config;
use crate::service::config::audit::RetentionKeys;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The sidecar's configuration; its `[audit]` says where the log is and how long it is kept
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// In place of `days`: what is older than so many days is deleted
    #[arg(long, value_name = "N")]
    days: Option<u32>,
    /// In place of `max_bytes`: while the log takes more, its oldest files are deleted, as 20GiB
    #[arg(long, value_name = "SIZE")]
    max_bytes: Option<String>,
    /// In place of `min_days`: nothing younger than so many days is deleted for its size
    #[arg(long, value_name = "N")]
    min_days: Option<u32>,
    /// How to print
    #[arg(long, default_value = "table", value_parser = ["table", "jsonl"])]
    format: String,
    #[command(flatten)]
    directory: Directory,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, String> {
    let config = arguments.config.as_deref().map(Config::read).transpose();
    let audit = config.map_err(|error| error.to_string())?.unwrap_or_default().audit;
    let directory = match &arguments.directory.audit {
        None => Directory { audit: audit.dir.clone() }.path()?,
        Some(_) => arguments.directory.path()?,
    };
    let retention = arguments.bounds(audit.retention)?;
    if retention.hold {
        complain!("nothing is deleted while `hold` is set in `[audit.retention]`");
        return Ok(Outcome::Fine);
    }
    if retention.days.is_none() && retention.max_bytes.is_none() {
        complain!(
            "nothing is deleted: `[audit.retention]` sets no `days` and no `max_bytes`; name the \
             configuration with --config, or try --days or --max-bytes"
        );
        return Ok(Outcome::Fine);
    }
    let failed = |error: crate::audit::AuditError| error.to_string();
    let needed = newest_file(&directory).map_err(failed)?;
    let now = jiff::Timestamp::now();
    let files = due(&directory, &retention, now, needed).map_err(failed)?;
    files.iter().for_each(|one| arguments.row(one));
    let names: Vec<String> = files.iter().map(Due::file).collect();
    let texts = outlived(&directory, &Blobs::of(&directory), &names).map_err(failed)?;
    let bytes: u64 = files.iter().map(|one| one.bytes).sum();
    let text_bytes: u64 = texts.iter().map(|one| one.bytes).sum();
    complain!(
        "{} files, {bytes} bytes, and {} kept texts, {text_bytes} bytes, would be deleted now; \
         nothing was",
        files.len(),
        texts.len()
    );
    Ok(Outcome::Fine)
}

impl Arguments {
    /// The bounds of the configuration, but for what is said here: asking does no harm.
    fn bounds(&self, keys: RetentionKeys) -> Result<Retention, String> {
        let is_other = self.days.is_some() || self.min_days.is_some();
        let keys = RetentionKeys {
            days: self.days.or(keys.days),
            max_bytes: self.max_bytes.clone().or(keys.max_bytes),
            min_days: self.min_days.or(keys.min_days),
            allow_short: keys.allow_short || is_other,
            ..keys
        };
        keys.retention().map_err(|error| error.to_string())
    }

    fn row(&self, one: &Due) {
        let (file, newest, why) = (one.file(), one.newest, one.why.as_str());
        if self.format == "jsonl" {
            let (bytes, newest) = (one.bytes, newest.to_string());
            let row = serde_json::json!({
                "file": file, "bytes": bytes, "newest": newest, "why": why,
            });
            say!("{row}");
        } else {
            say!("{file}  {:>10} bytes  its newest record is of {newest:.0}  ({why})", one.bytes);
        }
    }
}
