//! Every mistake as SARIF 2.1.0, for code scanning and editors: one run, a rule for each code.

use super::codes::CODES;
use super::json::{Places, Region};
use super::{Diagnostic, Edit, Fix, Note, seen};
use crate::policy::compile::Source;
use serde_json::{Value, json};
use std::ops::Range;

/// A file that could not be read, and why.
pub type Unreadable = (String, String);

/// The log of one check.
#[must_use]
pub fn log(found: &[Diagnostic], sources: &[Source], unreadable: &[Unreadable]) -> Value {
    let mut places = Places::of(sources);
    let results: Value = found.iter().map(|found| result(found, &mut places)).collect();
    let notifications: Value = unreadable
        .iter()
        .map(|(file, why)| {
            json!({
                "level": "error",
                "message": message(&format!("cannot be read: {}", seen(why))),
                "locations": [{ "physicalLocation": { "artifactLocation": artifact(file) } }],
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "toolgate",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": CODES.iter().map(rule).collect::<Value>(),
            } },
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": unreadable.is_empty(),
                "toolExecutionNotifications": notifications,
            }],
            "results": results,
        }],
    })
}

fn rule(code: &super::codes::Code) -> Value {
    json!({
        "id": code.code,
        "shortDescription": message(code.title),
        "fullDescription": message(code.what),
        "defaultConfiguration": { "level": code.severity.as_str() },
    })
}

fn result(found: &Diagnostic, places: &mut Places<'_>) -> Value {
    let label = match found.label.as_str() {
        "" => String::new(),
        label => format!(": {}", seen(label)),
    };
    let help = found.help.as_deref().map(|help| format!("\nhelp: {}", seen(help)));
    let text = format!("{}{label}{}", seen(&found.message), help.unwrap_or_default());
    let mut value = json!({
        "ruleId": found.code,
        "level": found.severity.as_str(),
        "message": message(&text),
        "locations": [location(&found.file, &found.span, places)],
    });
    let Some(object) = value.as_object_mut() else { return value };
    if let Some(index) = CODES.iter().position(|code| code.code == found.code) {
        object.insert("ruleIndex".to_owned(), json!(index));
    }
    if !found.others.is_empty() {
        let related = |note: &Note| {
            let mut related = location(&note.file, &note.span, places);
            if let Some(related) = related.as_object_mut() {
                related.insert("message".to_owned(), message(&seen(&note.label)));
            }
            related
        };
        object.insert("relatedLocations".to_owned(), found.others.iter().map(related).collect());
    }
    if let Some(fix) = &found.fix {
        object.insert("fixes".to_owned(), json!([fix_of(found, fix, places)]));
    }
    value
}

fn location(file: &str, span: &Range<usize>, places: &mut Places<'_>) -> Value {
    let region = region(&places.region(file, span));
    json!({ "physicalLocation": { "artifactLocation": artifact(file), "region": region } })
}

fn region(region: &Region) -> Value {
    json!({
        "startLine": region.line, "startColumn": region.column,
        "endLine": region.end_line, "endColumn": region.end_column,
    })
}

fn fix_of(found: &Diagnostic, fix: &Fix, places: &mut Places<'_>) -> Value {
    let replacement = |edit: &Edit| {
        json!({
            "deletedRegion": region(&places.region(&found.file, &edit.span)),
            "insertedContent": { "text": edit.text },
        })
    };
    json!({
        "description": message(&seen(&fix.words)),
        "artifactChanges": [{
            "artifactLocation": artifact(&found.file),
            "replacements": fix.edits.iter().map(replacement).collect::<Value>(),
        }],
    })
}

/// A text as SARIF has it (3.11): braces are placeholders unless they are doubled, and what a
/// policy says must not become a link.
fn message(text: &str) -> Value {
    json!({ "text": text.replace('{', "{{").replace('}', "}}").replace("](", "] (") })
}

/// A file's name as the URI that SARIF wants: whatever is not plain in it is written by its number.
fn artifact(file: &str) -> Value {
    let mut uri = String::from(if file.starts_with('/') { "file://" } else { "" });
    for byte in file.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b'@' => {
                uri.push(char::from(byte));
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    json!({ "uri": uri })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_holds_no_placeholder_and_no_link() {
        let told = message("`{a,b}` [x](https://a.example)");
        assert_eq!(told, json!({ "text": "`{{a,b}}` [x] (https://a.example)" }));
    }

    #[test]
    fn a_name_becomes_a_uri() {
        for (file, uri) in [
            ("policies/a.toml", "policies/a.toml"),
            ("/etc/toolgate/ä b.toml", "file:///etc/toolgate/%C3%A4%20b.toml"),
            ("std:secrets@1", "std%3Asecrets@1"),
            ("a\u{1b}#?%.toml", "a%1B%23%3F%25.toml"),
        ] {
            assert_eq!(artifact(file), json!({ "uri": uri }));
        }
    }
}
