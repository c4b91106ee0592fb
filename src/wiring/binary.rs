//! What about this program, as the runtime will start it, could let somebody else in.
//!
//! It is started with an environment that the project may have chosen: a program that loads
//! libraries would load the project's. And whoever can write it, or a directory above it, is it.

use super::Note;
use super::place::Surroundings;
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

/// What weakens the wiring of this program. `path` is as the agent sees it.
///
/// # Errors
/// If no runtime could start it.
pub fn look(path: &Path, around: &Surroundings) -> Result<Vec<Note>, String> {
    let name = path.display();
    if !path.is_absolute() || path.to_str().is_none() {
        return Err(format!(
            "`{name}` is no absolute path; the agent's directory moves, and where the hook is not \
             found, Claude Code refuses every call and Codex runs it"
        ));
    }
    let here = around.here(path);
    let Ok(there) = std::fs::metadata(&here) else {
        return match around.root {
            Some(_) => Ok(vec![Note::warning(format!(
                "`{name}` is not in the image yet; without it every tool call is refused"
            ))]),
            None => Err(format!("`{name}` is not there; say where it is with `--binary`")),
        };
    };
    if !there.is_file() || there.mode() & 0o111 == 0 {
        return Err(format!("`{name}` is no program that can be run"));
    }
    let mut notes = Vec::new();
    for above in here.ancestors() {
        let Ok(there) = std::fs::metadata(above) else { continue };
        // In a directory with the sticky bit only the owner of a file can replace it.
        let is_shared = there.mode() & 0o022 != 0 && there.mode() & 0o1000 == 0;
        if is_shared || there.uid() != 0 {
            let who = match is_shared {
                true => "others than its owner".to_owned(),
                false => format!("its owner, user {}", there.uid()),
            };
            notes.push(Note::warning(format!(
                "`{}` can be written by {who}; an agent that can, answers for the guard: keep the \
                 program where only root writes",
                above.display()
            )));
            break;
        }
    }
    if loads_libraries(&here) != Some(false) {
        notes.push(Note::warning(format!(
            "`{name}` loads libraries when it starts, and a project's `env` can name others; use \
             the static build"
        )));
    }
    Ok(notes)
}

/// Whether the program asks for a loader (`PT_INTERP`); nothing if that cannot be told.
fn loads_libraries(path: &Path) -> Option<bool> {
    const PT_INTERP: u32 = 3;
    let mut file = std::fs::File::open(path).ok()?;
    let mut head = [0u8; 64];
    file.read_exact(&mut head).ok()?;
    // ELF, 64 bit, little endian: what we build for.
    if !head.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let offset = u64::from_le_bytes(head.get(32..40)?.try_into().ok()?);
    let size = u16::from_le_bytes(head.get(54..56)?.try_into().ok()?);
    let count = u16::from_le_bytes(head.get(56..58)?.try_into().ok()?);
    for index in 0..count {
        let mut kind = [0u8; 4];
        let at = offset.checked_add(u64::from(index) * u64::from(size))?;
        file.read_exact_at(&mut kind, at).ok()?;
        if u32::from_le_bytes(kind) == PT_INTERP {
            return Some(true);
        }
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_cannot_be_trusted_is_told_of() {
        let scratch = tempfile::tempdir().unwrap();
        let script = scratch.path().join("toolgate");
        std::fs::write(&script, "#!/bin/sh\n").unwrap();
        let around = Surroundings::default();
        assert!(look(&script, &around).unwrap_err().contains("can be run"));
        assert!(look(Path::new("toolgate"), &around).unwrap_err().contains("absolute"));
        let none = scratch.path().join("none");
        assert!(look(&none, &around).unwrap_err().contains("not there"));
        let image = Surroundings { root: Some(scratch.path().to_owned()), ..around };
        assert!(look(Path::new("/none"), &image).unwrap()[0].text.contains("not in the image"));
        // This test is such a program; what it is no program of is not known to be static.
        let own = std::env::current_exe().unwrap();
        assert_eq!(loads_libraries(&own), Some(cfg!(not(target_feature = "crt-static"))));
        assert_eq!(loads_libraries(&script), None);
    }
}
