//! Expressions: what texts are put together to, and every call on the way.

use super::binding::bare;
use super::lexer::{Kind, Part};
use super::reader::{LIST_MAX, Literal, Reader};
use super::syntax::{Family, is_word};
use super::value::{HOLE, Value};
use crate::limits::CODE_DEPTH_MAX;

impl Reader {
    /// An expression; what stands behind it up to the next separator may be its value as well.
    pub(super) fn alternatives(&mut self) -> Value {
        let mut value = self.expression();
        while let Some(token) = self.peek() {
            let joins = matches!(token.name(), Some("if" | "else" | "or" | "and" | "unless"));
            if !joins || token.newline || self.syntax.family == Family::Lua {
                break;
            }
            self.at += 1;
            let other = self.expression();
            value = value.or(other);
        }
        value
    }

    pub(super) fn expression(&mut self) -> Value {
        if self.depth >= CODE_DEPTH_MAX {
            self.lost = true;
            self.at += 1;
            return Value::default();
        }
        self.depth += 1;
        let mut left = self.term();
        while let Some(token) = self.peek() {
            // Strings that stand beside each other are one.
            if matches!(token.kind, Kind::Text(_))
                && matches!(self.syntax.family, Family::Python | Family::Ruby)
                && !left.texts.is_empty()
                && self.at > 0
                && self
                    .tokens
                    .get(self.at - 1)
                    .is_some_and(|last| matches!(last.kind, Kind::Text(_)))
            {
                let right = self.term();
                left = left.then(&right);
                continue;
            }
            let op = match &token.kind {
                Kind::Op(op) => op.clone(),
                Kind::Name(name)
                    if matches!(name.as_str(), "eq" | "ne" | "in" | "is")
                        || name == "x" && self.syntax.family == Family::Perl =>
                {
                    name.clone()
                }
                _ => break,
            };
            let Some(next) = self.operation(left.clone(), &op) else { break };
            left = next;
        }
        self.depth -= 1;
        left
    }

    /// What `left` and what stands behind an operator come to; nothing if it is no operator.
    pub(super) fn operation(&mut self, left: Value, op: &str) -> Option<Value> {
        if self.syntax.joins.contains(&op) && (op != "<<" || !left.texts.is_empty()) {
            if self.after(1).is_some_and(|token| token.is("=")) {
                return None;
            }
            self.at += 1;
            let right = self.term();
            return Some(left.then(&right));
        }
        match op {
            "/" if self.syntax.family == Family::Python && !left.texts.is_empty() => {
                self.at += 1;
                let right = self.term();
                Some(left.joined(&right))
            }
            "%" if !left.texts.is_empty() => {
                self.at += 1;
                let right = self.term();
                Some(super::fold::format(&left, &right))
            }
            "==" | "!=" | "===" | "!==" | "=~" | "!~" | "<=>" | "eq" | "ne" | "in" | "is" => {
                self.at += 1;
                let right = self.term();
                self.settle(&left);
                self.settle(&right);
                Some(Value::default())
            }
            "?" => {
                self.at += 1;
                let mut value = self.expression();
                if self.eat(":") {
                    value = value.or(self.expression());
                }
                Some(value)
            }
            "||" | "&&" | "??" | "|" | "//" => {
                self.at += 1;
                let right = self.term();
                Some(left.or(right))
            }
            "*" | "/" | "-" | "+" | "&" | "^" | "**" | "<" | ">" | "<=" | ">=" | ">>" | "%"
            | "x" | "." | ".." | "<<" => {
                self.at += 1;
                let right = self.term();
                Some(
                    Value { number: None, texts: Vec::new(), target: None, ..left }
                        .or(Value { texts: Vec::new(), ..right }),
                )
            }
            _ => None,
        }
    }

    /// Goes past signs and words that stand before a value.
    fn prefixes(&mut self) {
        while let Some(token) = self.peek() {
            let prefix = match &token.kind {
                Kind::Op(op) => {
                    matches!(
                        op.as_str(),
                        "!" | "-" | "+" | "~" | "*" | "**" | "&" | "..." | "\\" | "@" | "::"
                    )
                }
                Kind::Name(name) if self.syntax.family == Family::AppleScript => {
                    matches!(name.as_str(), "do" | "shell" | "tell" | "to" | "application")
                }
                Kind::Name(name) => {
                    is_word(name)
                        && !matches!(
                            name.as_str(),
                            "from" | "if" | "else" | "or" | "and" | "in" | "for" | "foreach"
                        )
                }
                _ => false,
            };
            if !prefix {
                break;
            }
            self.at += 1;
        }
    }

    pub(super) fn term(&mut self) -> Value {
        self.prefixes();
        let Some(token) = self.peek().cloned() else { return Value::default() };
        let start = self.at;
        let value = match token.kind {
            Kind::Name(name) => {
                self.at += 1;
                let mut value = self.lookup(&name);
                if value.texts.is_empty()
                    && let Some(place) = super::fold::constant(&bare(&name))
                {
                    value.texts.push(place.to_owned());
                }
                value
            }
            Kind::Number(text) => {
                self.at += 1;
                let number = match text.strip_prefix("0x") {
                    Some(digits) => u32::from_str_radix(digits, 16).ok(),
                    None => text.parse().ok(),
                };
                Value { number, ..Value::default() }
            }
            Kind::Text(parts) => {
                self.at += 1;
                self.string(&parts)
            }
            Kind::Command(parts) => {
                self.at += 1;
                let value = self.string(&parts);
                self.role("shell", &value);
                Value::default()
            }
            Kind::Words(words) => {
                self.at += 1;
                let all: Vec<Value> =
                    words.iter().take(LIST_MAX).map(|word| self.literal(word.clone())).collect();
                Value::list(all)
            }
            Kind::Pattern(code) => {
                self.at += 1;
                if let Some(code) = code {
                    self.nested(&code);
                }
                Value::default()
            }
            Kind::Op(op) => match op.as_str() {
                "(" => self.group(),
                "[" | "{" => {
                    self.at += 1;
                    let close = if op == "[" { "]" } else { "}" };
                    let (all, fields) = self.items(close, false);
                    Value { fields, ..Value::list(all) }
                }
                _ => return Value::default(),
            },
        };
        self.postfix(value, start)
    }

    pub(super) fn group(&mut self) -> Value {
        self.at += 1;
        let (mut all, fields) = self.items(")", false);
        match all.len() {
            1 if fields.is_empty() => all.pop().unwrap_or_default(),
            _ => Value { fields, ..Value::list(all) },
        }
    }

    /// A string of the program.
    pub(super) fn string(&mut self, parts: &[Part]) -> Value {
        let mut value: Option<Value> = None;
        for part in parts {
            let next = match part {
                Part::Literal(text) if text.is_empty() && parts.len() > 1 => continue,
                Part::Literal(text) => self.literal(text.clone()),
                Part::Code(code) => {
                    let value = self.nested(code);
                    match value.texts.is_empty() {
                        true => {
                            Value { from: value.from, hidden: value.hidden, ..Value::text(HOLE) }
                        }
                        false => value,
                    }
                }
            };
            value = Some(match value {
                Some(before) => before.then(&next),
                None => Value { target: None, name: None, ..next },
            });
        }
        value.unwrap_or_default()
    }

    pub(super) fn literal(&mut self, text: String) -> Value {
        let mut value = Value::text(text.clone());
        if self.tells {
            value.from.push(self.literals.len());
            self.literals.push(Literal { text, settled: false, suspect: false });
        }
        value
    }
}
