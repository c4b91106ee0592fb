//! Opening a file of the agent's world, where a link must not lead elsewhere.
//!
//! What was looked at is what is opened: each component is opened below the one before, and none
//! may be a link, so nothing that is turned meanwhile leads us to another file.

use super::{Resolution, World};
use crate::model::doubt::Doubt;
use crate::model::path::{AbsPath, Real};
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use std::fs::File;
use std::os::fd::OwnedFd;

/// Opens a regular file. Links are followed on the way to it, as the world follows them, and not
/// at its end.
pub(super) fn open_in(world: &dyn World, path: &AbsPath) -> Result<File, Doubt> {
    let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
        return Err(Doubt::Unresolved("it is no file".to_owned()));
    };
    let Resolution { real, .. } = world.resolve(&parent);
    match real {
        Real::At(parent) => open_strictly(&parent, name),
        Real::Unknown(doubt) => Err(doubt),
    }
}

/// Opens a regular file in a directory to which no link leads.
fn open_strictly(directory: &AbsPath, name: &str) -> Result<File, Doubt> {
    let on_the_way = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let root = std::fs::File::open("/").map_err(|error| Doubt::Unresolved(error.to_string()))?;
    let mut at = OwnedFd::from(root);
    for component in directory.components() {
        at = openat(&at, component, on_the_way, Mode::empty()).map_err(unresolved)?;
    }
    // Without waiting: a pipe that nobody writes to would hold us for ever.
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = openat(&at, name, flags | OFlag::O_CLOEXEC, Mode::empty()).map_err(unresolved)?;
    let file = File::from(file);
    match file.metadata() {
        Ok(meta) if meta.is_file() => Ok(file),
        Ok(_) => Err(Doubt::Unresolved("it is no regular file".to_owned())),
        Err(error) => Err(Doubt::Unresolved(error.kind().to_string())),
    }
}

fn unresolved(error: nix::Error) -> Doubt {
    Doubt::Unresolved(std::io::Error::from(error).kind().to_string())
}

#[cfg(test)]
mod tests {
    use crate::model::path::AbsPath;
    use crate::world::{Frozen, Mounted, Reported, Same, World};
    use nix::sys::stat::Mode;
    use std::io::Read;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_a_regular_file_is_opened_and_only_where_it_is_the_agents() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().canonicalize().unwrap();
        let at = |name: &str| AbsPath::parse(root.join(name).to_str().unwrap()).unwrap();
        std::fs::create_dir(root.join("in")).unwrap();
        std::fs::create_dir(root.join("out")).unwrap();
        std::fs::write(root.join("in/file"), "text").unwrap();
        std::fs::write(root.join("out/file"), "other").unwrap();
        symlink(root.join("in/file"), root.join("in/link")).unwrap();
        symlink(root.join("in"), root.join("to-in")).unwrap();
        symlink(root.join("out"), root.join("in/to-out")).unwrap();
        nix::unistd::mkfifo(&root.join("in/fifo"), Mode::S_IRWXU).unwrap();
        let same = Same { home: None, path: None };
        let mounted = Mounted { mounts: vec![at("in")], home: None };
        let read = |world: &dyn World, name: &str| {
            let mut text = String::new();
            world.open(&at(name)).ok()?.read_to_string(&mut text).unwrap();
            Some(text)
        };
        assert_eq!(read(&same, "in/file").as_deref(), Some("text"));
        assert_eq!(read(&same, "to-in/file").as_deref(), Some("text"));
        assert_eq!(read(&mounted, "in/file").as_deref(), Some("text"));
        for name in ["in/link", "in/fifo", "in", "in/absent", "absent/file"] {
            assert_eq!(read(&same, name), None, "{name}");
            assert_eq!(read(&mounted, name), None, "{name}");
        }
        for name in ["in/to-out/file", "out/file", "to-in/file"] {
            assert_eq!(read(&mounted, name), None, "{name}");
        }
        assert!(Frozen::default().open(&at("in/file")).is_err());
        assert!(Reported::default().open(&at("in/file")).is_err());
    }
}
