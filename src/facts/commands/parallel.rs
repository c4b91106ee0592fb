//! GNU `parallel`: the shell text that it makes for each of its inputs.

use super::fd::{PLACES, part};
use crate::catalogue::options::Item;
use crate::limits::WORD_VALUES_MAX;
use crate::model::access::Role;
use crate::model::doubt::Doubt;
use crate::model::word::Word;

/// Stands where an input does that the text does not tell: a name that nothing sets.
const UNKNOWN: &str = "\"$PARALLEL_INPUT\"";

/// What `parallel` gives to the shell, of the words after its options.
pub(super) fn texts(words: &[Word], items: &[Item]) -> Vec<Word> {
    let known: Option<Vec<&str>> = words.iter().map(Word::as_known).collect();
    let Some(known) = known else { return vec![Word::unknown(Doubt::CommandOutput)] };
    let from = known.iter().position(|text| text.starts_with(":::")).unwrap_or(known.len());
    let (command, sources) = known.split_at_checked(from).unwrap_or((&known, &[]));
    let quoted = items.iter().any(|item| item.is_any(&["-q".to_owned()]));
    let command = match quoted {
        true => command.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" "),
        false => command.join(" "),
    };
    let inputs = match sources.split_first() {
        Some((&":::", inputs)) if !inputs.iter().any(|text| text.starts_with(":::")) => {
            Some(inputs)
        }
        _ => None,
    };
    let inputs = inputs.filter(|all| all.len() <= WORD_VALUES_MAX);
    let lines: Vec<String> = match inputs {
        // Without a command the inputs are commands.
        Some(all) if command.is_empty() => all.iter().map(|text| (*text).to_owned()).collect(),
        Some(all) => all.iter().filter_map(|text| line(&command, Some(text), items)).collect(),
        None if command.is_empty() => Vec::new(),
        None => line(&command, None, items).into_iter().collect(),
    };
    if lines.is_empty() {
        return vec![Word::unknown(Doubt::CommandOutput)];
    }
    vec![Word::known(lines.join("\n"))]
}

/// Each word a text of its own, as `hyperfine` takes them.
pub(super) fn lines(words: &[Word]) -> Vec<Word> {
    let known: Option<Vec<&str>> = words.iter().map(Word::as_known).collect();
    let Some(known) = known else { return vec![Word::unknown(Doubt::CommandOutput)] };
    let texts: Vec<&str> = known.into_iter().filter(|text| !text.starts_with('-')).collect();
    vec![Word::known(texts.join("\n"))]
}

/// The command for one input; nothing if perl makes a part of it.
fn line(command: &str, input: Option<&str>, items: &[Item]) -> Option<String> {
    if command.contains("{=") {
        return None;
    }
    let own = items.iter().find_map(|item| match &item.arg.role {
        Role::Option { value: Some(value), .. } if item.is_any(&["-I".to_owned()]) => {
            value.as_known()
        }
        _ => None,
    });
    let whole = input.map_or_else(|| UNKNOWN.to_owned(), quote);
    let mut text = own.map_or_else(|| command.to_owned(), |mark| command.replace(mark, &whole));
    for place in PLACES {
        let part = input.map_or_else(|| UNKNOWN.to_owned(), |input| quote(&part(place, input)));
        text = text.replace(place, &part);
    }
    // A number, or one of several inputs.
    for place in ["{#}", "{%}", "{1}", "{2}", "{3}", "{1.}", "{1/}"] {
        text = text.replace(place, UNKNOWN);
    }
    if text == command {
        text = format!("{command} {whole}");
    }
    Some(text)
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
