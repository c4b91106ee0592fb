//! Names: what is assigned to them, what they stand for, what loops give them.

use super::lexer::{Kind, Token};
use super::reader::Reader;
use super::syntax::Family;
use super::value::Value;
use crate::limits::CODE_MADE_BYTES_MAX;

/// A longer chain of members names nothing that is known.
const NAME_BYTES_MAX: usize = 256;

impl Reader {
    pub(super) fn assignment(&mut self, mut targets: Vec<Value>, call: bool) -> Value {
        let op = match self.peek().map(|token| &token.kind) {
            Some(Kind::Op(op)) => op.clone(),
            _ => String::new(),
        };
        let plain = matches!(op.as_str(), "=" | ":=" | "||=" | "//=" | "??=" | "&&=" | "<-");
        let adds =
            matches!(op.as_str(), "+=" | ".=") || op == "<<" && self.syntax.family == Family::Ruby;
        if !plain && !adds || call && op == "=" && targets.len() == 1 && self.takes_fields() {
            return targets.pop().filter(|_| targets.is_empty()).unwrap_or_default();
        }
        self.at += 1;
        let outer = (self.assigned.take(), self.reads_itself);
        self.assigned = targets.first().and_then(|target| target.target.clone());
        self.reads_itself = adds;
        let mut values = vec![self.alternatives()];
        // `a = b = 'x'`
        if self.is("=") && values.iter().all(|value| value.target.is_some()) {
            values = vec![self.assignment(values, false)];
        }
        while self.is(",")
            && !call
            && (targets.len() > 1 || targets.iter().any(|t| t.list.is_some()))
        {
            self.at += 1;
            values.push(self.alternatives());
        }
        if adds && let (Some(target), Some(value)) = (targets.first(), values.pop()) {
            values.push(target.clone().then(&value));
        }
        self.bind_all(&targets, &values);
        (self.assigned, self.reads_itself) = outer;
        values.pop().filter(|_| values.is_empty()).unwrap_or_default()
    }

    pub(super) fn bind_all(&mut self, targets: &[Value], values: &[Value]) {
        match (targets, values) {
            ([target], [value]) => self.bind_to(target, value),
            (targets, [value]) if targets.len() > 1 => {
                let elements = value.list.clone().unwrap_or_default();
                for (nth, target) in targets.iter().enumerate() {
                    let element = elements.get(nth).cloned().unwrap_or_default();
                    self.bind_to(target, &element);
                }
            }
            (targets, values) => {
                for (target, value) in targets.iter().zip(values) {
                    self.bind_to(target, value);
                }
            }
        }
    }

    pub(super) fn bind_to(&mut self, target: &Value, value: &Value) {
        // `const {a: b} = module`
        for (key, inner) in &target.fields {
            let name = inner.target.clone().unwrap_or_else(|| key.clone());
            let part = self.part(value, key);
            self.bind(&name, part);
        }
        if let Some(name) = &target.target {
            self.files_to_read(name, value);
            self.bind(name, value.clone());
        } else if let Some(list) = &target.list {
            let elements = value.list.clone().unwrap_or_default();
            for (nth, inner) in list.iter().enumerate() {
                if let Some(name) = &inner.target {
                    let destructures = value.list.is_none() && value.name.is_some();
                    let element = if destructures {
                        self.part(value, name)
                    } else {
                        elements.get(nth).cloned().unwrap_or_default()
                    };
                    self.bind(name, element);
                }
            }
        }
    }

    /// Perl reads what stands in `@ARGV` without being told to open it.
    pub(super) fn files_to_read(&mut self, name: &str, value: &Value) {
        if self.syntax.family == Family::Perl && matches!(name, "@ARGV" | "$ARGV") {
            self.role("read", value);
        }
    }

    pub(super) fn bind(&mut self, name: &str, value: Value) {
        let itself = self.reads_itself;
        let known = self.names.entry(bare(name)).or_default();
        if !itself {
            for text in &value.texts {
                if known.others.len() < 16 && !known.others.contains(text) {
                    known.others.push(text.clone());
                }
            }
        }
        known.now = Value { target: None, ..value };
        known.fresh = true;
    }

    /// What a name stands for.
    pub(super) fn lookup(&mut self, name: &str) -> Value {
        let key = bare(name);
        if self.assigned.as_deref().map(bare).as_deref() == Some(key.as_str()) {
            self.reads_itself = true;
        }
        let Some(known) = self.names.get(&key) else {
            return Value { name: Some(key), target: Some(name.to_owned()), ..Value::default() };
        };
        let size = known.now.size() + known.others.iter().map(String::len).sum::<usize>();
        self.made += size;
        if self.made > CODE_MADE_BYTES_MAX {
            self.lost = true;
            return Value::default();
        }
        let others = Value { texts: known.others.clone(), ..Value::default() };
        let (number, fresh) = (known.now.number, known.fresh);
        let mut value = known.now.clone().or(others);
        value.number = number;
        value.target = Some(name.to_owned());
        // What is assigned to a known function, perhaps later, need not be what is called.
        let known_function = self.find(&key, &key, false).is_some_and(|roles| roles != "pure");
        let module = super::calls::is_powerful(self.syntax.family, &key);
        let loads = matches!(key.as_str(), "require" | "__import__");
        if (known_function || (module || loads) && !fresh)
            && value.name.as_deref() != Some(key.as_str())
        {
            value.also.extend(value.name.replace(key));
        }
        value
    }

    /// `value.name`, `value['name']`.
    pub(super) fn part(&mut self, value: &Value, name: &str) -> Value {
        if let Some(field) = value.field(&[name]) {
            return field.clone();
        }
        let short = |owner: &&String| owner.len() <= NAME_BYTES_MAX;
        let target = value.target.as_ref().filter(short).map(|target| format!("{target}.{name}"));
        if let Some(target) = &target
            && self.names.contains_key(&bare(target))
        {
            return self.lookup(target);
        }
        let full = value.name.as_ref().filter(short).map(|owner| match (owner.as_str(), name) {
            (owner, "__dict__" | "default") => owner.to_owned(),
            ("__builtins__" | "builtins" | "globalThis" | "global" | "window", _) => {
                name.to_owned()
            }
            (owner, _) => format!("{owner}.{name}"),
        });
        if let Some(place) = full.as_deref().and_then(super::fold::constant) {
            return Value { target, ..Value::text(place) };
        }
        Value {
            name: full,
            target,
            from: value.from.clone(),
            hidden: value.hidden,
            also: value.also.iter().filter(short).map(|owner| format!("{owner}.{name}")).collect(),
            ..Value::default()
        }
    }

    pub(super) fn takes_fields(&self) -> bool {
        !matches!(self.syntax.family, Family::JavaScript | Family::Perl | Family::Lua)
    }

    /// `for x in values`: it may be each of them.
    pub(super) fn loops(&mut self) {
        let paren = self.is("(")
            && self.after(1).and_then(Token::name).is_some_and(|name| {
                matches!(name, "const" | "let" | "var" | "my") || !name.starts_with('@')
            })
            && self.syntax.family != Family::Perl;
        self.at += usize::from(paren);
        while matches!(
            self.peek().and_then(Token::name),
            Some("const" | "let" | "var" | "my" | "await")
        ) {
            self.at += 1;
        }
        let start = self.at;
        if self.syntax.family == Family::Php {
            self.eat("(");
            let value = self.alternatives();
            if self.eat_name("as") {
                let mut last = self.take_name();
                if self.eat("=>") {
                    last = self.take_name();
                }
                self.bind(&last.unwrap_or_default(), value.element());
            }
            return;
        }
        let mut names = Vec::new();
        while let Some(name) = self.take_name() {
            names.push(name);
            if !self.eat(",") {
                break;
            }
            if names.len() > 8 {
                break;
            }
        }
        let each = self.eat_name("in") || self.eat_name("of");
        let perl = self.is("(") && matches!(self.syntax.family, Family::Perl);
        if let ([.., name], true) = (names.as_slice(), each || perl) {
            let value = self.alternatives();
            self.bind(&name.clone(), value.element());
        } else if !each {
            self.at = start;
        }
        if paren {
            self.items(")", false);
        }
    }
}

/// A name as it is compared: without the sigil that says how much of it is meant.
pub(super) fn bare(name: &str) -> String {
    let bare = name.trim_start_matches(['$', '@', '%', '&', '\\']);
    if bare.is_empty() { name.to_owned() } else { bare.to_owned() }
}
