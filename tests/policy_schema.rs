//! The JSON Schema that editors are given says what the reader says, and the shipped policies are
//! found by it, valid, and in the one layout.
#![cfg(test)]

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;
use std::path::{Path, PathBuf};
use toolgate::author::format::format;
use toolgate::policy::schema;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

struct Editor {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Editor {
    fn new() -> Editor {
        let (mut compiler, mut schemas) = (Compiler::new(), Schemas::new());
        let at = "https://toolgate.example/policy.schema.json";
        compiler.add_resource(at, schema::schema()).unwrap();
        let index = compiler.compile(at, &mut schemas).unwrap();
        Editor { schemas, index }
    }

    /// What an editor would underline.
    fn judge(&self, text: &str) -> Result<(), String> {
        let table: toml::Table = toml::from_str(text).map_err(|error| error.to_string())?;
        let value = to_json(toml::Value::Table(table));
        self.schemas.validate(&value, self.index).map_err(|error| format!("{error:#}"))
    }
}

/// TOML as the editors' servers hand it to a schema: a date is a string.
fn to_json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(value) => value.into(),
        toml::Value::Datetime(date) => date.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(to_json).collect(),
        toml::Value::Table(table) => {
            table.into_iter().map(|(key, value)| (key, to_json(value))).collect()
        }
    }
}

fn toml_files(directory: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(directory)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

fn shipped() -> Vec<PathBuf> {
    let files: Vec<PathBuf> =
        ["policies", "policies/std"].into_iter().flat_map(toml_files).collect();
    assert!(files.len() >= 3, "{files:?}");
    files
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_committed_schema_is_the_one_that_is_printed() {
    let path = root().join("policies/policy.schema.json");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, schema::text()).unwrap();
    }
    let same = text(&path) == schema::text();
    assert!(same, "policies/policy.schema.json is old: BLESS=1 cargo test --test policy_schema");
}

#[test]
fn every_shipped_policy_names_the_schema_and_is_valid_and_laid_out() {
    let editor = Editor::new();
    for path in shipped() {
        let (name, text) = (path.display(), text(&path));
        let named = text.lines().next().unwrap().strip_prefix("#:schema ").unwrap();
        let schema = path.parent().unwrap().join(named).canonicalize().unwrap();
        assert_eq!(schema, root().join("policies/policy.schema.json").canonicalize().unwrap());
        editor.judge(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let laid_out = format(&text).unwrap();
        assert!(laid_out == text, "{name} is not in the one layout: toolgate policy fmt {name}");
    }
}

#[test]
fn the_reference_is_valid() {
    let editor = Editor::new();
    let reference = text(&root().join("policies/README.md"));
    let blocks = reference.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut count = 0;
    for policy in blocks {
        editor.judge(policy).unwrap_or_else(|error| panic!("{policy}\n{error}"));
        count += 1;
    }
    assert!(count >= 3);
}

/// An editor underlines a key, a word or a type that the reader refuses, and lets stand what only
/// the reader can know: patterns, names, tests.
#[test]
fn an_editor_sees_what_the_key_table_says() {
    let editor = Editor::new();
    let mut seen = [0, 0];
    for path in toml_files("tests/cases/diagnostics") {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let code = name.split('-').next().unwrap();
        let valid = match code {
            "P003" | "P004" | "P005" => false,
            "P010" | "P011" | "P012" | "P013" | "P014" | "P030" | "P031" => true,
            _ => continue,
        };
        if name.contains(".fixed.") {
            continue;
        }
        seen[usize::from(valid)] += 1;
        let judged = editor.judge(&text(&path));
        assert_eq!(judged.is_ok(), valid, "{name}: {judged:?}");
    }
    assert!(seen[0] >= 5 && seen[1] >= 5, "{seen:?}");
    for (policy, valid) in [
        ("", false),
        ("schema = 2\n[policy]\nname = 'a'", false),
        ("schema = 1\n[policy]\nname = 'a'\ndefault = 'allow'", false),
        ("schema = 1\n[policy]\nname = 'a'\n[let]\nx = ['/a']\ny = 'b'", true),
        ("schema = 1\n[policy]\nname = 'a'\n[let]\nx = 1", false),
        ("schema = 1\n[policy]\nname = 'a'\n[[rule]]\nid = 'a'\ndeny = 'read'", false),
        (
            "schema = 1\n[policy]\nname = 'a'\n[[rule]]\nid = 'a'\ndeny = 'reed'\nmatch = '/a'",
            false,
        ),
        (
            "schema = 1\n[policy]\nname = 'a'\n[[rule]]\nid = 'a'\nallow = ['call']\nmatch = '/a'\n\
             when = { 'args.amount' = '<= 500', seen = 'x' }\nuntil = 2026-12-15\nlimit = '3/min'",
            true,
        ),
        (
            "schema = 1\n[policy]\nname = 'a'\n[[rule]]\nid = 'a'\nallow = ['call']\nmatch = '/a'\n\
             when = { amount = 1 }",
            false,
        ),
        (
            "schema = 1\n[policy]\nname = 'a'\n[[rule]]\nid = 'a'\nredact = 'output'\n\
             match = [{ regex = 'a', flags = 'i' }]",
            false,
        ),
    ] {
        let judged = editor.judge(policy);
        assert_eq!(judged.is_ok(), valid, "{policy}: {judged:?}");
    }
}
