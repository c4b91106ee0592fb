//! `toolgate audit erase`: erases texts that are kept beside the log. The chain stays whole.
//!
//! A running sidecar does it, since it alone writes its log; without one the log is opened here,
//! and signed with its key if that can be read: a record that stands unsigned says so.

use super::Directory;
use super::table::counted;
use crate::audit::proof::prove::keys;
use crate::audit::{
    AuditError, Blobs, Chosen, Erased, Hash, Journal, KEY_FILE, NAMES_ERASED_MAX, Options,
    Selection, Signing, erase, select,
};
use crate::cli::Outcome;
use crate::cli::ask::Socket;
use crate::cli::out::{complain, say};
use crate::cli::show::plain;
use crate::redact::Redactor;
use crate::service::admin::{self, Reply, Request};
use jiff::{SignedDuration, Timestamp};
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(clap::Args)]
#[group(
    id = "selection",
    required = true,
    multiple = false,
    args = ["blob", "session", "older_than"]
)]
pub(in crate::cli) struct Arguments {
    /// One text, by its SHA-256
    #[arg(long, value_name = "SHA256")]
    blob: Option<String>,
    /// All texts that the records of a session name
    #[arg(long)]
    session: Option<String>,
    /// All texts of records that are older, as 30d, 12h or 90m
    #[arg(long, value_name = "DURATION")]
    older_than: Option<String>,
    /// Only say what would be erased
    #[arg(long)]
    dry_run: bool,
    /// The file of the key that signs the log, as `key` in `[audit]`, for when no sidecar runs
    /// [default: toolgate.key in the log's directory]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    #[command(flatten)]
    directory: Directory,
    #[command(flatten)]
    socket: Socket,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, String> {
    let directory = arguments.log()?;
    let (selection, why) = arguments.selection()?;
    let chosen = select(&directory, &selection).map_err(|error| error.to_string())?;
    if chosen.is_empty() {
        complain!("no such text is kept beside the log at `{}`", directory.display());
        return Ok(Outcome::Findings);
    }
    for one in &chosen {
        say!("{}", row(one));
    }
    let bytes: u64 = chosen.iter().map(|one| one.bytes).sum();
    if arguments.dry_run {
        let texts = counted(wide(chosen.len()), "text");
        complain!("{texts}, {bytes} bytes; nothing was erased");
        return Ok(Outcome::Fine);
    }
    let names: Vec<Hash> = chosen.iter().map(|one| one.name).collect();
    let erased = arguments.erase(&directory, &names, &why)?;
    let texts = counted(wide(erased.texts), "text");
    complain!("erased: {texts} with {} bytes", erased.bytes);
    if erased.texts < names.len() {
        return Err("not all of them: does the sidecar at --socket write this log?".to_owned());
    }
    Ok(Outcome::Fine)
}

impl Arguments {
    /// Where the log is: if nobody says, that of the sidecar at the socket, else the usual place.
    fn log(&self) -> Result<PathBuf, String> {
        if self.directory.audit.is_none()
            && let Ok(Reply::Status(status)) = self.socket.ask(&Request::Status)
            && let Some(directory) = status.audit.dir
        {
            return Ok(PathBuf::from(directory));
        }
        self.directory.path()
    }

    /// Which texts are meant, and in words.
    fn selection(&self) -> Result<(Selection, String), String> {
        if let Some(name) = &self.blob {
            let hash = Hash::parse(name);
            let hash = hash.ok_or("--blob takes 64 hexadecimal digits, as records name a text")?;
            return Ok((Selection::One(hash), "by name".to_owned()));
        }
        if let Some(session) = &self.session {
            return Ok((Selection::Session(session.clone()), format!("session {session}")));
        }
        let text = self.older_than.as_deref().unwrap_or_default();
        let age = age(text).ok_or("--older-than takes a number and s, m, h, d or w, as 30d")?;
        let then = Timestamp::now().checked_sub(age).map_err(|error| error.to_string())?;
        Ok((Selection::Before(then), format!("older than {text}")))
    }

    fn erase(&self, directory: &Path, names: &[Hash], why: &str) -> Result<Erased, String> {
        let redactor = Redactor::shipped().map_err(|error| error.to_string())?;
        let options = Options::new(redactor);
        let (options, unsigned) = match self.signing(directory) {
            Ok(signing) => (options.signed(signing), None),
            // A record of an erasure that nobody signs is one that anybody could have written.
            Err(unsigned) if keys(directory).is_ok_and(|keys| !keys.is_empty()) => {
                return self.there(names, why).map_err(|asked| {
                    format!("{unsigned}: this log is signed, and so must the erasure be; {asked}")
                });
            }
            Err(why) => (options, Some(why)),
        };
        match Journal::open(directory, options) {
            Ok(journal) => {
                let erased = here(directory, &journal, names, why)?;
                journal.close().map_err(|error| error.to_string())?;
                if let Some(why) = unsigned {
                    complain!("warning: the record of this is not signed: {why}");
                    complain!("the next `toolgate serve` with the key signs it");
                }
                Ok(erased)
            }
            Err(AuditError::InUse(_)) => self.there(names, why).map_err(|why| {
                format!(
                    "a sidecar writes this log, so it must erase: {why}; name its admin socket \
                     with --socket PATH"
                )
            }),
            Err(error) => Err(error.to_string()),
        }
    }

    /// How the record is signed, or in words why it is not: only the sidecar makes a key.
    fn signing(&self, directory: &Path) -> Result<Signing, String> {
        let path = self.key.clone().unwrap_or_else(|| directory.join(KEY_FILE));
        match std::fs::File::open(&path) {
            // The key goes on signing: it hands over when the sidecar says so.
            Ok(_) => {
                Ok(Signing { key: self.key.clone(), rotate: Duration::ZERO, ..Signing::default() })
            }
            Err(error) => Err(format!(
                "the log's key `{}` cannot be read ({error}); say where it is with --key",
                path.display()
            )),
        }
    }

    /// The sidecar that writes the log erases them.
    fn there(&self, names: &[Hash], why: &str) -> Result<Erased, String> {
        let mut erased = Erased::default();
        for names in names.chunks(NAMES_ERASED_MAX) {
            let texts = names.iter().map(Hash::to_string).collect();
            let wish = admin::Erase { texts, why: why.to_owned() };
            match self.socket.ask(&Request::Erase(wish))? {
                Reply::Erased(done) => {
                    erased.texts += done.texts;
                    erased.bytes += done.bytes;
                }
                Reply::Error(why) => return Err(why),
                _ => return Err("the sidecar answered another question".to_owned()),
            }
        }
        Ok(erased)
    }
}

/// Nobody writes the log: it is opened for the record of the erasure.
fn here(directory: &Path, journal: &Journal, names: &[Hash], why: &str) -> Result<Erased, String> {
    let blobs = Blobs::of(directory);
    let by = nix::unistd::getuid().as_raw();
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let write = |record| std::future::ready(journal.append_signed_blocking(record).map(drop));
    runtime.block_on(erase(&blobs, names, (by, why), write)).map_err(|error| error.to_string())
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn row(one: &Chosen) -> String {
    let (time, session) = match &one.record {
        Some((time, session)) => (time.as_str(), session.as_deref().unwrap_or("-")),
        None => ("no record", "-"),
    };
    format!("{}  {:>10} bytes  {}  {}", one.name, one.bytes, plain(time), plain(session))
}

/// `30d` as a time; nothing for anything else.
fn age(text: &str) -> Option<SignedDuration> {
    let is_plain = !text.contains('.') && !text.ends_with("us") && !text.ends_with("ms");
    let micros = crate::audit::query::duration(text).filter(|_| is_plain)?;
    i64::try_from(micros).ok().map(SignedDuration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_a_number_and_a_unit() {
        assert_eq!(age("30d"), Some(SignedDuration::from_hours(24 * 30)));
        assert_eq!(age("0s"), Some(SignedDuration::ZERO));
        for bad in ["", "d", "-1d", "1", "1y", "1.5h", "é", "1 d", "99999999999d"] {
            assert_eq!(age(bad), None, "{bad}");
        }
    }
}
