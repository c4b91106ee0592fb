//! What known functions of each language do with their arguments, and what a call comes to.
//!
//! A row has names and the role of each argument in order; `self:` is the role of what a method is
//! called on, a role with `*` is that of all arguments from there on. `*.f` is `f` of anything.

use super::reader::Reader;
use super::syntax::Family;
use super::value::{HOLE, Value};
use crate::model::access::Verb;
use std::collections::HashMap;
use std::sync::LazyLock;

type Table = LazyLock<HashMap<&'static str, &'static str>>;

fn table(rows: &[(&'static str, &'static str)]) -> HashMap<&'static str, &'static str> {
    let each = |(names, roles): &(&'static str, &'static str)| {
        let roles = *roles;
        names.split_whitespace().map(move |name| (name, roles)).collect::<Vec<_>>()
    };
    rows.iter().flat_map(each).collect()
}

static PYTHON: Table = LazyLock::new(|| table(super::tables::PYTHON));
static JAVASCRIPT: Table = LazyLock::new(|| table(super::tables::JAVASCRIPT));
static PERL: Table = LazyLock::new(|| table(super::tables::PERL));
static RUBY: Table = LazyLock::new(|| table(super::tables::RUBY));
static PHP: Table = LazyLock::new(|| table(super::tables::PHP));
static LUA: Table = LazyLock::new(|| table(super::tables::LUA));
static OTHER: Table = LazyLock::new(|| table(super::tables::OTHER));

/// What is done by something that runs, loads or removes under any name.
pub(super) fn is_powerful(family: Family, owner: &str) -> bool {
    let owner = owner.trim_start_matches("builtins.");
    match family {
        Family::Python => {
            matches!(
                owner,
                "os" | "subprocess"
                    | "builtins"
                    | "__builtins__"
                    | "posix"
                    | "pty"
                    | "sys.modules"
                    | "shutil"
            )
        }
        Family::JavaScript => matches!(owner, "child_process" | "fs" | "globalThis" | "global"),
        _ => false,
    }
}

impl Reader {
    pub(super) fn roles(&self, name: &str) -> Option<&'static str> {
        let table = match self.syntax.family {
            Family::Python => &PYTHON,
            Family::JavaScript => &JAVASCRIPT,
            Family::Perl => &PERL,
            Family::Ruby => &RUBY,
            Family::Php => &PHP,
            Family::Lua => &LUA,
            Family::Awk | Family::R | Family::Java | Family::AppleScript | Family::Other => &OTHER,
        };
        table.get(name).copied()
    }

    pub(super) fn find(&self, name: &str, last: &str, method: bool) -> Option<&'static str> {
        if let Some(roles) = self.roles(name) {
            return Some(roles);
        }
        if !name.contains('.') {
            for module in &self.stars {
                if let Some(roles) = self.roles(&format!("{module}.{name}")) {
                    return Some(roles);
                }
            }
        }
        // `a.b.c.d` is filed as `c.d` as well: a package may stand before its module.
        let mut parts = name.rsplit('.');
        if let (Some(last), Some(owner)) = (parts.next(), parts.next())
            && let Some(roles) = self.roles(&format!("{owner}.{last}"))
        {
            return Some(roles);
        }
        if method || name.contains(['.', ':', '\\']) {
            self.roles(&format!("*.{last}"))
        } else {
            None
        }
    }

    /// What a call does, and what it gives.
    pub(super) fn call(
        &mut self,
        callee: &Value,
        receiver: &Value,
        method: Option<String>,
        args: Vec<Value>,
        fields: Vec<(String, Value)>,
    ) -> Value {
        let name = match (&callee.name, &method) {
            (Some(name), _) => name.clone(),
            (None, Some(method)) => format!("?.{method}"),
            (None, None) => callee.target.clone().unwrap_or_default(),
        };
        let name = match callee.only() {
            Some(text) if self.syntax.family == Family::Php => text.to_owned(),
            _ => name,
        };
        let name = name.trim_start_matches(['&', '\\', '$']).replace(".promises.", ".");
        let last = name.rsplit(['.', ':', '\\']).next().unwrap_or(&name).to_owned();
        if let Some(value) = self.relayed(&last, receiver, &args, &fields) {
            return value;
        }
        for other in callee.also.clone() {
            let end = other.rsplit(['.', ':', '\\']).next().unwrap_or(&other).to_owned();
            match self.find(&other, &end, method.is_some()) {
                Some(roles) => self.apply(roles, receiver, &args, &fields),
                None => args.iter().for_each(|arg| self.suspect(arg)),
            }
        }
        let mut fields = fields;
        for arg in &args {
            fields.extend(arg.fields.iter().cloned());
        }
        if let Some(value) = self.folded(&name, receiver, &args, &fields) {
            return value;
        }
        let Some(roles) = self.find(&name, &last, method.is_some()) else {
            return self.unknown_call(&name, callee, receiver, &args, &fields);
        };
        self.apply(roles, receiver, &args, &fields);
        let mut value =
            Value { hidden: callee.hidden && callee.name.is_none(), ..Value::default() };
        // What a class makes is still called by its name.
        value.name = Some(format!("{name}()"));
        if roles.contains("self") || roles == "pure" && method.is_some() {
            value.from.clone_from(&receiver.from);
        }
        value
    }

    /// Calls that only hand on to another: `send(:f, ..)`, `f.call(..)`, `$f(..)`.
    pub(super) fn relayed(
        &mut self,
        last: &str,
        receiver: &Value,
        args: &[Value],
        fields: &[(String, Value)],
    ) -> Option<Value> {
        let family = self.syntax.family;
        let by_name = match family {
            Family::Ruby => matches!(last, "send" | "__send__" | "public_send"),
            Family::Php => matches!(last, "call_user_func" | "call_user_func_array" | "array_map"),
            _ => false,
        };
        if by_name {
            let (first, rest) = args.split_first()?;
            let Some(text) = first.only() else {
                if first.hidden || receiver.name.as_deref().is_none_or(|name| name == "Kernel") {
                    self.unknown(Verb::Exec);
                }
                return None;
            };
            self.settle(first);
            let owner = receiver.name.as_deref().filter(|owner| *owner != "Kernel");
            let full = owner.map_or_else(|| text.to_owned(), |owner| format!("{owner}.{text}"));
            let rest = match rest {
                [only] if family == Family::Php => {
                    only.list.clone().unwrap_or_else(|| rest.to_vec())
                }
                _ => rest.to_vec(),
            };
            return Some(self.call(&Value::named(full), receiver, None, rest, fields.to_vec()));
        }
        let target = receiver.name.clone().filter(|_| matches!(last, "call" | "apply"))?;
        let end = target.rsplit(['.', ':']).next().unwrap_or(&target).to_owned();
        self.find(&target, &end, false)?;
        let rest = match (family, last) {
            (Family::JavaScript, "call") => args.get(1..).unwrap_or_default().to_vec(),
            (Family::JavaScript, _) => {
                args.get(1).and_then(|list| list.list.clone()).unwrap_or_default()
            }
            _ => args.to_vec(),
        };
        Some(self.call(&Value::named(target), &Value::default(), None, rest, fields.to_vec()))
    }

    /// Nobody knows what it does with what it gets.
    pub(super) fn unknown_call(
        &mut self,
        name: &str,
        callee: &Value,
        receiver: &Value,
        args: &[Value],
        fields: &[(String, Value)],
    ) -> Value {
        for arg in args.iter().chain(fields.iter().map(|(_, value)| value)) {
            self.suspect(arg);
        }
        let strange = ["__subclasses__", "__globals__", "__code__", "constructor"];
        if strange.iter().any(|part| name.contains(part)) || callee.hidden && callee.name.is_none()
        {
            self.unknown(Verb::Exec);
        }
        // A callback may be the function that does it: `map(os.remove, names)`.
        for (nth, arg) in args.iter().enumerate() {
            let Some(passed) = arg.name.clone().filter(|passed| passed != name) else { continue };
            let last = passed.rsplit('.').next().unwrap_or(&passed).to_owned();
            if let Some(roles) = self.find(&passed, &last, false)
                && roles != "pure"
            {
                let others: Vec<Value> = args
                    .iter()
                    .enumerate()
                    .filter(|(at, _)| *at != nth)
                    .map(|(_, value)| value)
                    .chain([receiver])
                    .flat_map(|value| value.list.clone().unwrap_or_else(|| vec![value.clone()]))
                    .collect();
                for other in others {
                    self.apply(roles, &Value::default(), &[other], &[]);
                }
            }
        }
        let mut value = Value {
            hidden: receiver.hidden || args.iter().any(|arg| arg.hidden),
            name: Some(format!("{name}()")),
            ..Value::default()
        };
        value.comes_from(&receiver.from);
        value
    }

    pub(super) fn apply(
        &mut self,
        roles: &'static str,
        receiver: &Value,
        args: &[Value],
        fields: &[(String, Value)],
    ) {
        if let Some(directory) =
            fields.iter().find(|(name, _)| matches!(name.as_str(), "cwd" | "chdir"))
        {
            self.role("chdir", &directory.1);
        }
        let mut nth = 0;
        let mut used = vec![false; args.len()];
        for role in roles.split_whitespace() {
            if let Some(role) = role.strip_prefix("self:") {
                if !receiver.texts.is_empty() || receiver.hidden {
                    if role == "open" {
                        self.opened(receiver, args.first(), fields);
                    } else {
                        self.role(role, receiver);
                    }
                }
                continue;
            }
            if let Some(whole) = role.strip_prefix('=') {
                self.whole(whole, args, fields);
                used.fill(true);
                continue;
            }
            if let Some(role) = role.strip_suffix('*') {
                for (at, arg) in args.iter().enumerate().skip(nth) {
                    self.each(role, arg);
                    if let Some(used) = used.get_mut(at) {
                        *used = true;
                    }
                }
                continue;
            }
            let named =
                || super::tables::NAMED.iter().find(|(r, _)| *r == role).map(|(_, names)| *names);
            let given = args.get(nth).or_else(|| {
                let names = named()?;
                fields
                    .iter()
                    .find(|(name, _)| names.contains(&name.as_str()))
                    .map(|(_, value)| value)
            });
            if let Some(arg) = given.cloned() {
                if role == "open" {
                    self.opened(&arg, args.get(nth + 1), fields);
                } else {
                    self.each(role, &arg);
                }
            }
            if let Some(used) = used.get_mut(nth) {
                *used = true;
            }
            nth += 1;
        }
        for (arg, used) in args.iter().zip(used) {
            if !used {
                self.settle(arg);
            }
        }
        fields.iter().for_each(|(_, value)| self.settle(value));
    }

    /// A list in the place of one is each of its elements.
    pub(super) fn each(&mut self, role: &str, value: &Value) {
        match &value.list {
            Some(list)
                if !matches!(role, "run" | "host" | "peer" | "eval")
                    && (!list.is_empty() || value.fields.is_empty()) =>
            {
                for item in list.clone() {
                    self.role(role, &item);
                }
            }
            _ => self.role(role, value),
        }
    }

    /// Calls whose arguments belong together.
    pub(super) fn whole(&mut self, whole: &str, args: &[Value], fields: &[(String, Value)]) {
        match whole {
            "cp" => self.like(&["cp", "-r", "--"], args.get(..2).unwrap_or(args)),
            "mv" => self.like(&["mv", "--"], args.get(..2).unwrap_or(args)),
            "ln" => self.like(&["ln", "-s", "--"], args.get(..2).unwrap_or(args)),
            "hardln" => self.like(&["ln", "--"], args.get(..2).unwrap_or(args)),
            "runs" => self.runs(args),
            "execl" => {
                let words: Vec<Value> =
                    args.iter().take(1).chain(args.iter().skip(2)).cloned().collect();
                self.argv(&words);
            }
            "execv" => {
                let list = args.get(1).and_then(|list| list.list.clone()).unwrap_or_default();
                let mut words: Vec<Value> = args.iter().take(1).cloned().collect();
                words.extend(list.into_iter().skip(1));
                self.argv(&words);
            }
            "spawn" => self.spawned(args, fields),
            "command" => {
                let mut words: Vec<Value> = args.iter().take(1).cloned().collect();
                let given = fields.iter().find(|(name, _)| name == "args");
                words.extend(given.and_then(|(_, value)| value.list.clone()).unwrap_or_default());
                self.argv(&words);
            }
            "hostport" => self.host_and_port(args, fields),
            "popen" => self.pipe_or_file(args),
            _ => {}
        }
    }

    /// `spawn(program, [words])`, with a shell if so told.
    pub(super) fn spawned(&mut self, args: &[Value], fields: &[(String, Value)]) {
        let Some(first) = args.first() else {
            // `Deno.run({cmd: [...]})`
            let list = fields.iter().find(|(name, _)| name == "cmd");
            return self.run(&list.map(|(_, value)| value.clone()).unwrap_or_default());
        };
        if first.list.is_some() {
            return self.run(first);
        }
        if let Some((_, list)) = fields.iter().find(|(name, _)| name == "cmd") {
            return self.run(&list.clone());
        }
        let spaced = first.only().is_some_and(|text| text.contains(char::is_whitespace));
        let shell = fields.iter().any(|(name, _)| name == "shell");
        let list =
            args.get(1).and_then(|list| list.list.clone().filter(|_| list.fields.is_empty()));
        if list.is_none() && (shell || spaced) {
            return self.shell(first);
        }
        let mut words = vec![first.clone()];
        match (list, args.get(1)) {
            (Some(list), _) => words.extend(list),
            (None, Some(other)) if other.fields.is_empty() => words.push(Value::text(HOLE)),
            _ => {}
        }
        if shell {
            let mut text = Value::text(String::new());
            for word in &words {
                text = text.then(word).then(&Value::text(" "));
            }
            return self.shell(&text);
        }
        self.argv(&words);
    }
}
