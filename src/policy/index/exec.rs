//! Command patterns, filed by program and first operand.
//!
//! A pattern that begins otherwise (`git ... x`, `git $tmp/x`, `git of=x`) lies under its program
//! alone, one whose program has wildcards under the end of the name that is literal, one whose
//! program is a file under that file. `* --force` and `*x*` have nothing of that and are always
//! asked. Where the command's own program or first operand is not known, all are asked that it
//! could be: all of the verb, or all of the program.

use super::lane::Lane;
use super::path::{self, Paths};
use super::slot::{Entries, Entry, Facet, Filed, Owner, Piles, Slot, Visit, ends, table};
use super::table::{END_BYTES_MAX, Ends, Hash, Table};
use crate::model::access::Command;
use crate::model::truth::Truth;
use crate::policy::pattern::Stance;
use crate::policy::pattern::exec::Writable;
use crate::policy::pattern::exec::keys::{First, Form, Program, Seen, base_name};
use crate::policy::pattern::exec::{ExecPattern, trusted};
use std::collections::{BTreeMap, HashMap};

/// The command patterns of a layer.
#[derive(Debug, Default)]
pub(super) struct Exec {
    every: Slot,
    /// Every rule once: where nothing is known of the command.
    blind: Slot,
    programs: Table<Programs>,
    operands: Table<Slot>,
    heads: Ends<Slot>,
    tails: Ends<Slot>,
    rest: Slot,
    /// All that name no file: where the program is not known.
    named: Slot,
    files: Paths,
    entries: Entries,
}

/// The patterns of one program.
#[derive(Debug, Clone, Copy, Default)]
struct Programs {
    /// That name no first operand.
    alone: Slot,
    /// That do: where the command's is not known.
    with_operand: Slot,
}

/// A command, looked at once for all layers.
pub(super) struct Target<'a> {
    command: &'a Command,
    file: Option<path::Target<'a>>,
    seen: Seen<'a>,
    /// Whether an allow may believe the program.
    trusted: Truth,
}

impl<'a> Target<'a> {
    pub(super) fn of(
        command: &'a Command,
        writable: &Writable,
        lane: Option<&'a Lane<'a>>,
    ) -> Target<'a> {
        let file = command.program.file.as_ref().zip(lane);
        Target {
            command,
            file: file.map(|(file, lane)| path::Target::of(file, lane)),
            seen: Seen::of(command),
            trusted: trusted(&command.program, writable),
        }
    }

    /// What patterns of this facet come to if their key is the command's: its program and, if they
    /// name one, its first operand. `single` says that each of these can be one thing only.
    fn truth(&self, facet: Facet, single: bool) -> Option<Truth> {
        let Seen { open, exact, operands: [loosen, tighten], .. } = self.seen;
        let (tightens, form) = (facet >= TIGHTEN, facet % TIGHTEN);
        let (open, exact, operands) = match tightens {
            true => (Truth::Yes, Truth::Yes, tighten),
            false => (open, exact, loosen),
        };
        let truth = match form {
            0 => open,
            // Exact with no operand, or with one.
            _ if operands? == usize::from(form - 1) => exact,
            _ => Truth::No,
        };
        match (tightens, single) {
            (true, _) => Some(truth),
            (false, false) => None,
            (false, true) if self.command.doubts.is_empty() => Some(truth.and(self.trusted)),
            (false, true) => Some(truth.and(self.trusted).doubted()),
        }
    }
}

/// The first facet of those that tighten.
const TIGHTEN: Facet = 3;

/// By stance: open, exact, exact with a first operand.
fn facet(stance: Stance, form: Form, operand: bool) -> Facet {
    let stance = match stance {
        Stance::Loosen => 0,
        Stance::Tighten => TIGHTEN,
    };
    match form {
        Form::Open => stance,
        Form::Exact => stance + 1 + u8::from(operand),
    }
}

impl Exec {
    /// Hands out what may match a command.
    pub(super) fn find<V: Visit>(&self, target: &Target<'_>, visitor: &mut V) {
        if self.blind.is_empty() {
            return;
        }
        let program = &target.command.program.word;
        self.entries.visit_all(&self.every, Truth::Yes, visitor);
        match program.values() {
            Some(values) => {
                let single = values.len() == 1;
                for value in values {
                    self.program(base_name(value), single, target, visitor);
                }
                self.entries.visit(&self.rest, |_| None, visitor);
            }
            None => self.entries.visit(&self.named, |_| None, visitor),
        }
        if let Some(file) = &target.file {
            self.files.find_candidates(file, visitor);
        }
    }

    fn program<V: Visit>(&self, name: &str, single: bool, target: &Target<'_>, visitor: &mut V) {
        let name = name.as_bytes();
        let hash = Hash::of(name);
        if let Some(programs) = self.programs.get(hash, |key| key == name) {
            let truth = |facet| target.truth(facet, single);
            self.entries.visit(&programs.alone, truth, visitor);
            if !programs.with_operand.is_empty() {
                self.operand(name, hash, single, programs, target, visitor);
            }
        }
        self.heads.each(name, |slot| self.entries.visit(slot, |_| None, visitor));
        self.tails.each(name, |slot| self.entries.visit(slot, |_| None, visitor));
    }

    fn operand<V: Visit>(
        &self,
        program: &[u8],
        hash: Hash,
        single: bool,
        programs: &Programs,
        target: &Target<'_>,
        visitor: &mut V,
    ) {
        let mut one = |operand: &str, single: bool| {
            let hash = hash.then(Hash::of(operand.as_bytes()));
            let same = |key: &[u8]| {
                let rest = key.strip_prefix(program).and_then(|rest| rest.strip_prefix(b"\0"));
                rest == Some(operand.as_bytes())
            };
            if let Some(slot) = self.operands.get(hash, same) {
                self.entries.visit(slot, |facet| target.truth(facet, single), visitor);
            }
        };
        match target.seen.first {
            First::Nothing => {}
            First::Known(operand) => one(operand, single),
            First::OneOf(operands) => operands.iter().for_each(|operand| one(operand, false)),
            First::Unsettled => {
                self.entries.visit(&programs.with_operand, |_| None, visitor);
            }
        }
    }

    /// The patterns that are asked one by one: always, and at most by one key besides.
    pub(super) fn asked(&self) -> (Vec<&[Entry]>, Vec<&[Entry]>) {
        let programs = self.entries.longest(self.programs.values().map(|it| it.alone));
        let operands = self.entries.longest(self.operands.values());
        let ends = self.entries.longest(self.heads.values().chain(self.tails.values()));
        let (mut always, mut longest) = self.files.asked();
        always.push(self.entries.asked(&self.rest));
        longest.extend([programs, operands, ends]);
        (always, longest)
    }

    /// Hands out what speaks of a command of which nothing is known.
    pub(super) fn find_unknown<V: Visit>(&self, visitor: &mut V) {
        self.entries.visit_all(&self.every, Truth::Yes, visitor);
        self.entries.visit_all(&self.blind, Truth::Maybe, visitor);
    }
}

/// Collects command patterns.
#[derive(Default)]
pub(super) struct Filing {
    every: Vec<Filed>,
    blind: Vec<Filed>,
    programs: HashMap<Vec<u8>, ProgramsFiling>,
    operands: Piles,
    heads: BTreeMap<Vec<u8>, Vec<Filed>>,
    tails: BTreeMap<Vec<u8>, Vec<Filed>>,
    rest: Vec<Filed>,
    named: Vec<Filed>,
    files: path::Filing,
}

#[derive(Default)]
struct ProgramsFiling {
    alone: Vec<Filed>,
    with_operand: Vec<Filed>,
}

impl Filing {
    /// Files one pattern of a rule.
    pub(super) fn add(&mut self, owner: Owner, place: usize, pattern: &ExecPattern) {
        if pattern.is_everything() {
            self.every.push(owner.files(place, Some(0)));
            return;
        }
        let asked = owner.files(place, None);
        for key in pattern.keys() {
            let operand = key.operand.is_some();
            let facet = key.form.map(|form| facet(pattern.stance(), form, operand));
            let name = match key.program {
                Program::File(path) => {
                    self.files.add(owner, place, path);
                    self.files.add_blind(owner, place, pattern.stance());
                    continue;
                }
                Program::Any => None,
                Program::Named(name) => Some(name),
            };
            self.named.push(asked);
            let Some(name) = name else {
                self.rest.push(asked);
                continue;
            };
            let ends = name.ends();
            if let Some(program) = name.literal() {
                let programs = self.programs.entry(program.into()).or_default();
                match key.operand {
                    None => programs.alone.push(owner.files(place, facet)),
                    Some(operand) => {
                        programs.with_operand.push(asked);
                        let pile = self.operands.entry(format!("{program}\0{operand}").into());
                        pile.or_default().push(owner.files(place, facet));
                    }
                }
            } else if ends.head.is_empty() && ends.tail.is_empty() {
                self.rest.push(asked);
            } else if ends.head.len() >= ends.tail.len() {
                let head = ends.head.as_bytes();
                let cut = head.get(..END_BYTES_MAX).unwrap_or(head);
                self.heads.entry(cut.to_vec()).or_default().push(asked);
            } else {
                let tail = ends.tail.as_bytes();
                let cut = tail.get(tail.len().saturating_sub(END_BYTES_MAX)..).unwrap_or(tail);
                self.tails.entry(cut.to_vec()).or_default().push(asked);
            }
        }
    }

    /// Notes that a rule speaks where nothing is known.
    pub(super) fn add_blind(&mut self, owner: Owner) {
        self.blind.push(owner.files(0, Some(0)));
    }

    pub(super) fn seal(self) -> Exec {
        let mut entries = Entries::default();
        let programs: Vec<_> = self
            .programs
            .into_iter()
            .map(|(name, filing)| {
                let alone = entries.slot(&filing.alone);
                (name, Programs { alone, with_operand: entries.slot(&filing.with_operand) })
            })
            .collect();
        Exec {
            every: entries.slot(&self.every),
            blind: entries.slot(&self.blind),
            programs: Table::of(programs.into_iter(), Hash::of),
            operands: table(self.operands, &mut entries, operand_hash),
            heads: ends(self.heads, false, &mut entries),
            tails: ends(self.tails, true, &mut entries),
            rest: entries.slot(&self.rest),
            named: entries.slot(&self.named),
            files: self.files.seal(),
            entries: entries.sealed(),
        }
    }
}

fn operand_hash(key: &[u8]) -> Hash {
    let mut parts = key.splitn(2, |byte| *byte == 0);
    let mut next = || Hash::of(parts.next().unwrap_or_default());
    let program = next();
    program.then(next())
}
