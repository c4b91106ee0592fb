//! Taking all text out of a tool's output while keeping its shape.
//!
//! A runtime ignores an output of another shape in silence, and what should have been withheld
//! would pass. So only texts are replaced, and those that say which shape it is are kept.

use crate::model::json::Json;

/// Keys whose text says what the object is, in every tool output seen so far.
const SHAPE_KEYS: [&str; 2] = ["type", "status"];

/// Replaces every text in `value` by `notice`.
pub fn withhold(value: &mut Json, notice: &str) {
    each_text(value, &mut |text| notice.clone_into(text));
}

/// Visits every text in `value` but those that say what shape it has.
pub fn each_text(value: &mut Json, visit: &mut impl FnMut(&mut String)) {
    each_named_text("", value, &mut |_, text| visit(text));
}

/// The same with the name of the member that holds the text, itself or in a list; `name` is that
/// of `value`.
pub fn each_named_text(name: &str, value: &mut Json, visit: &mut impl FnMut(&str, &mut String)) {
    match value {
        Json::String(text) => visit(name, text),
        Json::Array(items) => items.iter_mut().for_each(|item| each_named_text(name, item, visit)),
        Json::Object(entries) => {
            for (key, item) in entries {
                if !(SHAPE_KEYS.contains(&key.as_str()) && item.is_string()) {
                    each_named_text(key, item, visit);
                }
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{each_named_text, withhold};
    use serde_json::json;

    #[test]
    fn the_shape_stays() {
        let mut read =
            json!({"type": "text", "file": {"filePath": "/a", "content": "s", "numLines": 1}});
        withhold(&mut read, "gone");
        let expected =
            json!({"type": "text", "file": {"filePath": "gone", "content": "gone", "numLines": 1}});
        assert_eq!(read, expected);
        let mut text = json!("secret");
        withhold(&mut text, "gone");
        assert_eq!(text, json!("gone"));
    }

    #[test]
    fn a_text_in_a_list_has_the_lists_name() {
        let mut value = json!(["a", {"key": "b", "type": "c", "list": ["d", {"in": "e"}]}]);
        let mut seen = Vec::new();
        each_named_text("top", &mut value, &mut |name, text| {
            seen.push((name.to_owned(), text.clone()));
        });
        let expected = [("top", "a"), ("key", "b"), ("list", "d"), ("in", "e")];
        assert_eq!(seen, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
    }
}
