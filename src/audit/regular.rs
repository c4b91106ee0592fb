//! Opening what should be a file of the log: whoever can write the directory can put anything there
//! under such a name. A link is not followed, a pipe or a device is not waited for or read without
//! end; what is no file is damaged (`InvalidData`), as a file with other bytes in it is.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Opens a regular file to read.
pub(in crate::audit) fn open(path: &Path) -> io::Result<File> {
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        // A socket, a device without a driver, a link.
        Err(why) if matches!(why.raw_os_error(), Some(nix::libc::ENXIO | nix::libc::ENODEV)) => {
            return Err(wrong("a device or socket"));
        }
        Err(why) if why.raw_os_error() == Some(nix::libc::ELOOP) => return Err(wrong("a link")),
        Err(why) => return Err(why),
    };
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        return Ok(file);
    }
    Err(wrong(if kind.is_dir() { "a directory" } else { "a pipe or device" }))
}

/// Reads all of it.
pub(in crate::audit) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("this is no file but {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_are_opened_and_nothing_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("file"), "a").unwrap();
        assert_eq!(read(&at("file")).unwrap(), b"a");
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", at("zero")).unwrap();
        nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::fs::create_dir(at("dir")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        for name in ["link", "zero", "pipe", "dir", "socket"] {
            assert_eq!(open(&at(name)).unwrap_err().kind(), ErrorKind::InvalidData, "{name}");
        }
        assert_eq!(open(&at("none")).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
