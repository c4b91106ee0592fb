//! Imports: which module or function a name stands for.

use super::lexer::{Kind, Token};
use super::reader::Reader;
use super::syntax::Family;
use super::value::Value;

impl Reader {
    /// `import a.b as c`, `from a import b as c`, `import {a as b} from 'c'`.
    pub(super) fn imports(&mut self) -> bool {
        match self.syntax.family {
            Family::Python if self.peek().and_then(Token::name) == Some("import") => {
                self.at += 1;
                loop {
                    let module = self.dotted();
                    if self.eat_name("as") {
                        if let Some(name) = self.take_name() {
                            self.bind(&name, Value::named(module));
                        }
                    } else {
                        let top = module.split('.').next().unwrap_or_default().to_owned();
                        self.bind(&top, Value::named(top.clone()));
                    }
                    if !self.eat(",") {
                        return true;
                    }
                }
            }
            Family::Python
                if self.peek().and_then(Token::name) == Some("from")
                    && self.after(1).is_some_and(|t| t.name().is_some() || t.is("."))
                    && self.after(1).and_then(Token::name) != Some("import") =>
            {
                self.at += 1;
                let module = self.dotted();
                if !self.eat_name("import") {
                    return true;
                }
                self.eat("(");
                if self.eat("*") {
                    self.stars.push(module);
                    return true;
                }
                while let Some(name) = self.take_name() {
                    let shown = if self.eat_name("as") { self.take_name() } else { None };
                    let full = Value::named(format!("{module}.{name}"));
                    self.bind(&shown.unwrap_or(name), full);
                    if !self.eat(",") {
                        break;
                    }
                }
                self.eat(")");
                true
            }
            Family::JavaScript
                if self.peek().and_then(Token::name) == Some("import")
                    && !self.after(1).is_some_and(|token| token.is("(") || token.is(".")) =>
            {
                self.at += 1;
                self.javascript_import();
                true
            }
            _ => false,
        }
    }

    pub(super) fn dotted(&mut self) -> String {
        let mut module = String::new();
        while self.eat(".") {}
        while let Some(name) = self.take_name() {
            module.push_str(&name);
            if !self.is(".") {
                break;
            }
            self.at += 1;
            module.push('.');
        }
        module
    }

    pub(super) fn javascript_import(&mut self) {
        let mut whole = Vec::new();
        let mut parts = Vec::new();
        let mut braces = false;
        while let Some(token) = self.peek().cloned() {
            self.at += 1;
            match &token.kind {
                Kind::Op(op) if op == "{" => braces = true,
                Kind::Op(op) if op == "}" => braces = false,
                Kind::Op(op) if matches!(op.as_str(), "," | "*") => {}
                Kind::Name(name) if name == "from" => {}
                Kind::Name(name) => {
                    let shown = if self.eat_name("as") { self.take_name() } else { None };
                    let shown = shown.unwrap_or_else(|| name.clone());
                    if braces { parts.push((name.clone(), shown)) } else { whole.push(shown) }
                }
                Kind::Text(written) => {
                    let value = self.string(written);
                    let module = super::fold::module(value.only().unwrap_or_default());
                    if !module.starts_with(['.', '/']) {
                        self.settle(&value);
                    }
                    for name in whole {
                        let name = if name == "as" { continue } else { name };
                        self.bind(&name, Value::named(module.clone()));
                    }
                    for (name, shown) in parts {
                        self.bind(&shown, Value::named(format!("{module}.{name}")));
                    }
                    return;
                }
                _ => return,
            }
        }
    }
}
