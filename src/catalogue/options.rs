//! From the words of a command to options, their values and operands, as its table says.
//!
//! The reading follows the program's own: clusters, attached values, abbreviated long options,
//! `--`. A word that is not known is never taken for an option's name, only for what stands there.

mod spelling;

use super::program::{Effects, Interpreter, Kind, OptionSpec, Program, Slot, Style, Variant};
use crate::model::access::{Arg, OptionClass, Role};
use crate::model::doubt::Doubt;
use crate::model::word::{Unknown, Word};
use spelling::{
    abbreviated, class_of, exact, is_key, joined_value, least, looks_like_option, sign,
};

/// One word, or one letter of a cluster, with what it is taken for.
#[derive(Debug, Clone)]
pub struct Item {
    /// As the command shows it.
    pub arg: Arg,
    /// What the operand, or the option's value, is.
    pub kind: Kind,
}

/// The words of a command after its program's name.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// In order.
    pub items: Vec<Item>,
    /// The words that are a command of their own, or one text for a shell.
    pub rest: Option<(Kind, Vec<Word>)>,
    /// The table that settled the operands; a subcommand's, if one was named.
    pub table: Option<&'static Program>,
    /// The words that named the subcommand: `push`, or `remote add`.
    pub subcommand: Option<String>,
    /// What keeps the reading from being certain.
    pub doubts: Vec<Doubt>,
}

impl Item {
    fn operand(word: Word, kind: Kind) -> Item {
        Item { arg: Arg { word, role: Role::Operand, path: None }, kind }
    }

    /// Every spelling of the option, or nothing if it is none.
    #[must_use]
    pub fn spellings(&self) -> &[String] {
        match &self.arg.role {
            Role::Option { spellings, .. } => spellings,
            Role::Operand | Role::EndOfOptions => &[],
        }
    }

    /// True if this is one of these options.
    #[must_use]
    pub fn is_any(&self, names: &[String]) -> bool {
        self.spellings().iter().any(|spelling| names.contains(spelling))
    }
}

impl Reading {
    /// The variants of the table that hold with the options given.
    pub fn variants(&self) -> impl Iterator<Item = &'static Variant> {
        let holds = |variant: &&'static Variant| {
            (variant.given.is_empty() || self.has(&variant.given))
                && !self.has(&variant.absent)
                && variant.fewer.is_none_or(|fewer| self.operands() < fewer)
        };
        self.table.map_or([].as_slice(), |table| &table.variants).iter().filter(holds)
    }

    /// Everything that the command comes to besides what its words name.
    pub fn effects(&self) -> impl Iterator<Item = &'static Effects> {
        let own = self.table.map(|table| &table.effects);
        own.into_iter().chain(self.variants().map(|variant| &variant.effects))
    }

    /// How many operands there are, a subcommand's name aside.
    fn operands(&self) -> usize {
        let operand =
            |item: &&Item| item.arg.role == Role::Operand && item.kind != Kind::Subcommand;
        self.items.iter().filter(operand).count()
    }

    /// True if one of these options is given.
    #[must_use]
    pub fn has(&self, names: &[String]) -> bool {
        self.items.iter().any(|item| item.is_any(names))
    }
}

/// Reads `words` by the table of `name`; without one, every word stays what it looks like.
#[must_use]
pub fn read(name: &str, table: Option<&'static Program>, words: &[Word]) -> Reading {
    let mut reader = Reader { name, words, at: 0, out: Reading::default() };
    match table {
        Some(table) => reader.by_table(table),
        None => reader.without_table(),
    }
    reader.out
}

struct Reader<'a> {
    name: &'a str,
    words: &'a [Word],
    at: usize,
    out: Reading,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<Word> {
        let word = self.words.get(self.at)?.clone();
        self.at += 1;
        Some(word)
    }

    fn push_option(&mut self, shown: String, spec: Option<&OptionSpec>, value: Option<Word>) {
        let (spellings, class, kind) = match spec {
            Some(spec) => {
                let class =
                    self.out.table.map_or(spec.class, |t| class_of(spec, value.as_ref(), t));
                (spec.spellings.clone(), class, spec.value.unwrap_or(Kind::Text))
            }
            None => (vec![shown.clone()], OptionClass::Unknown, Kind::Text),
        };
        let role = Role::Option { spellings, value, class };
        let arg = Arg { word: Word::Known(shown), role, path: None };
        self.out.items.push(Item { arg, kind });
    }

    fn push_other(&mut self, shown: String, table: &Program) {
        let value = shown.split_once('=').map(|(_, value)| Word::known(value));
        let name = shown.split('=').next().unwrap_or_default().to_owned();
        // A value may be anything, also where an option without one is harmless.
        let class = match (&value, table.others) {
            (None, Some(class)) => class,
            (Some(_), Some(class)) if table.others_valued => class,
            (None, None) | (Some(_), _) => OptionClass::Unknown,
        };
        let role = Role::Option { spellings: vec![name.clone()], value, class };
        self.out.items.push(Item {
            arg: Arg { word: Word::Known(name), role, path: None },
            kind: Kind::Text,
        });
    }

    fn by_table(&mut self, table: &'static Program) {
        self.out.table = Some(table);
        let from = self.out.items.len();
        let mut places: Vec<usize> = Vec::new();
        let mut options_end = false;
        let positional = table.operands.iter().position(|slot| {
            matches!(slot.kind, Kind::Command | Kind::ShellText | Kind::Subcommand)
        });
        while self.at < self.words.len() {
            // Only a command or a subcommand asks for it on the way.
            let given = usize::from(positional.is_some() && self.first_is_given(table, from));
            if let Some(position) = positional
                && places.len() + given >= least(table, position)
                && self.starts_rest(options_end, table, position)
            {
                let slots = table.operands.get(given..position).unwrap_or_default();
                self.place(slots, &places);
                return self.tail(table, position);
            }
            let Some(word) = self.next() else { break };
            if !options_end && word.as_known() == Some("--") {
                options_end = true;
                let arg = Arg { word, role: Role::EndOfOptions, path: None };
                self.out.items.push(Item { arg, kind: Kind::Text });
                continue;
            }
            if !options_end && self.option(&word, table) {
                if self.named_a_module() {
                    break;
                }
                continue;
            }
            options_end |= table.style == Style::Leading && positional.is_none();
            places.push(self.out.items.len());
            self.out.items.push(Item::operand(word, Kind::Text));
        }
        let given = usize::from(self.first_is_given(table, from));
        let items = self.out.items.get(from..).unwrap_or_default();
        let last = items.iter().any(|item| item.is_any(&table.last_given_by));
        let operands = self.out.variants().find_map(|variant| variant.operands.as_ref());
        let operands = operands.unwrap_or(&table.operands);
        let upto = operands.len() - usize::from(last && !operands.is_empty());
        self.place(operands.get(given..upto).unwrap_or_default(), &places);
    }

    /// `python -m MODULE`: what follows is the module's own.
    fn named_a_module(&mut self) -> bool {
        if self.out.items.last().is_none_or(|item| item.kind != Kind::Module) {
            return false;
        }
        let words = self.words.get(self.at..).unwrap_or_default().to_vec();
        self.out.rest = Some((Kind::Module, words));
        self.at = self.words.len();
        true
    }

    fn first_is_given(&self, table: &Program, from: usize) -> bool {
        if table.first_given_by.is_empty() {
            return false;
        }
        let items = self.out.items.get(from..).unwrap_or_default();
        items.iter().any(|item| item.is_any(&table.first_given_by))
    }

    /// Whether the command, or the subcommand, starts at the word here.
    fn starts_rest(&self, options_end: bool, table: &'static Program, position: usize) -> bool {
        let Some(word) = self.words.get(self.at) else { return false };
        // `env A=b B=c command`: the slot before takes any number of assignments.
        let before = position.checked_sub(1).and_then(|at| table.operands.get(at));
        if before.is_some_and(|slot| slot.kind == Kind::Assignment && slot.many)
            && word.as_known().is_some_and(|text| text.contains('=') && !text.starts_with('-'))
        {
            return false;
        }
        // `guix shell A B -- command`: only `--` ends what may be any number of words.
        if before.is_some_and(|slot| slot.many && slot.kind == Kind::Text) {
            return options_end;
        }
        // `docker run IMAGE --flag`: behind an operand the words are no longer the program's own.
        let follows = before.is_some_and(|slot| slot.kind != Kind::Assignment)
            && table.style == Style::Leading
            && table.operands.get(position).is_some_and(|slot| slot.kind == Kind::Command);
        let signed = word.as_known().is_some_and(|text| sign(text, table).is_some());
        options_end || follows || !looks_like_option(word) && !signed
    }

    fn tail(&mut self, table: &'static Program, position: usize) {
        let Some(slot) = table.operands.get(position) else { return };
        if slot.kind != Kind::Subcommand {
            let rest = self.words.get(self.at..).unwrap_or_default().to_vec();
            self.at = self.words.len();
            self.out.rest = Some((slot.kind, rest));
            return;
        }
        let Some(word) = self.next() else { return };
        let found = word.as_known().and_then(|name| table.subcommand(name));
        let shown = format!("{} {word}", self.name);
        let named = found.filter(|subcommand| subcommand.name != "*");
        let word = named.map_or(word, |subcommand| Word::known(&subcommand.name));
        self.out.subcommand = word.as_known().map(|inner| match &self.out.subcommand {
            Some(outer) => format!("{outer} {inner}"),
            None => inner.to_owned(),
        });
        self.out.items.push(Item::operand(word, Kind::Subcommand));
        match found {
            Some(subcommand) => self.by_table(&subcommand.table),
            None => {
                // It may be an alias or a program of that name.
                self.out.doubts.push(Doubt::UnknownProgram(shown));
                self.without_table();
            }
        }
    }

    /// Gives each operand the kind of its slot.
    fn place(&mut self, slots: &[Slot], places: &[usize]) {
        let many = slots.iter().position(|slot| slot.many);
        let after = many.map_or(0, |at| slots.len() - at - 1);
        for (nth, place) in places.iter().enumerate() {
            let from_end = places.len() - nth;
            let kind = match many {
                Some(at) if nth >= at && from_end <= after => {
                    slots.get(slots.len() - from_end).map(|slot| slot.kind)
                }
                Some(at) if nth >= at => slots.get(at).map(|slot| slot.kind),
                _ => slots.get(nth).map(|slot| slot.kind),
            };
            if let Some(item) = self.out.items.get_mut(*place) {
                item.kind = kind.unwrap_or(Kind::Text);
            }
        }
    }

    /// Takes `word` as an option if it is one.
    fn option(&mut self, word: &Word, table: &'static Program) -> bool {
        let text = match word {
            Word::Known(text) => text.clone(),
            Word::OneOf(texts) if texts.iter().any(|text| text.starts_with('-')) => {
                self.push_option(word.to_string(), None, None);
                return true;
            }
            Word::OneOf(_) => return false,
            Word::Unknown(unknown) => return self.unknown_option(unknown, table),
        };
        if table.style == Style::Keys {
            return self.key(&text, table);
        }
        if let Some(sign) = sign(&text, table) {
            let value = text.get(1..).map(Word::known);
            self.push_option(sign.to_owned(), exact(table, sign), value);
            return true;
        }
        if !text.starts_with('-') && is_key(&text, table) {
            return self.key(&text, table);
        }
        if table.interpreter == Some(Interpreter::Shell) && text.len() > 1 && text.starts_with('+')
        {
            self.switches(&text, table);
            return true;
        }
        if !text.starts_with('-') || text == "-" {
            return false;
        }
        if table.numeric && text.get(1..).is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit())) {
            let role = Role::Option {
                spellings: vec![text.clone()],
                value: None,
                class: OptionClass::Harmless,
            };
            let arg = Arg { word: Word::Known(text), role, path: None };
            self.out.items.push(Item { arg, kind: Kind::Text });
            return true;
        }
        if text.starts_with("--") || table.style == Style::Names {
            self.long(&text, table);
        } else {
            self.cluster(&text, table);
        }
        true
    }

    /// A shell's `+e` takes back `-e`; but `+c` is `-c`, and `+o` takes a word as `-o` does.
    fn switches(&mut self, text: &str, table: &'static Program) {
        for letter in text.chars().skip(1) {
            let spec = exact(table, &format!("-{letter}"));
            let value = spec.filter(|spec| spec.value.is_some()).and_then(|_| self.next());
            self.push_option(format!("+{letter}"), spec, value);
        }
    }

    /// `--file=$x` is an option whose value is not known; `-$x` is an option that is not known.
    fn unknown_option(&mut self, unknown: &Unknown, table: &'static Program) -> bool {
        let prefix = unknown.prefix.as_str();
        if !prefix.starts_with('-') && table.style != Style::Keys {
            return false;
        }
        let value = |rest: &str| Unknown { prefix: rest.to_owned(), ..unknown.clone() };
        if let Some((name, rest)) = prefix.split_once('=') {
            let key = format!("{name}=");
            let spec = exact(table, name).or_else(|| exact(table, &key));
            self.push_option(name.to_owned(), spec, Some(Word::Unknown(value(rest))));
            return true;
        }
        if table.style == Style::Keys {
            return false;
        }
        let short = prefix.get(..2).and_then(|name| exact(table, name));
        match short.filter(|spec| spec.value.is_some() && !prefix.starts_with("--")) {
            Some(spec) => {
                let rest = prefix.get(2..).unwrap_or_default();
                let shown = prefix.get(..2).unwrap_or_default().to_owned();
                self.push_option(shown, Some(spec), Some(Word::Unknown(value(rest))));
            }
            None => self.push_option(prefix.to_owned(), None, None),
        }
        true
    }

    fn key(&mut self, text: &str, table: &'static Program) -> bool {
        let Some((key, value)) = text.split_once('=') else { return false };
        let spec = exact(table, &format!("{key}="));
        let spellings = vec![format!("{key}=")];
        let class = spec.map_or(OptionClass::Unknown, |spec| spec.class);
        let kind = spec.and_then(|spec| spec.value).unwrap_or(Kind::Text);
        let role = Role::Option { spellings, value: Some(Word::known(value)), class };
        let arg = Arg { word: Word::known(format!("{key}=")), role, path: None };
        self.out.items.push(Item { arg, kind });
        true
    }

    fn long(&mut self, text: &str, table: &'static Program) {
        let (name, attached) = match text.split_once('=') {
            Some((name, value)) => (name, Some(Word::known(value))),
            None => (text, None),
        };
        let Some(spec) = exact(table, name).or_else(|| abbreviated(table, name)) else {
            if let Some((spelling, value)) = joined_value(table, text) {
                let spec = exact(table, spelling);
                return self.push_option(spelling.to_owned(), spec, Some(Word::known(value)));
            }
            return self.push_other(text.to_owned(), table);
        };
        let full = spec.spellings.iter().find(|spelling| spelling.starts_with(name));
        let shown = full.cloned().unwrap_or_else(|| name.to_owned());
        let value = match (attached, spec.value) {
            (Some(value), _) => Some(value),
            (None, Some(_)) if !spec.attached => self.next(),
            (None, _) => None,
        };
        self.push_option(shown.clone(), Some(spec), value);
        self.more_values(&shown, spec);
    }

    /// The values of an option that takes every word up to the next one.
    fn more_values(&mut self, shown: &str, spec: &'static OptionSpec) {
        for kind in &spec.then {
            let value = self.next();
            self.push_option(shown.to_owned(), Some(spec), value);
            self.out.items.iter_mut().next_back().into_iter().for_each(|item| item.kind = *kind);
        }
        while spec.many && self.words.get(self.at).is_some_and(|word| !looks_like_option(word)) {
            let value = self.next();
            self.push_option(shown.to_owned(), Some(spec), value);
        }
    }

    fn cluster(&mut self, text: &str, table: &'static Program) {
        // A few programs have whole words behind one dash.
        if let Some(spec) = exact(table, text) {
            let value = if spec.value.is_some() && !spec.attached { self.next() } else { None };
            self.push_option(text.to_owned(), Some(spec), value);
            return self.more_values(text, spec);
        }
        if let Some((name, value)) = text.split_once('=')
            && name.chars().nth(2).is_some()
            && let Some(spec) = exact(table, name)
        {
            return self.push_option(name.to_owned(), Some(spec), Some(Word::known(value)));
        }
        if let Some((spelling, value)) = joined_value(table, text).filter(|(s, _)| s.len() > 2) {
            let spec = exact(table, spelling);
            return self.push_option(spelling.to_owned(), spec, Some(Word::known(value)));
        }
        let letters = text.strip_prefix('-').unwrap_or_default();
        let mut digits = 0;
        for (at, letter) in letters.char_indices() {
            if digits > 0 {
                digits -= 1;
                continue;
            }
            let shown = format!("-{letter}");
            let Some(spec) = exact(table, &shown) else {
                // What follows may be its value.
                let rest = letters.get(at + letter.len_utf8()..).unwrap_or_default();
                if rest.contains(['/', '.']) {
                    return self.push_other(format!("{shown}={rest}"), table);
                }
                self.push_other(shown, table);
                continue;
            };
            if spec.value.is_none() {
                self.push_option(shown, Some(spec), None);
                continue;
            }
            // A shell's `-o` takes the next word wherever it stands: `bash -oc pipefail TEXT`.
            if table.interpreter == Some(Interpreter::Shell) {
                let value = self.next();
                self.push_option(shown, Some(spec), value);
                continue;
            }
            let rest = letters.get(at + letter.len_utf8()..).unwrap_or_default();
            if spec.value == Some(Kind::Digits) {
                // Only its digits are its value: `perl -lane` is four options.
                digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                let value = rest.get(..digits).filter(|value| !value.is_empty());
                self.push_option(shown, Some(spec), value.map(Word::known));
                continue;
            }
            let attached = Some(rest).filter(|rest| !rest.is_empty());
            let value = match attached {
                Some(rest) => Some(Word::known(rest)),
                None if spec.attached => None,
                None => self.next(),
            };
            self.push_option(shown.clone(), Some(spec), value);
            return self.more_values(&shown, spec);
        }
    }

    fn without_table(&mut self) {
        let mut options_end = false;
        while let Some(word) = self.next() {
            if !options_end && word.as_known() == Some("--") {
                options_end = true;
                let arg = Arg { word, role: Role::EndOfOptions, path: None };
                self.out.items.push(Item { arg, kind: Kind::Text });
            } else if !options_end && looks_like_option(&word) {
                let (shown, value) = match word.as_known().and_then(|text| text.split_once('=')) {
                    Some((name, value)) => (name.to_owned(), Some(Word::known(value))),
                    None => (word.to_string(), None),
                };
                self.push_option(shown, None, value);
            } else {
                self.out.items.push(Item::operand(word, Kind::Text));
            }
        }
    }
}
