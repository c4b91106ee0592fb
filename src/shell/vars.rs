//! What is known of the shell's variables at one point of a text.

use crate::limits::WORD_VALUES_MAX;
use crate::model::doubt::Doubt;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a variable holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// One of these texts.
    Texts(Vec<String>),
    /// An array of these texts.
    Array(Vec<String>),
    /// Set in this text to something that is not known.
    Unknown(Doubt),
}

/// The variables that this text has set, and those that are known from outside.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vars {
    /// Shared: a branch or a subshell that sets nothing copies nothing.
    values: Arc<BTreeMap<String, Value>>,
}

/// True for a text that can be a variable's name.
#[must_use]
pub fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
        && text.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric())
}

/// A value that is a number, known or not.
#[must_use]
pub fn is_number(value: &Value) -> bool {
    match value {
        Value::Texts(texts) | Value::Array(texts) => {
            texts.iter().all(|text| text.bytes().all(|b| b.is_ascii_digit() || b == b'-'))
        }
        Value::Unknown(doubt) => *doubt == Doubt::Expansion("integer"),
    }
}

impl Vars {
    /// What `name` holds, if this text set it or it is known from outside.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// Every name that is set.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// Sets `name`.
    pub fn set(&mut self, name: &str, value: Value) {
        Arc::make_mut(&mut self.values).insert(name.to_owned(), value);
    }

    /// Gives `name` back what it held, or nothing.
    pub fn restore(&mut self, name: &str, value: Option<&Value>) {
        if self.values.get(name) == value {
            return;
        }
        let values = Arc::make_mut(&mut self.values);
        match value {
            Some(value) => values.insert(name.to_owned(), value.clone()),
            None => values.remove(name),
        };
    }

    /// Forgets everything: what follows may be run with other values.
    pub fn forget(&mut self, names: impl IntoIterator<Item = String>, doubt: &Doubt) {
        for name in names {
            Arc::make_mut(&mut self.values).insert(name, Value::Unknown(doubt.clone()));
        }
    }

    /// Both may have happened: what differs may be either.
    pub fn join(&mut self, other: &Vars) {
        if Arc::ptr_eq(&self.values, &other.values) {
            return;
        }
        let names: Vec<String> = self.values.keys().chain(other.values.keys()).cloned().collect();
        for name in names {
            let merged = match (self.values.get(&name), other.values.get(&name)) {
                (Some(here), Some(there)) if here == there => continue,
                (Some(Value::Texts(here)), Some(Value::Texts(there))) => {
                    let mut all: Vec<String> = here.iter().chain(there).cloned().collect();
                    all.sort();
                    all.dedup();
                    if all.len() > WORD_VALUES_MAX {
                        Value::Unknown(Doubt::TooManyValues)
                    } else {
                        Value::Texts(all)
                    }
                }
                // A number on both ways is one.
                (Some(here), Some(there)) if is_number(here) && is_number(there) => {
                    Value::Unknown(Doubt::Expansion("integer"))
                }
                _ => Value::Unknown(Doubt::Variable(name.clone())),
            };
            Arc::make_mut(&mut self.values).insert(name, merged);
        }
    }
}
