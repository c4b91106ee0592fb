//! Which Claude Code is installed.

use super::super::check::{Outcome, Watch};
use super::super::subject::Subject;
use crate::limits::DOCTOR_VERSION_TIMEOUT;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// The first version with `onFailure`: an older one takes it for a key that it does not know.
pub(in crate::doctor) const OLDEST: [u32; 3] = [2, 1, 295];
/// The version that all that is said here was seen on.
pub(in crate::doctor) const TESTED: [u32; 3] = [2, 1, 330];

pub(in crate::doctor) fn version(subject: &Subject, _: &Watch) -> Outcome {
    let client = match subject.client() {
        Ok(client) => client,
        Err(why) if subject.request.client.is_none() => return Outcome::Skipped(why),
        Err(why) => return Outcome::Failed(why),
    };
    let said = match say_version(&client) {
        Ok(said) => said,
        Err(why) => return Outcome::Failed(format!("`{}` {why}", client.display())),
    };
    let Some(found) = parse(&said) else {
        return Outcome::Failed(format!("`{}` says no version: `{said}`", client.display()));
    };
    let shown = |version: [u32; 3]| version.map(|part| part.to_string()).join(".");
    let (this, tested) = (shown(found), shown(TESTED));
    if found < OLDEST {
        let oldest = shown(OLDEST);
        return Outcome::Failed(format!("{this} is older than {oldest}, which can fail closed"));
    }
    match found == TESTED {
        true => Outcome::Ok(format!("{this}, the version that toolgate is tested with")),
        false => Outcome::Warning(format!("{this}; toolgate is tested with {tested}")),
    }
}

/// Whether the version can fail closed, for those who would start it.
pub(in crate::doctor) fn may_be_played(client: &Path) -> Result<(), String> {
    let found = say_version(client).ok().and_then(|said| parse(&said));
    match found {
        Some(found) if found >= OLDEST => Ok(()),
        Some(_) => Err("the client is too old to fail closed".to_owned()),
        None => Err("the client says no version".to_owned()),
    }
}

/// The first line that the client prints when it is asked for its version.
fn say_version(client: &Path) -> Result<String, String> {
    let wrong = |error: std::io::Error| format!("cannot be asked for its version: {error}");
    let mut child = Command::new(client)
        .arg("--version")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", std::env::temp_dir())
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(wrong)?;
    let until = Instant::now() + DOCTOR_VERSION_TIMEOUT;
    while child.try_wait().map_err(wrong)?.is_none() {
        if Instant::now() > until {
            let _ = child.kill();
            let _ = child.wait();
            return Err("does not answer when asked for its version".to_owned());
        }
        std::thread::sleep(crate::limits::DOCTOR_POLL);
    }
    let output = child.wait_with_output().map_err(wrong)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.lines().next().unwrap_or_default().chars().take(80).collect())
}

fn parse(said: &str) -> Option<[u32; 3]> {
    let first = said.split_whitespace().next()?;
    let parts: Option<Vec<u32>> = first.split('.').map(|part| part.parse().ok()).collect();
    parts?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(parse("2.1.330 (Claude Code)"), Some(TESTED));
        for none in ["", "claude 2.1.330", "2.1", "2.1.x", "2.1.330.4"] {
            assert_eq!(parse(none), None, "{none}");
        }
        let pins = include_str!("../../../tests/clients.env");
        let tested = TESTED.map(|part| part.to_string()).join(".");
        assert!(pins.contains(&tested), "the pinned client is another one");
    }
}
