//! Whether one command pattern covers another.
//!
//! What the tables say of a program is not known here: options are the same only if they are
//! written the same, or one pattern of them holds the other.

use super::{Choice, ExecPattern, Item, Named, ProgramPattern, Stage, ValuePattern};
use crate::policy::pattern::Stance;
use crate::policy::pattern::cover::{Cover, sequence};
use crate::policy::pattern::text::TextPattern;

/// No operand begins so: a blank is between operands.
const OPENING: &str = " ";

impl Cover for ExecPattern {
    fn covers_all_of(&self, other: &ExecPattern) -> bool {
        if self.everything || other.everything {
            return self.everything;
        }
        if self.stance == Stance::Loosen && other.stance == Stance::Tighten {
            return false;
        }
        let covered =
            |narrow: &Choice| self.choices.iter().any(|wide| wide.covers(narrow, self.stance));
        !other.choices.is_empty() && other.choices.iter().all(covered)
    }

    /// Of the command itself: what feeds it is told by few patterns.
    fn needs(&self) -> Vec<String> {
        let mut words = self.has();
        let openings = words.iter().take_while(|word| word.starts_with(OPENING)).count();
        // The last opening is the longest, and says all that the others do.
        words.drain(..openings.saturating_sub(1));
        words
    }

    fn has(&self) -> Vec<String> {
        match self.choices.as_slice() {
            [only] => only.stages.last().map(Stage::words).unwrap_or_default(),
            _ => Vec::new(),
        }
    }
}

impl Choice {
    fn covers(&self, other: &Choice, stance: Stance) -> bool {
        let (Some((last, before)), Some((other_last, other_before))) =
            (self.stages.split_last(), other.stages.split_last())
        else {
            return false;
        };
        let fed = |wide: &Stage| other_before.iter().any(|stage| wide.covers(stage, stance));
        last.covers(other_last, stance) && before.iter().all(fed)
    }
}

impl Stage {
    fn covers(&self, other: &Stage, stance: Stance) -> bool {
        self.program.covers(&other.program)
            && self.named_covers(other, stance)
            && self.words_cover(other, stance)
    }

    /// Whether what this demands anywhere is there wherever `other` matches; and where that
    /// loosens, whether this leaves no option to chance that `other` names.
    fn named_covers(&self, other: &Stage, stance: Stance) -> bool {
        let demanded = |wide: &Named| {
            matches!(wide, Named::Option { optional: true, .. })
                || other.named.iter().any(|narrow| wide.is_shown_by(narrow))
        };
        let known = |narrow: &Named| {
            matches!(narrow, Named::End { .. })
                || self.named.iter().any(|wide| wide.names_all_of(narrow))
        };
        let values =
            |stage: &Stage| stage.named.iter().any(|named| matches!(named, Named::KeyValue { .. }));
        // A `key=value` that one of the two names is no operand to it, and is one to the other.
        let operands_count = !matches!(self.words.as_slice(), [Item::Rest]);
        if operands_count && (values(self) || values(other)) {
            return false;
        }
        self.named.iter().all(demanded)
            && (stance == Stance::Tighten || other.named.iter().all(known))
    }

    /// Whether the words cover those of `other`, whichever of them a command takes as the values of
    /// the options before them.
    fn words_cover(&self, other: &Stage, stance: Stance) -> bool {
        let values: Vec<usize> = other.named.iter().filter_map(Named::value).collect();
        // The value of an option here must be that of the same option there.
        let mut pairs = Vec::new();
        for named in self.named.iter().filter(|named| named.value().is_some()) {
            let pair = other.named.iter().find(|narrow| self.has_value_of(named, narrow, other));
            match (named.value(), pair.and_then(Named::value)) {
                (Some(own), Some(value)) => pairs.push((own, value)),
                _ => return false,
            }
        }
        if values.len() > VALUES_MAX {
            return false;
        }
        (0..1_u32 << values.len()).all(|taken| {
            let is_taken = |place: usize| {
                let mut all = values.iter().enumerate();
                all.any(|(bit, value)| *value == place && taken & (1 << bit) != 0)
            };
            let narrow: Vec<&Item> = left(&other.words, is_taken);
            let own_taken =
                |place: usize| pairs.iter().any(|(own, value)| *own == place && is_taken(*value));
            let wide: Vec<&Item> = left(&self.words, own_taken);
            words_cover(&wide, &narrow, stance)
        })
    }

    /// Whether `named` and `narrow` are the same option, and its value here covers the one there.
    fn has_value_of(&self, named: &Named, narrow: &Named, other: &Stage) -> bool {
        let (Named::Option { name, .. }, Named::Option { name: same, .. }) = (named, narrow) else {
            return false;
        };
        let word = |stage: &Stage, named: &Named| {
            named.value().and_then(|place| stage.words.get(place)).cloned()
        };
        name == same
            && match (word(self, named), word(other, narrow)) {
                (Some(wide), Some(narrow)) => wide.takes(&narrow),
                _ => false,
            }
    }

    /// How it opens, each time with one more operand, and then the operands and options that can
    /// be nothing else.
    fn words(&self) -> Vec<String> {
        let literal = |item: &Item| match item {
            Item::Operand(text) => text.literal().map(str::to_owned),
            Item::Path(_) | Item::Rest => None,
        };
        let mut words = Vec::new();
        if let ProgramPattern::Name(name) = &self.program
            && let Some(program) = name.literal()
        {
            let mut opening = format!("{OPENING}{program}");
            words.push(opening.clone());
            for operand in self.words.iter().map_while(literal) {
                opening.push(' ');
                opening.push_str(&operand);
                words.push(opening.clone());
            }
        }
        words.extend(self.words.iter().filter_map(literal));
        words.extend(self.named.iter().filter_map(|named| match named {
            Named::Option { name, optional: false, .. } => name.literal().map(str::to_owned),
            Named::Option { .. } | Named::KeyValue { .. } | Named::End { .. } => None,
        }));
        words
    }
}

/// More options with values than this are not looked into.
const VALUES_MAX: usize = 4;

/// The words that are not taken.
fn left(words: &[Item], is_taken: impl Fn(usize) -> bool) -> Vec<&Item> {
    words.iter().enumerate().filter(|(place, _)| !is_taken(*place)).map(|(_, word)| word).collect()
}

fn words_cover(wide: &[&Item], narrow: &[&Item], stance: Stance) -> bool {
    // Under an allow, `...` does not surely stand for what may be an option.
    let absorbs = |item: &&Item| match (item, stance) {
        (_, Stance::Tighten) | (Item::Rest | Item::Path(_), Stance::Loosen) => true,
        (Item::Operand(text), Stance::Loosen) => {
            text.head().chars().next().is_some_and(|first| first != '-')
        }
    };
    let is_rest = |item: &&Item| matches!(item, Item::Rest);
    sequence(wide, narrow, is_rest, absorbs, |wide, narrow| wide.takes(narrow))
}

impl Item {
    /// Whether this one word stands for all that `other` does.
    fn takes(&self, other: &Item) -> bool {
        match (self, other) {
            (Item::Operand(wide), Item::Operand(narrow)) => wide.covers(narrow),
            (Item::Path(wide), Item::Path(narrow)) => wide.covers_all_of(narrow),
            (Item::Operand(_) | Item::Path(_) | Item::Rest, _) => false,
        }
    }
}

impl ProgramPattern {
    fn covers(&self, other: &ProgramPattern) -> bool {
        match (self, other) {
            (ProgramPattern::Any, _) => true,
            (ProgramPattern::Name(wide), ProgramPattern::Name(narrow)) => wide.covers(narrow),
            (ProgramPattern::File(wide), ProgramPattern::File(narrow)) => {
                wide.covers_all_of(narrow)
            }
            (ProgramPattern::Name(_) | ProgramPattern::File(_), _) => false,
        }
    }
}

impl Named {
    /// The word behind an option, which may be its value.
    fn value(&self) -> Option<usize> {
        match self {
            Named::Option { value, .. } => *value,
            Named::KeyValue { .. } | Named::End { .. } => None,
        }
    }

    /// Whether this is there wherever `other` is.
    fn is_shown_by(&self, other: &Named) -> bool {
        !matches!(other, Named::Option { optional: true, .. }) && self.names_all_of(other)
    }

    /// Whether whatever `other` may be is this too.
    fn names_all_of(&self, other: &Named) -> bool {
        match (self, other) {
            (Named::Option { name: wide, .. }, Named::Option { name: narrow, cluster, .. }) => {
                wide == narrow || (cluster.is_empty() && wide.covers(narrow))
            }
            (
                Named::KeyValue { key, value: wide },
                Named::KeyValue { key: other, value: narrow },
            ) => key == other && wide.covers(narrow),
            (Named::End { before: wide }, Named::End { before: narrow }) => {
                wide.is_none() || wide == narrow
            }
            (Named::Option { .. } | Named::KeyValue { .. } | Named::End { .. }, _) => false,
        }
    }
}

impl ValuePattern {
    fn covers(&self, other: &ValuePattern) -> bool {
        match (self, other) {
            (ValuePattern::Path(wide), ValuePattern::Path(narrow)) => wide.covers_all_of(narrow),
            (ValuePattern::Text(wide), ValuePattern::Text(narrow)) => wide.covers(narrow),
            (ValuePattern::Path(_) | ValuePattern::Text(_), _) => false,
        }
    }
}

/// The program's name, the words after it that name what it does, and whether anything may follow.
pub(crate) struct Opening {
    /// The program, by its base name.
    pub(crate) program: String,
    /// Its operands before the first that is not literal.
    pub(crate) operands: Vec<String>,
    /// A wildcard stands for the next one.
    pub(crate) open: bool,
}

impl ExecPattern {
    /// How each alternative begins that names its program.
    pub(crate) fn openings(&self) -> Vec<Opening> {
        let stage = |choice: &Choice| choice.stages.last().and_then(Stage::opening);
        self.choices.iter().filter_map(stage).collect()
    }
}

impl Stage {
    fn opening(&self) -> Option<Opening> {
        let ProgramPattern::Name(name) = &self.program else { return None };
        let literal = |item: &Item| match item {
            Item::Operand(text) => text.literal().map(str::to_owned),
            Item::Path(_) | Item::Rest => None,
        };
        let operands: Vec<String> = self.words.iter().map_while(literal).collect();
        let next = self.words.get(operands.len());
        let is_wild = |text: &TextPattern| text.head().is_empty();
        let open = match next {
            Some(Item::Rest) => true,
            Some(Item::Operand(text)) => is_wild(text),
            Some(Item::Path(_)) | None => false,
        };
        Some(Opening { program: name.literal()?.to_owned(), operands, open })
    }
}
