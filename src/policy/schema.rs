//! The JSON Schema of a policy file, made from the one key table, so that editors know what the
//! reader knows: `toolgate policy schema`, and `policies/policy.schema.json`.
//!
//! Draft 7, which is what taplo and the editors read. It is a help and no check: the reader alone
//! says what loads. So it may take more than the reader does, and never less.

use super::keys::{ENTROPY, Key, PATTERN, TOP, Takes};
use serde_json::{Map, Value, json};

/// The whole schema.
#[must_use]
pub fn schema() -> Value {
    let mut schema = table(TOP, None);
    if let Some(object) = schema.as_object_mut() {
        let head = [
            ("$schema", "http://json-schema.org/draft-07/schema#"),
            ("title", "toolgate policy"),
            ("description", "What an AI agent's tools may do: five verbs, strictest wins"),
        ];
        object.extend(head.map(|(key, value)| (key.to_owned(), json!(value))));
    }
    schema
}

/// The schema as the file that editors are given.
#[must_use]
pub fn text() -> String {
    format!("{:#}\n", schema())
}

/// What a table says that stands for the first part of keys with dots.
const NESTED: &str = "the same keys, written as tables in one another";

/// A table of these keys, and of others as `open` has it: how they begin, and what they take.
fn table(keys: &[Key], open: Option<(&str, &Takes)>) -> Value {
    // What is not enforced is no key: a file that has it does not load.
    let ready = || keys.iter().filter(|key| key.ready);
    let mut properties: Map<String, Value> =
        ready().map(|key| (key.name.to_owned(), described(key))).collect();
    // A key with dots may be written as tables in one another too.
    let dotted = ready().map(|key| key.name).chain(open.map(|(begins, _)| begins));
    for (outer, _) in dotted.filter_map(|name| name.split_once('.')) {
        properties.insert(outer.to_owned(), json!({ "type": "object", "description": NESTED }));
    }
    let needed: Vec<&str> = ready().filter(|key| key.needed).map(|key| key.name).collect();
    let mut schema = json!({ "type": "object", "properties": properties });
    let Some(object) = schema.as_object_mut() else { return schema };
    if !needed.is_empty() {
        object.insert("required".to_owned(), json!(needed));
    }
    let others = match open {
        Some(("", takes)) => value(takes),
        Some((begins, takes)) => {
            let pattern = format!("^{}.", begins.replace('.', "\\."));
            object.insert("patternProperties".to_owned(), json!({ pattern: value(takes) }));
            json!(false)
        }
        None => json!(false),
    };
    object.insert("additionalProperties".to_owned(), others);
    schema
}

fn described(key: &Key) -> Value {
    let mut schema = value(&key.takes);
    if let Some(object) = schema.as_object_mut() {
        object.insert("description".to_owned(), json!(key.what));
    }
    schema
}

fn value(takes: &Takes) -> Value {
    let string = || json!({ "type": "string" });
    match takes {
        Takes::One => json!({ "const": 1 }),
        // A date is no JSON; whoever turns TOML into it writes a string.
        Takes::Text | Takes::Date => string(),
        Takes::Texts => one_or_more(&string()),
        Takes::Word(words) => json!({ "enum": words }),
        Takes::Words(words) => one_or_more(&json!({ "enum": words })),
        Takes::Number => json!({ "type": "number" }),
        Takes::Patterns => {
            one_or_more(&json!({ "anyOf": [string(), table(PATTERN, None), table(ENTROPY, None)] }))
        }
        Takes::Table(keys) => table(keys, None),
        Takes::Open(keys, begins, takes) => table(keys, Some((begins, takes))),
        Takes::Tables(keys) => json!({ "type": "array", "items": table(keys, None) }),
        Takes::Named(takes) => json!({ "type": "object", "additionalProperties": value(takes) }),
        Takes::TextOr(keys) => json!({ "anyOf": [string(), table(keys, None)] }),
        // Its table is the condition's own, and read where conditions are.
        Takes::Condition => {
            json!({ "type": ["string", "number", "boolean", "array", "object"] })
        }
        Takes::Any => json!({}),
    }
}

/// One such value, or a list of them.
fn one_or_more(item: &Value) -> Value {
    json!({ "anyOf": [item, { "type": "array", "items": item }] })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every object of the schema, with the path of keys that leads to it.
    fn walk(at: &str, value: &Value, visit: &mut dyn FnMut(&str, &Map<String, Value>)) {
        match value {
            Value::Object(object) => {
                visit(at, object);
                for (key, value) in object {
                    walk(&format!("{at}/{key}"), value, visit);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| walk(at, item, visit)),
            _ => {}
        }
    }

    #[test]
    fn every_key_is_described_and_no_other_may_stand() {
        let (mut keys, mut tables) = (0, 0);
        walk("", &schema(), &mut |at, object| {
            let Some(Value::Object(properties)) = object.get("properties") else { return };
            tables += 1;
            assert!(object.contains_key("additionalProperties"), "{at}");
            for (name, schema) in properties {
                keys += 1;
                assert!(schema.get("description").is_some(), "{at} {name}");
            }
        });
        assert!(tables >= 15 && keys >= 80, "{tables} tables, {keys} keys");
    }

    #[test]
    fn free_names_are_where_the_language_has_them() {
        let schema = schema();
        let at = |path: &str| schema.pointer(path).unwrap_or_else(|| panic!("{path}"));
        assert_eq!(at("/additionalProperties"), false);
        assert!(at("/properties/let/additionalProperties").is_object());
        assert!(at("/properties/tool/additionalProperties/properties/write").is_object());
        let when = "/properties/rule/items/properties/when";
        assert_eq!(at(&format!("{when}/additionalProperties")), false);
        assert!(at(&format!("{when}/patternProperties/^args\\..")).is_object());
        // Not enforced, so not offered.
        assert_eq!(schema.pointer("/properties/egress"), None);
        assert_eq!(at("/required"), &json!(["schema", "policy"]));
    }
}
