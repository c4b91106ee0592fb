//! Any text: every header of a patch is a write of its path, one that is moved is written in both
//! places, and a text without any is a doubt.

use toolgate::facts::patch::{Step, read};
use toolgate::model::access::Verb;

/// Fails if the property does not hold for these bytes.
pub fn hold(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let steps: Vec<Step<'_>> = read(text).collect();
    let written = |path: &str| steps.contains(&Step::Path(Verb::Write, path));
    let mut headers = 0;
    for line in text.lines().filter(|line| !line.starts_with(['+', '-'])) {
        for header in ["Add File: ", "Delete File: ", "Update File: ", "Move to: "] {
            let Some(path) =
                line.trim_start().strip_prefix("*** ").and_then(|l| l.strip_prefix(header))
            else {
                continue;
            };
            headers += usize::from(header != "Move to: ");
            assert!(written(path) && written(path.trim()), "{line:?}");
            let is_read = steps.contains(&Step::Path(Verb::Read, path));
            assert!(is_read || header != "Update File: ", "{line:?}");
        }
    }
    assert!(headers > 0 || steps.iter().any(|step| matches!(step, Step::Doubt(_))), "{text:?}");
    assert!(steps.iter().all(|step| !matches!(step, Step::Path(Verb::Exec | Verb::Connect, _))));
}
