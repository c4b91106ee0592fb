//! What an expression of a program may be worth, as far as its text tells.

/// Stands in a text for a part that is not known. No path and no word of a command can hold it.
pub(super) const HOLE: char = '\0';

/// Texts that one value may be.
const TEXTS_MAX: usize = 16;
/// Bytes of one text that was put together.
const TEXT_BYTES_MAX: usize = 8 * 1024;
/// Other names of one value.
const NAMES_MAX: usize = 4;
/// Strings that a value is remembered to come from.
const SOURCES_MAX: usize = 16;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Value {
    /// What it may spell; none if that is not known.
    pub(super) texts: Vec<String>,
    pub(super) list: Option<Vec<Value>>,
    pub(super) fields: Vec<(String, Value)>,
    /// The thing that it names: a module, a function, `os.remove`.
    pub(super) name: Option<String>,
    /// What it may name instead.
    pub(super) also: Vec<String>,
    /// How it is written, if it can be assigned to.
    pub(super) target: Option<String>,
    /// It was decoded from what no reader sees.
    pub(super) hidden: bool,
    /// A pattern of file names.
    pub(super) glob: bool,
    pub(super) number: Option<u32>,
    /// The strings of the program that went into it.
    pub(super) from: Vec<usize>,
}

impl Value {
    pub(super) fn text(text: impl Into<String>) -> Value {
        Value { texts: vec![text.into()], ..Value::default() }
    }

    pub(super) fn named(name: impl Into<String>) -> Value {
        Value { name: Some(name.into()), ..Value::default() }
    }

    pub(super) fn hidden(from: &[usize]) -> Value {
        Value { hidden: true, from: from.to_vec(), ..Value::default() }
    }

    pub(super) fn list(all: Vec<Value>) -> Value {
        let mut value = Value::default();
        for item in &all {
            value.comes_from(&item.from);
            value.hidden |= item.hidden;
        }
        value.list = Some(all);
        value
    }

    /// The only text that it can be.
    pub(super) fn only(&self) -> Option<&str> {
        match self.texts.as_slice() {
            [text] if !text.contains(HOLE) => Some(text),
            _ => None,
        }
    }

    pub(super) fn comes_from(&mut self, other: &[usize]) {
        for id in other {
            if self.from.len() < SOURCES_MAX && !self.from.contains(id) {
                self.from.push(*id);
            }
        }
    }

    /// It may be this or `other`.
    pub(super) fn or(mut self, other: Value) -> Value {
        for text in other.texts {
            if self.texts.len() < TEXTS_MAX && !self.texts.contains(&text) {
                self.texts.push(text);
            }
        }
        self.comes_from(&other.from);
        self.hidden |= other.hidden;
        self.glob |= other.glob;
        self.list = self.list.or(other.list);
        self.name = match (self.name, other.name) {
            (Some(own), Some(other)) if own != other => {
                self.also.push(other);
                Some(own)
            }
            (own, other) => own.or(other),
        };
        self.also.extend(other.also);
        self.also.truncate(NAMES_MAX);
        self.fields.extend(other.fields);
        self.target = None;
        self.number = None;
        self
    }

    /// This and then `other`, as one text.
    pub(super) fn then(self, other: &Value) -> Value {
        let hole = || vec![HOLE.to_string()];
        if let (Some(mut all), Some(more)) = (self.list.clone(), &other.list) {
            all.extend(more.iter().cloned());
            return Value::list(all);
        }
        let known = !self.texts.is_empty() || !other.texts.is_empty();
        let heads = if self.texts.is_empty() { hole() } else { self.texts };
        let tails = if other.texts.is_empty() { hole() } else { other.texts.clone() };
        let mut value = Value { hidden: self.hidden || other.hidden, ..Value::default() };
        value.glob = self.glob || other.glob;
        value.comes_from(&self.from);
        value.comes_from(&other.from);
        for head in heads.iter().filter(|_| known) {
            for tail in &tails {
                if value.texts.len() < TEXTS_MAX && head.len() + tail.len() <= TEXT_BYTES_MAX {
                    value.texts.push(format!("{head}{tail}"));
                }
            }
        }
        value
    }

    /// The same texts, each changed by `change`.
    pub(super) fn map(&self, change: impl Fn(&str) -> String) -> Value {
        Value {
            texts: self.texts.iter().map(|text| change(text)).collect(),
            from: self.from.clone(),
            hidden: self.hidden,
            glob: self.glob,
            ..Value::default()
        }
    }

    /// One of its elements.
    pub(super) fn element(&self) -> Value {
        let mut element =
            Value { from: self.from.clone(), hidden: self.hidden, ..Value::default() };
        if self.glob {
            element.glob = true;
            element.texts.clone_from(&self.texts);
        }
        for item in self.list.iter().flatten() {
            element = element.or(item.clone());
        }
        element
    }

    /// What it costs to copy it, in bytes.
    pub(super) fn size(&self) -> usize {
        let texts: usize = self.texts.iter().map(String::len).sum();
        let list: usize = self.list.iter().flatten().map(Value::size).sum();
        let fields: usize = self.fields.iter().map(|(_, value)| value.size()).sum();
        texts + list + fields + 64
    }

    pub(super) fn field(&self, names: &[&str]) -> Option<&Value> {
        self.fields.iter().find(|(name, _)| names.contains(&name.as_str())).map(|(_, value)| value)
    }

    /// `left/right`, or `right` alone where it is absolute.
    pub(super) fn joined(self, right: &Value) -> Value {
        if right.texts.len() == 1 && right.texts.iter().all(|text| text.starts_with(['/', '~'])) {
            let mut value = right.clone();
            value.comes_from(&self.from);
            return value;
        }
        let left = self.map(|text| text.trim_end_matches('/').to_owned() + "/");
        let right = right.map(|text| text.trim_start_matches('/').to_owned());
        left.then(&right)
    }
}
