//! Any text: reading it as shell never panics, whatever was read of it, what stands behind it is
//! read as well, and a bound that is met is an unknown access of every verb.

use std::collections::BTreeSet;
use toolgate::facts::Place;
use toolgate::facts::commands;
use toolgate::model::access::{Access, Target, Verb};
use toolgate::model::doubt::Doubt;
use toolgate::model::path::AbsPath;
use toolgate::world::Frozen;

/// What is put behind a text: it removes a file that no text here names.
const BEHIND: &str = "rm -- zz-behind";

/// Fails if the property does not hold for these bytes.
pub fn hold(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let files = ["/work/.env", "/work/a", "/work/src/lib.rs", "/home/agent/.ssh/id_rsa"];
    let files: Vec<AbsPath> = files.iter().filter_map(|file| AbsPath::parse(file).ok()).collect();
    let world = Frozen::with_files(&files);
    let (Ok(workspace), Ok(tmp)) = (AbsPath::parse("/work"), AbsPath::parse("/tmp")) else {
        return;
    };
    let place = Place { world: &world, workspace: &workspace, tmp: &tmp };
    let read = |text: &str| {
        let mut all = Vec::new();
        commands::read(text, Some(&workspace), &place, &mut all);
        all
    };
    let alone = read(text);
    bounds_are_unknown(&alone, text);
    // A text that is not read whole is unknown, with and without what follows; a here-document or
    // a comment would take it in, and so would a text that has ended.
    let readable = toolgate::shell::parse(text, 0).is_ok();
    let continued = text.contains("<<") || text.contains('#') || text.ends_with('\\');
    // It may give `rm` another meaning.
    if !readable || continued || text.contains("rm") {
        return;
    }
    let both = read(&format!("{text}\n{BEHIND}"));
    bounds_are_unknown(&both, text);
    let removes = both.iter().any(|access| match &access.target {
        Target::Write(path) => path.written.as_str().ends_with("zz-behind"),
        Target::Unknown { verb, .. } => *verb == Verb::Write,
        // Where the command is not known, it may be any.
        _ => false,
    });
    assert!(removes, "what follows is not seen: {text:?}");
}

fn bounds_are_unknown(all: &[Access], text: &str) {
    let met = |access: &&Access| {
        matches!(&access.target, Target::Unknown { reason: Doubt::Limit(_), .. })
    };
    let verbs: BTreeSet<Verb> = all.iter().filter(met).map(|access| access.target.verb()).collect();
    let whole = [Verb::Read, Verb::Write, Verb::Exec, Verb::Connect];
    // A word that grew beyond its bound is unknown by itself, with the verb that uses it.
    let of_word = |access: &Access| {
        matches!(&access.target, Target::Unknown { reason: Doubt::Limit("expanded bytes"), .. })
    };
    assert!(
        verbs.is_empty()
            || all.iter().any(of_word)
            || whole.iter().all(|verb| verbs.contains(verb)),
        "{text:?}"
    );
}
