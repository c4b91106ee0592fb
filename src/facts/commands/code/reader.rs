//! A program's statements and expressions, read once from left to right for the calls in them.
//!
//! It is no parser of any language: it knows brackets, members, calls, assignments, and how texts
//! are put together, and goes on behind whatever else it meets. A first pass learns what names
//! stand for, a second one tells what is done. What is spelt and not used in a way that is known
//! is told as a suspicion.

use super::effect::{Effect, Found};
use super::lexer::{self, Token};
use super::syntax::Syntax;
use super::value::Value;
use crate::limits::{CODE_DEPTH_MAX, CODE_EFFECTS_MAX, CODE_MADE_BYTES_MAX};
use crate::model::access::Verb;
use std::collections::BTreeMap;

/// Elements of one list that are kept.
pub(super) const LIST_MAX: usize = 64;

#[derive(Debug)]
pub(super) struct Literal {
    pub(super) text: String,
    /// It was used in a way that is known.
    pub(super) settled: bool,
    /// It was handed to something unknown.
    pub(super) suspect: bool,
}

#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) now: Value,
    /// What else it is assigned anywhere.
    pub(super) others: Vec<String>,
    /// It was assigned before the place that is read.
    pub(super) fresh: bool,
}

#[derive(Debug)]
pub(super) struct Reader {
    pub(super) syntax: &'static Syntax,
    pub(super) tokens: Vec<Token>,
    pub(super) at: usize,
    pub(super) depth: usize,
    pub(super) names: BTreeMap<String, Known>,
    /// Modules of which every name was taken.
    pub(super) stars: Vec<String>,
    pub(super) literals: Vec<Literal>,
    pub(super) effects: Vec<Effect>,
    pub(super) tells: bool,
    pub(super) made: usize,
    pub(super) lost: bool,
    /// The name being assigned, and whether its own value is part of what it gets.
    pub(super) assigned: Option<String>,
    pub(super) reads_itself: bool,
    /// Brackets around the statement at hand.
    pub(super) brackets: usize,
}

/// Everything that a program is seen to do.
pub(super) fn read(text: &str, syntax: &'static Syntax) -> Found {
    let (tokens, broken) = lexer::tokens(text, syntax);
    let mut reader = Reader {
        syntax,
        tokens,
        at: 0,
        depth: 0,
        names: BTreeMap::new(),
        stars: Vec::new(),
        literals: Vec::new(),
        effects: Vec::new(),
        tells: false,
        made: 0,
        lost: broken,
        assigned: None,
        reads_itself: false,
        brackets: 0,
    };
    reader.all();
    reader.tells = true;
    reader.at = 0;
    reader.made = 0;
    reader.names.values_mut().for_each(|known| known.fresh = false);
    reader.all();
    reader.found()
}

impl Reader {
    pub(super) fn found(mut self) -> Found {
        for literal in std::mem::take(&mut self.literals) {
            let used = |effect: &Effect| match effect {
                Effect::Path { text, .. } => *text == literal.text,
                _ => false,
            };
            let names = literal.text.contains(|c: char| c.is_alphanumeric());
            if names && (literal.suspect || !literal.settled) && !self.effects.iter().any(used) {
                self.tell(Effect::Suspect(literal.text));
            }
        }
        Found { effects: self.effects, lost: self.lost }
    }

    pub(super) fn tell(&mut self, effect: Effect) {
        if !self.tells || self.effects.iter().rev().take(32).any(|known| *known == effect) {
            return;
        }
        if self.effects.len() >= CODE_EFFECTS_MAX {
            self.lost = true;
        } else {
            self.effects.push(effect);
        }
    }

    pub(super) fn unknown(&mut self, verb: Verb) {
        self.tell(Effect::Unknown(verb));
    }

    /// Its strings were used in a way that is known.
    pub(super) fn settle(&mut self, value: &Value) {
        for id in &value.from {
            if let Some(literal) = self.literals.get_mut(*id) {
                literal.settled = true;
            }
        }
    }

    /// Its strings went to where nobody sees them.
    pub(super) fn suspect(&mut self, value: &Value) {
        for id in &value.from {
            if let Some(literal) = self.literals.get_mut(*id) {
                literal.suspect = true;
            }
        }
    }

    pub(super) fn all(&mut self) {
        while self.at < self.tokens.len() {
            let before = self.at;
            self.statement(false);
            if self.at == before {
                self.at += 1;
            }
        }
    }

    pub(super) fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    pub(super) fn after(&self, steps: usize) -> Option<&Token> {
        self.tokens.get(self.at + steps)
    }

    pub(super) fn is(&self, op: &str) -> bool {
        self.peek().is_some_and(|token| token.is(op))
    }

    pub(super) fn eat(&mut self, op: &str) -> bool {
        let is = self.is(op);
        self.at += usize::from(is);
        is
    }

    pub(super) fn eat_name(&mut self, word: &str) -> bool {
        let is = self.peek().and_then(Token::name) == Some(word);
        self.at += usize::from(is);
        is
    }

    pub(super) fn take_name(&mut self) -> Option<String> {
        let name = self.peek().and_then(Token::name).map(str::to_owned);
        self.at += usize::from(name.is_some());
        name
    }

    /// Reads code that stands in a string, with all names known here.
    pub(super) fn nested(&mut self, code: &str) -> Value {
        if self.depth >= CODE_DEPTH_MAX {
            self.lost = true;
            return Value::default();
        }
        self.made += code.len();
        if self.made > CODE_MADE_BYTES_MAX {
            self.lost = true;
            return Value::default();
        }
        let (tokens, broken) = lexer::tokens(code, self.syntax);
        self.lost |= broken;
        let outer = std::mem::replace(&mut self.tokens, tokens);
        let at = std::mem::replace(&mut self.at, 0);
        let brackets = std::mem::replace(&mut self.brackets, 0);
        self.depth += 1;
        let mut value = Value::default();
        let mut many = false;
        while self.at < self.tokens.len() {
            let before = self.at;
            let next = self.statement(false);
            value = if many { Value::default() } else { next };
            many = true;
            if self.at == before {
                self.at += 1;
            }
        }
        self.depth -= 1;
        self.tokens = outer;
        self.at = at;
        self.brackets = brackets;
        value
    }

    /// One statement, or one item of a list; in the words of a call `name=value` is a field.
    pub(super) fn statement(&mut self, call: bool) -> Value {
        if self.depth >= CODE_DEPTH_MAX {
            self.lost = true;
            self.at += 1;
            return Value::default();
        }
        self.depth += 1;
        let value = self.statement_here(call);
        self.depth -= 1;
        value
    }

    pub(super) fn statement_here(&mut self, call: bool) -> Value {
        if !call && self.imports() {
            return Value::default();
        }
        while let Some(word) = self.peek().and_then(Token::name) {
            let declares = matches!(
                word,
                "const" | "let" | "var" | "my" | "our" | "local" | "export" | "async" | "static"
            );
            let opens = matches!(word, "for" | "foreach");
            if opens {
                self.at += 1;
                self.loops();
                return Value::default();
            }
            if !declares {
                break;
            }
            self.at += 1;
        }
        let first = self.alternatives();
        let mut targets = vec![first];
        if self.brackets == 0 {
            while self.is(",")
                && targets.len() < LIST_MAX
                && targets.last().is_some_and(|value| value.target.is_some())
            {
                self.at += 1;
                targets.push(self.alternatives());
            }
        }
        self.assignment(targets, call)
    }
}
