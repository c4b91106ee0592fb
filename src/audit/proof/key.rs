//! The keys of a log: one signs at a time, certifies the next one in the log, and is destroyed.
//!
//! So whoever steals a key can sign anew only what came after it: older keys are gone, and their
//! certificates pin all that lies before. The file holds the key that signs and, while it hands
//! over, the next one. The next one is on the disk before it is certified, and the old one is
//! destroyed only after the certificate is on the disk: a crash between the two finds both here,
//! and the log says which of them is to go on.

use crate::audit::error::AuditError;
use crate::audit::journal::{Appending, Shelf};
use crate::audit::place::StreamId;
use crate::audit::proof::checkpoint::{Checkpoint, decode};
use crate::audit::proof::note::{Note, PublicKey, SecretKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fs::OpenOptions;
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The key's file in the log's directory, if it has no other place.
pub const KEY_FILE: &str = "toolgate.key";
/// The first line of the file.
const FORM: &str = "toolgate log key 1";
/// No key file is longer.
const FILE_BYTES_MAX: u64 = 4096;

/// The keys of one log, and the file that they are in.
#[derive(Debug)]
pub(in crate::audit) struct Keys {
    path: PathBuf,
    /// The directory it is in.
    shelf: Arc<dyn Shelf>,
    /// What all keys of this log are called.
    name: String,
    /// The number of the key that signs.
    epoch: u64,
    current: SecretKey,
    /// The one before it, which certified it.
    previous: Option<PublicKey>,
    /// The one after it, from when it is made until it signs; the very first key certifies itself.
    next: Option<SecretKey>,
}

/// Whose a head is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::audit) enum Signed {
    /// The key that signs now.
    Now,
    /// The key before it, as the last that it did.
    Before,
    /// None of ours.
    Stranger,
}

impl Keys {
    /// Reads the keys of a log; nothing if there is no file.
    pub(in crate::audit) fn open(
        path: &Path,
        shelf: &Arc<dyn Shelf>,
    ) -> Result<Option<Keys>, AuditError> {
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK)
            .open(path);
        let file = match file {
            Ok(file) => file,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(AuditError::file("open the log's key", path)(why)),
        };
        let about = file.metadata().map_err(AuditError::file("look at", path))?;
        if about.mode() & 0o077 != 0 || about.uid() != nix::unistd::geteuid().as_raw() {
            return Err(wrong(path, "others own or may read it; use `chown` and `chmod 600`"));
        }
        let mut text = Zeroizing::new(String::new());
        file.take(FILE_BYTES_MAX)
            .read_to_string(&mut text)
            .map_err(AuditError::file("read the log's key", path))?;
        let keys = Keys::parse(path, shelf, &text);
        keys.map(Some).ok_or_else(|| wrong(path, "it holds no key of a log"))
    }

    /// Makes the first key of a log.
    pub(in crate::audit) fn make(
        path: &Path,
        shelf: Arc<dyn Shelf>,
        log: &StreamId,
    ) -> Result<Keys, AuditError> {
        let (name, seed) = (format!("toolgate/{log}"), random(path)?);
        let keys = Keys {
            path: path.to_owned(),
            shelf,
            epoch: 0,
            current: SecretKey::of(name.clone(), &seed),
            previous: None,
            next: Some(SecretKey::of(name.clone(), &seed)),
            name,
        };
        keys.save()?;
        Ok(keys)
    }

    fn parse(path: &Path, shelf: &Arc<dyn Shelf>, text: &str) -> Option<Keys> {
        let mut lines = text.lines();
        let name = (lines.next()? == FORM).then(|| lines.next())??.strip_prefix("name ")?;
        let epoch = lines.next()?.strip_prefix("epoch ")?.parse().ok()?;
        let secret = |text: &str| {
            let bytes = Zeroizing::new(*decode(text)?.as_bytes());
            Some(SecretKey::of(name.to_owned(), &bytes))
        };
        let current = secret(lines.next()?.strip_prefix("current ")?)?;
        let (mut previous, mut next) = (None, None);
        for line in lines {
            match line.split_once(' ')? {
                ("previous", key) => previous = Some(PublicKey::parse(key)?),
                ("next", key) => next = Some(secret(key)?),
                _ => return None,
            }
        }
        let (path, shelf) = (path.to_owned(), Arc::clone(shelf));
        Some(Keys { path, shelf, name: name.to_owned(), epoch, current, previous, next })
    }

    /// Replaces the file in one step, and overwrites the one that was there as far as that goes.
    fn save(&self) -> Result<(), AuditError> {
        let failed = AuditError::file("write the log's key", &self.path);
        let mut text = Zeroizing::new(String::with_capacity(1024));
        let encode = |key: &SecretKey| Zeroizing::new(STANDARD.encode(key.bytes()));
        text.push_str(&format!("{FORM}\nname {}\nepoch {}\ncurrent ", self.name, self.epoch));
        text.push_str(&encode(&self.current));
        if let Some(previous) = &self.previous {
            text.push_str(&format!("\nprevious {previous}"));
        }
        if let Some(next) = &self.next {
            text.push_str("\nnext ");
            text.push_str(&encode(next));
        }
        text.push('\n');
        let write = || -> io::Result<()> {
            let name = self.path.file_name().and_then(|name| name.to_str());
            let name = name.ok_or(io::ErrorKind::InvalidFilename)?;
            let beside = format!("{name}.new");
            let mut options = OpenOptions::new();
            let old = options.write(true).custom_flags(nix::libc::O_NOFOLLOW).open(&self.path).ok();
            let mut file = Appending(self.shelf.anew(&beside)?);
            file.write_all(text.as_bytes())?;
            file.finish()?;
            self.shelf.rename_to(&beside, name)?;
            self.shelf.sync_names()?;
            // The blocks of the old file: most file systems write over them in place.
            if let Some(mut old) = old {
                let length = old.metadata().map_or(0, |about| about.len()).min(FILE_BYTES_MAX);
                let zeros = vec![0; usize::try_from(length).unwrap_or(0)];
                let _ = old.rewind().and_then(|()| old.write_all(&zeros));
                let _ = old.sync_all();
            }
            Ok(())
        };
        write().map_err(failed)
    }

    /// The number of the key that signs.
    pub(in crate::audit) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether a hand-over is under way, or the first key has not certified itself yet.
    pub(in crate::audit) fn is_handing_over(&self) -> bool {
        self.next.is_some()
    }

    /// The next key, which is made and saved if it is not there.
    pub(in crate::audit) fn next(&mut self) -> Result<PublicKey, AuditError> {
        if self.next.is_none() {
            let seed = random(&self.path)?;
            self.next = Some(SecretKey::of(self.name.clone(), &seed));
            if let Err(why) = self.save() {
                self.next = None;
                return Err(why);
            }
        }
        Ok(self.next.as_ref().unwrap_or(&self.current).public())
    }

    /// Signs a head.
    pub(in crate::audit) fn sign(&self, head: &Checkpoint) -> Note {
        self.current.sign(head.to_string())
    }

    /// The certificate is on the disk: the next key signs, and the one before is destroyed. What
    /// this returns is whether the file says so too; it may be tried again with [`Keys::settle`].
    pub(in crate::audit) fn hand_over(&mut self) -> Result<(), AuditError> {
        let Some(next) = self.next.take() else { return Ok(()) };
        let (before, after) = (self.current.public(), next.public());
        self.current = next;
        // The very first key only certified itself.
        if before != after {
            self.epoch += 1;
            self.previous = Some(before);
        }
        self.settle()
    }

    /// Makes the file say what is.
    pub(in crate::audit) fn settle(&self) -> Result<(), AuditError> {
        self.save()
    }

    /// Whose the newest head of the log is; a hand-over that it shows is brought to its end.
    pub(in crate::audit) fn recognise(
        &mut self,
        head: &Checkpoint,
        note: &Note,
    ) -> Result<Signed, AuditError> {
        if let Some(next) = self.next.as_ref().map(SecretKey::public) {
            let certified = head.next.as_ref() == Some(&next);
            let certified = certified && self.current.public().verify(note).is_ok();
            if certified || next.verify(note).is_ok() {
                self.hand_over()?;
            }
        }
        let current = self.current.public();
        let handed_over = head.next.as_ref() == Some(&current);
        let is_previous = |key: &PublicKey| key.verify(note).is_ok();
        Ok(if current.verify(note).is_ok() && head.epoch == self.epoch {
            Signed::Now
        } else if handed_over && self.previous.as_ref().is_some_and(is_previous) {
            Signed::Before
        } else {
            Signed::Stranger
        })
    }
}

fn random(path: &Path) -> Result<Zeroizing<[u8; 32]>, AuditError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed)
        .map_err(|why| wrong(path, &format!("the system gives no random bytes for it: {why}")))?;
    Ok(seed)
}

pub(in crate::audit) fn wrong(path: &Path, why: &str) -> AuditError {
    AuditError::Key { path: path.to_owned(), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::place::Hash;

    fn head(keys: &Keys, next: Option<PublicKey>) -> Checkpoint {
        Checkpoint {
            stream: StreamId::generate(),
            size: 1,
            root: Hash::ZERO,
            epoch: keys.epoch(),
            time: "2026-11-24T15:50:09.000001Z".to_owned(),
            next,
        }
    }

    fn shelf(dir: &Path) -> Arc<dyn Shelf> {
        Arc::new(crate::audit::journal::Directory::unlocked(dir).unwrap())
    }

    #[test]
    fn a_crash_at_any_point_of_a_hand_over_finds_the_key_that_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let shelf = shelf(dir.path());
        assert!(Keys::open(&path, &shelf).unwrap().is_none());
        let mut keys = Keys::make(&path, Arc::clone(&shelf), &StreamId::generate()).unwrap();
        let reopen = || Keys::open(&path, &shelf).unwrap().unwrap();
        // The very first key only certifies itself.
        for epoch in [0, 0, 1] {
            let next = keys.next().unwrap();
            let certificate = head(&keys, Some(next.clone()));
            let (note, old) = (keys.sign(&certificate), keys.current.public());
            assert_eq!(keys.epoch(), epoch);
            // It crashed before the certificate was in the log: the same next key is certified.
            let mut crashed = reopen();
            assert!(crashed.is_handing_over());
            assert_eq!(
                (crashed.current.public(), crashed.next().unwrap()),
                (old.clone(), next.clone())
            );
            // It crashed after that.
            let signed = crashed.recognise(&certificate, &note).unwrap();
            let expected = if old == next { Signed::Now } else { Signed::Before };
            assert_eq!((signed, crashed.current.public()), (expected, next.clone()));
            keys = reopen();
            assert!(!keys.is_handing_over());
            // The old key is nowhere any more.
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(text.matches("current ").count() + text.matches("next ").count(), 1);
            let by_next = head(&keys, None);
            let note = keys.sign(&by_next);
            assert_eq!(keys.recognise(&by_next, &note).unwrap(), Signed::Now);
            keys.next().unwrap();
        }
        let other = Keys::make(&dir.path().join("other"), shelf, &StreamId::generate()).unwrap();
        let by_other = head(&keys, None);
        let note = other.sign(&by_other);
        assert_eq!(keys.recognise(&by_other, &note).unwrap(), Signed::Stranger);
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let shelf = shelf(dir.path());
        Keys::make(&path, Arc::clone(&shelf), &StreamId::generate()).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        assert!(matches!(Keys::open(&path, &shelf), Err(AuditError::Key { .. })));
        for bad in ["", "toolgate log key 2\n", "toolgate log key 1\nname a\nepoch 0\ncurrent AA\n"]
        {
            std::fs::write(&path, bad).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
            assert!(matches!(Keys::open(&path, &shelf), Err(AuditError::Key { .. })), "{bad}");
        }
    }
}
