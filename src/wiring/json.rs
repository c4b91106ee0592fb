//! Settings as JSON, edited in place: what is not touched keeps its bytes and its order.
//!
//! A value is read no deeper than it is edited: its raw text stands for all the rest of it. So a
//! long number, a key that stands twice or a strange layout somewhere else in a person's settings
//! comes out as it went in.

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt::{self, Write};

/// One value of the settings.
#[derive(Debug, Clone)]
pub(super) enum Node {
    /// As it was read, not opened.
    Kept(Box<RawValue>),
    /// The members in their order.
    Object(Vec<(String, Node)>),
    /// The elements in their order.
    Array(Vec<Node>),
    /// A text.
    Text(String),
    /// A number.
    Number(u64),
    /// A truth value.
    Bool(bool),
}

/// Why settings cannot be edited: somebody else's file, which then stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is no JSON.
    #[error("it is not JSON, which knows no comments and no trailing commas: {0}; mend it first")]
    Syntax(String),
    /// It is no TOML.
    #[error("it is not TOML: {0}; mend it first")]
    Toml(String),
    /// The value at a key is of another kind than the runtime wants.
    #[error("`{0}` is no {1}; the runtime would not read it either, mend it first")]
    Kind(String, &'static str),
    /// A key stands twice where we edit.
    #[error("`{0}` stands twice; which one counts is nobody's guess, mend it first")]
    Twice(String),
    /// It holds what we cannot put ours beside.
    #[error("{0}")]
    Other(String),
}

impl Node {
    /// Reads a whole file.
    pub(super) fn read(text: &str) -> Result<Node, Unfit> {
        let raw: Box<RawValue> =
            serde_json::from_str(text).map_err(|error| Unfit::Syntax(error.to_string()))?;
        Ok(Node::Kept(raw))
    }

    /// A list of texts.
    pub(super) fn texts<'t>(texts: impl IntoIterator<Item = &'t str>) -> Node {
        Node::Array(texts.into_iter().map(|text| Node::Text(text.to_owned())).collect())
    }

    /// An object with these members.
    pub(super) fn of(members: impl IntoIterator<Item = (&'static str, Node)>) -> Node {
        Node::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    /// The members, opened for an edit; `name` says in an error what this is.
    pub(super) fn members(&mut self, name: &str) -> Result<&mut Vec<(String, Node)>, Unfit> {
        let unfit = || Unfit::Kind(name.to_owned(), "object");
        if let Node::Kept(raw) = self {
            let Members(members) = serde_json::from_str(raw.get()).map_err(|_| unfit())?;
            *self = Node::Object(members);
        }
        let Node::Object(members) = self else { return Err(unfit()) };
        let twice = members.iter().enumerate().find_map(|(index, (key, _))| {
            let before = members.iter().take(index);
            before.into_iter().any(|(other, _)| other == key).then(|| key.clone())
        });
        twice.map_or(Ok(members), |key| Err(Unfit::Twice(key)))
    }

    /// The elements, opened for an edit.
    pub(super) fn elements(&mut self, name: &str) -> Result<&mut Vec<Node>, Unfit> {
        let unfit = || Unfit::Kind(name.to_owned(), "list");
        if let Node::Kept(raw) = self {
            let elements: Vec<Box<RawValue>> =
                serde_json::from_str(raw.get()).map_err(|_| unfit())?;
            *self = Node::Array(elements.into_iter().map(Node::Kept).collect());
        }
        match self {
            Node::Array(elements) => Ok(elements),
            _ => Err(unfit()),
        }
    }

    /// What it means, for comparisons; nothing if it cannot be held.
    pub(super) fn value(&self) -> Option<serde_json::Value> {
        serde_json::from_str(&self.render("")).ok()
    }

    /// The text, each level deeper by one `indent`.
    pub(super) fn render(&self, indent: &str) -> String {
        let mut out = String::new();
        self.write(&mut out, indent, 0);
        out
    }

    fn write(&self, out: &mut String, indent: &str, depth: usize) {
        match self {
            Node::Kept(raw) => out.push_str(raw.get()),
            Node::Text(text) => out.push_str(&quoted(text)),
            Node::Number(number) => _ = write!(out, "{number}"),
            Node::Bool(truth) => _ = write!(out, "{truth}"),
            Node::Object(members) => {
                let items = members.iter().map(|(key, value)| (Some(key.as_str()), value));
                list(out, indent, depth, ['{', '}'], items);
            }
            Node::Array(elements) => {
                list(out, indent, depth, ['[', ']'], elements.iter().map(|value| (None, value)));
            }
        }
    }
}

fn list<'n>(
    out: &mut String,
    indent: &str,
    depth: usize,
    [open, close]: [char; 2],
    items: impl ExactSizeIterator<Item = (Option<&'n str>, &'n Node)>,
) {
    out.push(open);
    let some = items.len() > 0;
    for (index, (key, value)) in items.enumerate() {
        out.push_str(if index == 0 { "\n" } else { ",\n" });
        out.push_str(&indent.repeat(depth + 1));
        if let Some(key) = key {
            out.push_str(&quoted(key));
            out.push_str(": ");
        }
        value.write(out, indent, depth + 1);
    }
    if some {
        out.push('\n');
        out.push_str(&indent.repeat(depth));
    }
    out.push(close);
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The member of that name; a new one is put last.
pub(super) fn member<'m>(
    members: &'m mut Vec<(String, Node)>,
    key: &str,
    new: impl FnOnce() -> Node,
) -> Option<&'m mut Node> {
    let at = members.iter().position(|(name, _)| name == key);
    let at = at.unwrap_or_else(|| {
        members.push((key.to_owned(), new()));
        members.len().saturating_sub(1)
    });
    members.get_mut(at).map(|(_, value)| value)
}

/// How far a file indents its first level; two blanks if it does not say.
pub(super) fn indent(text: &str) -> &str {
    let first = text.trim_start().strip_prefix('{').map(|rest| rest.trim_start_matches('\r'));
    let line = first.and_then(|rest| rest.strip_prefix('\n')).unwrap_or_default();
    let end = line.find(|c| !matches!(c, ' ' | '\t')).unwrap_or_default();
    match line.get(..end) {
        Some(blanks) if !blanks.is_empty() => blanks,
        _ => "  ",
    }
}

/// Whether two texts differ in nothing but the blanks between their tokens.
pub(super) fn same_but_for_blanks(a: &str, b: &str) -> bool {
    tokens(a).eq(tokens(b))
}

fn tokens(text: &str) -> impl Iterator<Item = char> {
    let (mut quoted, mut escaped) = (false, false);
    text.chars().filter(move |&c| {
        let was = quoted;
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        was || !c.is_ascii_whitespace()
    })
}

/// The members of an object in their order, each with its raw text.
struct Members(Vec<(String, Node)>);

impl<'de> serde::Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Members, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some((key, raw)) = map.next_entry::<String, Box<RawValue>>()? {
                    members.push((key, Node::Kept(raw)));
                }
                Ok(Members(members))
            }
        }
        from.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_touched_keeps_its_bytes() {
        let text =
            "{\n    \"b\": [1e400, 1.0,\n      \"\\u0041\"],\n    \"a\": {\"x\": 1, \"x\": 2}\n}";
        let mut node = Node::read(text).unwrap();
        let members = node.members("it").unwrap();
        *member(members, "c", || Node::Bool(true)).unwrap() = Node::texts(["d"]);
        let indent = indent(text);
        assert_eq!(indent, "    ");
        let tail = ",\n    \"c\": [\n        \"d\"\n    ]\n}";
        assert_eq!(node.render(indent), format!("{}{tail}", text.strip_suffix("\n}").unwrap()));
        assert_eq!(Node::Object(vec![]).render("  "), "{}");
    }

    #[test]
    fn what_nobody_can_read_right_is_refused() {
        for (text, says) in [
            ("", "not JSON"),
            ("{} // mine", "not JSON"),
            ("{\"a\": 1,}", "not JSON"),
            ("\u{feff}{}", "not JSON"),
            ("[]", "`it` is no object"),
            ("{\"a\": 1, \"b\": 2, \"a\": 3}", "`a` stands twice"),
        ] {
            let mut read = Node::read(text);
            let error = match &mut read {
                Ok(node) => node.members("it").unwrap_err(),
                Err(error) => error.clone(),
            };
            assert!(error.to_string().contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn blanks_between_tokens_are_no_difference() {
        assert!(same_but_for_blanks("{\"a b\" : [1,\n2]}", "{\"a b\":[1, 2]}"));
        assert!(!same_but_for_blanks("{\"a b\": 1}", "{\"ab\": 1}"));
        assert!(!same_but_for_blanks("{\"a\\\" b\": 1}", "{\"a\\\"b\": 1}"));
        assert!(!same_but_for_blanks("{\"a\": 1, \"b\": 2}", "{\"b\": 2, \"a\": 1}"));
    }
}
