//! Matching a pattern's tokens against a command's arguments.
//!
//! Operands are matched in order, with `...` for any run of them; options are a set beside them.
//! Nothing is allocated unless a command has more than 64 arguments or a pattern more than 15
//! operands.

use super::{Item, Named, ValuePattern};
use crate::model::access::{Arg, Command, OptionClass, Role};
use crate::model::path::{AbsPath, PathTarget};
use crate::model::truth::Truth;
use crate::model::word::Word;
use crate::policy::pattern::Stance;
use crate::policy::pattern::text::TextPattern;

/// Whether the arguments are those that the pattern's tokens name.
pub(super) fn matches(named: &[Named], words: &[Item], command: &Command, stance: Stance) -> Truth {
    let open = words.iter().any(|item| matches!(item, Item::Rest));
    let mut used = Places::default();
    let options = options_named(named, command, stance, &mut used);
    let options = options.and(options_left(command, &used, open, stance));
    if options == Truth::No {
        return Truth::No;
    }
    let mut values = Places::default();
    let Some(fits) = values_named(named, words, command, stance, &mut values) else {
        return options.and(operands(words, &values, command, &used, stance));
    };
    let answer = fits.and(operands(words, &values, command, &used, stance));
    // What tightens takes either reading of the pattern's word.
    options.and(match stance {
        Stance::Tighten => answer.or(operands(words, &Places::default(), command, &used, stance)),
        Stance::Loosen => answer,
    })
}

/// `-m pytest`: where the command's option has a value, the pattern's next word is that value and
/// no operand. How the values fit, if there are such, and which words of the pattern they are.
fn values_named(
    named: &[Named],
    words: &[Item],
    command: &Command,
    stance: Stance,
    values: &mut Places,
) -> Option<Truth> {
    let mut answer: Option<Truth> = None;
    for item in named {
        let Named::Option { name, value: Some(place), .. } = item else { continue };
        let Some(word) = words.get(*place) else { continue };
        let mut fits: Option<Truth> = None;
        for arg in &command.args {
            let Role::Option { spellings, value: Some(value), .. } = &arg.role else { continue };
            if !spellings.iter().any(|spelling| name.matches(spelling)) {
                continue;
            }
            let one = match (word, value) {
                // An option's value is one word, whatever it says.
                (Item::Operand(any), Word::Unknown(unknown)) if any.is_any() && unknown.single => {
                    Truth::Yes
                }
                _ => word_matches(word, value, arg.path.as_ref(), stance),
            };
            fits = Some(match (fits, stance) {
                (None, _) => one,
                (Some(others), Stance::Tighten) => others.or(one),
                (Some(others), Stance::Loosen) => others.and(one),
            });
        }
        if let Some(fits) = fits {
            values.add(*place);
            answer = Some(answer.map_or(fits, |others| others.and(fits)));
        }
    }
    answer
}

/// What patterns come to that ask for no option and no more than a first operand: what is seen of
/// a command once for all of them.
pub(crate) struct Seen<'a> {
    /// The first operand.
    pub(crate) first: First<'a>,
    /// Of what loosens and ends in `...`. What tightens takes anything there.
    pub(crate) open: Truth,
    /// Of what loosens, is exact and names all operands. What tightens takes any option.
    pub(crate) exact: Truth,
    /// How many operands there are, if they surely are operands, by stance.
    pub(crate) operands: [Option<usize>; 2],
}

/// The first operand of a command.
#[derive(Debug, Clone, Copy)]
pub(crate) enum First<'a> {
    /// There is none.
    Nothing,
    /// This.
    Known(&'a str),
    /// One of these.
    OneOf(&'a [String]),
    /// It is not known, or may be the value of an option before it.
    Unsettled,
}

impl<'a> Seen<'a> {
    /// What is seen of the command's arguments; whether its program is the one is another thing.
    pub(crate) fn of(command: &'a Command) -> Seen<'a> {
        let known = command.program.known;
        let (mut first, mut count) = (First::Nothing, 0);
        let (mut open, mut exact, mut settled) = (Truth::Yes, Truth::Yes, [true; 2]);
        each_operand(command, &Places::default(), |operand| {
            if count == 0 {
                first = First::of(&operand);
            }
            count += 1;
            open = open.and(covered_by_rest(&operand, Stance::Loosen));
            for (settled, stance) in settled.iter_mut().zip([Stance::Loosen, Stance::Tighten]) {
                *settled &= !stays_put(&operand, stance, known);
            }
        });
        for arg in &command.args {
            if let Role::Option { class, .. } = &arg.role {
                open = open.and(option_left(*class, true, known));
                exact = exact.and(option_left(*class, false, known));
            }
        }
        Seen { first, open, exact, operands: settled.map(|settled| settled.then_some(count)) }
    }
}

impl<'a> First<'a> {
    fn of(operand: &Operand<'a>) -> First<'a> {
        match &operand.arg.word {
            _ if operand.may_be_value => First::Unsettled,
            Word::Known(text) => First::Known(text),
            Word::OneOf(texts) => First::OneOf(texts),
            Word::Unknown(_) => First::Unsettled,
        }
    }
}

/// A set of arguments by their place.
#[derive(Default)]
struct Places {
    first: u64,
    more: Vec<usize>,
}

impl Places {
    fn bit(place: usize) -> Option<u64> {
        1_u64.checked_shl(u32::try_from(place).ok()?)
    }

    fn add(&mut self, place: usize) {
        match Places::bit(place) {
            Some(bit) => self.first |= bit,
            None => self.more.push(place),
        }
    }

    fn contains(&self, place: usize) -> bool {
        match Places::bit(place) {
            Some(bit) => self.first & bit != 0,
            None => self.more.contains(&place),
        }
    }
}

/// Whether every option that the pattern demands is there; notes which arguments it names.
fn options_named(named: &[Named], command: &Command, stance: Stance, used: &mut Places) -> Truth {
    let mut answer = Truth::Yes;
    for item in named {
        match item {
            Named::KeyValue { key, value } => {
                answer = answer.and(find_value(key, value, command, used));
            }
            Named::End { before } => answer = answer.and(ends(*before, named, command, stance)),
            Named::Option { name, cluster, optional, .. } => {
                let found = find_options(name, command, used)
                    || (!cluster.is_empty()
                        && cluster.iter().all(|letter| find_options(letter, command, used)));
                if !found && !optional {
                    // A word that is not known may be the option that is looked for.
                    let hidden = command.args.iter().any(|arg| could_be_option(arg, name));
                    answer = answer.and(if hidden { Truth::Maybe } else { Truth::No });
                }
            }
        }
    }
    answer
}

/// Whether the command has a `--`. What loosens minds how many operands are before it: all that
/// `checkout -- *` restores is named behind it, and `checkout x -- y` is another command.
fn ends(before: Option<usize>, named: &[Named], command: &Command, stance: Stance) -> Truth {
    let (mut operands, mut settled) = (0_usize, true);
    for arg in &command.args {
        match &arg.role {
            Role::EndOfOptions => {
                let values = named.iter().filter(|named| {
                    matches!((named, before), (Named::Option { value: Some(at), .. }, Some(before))
                        if *at < before)
                });
                let fits = before.is_none_or(|before| {
                    operands <= before && before <= operands.saturating_add(values.count())
                });
                return match stance {
                    Stance::Tighten => Truth::Yes,
                    Stance::Loosen if !settled => Truth::Maybe,
                    Stance::Loosen => Truth::from(fits),
                };
            }
            Role::Operand => {
                operands += 1;
                settled &= arg.word.as_known().is_some();
            }
            Role::Option { class, value, .. } => {
                settled &= *class != OptionClass::Unknown || value.is_some();
            }
        }
    }
    let could_be = |arg: &Arg| match &arg.word {
        Word::Unknown(unknown) => "--".starts_with(unknown.prefix.as_str()),
        Word::OneOf(values) => values.iter().any(|value| value == "--"),
        // Without a table it may stand among the operands.
        Word::Known(text) => arg.role == Role::Operand && text == "--",
    };
    if command.args.iter().any(could_be) { Truth::Maybe } else { Truth::No }
}

/// Whether some `key=value` among the arguments has this key and such a value.
fn find_value(key: &str, value: &ValuePattern, command: &Command, used: &mut Places) -> Truth {
    let mut answer = Truth::No;
    for (index, arg) in command.args.iter().enumerate() {
        let (given, path) = match &arg.role {
            Role::Option { spellings, value: Some(given), .. }
                if spellings.iter().any(|spelling| spelling == key) =>
            {
                (given.as_known(), arg.path.as_ref())
            }
            // A program without a table: the word is whole.
            Role::Operand => match arg.word.as_known().and_then(|text| text.strip_prefix(key)) {
                Some(text) => (Some(text), None),
                None => continue,
            },
            Role::Option { .. } | Role::EndOfOptions => continue,
        };
        let matched = match (value, path, given) {
            (ValuePattern::Path(pattern), Some(path), _) => pattern.matches(path),
            (ValuePattern::Path(pattern), None, Some(text)) => match AbsPath::parse(text) {
                Ok(path) => pattern.matches(&PathTarget::plain(path)).doubted(),
                Err(_) => Truth::Maybe,
            },
            (ValuePattern::Text(pattern), _, Some(text)) => Truth::from(pattern.matches(text)),
            (_, _, None) => Truth::Maybe,
        };
        if matched.possible() {
            used.add(index);
        }
        answer = answer.or(matched);
    }
    answer
}

fn find_options(name: &TextPattern, command: &Command, used: &mut Places) -> bool {
    let mut found = false;
    for (index, arg) in command.args.iter().enumerate() {
        if let Role::Option { spellings, value, .. } = &arg.role {
            let attached = |spelling: &String| match value {
                Some(Word::Known(value)) => {
                    let whole = spelling.chars().chain(std::iter::once('=')).chain(value.chars());
                    name.matches_chars(whole)
                }
                Some(Word::OneOf(_) | Word::Unknown(_)) | None => false,
            };
            if spellings.iter().any(|spelling| name.matches(spelling) || attached(spelling)) {
                found = true;
                used.add(index);
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
fn options_left(command: &Command, used: &Places, open: bool, stance: Stance) -> Truth {
    if stance == Stance::Tighten {
        return Truth::Yes;
    }
    let mut answer = Truth::Yes;
    for (index, arg) in command.args.iter().enumerate() {
        if let Role::Option { class, .. } = &arg.role
            && !used.contains(index)
        {
            answer = answer.and(option_left(*class, open, command.program.known));
        }
    }
    answer
}

/// The same of one option, for a match that loosens.
fn option_left(class: OptionClass, open: bool, known: bool) -> Truth {
    match class {
        OptionClass::Harmless => Truth::Yes,
        OptionClass::Plain => Truth::from(open),
        OptionClass::Hazardous => Truth::No,
        OptionClass::Unknown if !open => Truth::No,
        // A table that does not know an option cannot say that it is harmless; where there
        // is no table, `...` stands for whatever the author meant by it.
        OptionClass::Unknown if known => Truth::Maybe,
        OptionClass::Unknown => Truth::Yes,
    }
}

/// One operand.
struct Operand<'a> {
    arg: &'a Arg,
    /// It could as well be the value of an option before it.
    may_be_value: bool,
    /// It stands behind a `--`, so it is no option, whatever it says.
    after_end: bool,
}

/// Matches the operands in order; `values` are words of the pattern that are no operands.
fn operands(
    wanted: &[Item],
    values: &Places,
    command: &Command,
    used: &Places,
    stance: Stance,
) -> Truth {
    let wanted = Wanted { words: wanted, values };
    let mut reach = Reach::start(&wanted);
    each_operand(command, used, |operand| {
        reach.step(&wanted, &operand, stance, command.program.known);
    });
    reach.at(wanted.words.len())
}

/// The words of a pattern, and which of them are values of options here.
struct Wanted<'a> {
    words: &'a [Item],
    values: &'a Places,
}

impl Wanted<'_> {
    /// The word there, unless it is a value.
    fn at(&self, place: usize) -> Option<&Item> {
        self.words.get(place).filter(|_| !self.values.contains(place))
    }

    /// Whether the word there may stand for no operand.
    fn may_be_none(&self, place: usize) -> bool {
        self.values.contains(place) || matches!(self.words.get(place), Some(Item::Rest))
    }
}

/// The operands in order, less those that the pattern names as `key=value`. After an option that no
/// table knows, the next word may be its value.
fn each_operand<'a>(command: &'a Command, used: &Places, mut each: impl FnMut(Operand<'a>)) {
    let (mut after_unknown, mut after_end) = (false, false);
    for (index, arg) in command.args.iter().enumerate() {
        match &arg.role {
            Role::Operand if used.contains(index) => after_unknown = false,
            Role::Operand => {
                each(Operand { arg, may_be_value: after_unknown, after_end });
                after_unknown = false;
            }
            Role::Option { class, value, .. } => {
                after_unknown = *class == OptionClass::Unknown && value.is_none();
            }
            Role::EndOfOptions => (after_unknown, after_end) = (false, true),
        }
    }
}

/// For each place in the pattern, how surely the operands read so far can stand there.
struct Reach {
    few: [Truth; Reach::FEW],
    /// Instead of `few`, where the pattern has more places.
    many: Vec<Truth>,
}

impl Reach {
    const FEW: usize = 16;

    fn start(wanted: &Wanted<'_>) -> Reach {
        let places = wanted.words.len() + 1;
        let many = if places > Reach::FEW { vec![Truth::No; places] } else { Vec::new() };
        let mut reach = Reach { few: [Truth::No; Reach::FEW], many };
        reach.set(0, Truth::Yes);
        reach.skip_rests(wanted);
        reach
    }

    fn at(&self, place: usize) -> Truth {
        let places = if self.many.is_empty() { &self.few[..] } else { &self.many };
        places.get(place).copied().unwrap_or(Truth::No)
    }

    fn set(&mut self, place: usize, truth: Truth) {
        let places = if self.many.is_empty() { &mut self.few[..] } else { &mut self.many };
        if let Some(slot) = places.get_mut(place) {
            *slot = truth;
        }
    }

    /// Reads one operand. From the last place down, so that each sees what was before.
    fn step(&mut self, wanted: &Wanted<'_>, operand: &Operand<'_>, stance: Stance, known: bool) {
        let stays = stays_put(operand, stance, known);
        for place in (0..=wanted.words.len()).rev() {
            let here = self.at(place);
            let mut next = if stays { here.doubted() } else { Truth::No };
            if here.possible() && matches!(wanted.at(place), Some(Item::Rest)) {
                next = next.or(here.and(covered_by_rest(operand, stance)));
            }
            let before = place.checked_sub(1);
            let before = before.and_then(|at| Some((self.at(at), wanted.at(at)?)));
            if let Some((from, item)) = before.filter(|(from, _)| from.possible()) {
                next = next.or(from.and(operand_matches(item, operand, stance)));
            }
            self.set(place, next);
        }
        self.skip_rests(wanted);
    }

    /// `...` may stand for nothing, and a value stands for no operand: whoever stands before one
    /// also stands after it.
    fn skip_rests(&mut self, wanted: &Wanted<'_>) {
        for place in 0..wanted.words.len() {
            if wanted.may_be_none(place) {
                self.set(place + 1, self.at(place + 1).or(self.at(place)));
            }
        }
    }
}

/// A word that may be no operand at all leaves the pattern where it was, as a maybe.
fn stays_put(operand: &Operand<'_>, stance: Stance, known: bool) -> bool {
    let may_vanish = matches!(&operand.arg.word, Word::Unknown(unknown) if !unknown.single);
    // A deny sees through options; an allow does not.
    let may_be_value = operand.may_be_value && (stance == Stance::Tighten || known);
    may_vanish || may_be_value
}

/// Whether `...` covers this word (policy language §11.12): for a match that loosens, only where
/// it cannot be a hazardous option.
fn covered_by_rest(operand: &Operand<'_>, stance: Stance) -> Truth {
    match (&operand.arg.word, stance) {
        (_, Stance::Tighten) | (Word::Known(_), Stance::Loosen) => Truth::Yes,
        (Word::OneOf(values), Stance::Loosen) => {
            let dashed = !operand.after_end && values.iter().any(|value| value.starts_with('-'));
            if dashed { Truth::Maybe } else { Truth::Yes }
        }
        (Word::Unknown(unknown), Stance::Loosen) => {
            let begins = !unknown.prefix.is_empty() && !unknown.prefix.starts_with('-');
            if unknown.single && (begins || operand.after_end) { Truth::Yes } else { Truth::Maybe }
        }
    }
}

/// Whether an operand is the pattern's word. `*` covers a quoted word that is not known as `...`
/// does: it is one operand, whatever it says.
fn operand_matches(item: &Item, operand: &Operand<'_>, stance: Stance) -> Truth {
    match (item, &operand.arg.word) {
        (Item::Operand(any), Word::Unknown(unknown)) if any.is_any() && unknown.single => {
            covered_by_rest(operand, stance)
        }
        (_, word) => word_matches(item, word, operand.arg.path.as_ref(), stance),
    }
}

fn word_matches(item: &Item, word: &Word, path: Option<&PathTarget>, stance: Stance) -> Truth {
    match item {
        Item::Operand(pattern) => match word {
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
        Item::Path(pattern) => match (path, word) {
            (Some(path), _) => pattern.matches(path),
            (None, Word::Unknown(_) | Word::OneOf(_)) => Truth::Maybe,
            (None, Word::Known(_)) => Truth::No,
        },
        Item::Rest => Truth::No,
    }
}
