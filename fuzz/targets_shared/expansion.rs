//! Any word, in any state of the variables: its expansion ends within its bounds, and what is known
//! of it does not change with what else is known.

use std::cell::Cell;
use std::collections::BTreeSet;
use toolgate::limits::{EXPANSION_BYTES_MAX, WORD_BYTES_MAX, WORD_VALUES_MAX};
use toolgate::model::word::Word;
use toolgate::shell::expand::{self, Known};
use toolgate::shell::ir::{Node, Simple};
use toolgate::shell::vars::{Value, Vars};

/// Fails if the property does not hold for these bytes: up to the first NUL they are the value of
/// `x`, up to the second that of `y`, and the rest is the text.
pub fn hold(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut parts = text.splitn(3, '\0');
    let (Some(x), Some(y), Some(text)) = (parts.next(), parts.next(), parts.next()) else { return };
    let Ok(script) = toolgate::shell::parse(text, 0) else { return };
    let mut vars = Vars::default();
    let unset = vars.clone();
    vars.set("x", Value::Texts(vec![x.to_owned()]));
    vars.set("y", Value::Texts(vec![x.to_owned(), y.to_owned()]));
    for node in &script.nodes {
        let Node::Simple(Simple { words, .. }) = node else { continue };
        for word in words {
            let known = fields(word, &vars);
            if mentions(text) {
                continue;
            }
            // No variable of ours stands in it, so it becomes the same without them.
            assert_eq!(known, fields(word, &unset), "{text:?}");
        }
    }
}

fn fields(word: &toolgate::shell::ir::Word, vars: &Vars) -> Vec<Word> {
    let (redefined, made) = (BTreeSet::new(), Cell::new(0));
    let known = Known {
        vars,
        home: Some("/home/agent"),
        directory: Some("/work"),
        redefined: &redefined,
        made: &made,
    };
    let all = expand::fields(word, known);
    let single = expand::single(word, known);
    for word in all.iter().chain([&single]) {
        let values = word.values().unwrap_or_default();
        assert!(values.len() <= WORD_VALUES_MAX);
        assert!(values.iter().map(String::len).sum::<usize>() <= 2 * WORD_BYTES_MAX);
    }
    assert!(made.get() <= EXPANSION_BYTES_MAX + 2 * WORD_BYTES_MAX * WORD_VALUES_MAX);
    all
}

fn mentions(text: &str) -> bool {
    text.contains(['x', 'y']) || text.contains("!") || text.contains("IFS")
}
