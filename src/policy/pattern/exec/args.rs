//! Matching a pattern's tokens against a command's arguments.
//!
//! Operands are matched in order, with `...` for any run of them; options are a set beside them.

use super::{Item, ValuePattern};
use crate::model::access::{Arg, Command, OptionClass, Role};
use crate::model::path::{AbsPath, PathTarget};
use crate::model::truth::Truth;
use crate::model::word::Word;
use crate::policy::pattern::Stance;
use crate::policy::pattern::text::TextPattern;

/// Whether the arguments are those that `items` name.
pub(super) fn matches(items: &[Item], command: &Command, stance: Stance) -> Truth {
    let open = items.iter().any(|item| matches!(item, Item::Rest));
    let (named, used) = options_named(items, command);
    let options = named.and(options_left(command, &used, open, stance));
    if options == Truth::No {
        return Truth::No;
    }
    let given = operands_of(command, &used);
    let wanted: Vec<&Item> = items.iter().filter(|item| stands_in_order(item)).collect();
    let plain = operands(&wanted, &given, stance, command.program.known);
    let (values, wanted) = values_named(items, command, stance);
    let answer = match values {
        None => plain,
        Some(values) => {
            let read = values.and(operands(&wanted, &given, stance, command.program.known));
            // What tightens takes either reading of the pattern's word.
            if stance == Stance::Tighten { read.or(plain) } else { read }
        }
    };
    options.and(answer)
}

fn stands_in_order(item: &Item) -> bool {
    matches!(item, Item::Operand(_) | Item::Path(_) | Item::Rest)
}

/// `-m pytest`: where the command's option has a value, the pattern's next word is that value and
/// no operand. How the values fit, and the words that are left; nothing if there are none such.
fn values_named<'a>(
    items: &'a [Item],
    command: &Command,
    stance: Stance,
) -> (Option<Truth>, Vec<&'a Item>) {
    let mut answer: Option<Truth> = None;
    let mut wanted = Vec::new();
    let mut items = items.iter().peekable();
    while let Some(item) = items.next() {
        if stands_in_order(item) {
            wanted.push(item);
        }
        let Item::Option { name, .. } = item else { continue };
        let Some(next) = items.next_if(|next| matches!(next, Item::Operand(_) | Item::Path(_)))
        else {
            continue;
        };
        let mut fits: Option<Truth> = None;
        for arg in &command.args {
            let Role::Option { spellings, value: Some(value), .. } = &arg.role else { continue };
            if !spellings.iter().any(|spelling| name.matches(spelling)) {
                continue;
            }
            let value = Arg { word: value.clone(), role: Role::Operand, path: arg.path.clone() };
            let one = operand_matches(next, &value, stance);
            fits = Some(match (fits, stance) {
                (None, _) => one,
                (Some(others), Stance::Tighten) => others.or(one),
                (Some(others), Stance::Loosen) => others.and(one),
            });
        }
        match fits {
            Some(fits) => answer = Some(answer.map_or(fits, |others| others.and(fits))),
            None => wanted.push(next),
        }
    }
    (answer, wanted)
}

/// One operand, and whether it could as well be the value of an option before it.
struct Operand<'a> {
    arg: &'a Arg,
    may_be_value: bool,
}

/// The operands in order, less the `key=value`s that the pattern names. After an option that no
/// table knows, the next word may be its value.
fn operands_of<'a>(command: &'a Command, used: &[usize]) -> Vec<Operand<'a>> {
    let mut operands = Vec::new();
    let mut after_unknown = false;
    for (index, arg) in command.args.iter().enumerate() {
        match &arg.role {
            Role::Operand if used.contains(&index) => after_unknown = false,
            Role::Operand => {
                operands.push(Operand { arg, may_be_value: after_unknown });
                after_unknown = false;
            }
            Role::Option { class, value, .. } => {
                after_unknown = *class == OptionClass::Unknown && value.is_none();
            }
            Role::EndOfOptions => after_unknown = false,
        }
    }
    operands
}

/// Whether every option that the pattern demands is there; and which arguments it names.
fn options_named(items: &[Item], command: &Command) -> (Truth, Vec<usize>) {
    let mut answer = Truth::Yes;
    let mut used = Vec::new();
    for item in items {
        if let Item::KeyValue { key, value } = item {
            answer = answer.and(find_value(key, value, command, &mut used));
        }
        let Item::Option { name, cluster, optional } = item else { continue };
        let found = find_options(name, command, &mut used);
        let found = found
            || (!cluster.is_empty()
                && cluster.iter().all(|letter| find_options(letter, command, &mut used)));
        if !found && !optional {
            // A word that is not known may be the option that is looked for.
            let hidden = command.args.iter().any(|arg| could_be_option(arg, name));
            answer = answer.and(if hidden { Truth::Maybe } else { Truth::No });
        }
    }
    (answer, used)
}

/// Whether some `key=value` among the arguments has this key and such a value.
fn find_value(key: &str, value: &ValuePattern, command: &Command, used: &mut Vec<usize>) -> Truth {
    let mut answer = Truth::No;
    for (index, arg) in command.args.iter().enumerate() {
        let (given, path) = match &arg.role {
            Role::Option { spellings, value: Some(given), .. }
                if spellings.iter().any(|spelling| spelling == key) =>
            {
                (given.clone(), arg.path.as_ref())
            }
            // A program without a table: the word is whole.
            Role::Operand => match arg.word.as_known().and_then(|text| text.strip_prefix(key)) {
                Some(text) => (Word::known(text), None),
                None => continue,
            },
            Role::Option { .. } | Role::EndOfOptions => continue,
        };
        let matched = match (value, path, given.as_known()) {
            (ValuePattern::Path(pattern), Some(path), _) => pattern.matches(path),
            (ValuePattern::Path(pattern), None, Some(text)) => match AbsPath::parse(text) {
                Ok(path) => pattern.matches(&PathTarget::plain(path)).doubted(),
                Err(_) => Truth::Maybe,
            },
            (ValuePattern::Text(pattern), _, Some(text)) => Truth::from(pattern.matches(text)),
            (_, _, None) => Truth::Maybe,
        };
        if matched.possible() {
            used.push(index);
        }
        answer = answer.or(matched);
    }
    answer
}

fn find_options(name: &TextPattern, command: &Command, used: &mut Vec<usize>) -> bool {
    let mut found = false;
    for (index, arg) in command.args.iter().enumerate() {
        if let Role::Option { spellings, value, .. } = &arg.role {
            let attached = |spelling: &String| match value {
                Some(Word::Known(value)) => name.matches(&format!("{spelling}={value}")),
                Some(Word::OneOf(_) | Word::Unknown(_)) | None => false,
            };
            if spellings.iter().any(|spelling| name.matches(spelling) || attached(spelling)) {
                found = true;
                used.push(index);
            }
        }
    }
    found
}

fn could_be_option(arg: &Arg, name: &TextPattern) -> bool {
    match (&arg.role, &arg.word) {
        (Role::Operand, Word::Unknown(unknown)) => name.could_match_with_prefix(&unknown.prefix),
        (Role::Operand, Word::OneOf(values)) => values.iter().any(|value| name.matches(value)),
        (Role::Operand, Word::Known(_)) => false,
        (Role::Option { .. } | Role::EndOfOptions, _) => false,
    }
}

/// Whether the options that the pattern does not name may stand there.
fn options_left(command: &Command, used: &[usize], open: bool, stance: Stance) -> Truth {
    if stance == Stance::Tighten {
        return Truth::Yes;
    }
    let mut answer = Truth::Yes;
    for (index, arg) in command.args.iter().enumerate() {
        let Role::Option { class, .. } = &arg.role else { continue };
        if used.contains(&index) {
            continue;
        }
        answer = answer.and(match class {
            OptionClass::Harmless => Truth::Yes,
            OptionClass::Plain => Truth::from(open),
            OptionClass::Hazardous => Truth::No,
            OptionClass::Unknown if !open => Truth::No,
            // A table that does not know an option cannot say that it is harmless; where there
            // is no table, `...` stands for whatever the author meant by it.
            OptionClass::Unknown if command.program.known => Truth::Maybe,
            OptionClass::Unknown => Truth::Yes,
        });
    }
    answer
}

/// Matches operands in order. `reach` holds, for each pattern position, how surely the operands
/// read so far can stand there; one pass over the operands, so the cost is their product.
fn operands(wanted: &[&Item], given: &[Operand<'_>], stance: Stance, known: bool) -> Truth {
    let mut reach = vec![Truth::No; wanted.len() + 1];
    if let Some(first) = reach.first_mut() {
        *first = Truth::Yes;
    }
    skip_rests(wanted, &mut reach);
    for operand in given {
        let mut next = vec![Truth::No; wanted.len() + 1];
        for (at, item) in wanted.iter().enumerate() {
            let here = reach.get(at).copied().unwrap_or(Truth::No);
            if here == Truth::No {
                continue;
            }
            match item {
                Item::Rest => raise(&mut next, at, here.and(covered_by_rest(operand, stance))),
                Item::Operand(_) | Item::Path(_) => {
                    raise(&mut next, at + 1, here.and(operand_matches(item, operand.arg, stance)));
                }
                Item::Option { .. } | Item::KeyValue { .. } | Item::EndOfOptions => {}
            }
        }
        stay_put(operand, stance, known, &reach, &mut next);
        skip_rests(wanted, &mut next);
        reach = next;
    }
    reach.last().copied().unwrap_or(Truth::No)
}

/// A word that may be no operand at all leaves the pattern where it was, as a maybe.
fn stay_put(
    operand: &Operand<'_>,
    stance: Stance,
    known: bool,
    reach: &[Truth],
    next: &mut [Truth],
) {
    let may_vanish = matches!(&operand.arg.word, Word::Unknown(unknown) if !unknown.single);
    // A deny sees through options; an allow does not.
    let may_be_value = operand.may_be_value && (stance == Stance::Tighten || known);
    if !may_vanish && !may_be_value {
        return;
    }
    for (at, here) in reach.iter().enumerate() {
        raise(next, at, here.doubted());
    }
}

/// `...` may stand for nothing: whoever stands before one also stands after it.
fn skip_rests(wanted: &[&Item], reach: &mut [Truth]) {
    for (at, item) in wanted.iter().enumerate() {
        if matches!(item, Item::Rest) {
            let here = reach.get(at).copied().unwrap_or(Truth::No);
            raise(reach, at + 1, here);
        }
    }
}

fn raise(reach: &mut [Truth], at: usize, to: Truth) {
    if let Some(slot) = reach.get_mut(at) {
        *slot = slot.or(to);
    }
}

/// Whether `...` covers this word (policy language §11.12): for a match that loosens, only where
/// it cannot be a hazardous option.
fn covered_by_rest(operand: &Operand<'_>, stance: Stance) -> Truth {
    match (&operand.arg.word, stance) {
        (_, Stance::Tighten) | (Word::Known(_), Stance::Loosen) => Truth::Yes,
        (Word::OneOf(values), Stance::Loosen) => {
            let dashed = values.iter().any(|value| value.starts_with('-'));
            if dashed { Truth::Maybe } else { Truth::Yes }
        }
        (Word::Unknown(unknown), Stance::Loosen) => {
            let begins = !unknown.prefix.is_empty() && !unknown.prefix.starts_with('-');
            if unknown.single && begins { Truth::Yes } else { Truth::Maybe }
        }
    }
}

fn operand_matches(item: &Item, arg: &Arg, stance: Stance) -> Truth {
    match item {
        Item::Operand(pattern) => match &arg.word {
            Word::Known(text) => Truth::from(pattern.matches(text)),
            Word::OneOf(texts) => {
                let mut hits = texts.iter().map(|text| pattern.matches(text));
                Truth::from(match stance {
                    Stance::Loosen => hits.all(|hit| hit),
                    Stance::Tighten => hits.any(|hit| hit),
                })
            }
            Word::Unknown(unknown) => {
                let possible = pattern.could_match_with_prefix(&unknown.prefix);
                if possible { Truth::Maybe } else { Truth::No }
            }
        },
        Item::Path(pattern) => match (&arg.path, &arg.word) {
            (Some(path), _) => pattern.matches(path),
            (None, Word::Unknown(_) | Word::OneOf(_)) => Truth::Maybe,
            (None, Word::Known(_)) => Truth::No,
        },
        Item::Option { .. } | Item::KeyValue { .. } | Item::EndOfOptions | Item::Rest => Truth::No,
    }
}
