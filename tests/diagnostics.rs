//! What the author of a policy is told, word for word.
//!
//! Each `tests/cases/diagnostics/CODE-slug.toml` is a policy with mistakes, one of them CODE;
//! beside it stand `.human.txt`, what `policy check` says of it, and, if `--fix` mends any of it,
//! `.fixed.toml`, what it becomes. A second file of the same policy is `CODE-slug.also.toml`.
//!
//! `BLESS=1 cargo test --test diagnostics` writes these anew, and the codes in the language
//! reference with them: look at the difference before it is committed. So a new code is a row of
//! `src/policy/diagnostic/codes.rs`, a case here, and one such run.
#![cfg(test)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use toolgate::author::check::{Checked, check_and_lint, workspace_in};
use toolgate::author::fix::fix;
use toolgate::model::time::Moment;
use toolgate::policy::builtin::Protected;
use toolgate::policy::diagnostic::codes::{CODES, code};
use toolgate::policy::diagnostic::{ascii, human, json, sarif};
use toolgate::policy::pattern::Anchors;
use toolgate::policy::{Diagnostic, Source};
use toolgate::redact::Redactor;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn directory() -> PathBuf {
    root().join("tests/cases/diagnostics")
}

fn names() -> Vec<String> {
    let entries = std::fs::read_dir(directory()).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The names of the cases, without `.toml`.
fn cases() -> Vec<String> {
    let of_case = |name: &String| Some(name.strip_suffix(".toml")?.to_owned());
    let names: Vec<String> = names().iter().filter_map(of_case).collect();
    names.into_iter().filter(|name| !name.contains('.')).collect()
}

/// The files of a case. A file is named without its directory, so that it is told so.
fn sources(case: &str) -> Vec<Source> {
    let files = [format!("{case}.toml"), format!("{case}.also.toml")];
    let there = files.into_iter().filter(|name| directory().join(name).exists());
    let source = |name: String| Source {
        text: std::fs::read_to_string(directory().join(&name)).unwrap(),
        layer: None,
        name,
    };
    there.map(source).collect()
}

fn diagnostics(sources: &[Source]) -> Vec<Diagnostic> {
    let redactor = Redactor::shipped().unwrap();
    let anchors = Anchors::frozen(workspace_in(sources));
    // 2026-06-01, so that what has ended then has ended.
    let now = Some(Moment(1_780_272_000 * Moment::SECOND));
    let protected = Protected::default();
    let Checked { diagnostics, .. } = check_and_lint(sources, &anchors, &protected, &redactor, now);
    diagnostics
}

/// Holds a file to what it should be, or writes it.
fn holds(path: &Path, expected: Option<&str>) -> Result<(), String> {
    let there = std::fs::read_to_string(path).ok();
    if there.as_deref() == expected {
        return Ok(());
    }
    if std::env::var_os("BLESS").is_some() {
        match expected {
            Some(text) => std::fs::write(path, text).unwrap(),
            None => std::fs::remove_file(path).unwrap(),
        }
        return Ok(());
    }
    let (there, now) = (there.unwrap_or_default(), expected.unwrap_or_default());
    let same = there.lines().zip(now.lines()).take_while(|(a, b)| a == b).count();
    let from = |text: &str| text.lines().skip(same).take(9).collect::<Vec<_>>().join("\n");
    Err(format!(
        "{}: line {} is not what is said now (BLESS=1 writes it)\n--- there\n{}\n--- now\n{}",
        path.display(),
        same + 1,
        from(&there),
        from(now)
    ))
}

#[test]
fn every_case_is_told_word_for_word() {
    let mut wrong = Vec::new();
    let cases = cases();
    assert!(cases.len() >= 30, "the cases were not found");
    for case in &cases {
        let sources = sources(case);
        let found = diagnostics(&sources);
        let own = case.split('-').next().unwrap();
        if !found.iter().any(|found| found.code == own) {
            wrong.push(format!("{case} has no mistake {own}"));
        }
        for one in &found {
            match code(one.code) {
                Some(row) if row.severity == one.severity => {}
                _ => wrong.push(format!("{case}: {} is not in the table as it is told", one.code)),
            }
        }
        let shown = format!("{}\n", human::render_all(&found, &sources, false));
        let path = |end: &str| directory().join(format!("{case}.{end}"));
        wrong.extend(holds(&path("human.txt"), Some(&shown)).err());
        let fixed = fix(&sources, &diagnostics);
        let mended = !fixed.done.is_empty();
        assert_eq!(mended, found.iter().any(|found| found.fix.is_some()), "{case}");
        let text = fixed.sources.first().map(|source| source.text.as_str());
        wrong.extend(holds(&path("fixed.toml"), text.filter(|_| mended)).err());
        // What is fixed is gone: no fix is offered a second time.
        assert!(!diagnostics(&fixed.sources).iter().any(|found| found.fix.is_some()), "{case}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_file_there_belongs_to_a_case() {
    let cases = cases();
    for name in names() {
        let (case, end) = name.split_once('.').unwrap();
        let known = ["toml", "also.toml", "human.txt", "fixed.toml"].contains(&end);
        assert!((known && cases.iter().any(|one| one == case)) || case == "formats", "{name}");
    }
}

#[test]
fn programs_and_code_scanning_are_told_the_same() {
    let sources: Vec<Source> =
        ["P003-misspelt", "P003-crlf", "P013-names"].into_iter().flat_map(sources).collect();
    let found = diagnostics(&sources);
    assert!(found.iter().any(|found| found.fix.is_some()));
    assert!(found.iter().any(|found| !found.others.is_empty()));
    let told = format!("{:#}\n", json::diagnostics(&found, &sources));
    holds(&directory().join("formats.json"), Some(&ascii(&told))).unwrap();
    let unreadable = [("gone.toml".to_owned(), "no such file".to_owned())];
    let told = format!("{:#}\n", sarif::log(&found, &sources, &unreadable));
    // The version is no part of what is told, nor is what other codes there are.
    let version = format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    let mut log: serde_json::Value =
        serde_json::from_str(&told.replace(&version, "\"version\": \"VERSION\"")).unwrap();
    let rules = log.pointer_mut("/runs/0/tool/driver/rules").unwrap().as_array_mut().unwrap();
    assert_eq!(rules.len(), CODES.len());
    rules.retain(|rule| rule["id"] == "P003");
    for result in log.pointer_mut("/runs/0/results").unwrap().as_array_mut().unwrap() {
        let index = result.as_object_mut().unwrap().remove("ruleIndex").unwrap();
        let row = &CODES[usize::try_from(index.as_u64().unwrap()).unwrap()];
        assert_eq!(result["ruleId"], row.code);
    }
    holds(&directory().join("formats.sarif"), Some(&format!("{log:#}\n"))).unwrap();
}

/// The codes that the sources name; tests have P000 for their own.
fn codes_in_sources() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut directories = vec![root().join("src")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if !path.ends_with("diagnostic/codes.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let quoted = text.split('"').filter(|piece| {
                    let digits = piece.strip_prefix('P');
                    digits.is_some_and(|rest| {
                        rest.len() == 3 && rest.bytes().all(|byte| byte.is_ascii_digit())
                    })
                });
                found.extend(quoted.map(str::to_owned));
            }
        }
    }
    found.remove("P000");
    found
}

#[test]
fn every_code_is_in_the_table_is_used_and_has_a_case() {
    let table: Vec<&str> = CODES.iter().map(|row| row.code).collect();
    assert!(table.is_sorted_by(|a, b| a < b), "in order, each once: {table:?}");
    let used = codes_in_sources();
    assert_eq!(used.iter().map(String::as_str).collect::<Vec<_>>(), table);
    for row in CODES {
        let has_case = cases().iter().any(|case| case.starts_with(&format!("{}-", row.code)));
        assert!(has_case, "{} has no case in tests/cases/diagnostics", row.code);
        assert!(row.what.ends_with('.') && !row.title.ends_with('.'), "{}", row.code);
    }
}

/// Words in lines of 118 columns.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().unwrap();
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > 118 {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}

#[test]
fn the_reference_has_a_paragraph_for_every_code() {
    const BEGIN: &str = "<!-- codes: written by BLESS=1 cargo test --test diagnostics -->\n";
    const END: &str = "<!-- end of codes -->";
    let path = root().join("policies/README.md");
    let reference = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = reference.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let paragraph = |row: &toolgate::policy::diagnostic::codes::Code| {
        let mut title = row.title.to_owned();
        // A title begins with a letter, as every sentence does.
        if let Some(first) = title.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        wrapped(&format!("**{} ({})** *{title}.* {}", row.code, row.severity.as_str(), row.what))
    };
    let paragraphs: Vec<String> = CODES.iter().map(paragraph).collect();
    let expected = format!("{before}{BEGIN}\n{}\n\n{END}{after}", paragraphs.join("\n\n"));
    holds(&path, Some(&expected)).unwrap();
}
