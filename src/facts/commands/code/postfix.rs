//! What stands behind a value: members, subscripts, calls with and without brackets, blocks.

use super::lexer::{Kind, Token};
use super::reader::{LIST_MAX, Reader};
use super::syntax::{Family, is_word};
use super::value::Value;
use crate::model::access::Verb;

impl Reader {
    /// The items up to `close`, and those that have a name.
    pub(super) fn items(&mut self, close: &str, call: bool) -> (Vec<Value>, Vec<(String, Value)>) {
        self.brackets += 1;
        let mut all: Vec<Value> = Vec::new();
        let mut fields = Vec::new();
        let mut fresh = true;
        while self.at < self.tokens.len() && !self.eat(close) {
            let before = self.at;
            if self.eat(",") || self.eat(";") {
                fresh = true;
                continue;
            }
            if self.peek().is_some_and(|t| t.is(")") || t.is("]") || t.is("}")) {
                // A bracket of another kind: this one was never closed.
                self.at += 1;
                break;
            }
            let value = self.statement(call);
            let named = self.is("=>") || self.is(":") || call && self.is("=");
            if named {
                self.at += 1;
                let key = value.only().map(str::to_owned).or_else(|| value.target.clone());
                self.settle(&value);
                let inner = self.statement(call);
                if let Some(key) = key
                    && fields.len() < LIST_MAX
                {
                    fields.push((key.trim_start_matches(['$', '@']).to_owned(), inner));
                } else {
                    self.suspect(&inner);
                }
                fresh = true;
                continue;
            }
            if self.at == before {
                self.at += 1;
                continue;
            }
            if !fresh && let Some(last) = all.pop() {
                all.push(last.or(value));
            } else if all.len() < LIST_MAX {
                // `{a, b}` names its parts as it names them.
                all.push(value);
            } else {
                self.suspect(&value);
            }
            fresh = false;
        }
        self.brackets = self.brackets.saturating_sub(1);
        (all, fields)
    }

    /// Members, subscripts and calls behind a value.
    pub(super) fn postfix(&mut self, mut value: Value, start: usize) -> Value {
        let mut receiver = Value::default();
        let mut method: Option<String> = None;
        while let Some(token) = self.peek().cloned() {
            let lines = matches!(self.syntax.family, Family::Python | Family::Ruby | Family::R);
            let same_line = !token.newline || !lines;
            match &token.kind {
                Kind::Op(op) if self.syntax.members.contains(&op.as_str()) && self.has_member() => {
                    self.at += 1;
                    if let Some(name) = self.take_name() {
                        receiver = value.clone();
                        self.binds_block(&receiver, &name);
                        value = self.part(&value, &name);
                        method = Some(name);
                    }
                }
                Kind::Op(op) if op == "{" && self.is_program_block(&value) => {
                    self.at += 1;
                    let (program, _) = self.items("}", false);
                    let (args, _) = self.bare_args();
                    self.named_program(&program, &args);
                    value = Value::default();
                }
                Kind::Op(op) if op == "(" && same_line && self.can_call(&value, &method) => {
                    self.at += 1;
                    self.binds_parameter(&receiver, method.as_deref());
                    let (args, fields) = self.items(")", true);
                    value = self.call(&value, &receiver, method.take(), args, fields);
                    receiver = Value::default();
                }
                Kind::Op(op)
                    if op == "[" && same_line && !(self.syntax.bare_calls && token.space) =>
                {
                    self.at += 1;
                    value = self.subscript(value, "]");
                    method = None;
                }
                Kind::Op(op)
                    if op == "{"
                        && self.syntax.family == Family::Perl
                        && !token.space
                        && self.at > start =>
                {
                    self.at += 1;
                    value = self.subscript(value, "}");
                    method = None;
                }
                _ if same_line && self.starts_bare_call(&token, &value, start) => {
                    let (args, fields) = self.bare_args();
                    value = self.call(&value, &receiver, method.take(), args, fields);
                    break;
                }
                _ => break,
            }
        }
        value
    }

    /// Perl's `exec {program} words`.
    pub(super) fn is_program_block(&self, value: &Value) -> bool {
        self.syntax.family == Family::Perl
            && matches!(value.name.as_deref(), Some("exec" | "system"))
    }

    pub(super) fn named_program(&mut self, program: &[Value], args: &[Value]) {
        let words: Vec<Value> =
            program.iter().take(1).cloned().chain(args.iter().skip(1).cloned()).collect();
        self.role("run", &Value::list(words));
    }

    /// `list.forEach(x => ..)`, `import(..).then(x => ..)`: what `x` stands for.
    pub(super) fn binds_parameter(&mut self, receiver: &Value, method: Option<&str>) {
        let each = matches!(
            method,
            Some("forEach" | "map" | "flatMap" | "filter" | "some" | "every" | "find")
        );
        let then = method == Some("then") && receiver.name.is_some();
        if !then && (!each || receiver.list.is_none()) {
            return;
        }
        let skipped =
            |token: &Token| token.is("(") || matches!(token.name(), Some("async" | "function"));
        let first = (0..3).find(|step| self.after(*step).is_some_and(|token| !skipped(token)));
        let step = first.unwrap_or_default();
        let name = self.after(step).and_then(Token::name).map(str::to_owned);
        let opens = self.after(step + 1).is_some_and(|t| t.is("=>") || t.is(")") || t.is(","));
        if let Some(name) = name.filter(|_| opens) {
            let value = if then { receiver.clone() } else { receiver.element() };
            self.bind(&name, value);
        } else if then && self.after(step).is_some_and(|token| token.is("{")) {
            // `then(({execSync}) => ..)`
            let mut at = step + 1;
            while let Some(name) = self.after(at).and_then(Token::name).map(str::to_owned) {
                let part = self.part(receiver, &name);
                self.bind(&name, part);
                at += 2;
            }
        }
    }

    /// `list.each { |x| .. }`
    pub(super) fn binds_block(&mut self, receiver: &Value, method: &str) {
        let each = matches!(
            method,
            "each"
                | "map"
                | "each_with_index"
                | "select"
                | "flat_map"
                | "then"
                | "tap"
                | "yield_self"
        );
        if self.syntax.family != Family::Ruby || !each {
            return;
        }
        let opens = self.is("{") || self.peek().and_then(Token::name) == Some("do");
        let bar = self.after(1).is_some_and(|token| token.is("|"));
        let name = self.after(2).and_then(Token::name).map(str::to_owned);
        if let Some(name) = name.filter(|_| opens && bar) {
            let value = if receiver.list.is_some() { receiver.element() } else { receiver.clone() };
            self.bind(&name, value);
        }
    }

    /// A member stands behind the mark; a subscript or call behind `->` is one without.
    pub(super) fn has_member(&self) -> bool {
        match self.after(1) {
            Some(next) => {
                matches!(next.kind, Kind::Name(_)) || next.is("[") || next.is("{") || next.is("(")
            }
            None => false,
        }
    }

    pub(super) fn can_call(&self, value: &Value, method: &Option<String>) -> bool {
        value.target.is_some() || value.name.is_some() || method.is_some() || value.list.is_none()
    }

    pub(super) fn subscript(&mut self, value: Value, close: &str) -> Value {
        let counted = self.peek().is_some_and(|token| matches!(token.kind, Kind::Number(_)));
        let (keys, fields) = self.items(close, false);
        let key = match keys.as_slice() {
            [key] if fields.is_empty() => key,
            _ => {
                // A slice.
                let hidden = value.hidden || !value.texts.is_empty();
                return Value { hidden, from: value.from, ..Value::default() };
            }
        };
        let name = match (key.only(), &key.name) {
            (Some(text), _) => Some(text.to_owned()),
            // `$ENV{HOME}`
            (None, Some(name)) if close == "}" => Some(name.clone()),
            _ => None,
        };
        self.settle(key);
        if let Some(name) = name {
            return self.part(&value, &name);
        }
        if let (Some(list), Some(number), true) = (&value.list, key.number, counted) {
            return list.get(number as usize).cloned().unwrap_or_default();
        }
        let mut all = Value { from: value.from.clone(), hidden: value.hidden, ..Value::default() };
        for item in value.list.unwrap_or_default() {
            all = all.or(item);
        }
        if let Some(owner) = &value.name
            && super::calls::is_powerful(self.syntax.family, owner)
        {
            self.unknown(Verb::Exec);
        }
        all
    }

    /// `f 'x'`, `` f`x` ``.
    pub(super) fn starts_bare_call(&self, token: &Token, value: &Value, start: usize) -> bool {
        let Some(name) = value.name.as_deref().or(value.target.as_deref()) else { return false };
        let last = name.rsplit(['.', ':']).next().unwrap_or(name);
        let is_name = self.at > 0
            && self
                .tokens
                .get(self.at - 1)
                .and_then(Token::name)
                .is_some_and(|name| !is_word(name));
        if !is_name || self.at <= start {
            return false;
        }
        if matches!(token.kind, Kind::Text(_))
            && !token.space
            && self.syntax.family == Family::JavaScript
        {
            return true;
        }
        let target = value.target.as_deref().unwrap_or_default();
        let handle = last.len() > 1 && last.chars().all(|c| c.is_uppercase() || c == '_');
        if !self.syntax.bare_calls || token.newline || handle || target.starts_with(['$', '@', '%'])
        {
            return false;
        }
        match &token.kind {
            Kind::Text(_) | Kind::Words(_) | Kind::Command(_) => true,
            Kind::Name(next) if self.syntax.family != Family::Lua => {
                !is_word(next) || matches!(next.as_str(), "my" | "new")
            }
            Kind::Op(op) => op == "[" && token.space || op == "\\",
            Kind::Name(_) | Kind::Number(_) | Kind::Pattern(_) => false,
        }
    }

    pub(super) fn bare_args(&mut self) -> (Vec<Value>, Vec<(String, Value)>) {
        let mut all = Vec::new();
        let mut fields = Vec::new();
        loop {
            let before = self.at;
            let value = self.expression();
            if self.eat("=>") || self.is(":") && self.syntax.family == Family::Ruby {
                self.eat(":");
                let key = value.only().map(str::to_owned).or_else(|| value.target.clone());
                let inner = self.expression();
                fields.push((key.unwrap_or_default(), inner));
            } else if all.len() < LIST_MAX {
                all.push(value);
            }
            let more = self.eat(",");
            let beside = self.syntax.family == Family::Perl
                && self.at > before
                && self.peek().is_some_and(|token| {
                    !token.newline && matches!(token.kind, Kind::Text(_) | Kind::Words(_))
                        || token.name().is_some_and(|name| name.starts_with(['$', '@']))
                });
            if !more && !beside || self.at == before {
                return (all, fields);
            }
        }
    }
}
