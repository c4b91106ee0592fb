//! A program and its words: whatever they are, no table panics and no word is lost on the way.
//!
//! The first line is the program, each other line a word.

use toolgate::catalogue::options::{Reading, read};
use toolgate::catalogue::program;
use toolgate::model::access::Role;
use toolgate::model::word::Word;

/// Reads the words by the program's table, and by none.
pub fn hold(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines();
    let Some(name) = lines.next() else { return };
    let words: Vec<&str> = lines.take(64).collect();
    let known: Vec<Word> = words.iter().map(|word| Word::known(*word)).collect();
    for table in [program::find(name), None] {
        let reading = read(name, table, &known);
        let left = left_of(&reading);
        for word in &words {
            // An option is split and spelt out; another name of a subcommand becomes its first.
            let is_split = word.starts_with(['-', '+']) || word.contains('=');
            assert!(
                is_split || left.contains(word) || reading.subcommand.is_some(),
                "`{word}` of {words:?} is lost by {name}"
            );
        }
    }
}

/// Every word that is still there.
fn left_of(reading: &Reading) -> Vec<&str> {
    let mut left = Vec::new();
    for item in &reading.items {
        match &item.arg.role {
            Role::Operand => left.extend(item.arg.word.as_known()),
            Role::Option { value, .. } => left.extend(value.as_ref().and_then(Word::as_known)),
            Role::EndOfOptions => {}
        }
    }
    left.extend(reading.rest.iter().flat_map(|(_, words)| words.iter().filter_map(Word::as_known)));
    left
}
