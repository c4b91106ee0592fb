//! What a value comes to in its role: a path, a command, code, a host.

use super::effect::{Effect, Use};
use super::reader::Reader;
use super::syntax::Family;
use super::value::{HOLE, Value};
use crate::model::access::Verb;

impl Reader {
    /// What a value in a role comes to.
    pub(super) fn role(&mut self, role: &str, value: &Value) {
        let does = match role {
            "read" => Some(Use::Read),
            "write" => Some(Use::Write),
            "update" => Some(Use::Update),
            "delete" => Some(Use::Delete),
            _ => None,
        };
        if let Some(does) = does {
            return self.path(does, value);
        }
        match role {
            "tree" => self.like(&["rm", "-r"], std::slice::from_ref(value)),
            "shell" => self.shell(value),
            "run" => self.run(value),
            "eval" => self.evaluate(value),
            "url" => self.url(value),
            "host" => self.host(value, None),
            "peer" if value.list.is_some() => self.host(value, None),
            "chdir" => {
                let known = value.only().map(str::to_owned);
                self.settle(value);
                self.tell(Effect::Enters(known));
            }
            "exec" => self.unknown(Verb::Exec),
            _ => self.settle(value),
        }
    }

    pub(super) fn path(&mut self, does: Use, value: &Value) {
        // What is read of a word of the command is suspected there; what is changed may be
        // anything.
        let untold = value.hidden || does != Use::Read;
        if untold && value.texts.is_empty() {
            let verb = if does == Use::Read { Verb::Read } else { Verb::Write };
            return self.unknown(verb);
        }
        for text in &value.texts {
            if text.is_empty() {
                continue;
            }
            if text.contains("://") {
                self.tell(Effect::Url(text.clone()));
            } else if text.contains(HOLE) {
                if untold {
                    self.unknown(if does == Use::Read { Verb::Read } else { Verb::Write });
                }
                return;
            } else {
                self.tell(Effect::Path { does, text: text.clone(), glob: value.glob });
            }
        }
        if !value.texts.is_empty() {
            self.settle(value);
        }
    }

    /// `open(path, mode)`, where the mode may be a number, a name or a field.
    pub(super) fn opened(
        &mut self,
        path: &Value,
        mode: Option<&Value>,
        fields: &[(String, Value)],
    ) {
        let given =
            fields.iter().find(|(name, _)| matches!(name.as_str(), "mode" | "flags" | "flag"));
        let mode = given.map(|(_, value)| value).or(mode);
        let does = match mode {
            None => Use::Read,
            Some(mode) => {
                self.settle(mode);
                let texts = mode.texts.join(" ");
                let name = mode.name.clone().unwrap_or_default();
                let writes = texts.contains(['w', 'a', 'x', 'c', '>']) || name.contains("WRONLY");
                let both = texts.contains('+') || name.contains("RDWR");
                let unknown = mode.texts.is_empty() && mode.name.is_none() && mode.number.is_none();
                match (writes, both) {
                    (_, true) => Use::Update,
                    (true, false) => Use::Write,
                    (false, false) if unknown && !path.texts.is_empty() => Use::Update,
                    (false, false) => Use::Read,
                }
            }
        };
        self.path(does, path);
    }

    pub(super) fn like(&mut self, command: &[&str], paths: &[Value]) {
        let mut words: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        for value in paths {
            let text = value.texts.first().filter(|text| !text.contains(HOLE));
            match text {
                Some(text) => words.push(text.clone()),
                None => {
                    self.unknown(Verb::Write);
                    let known = paths.iter().filter(|value| value.only().is_some()).cloned();
                    for value in known.collect::<Vec<_>>() {
                        let does = if command == ["rm", "-r"] { Use::Delete } else { Use::Update };
                        self.path(does, &value);
                    }
                    return;
                }
            }
        }
        for value in paths {
            self.settle(value);
            // Others that it may be.
            for text in value.texts.iter().skip(1).filter(|text| !text.contains(HOLE)) {
                self.tell(Effect::Path { does: Use::Update, text: text.clone(), glob: false });
            }
        }
        if words.len() > command.len() {
            self.tell(Effect::Like(words));
        }
    }

    /// A shell text, or a program with its words.
    pub(super) fn runs(&mut self, args: &[Value]) {
        match args {
            [] => {}
            [only] => self.run(only),
            [first, rest @ ..] => {
                // Ruby: an environment may come first, options last.
                let is_words = |value: &&Value| value.fields.is_empty() || !value.texts.is_empty();
                let first_is_words = first.fields.is_empty() || !first.texts.is_empty();
                let mut words: Vec<Value> = Vec::new();
                if first_is_words {
                    words.push(first.clone());
                }
                for value in rest.iter().filter(is_words) {
                    match &value.list {
                        Some(list) => words.extend(list.clone()),
                        None => words.push(value.clone()),
                    }
                }
                if let [only] = words.as_slice() {
                    self.run(&only.clone())
                } else {
                    self.argv(&words)
                }
            }
        }
    }

    pub(super) fn run(&mut self, value: &Value) {
        match &value.list {
            Some(list) => self.argv(&list.clone()),
            None => self.shell(value),
        }
    }

    pub(super) fn argv(&mut self, words: &[Value]) {
        let program = words.first().and_then(Value::only);
        if program.is_none() {
            words.iter().for_each(|word| self.suspect(word));
            return self.unknown(Verb::Exec);
        }
        let word = |value: &Value| match value.texts.as_slice() {
            [] => value.number.map(|number| number.to_string()),
            [first, ..] => Some(first.clone()).filter(|text| !text.contains(HOLE)),
        };
        // A word that may be one of several makes several commands.
        let most = words.iter().map(|word| word.texts.len()).max().unwrap_or(1).max(1);
        for nth in 0..most {
            let all = words.iter().map(|value| match value.texts.get(nth) {
                Some(text) if !text.contains(HOLE) => Some(text.clone()),
                Some(_) => None,
                None => word(value),
            });
            let all = all.collect();
            self.tell(Effect::Argv(all));
        }
        words.iter().for_each(|word| self.settle(word));
    }

    pub(super) fn shell(&mut self, value: &Value) {
        if value.texts.is_empty() {
            if value.list.is_some() {
                return self.run(&value.clone());
            }
            self.suspect(value);
            return self.unknown(Verb::Exec);
        }
        for text in value.texts.clone() {
            if text.trim_start().starts_with(HOLE) {
                self.unknown(Verb::Exec);
            } else {
                self.tell(Effect::Shell(text));
            }
        }
        self.settle(value);
    }

    /// Code of the same language.
    pub(super) fn evaluate(&mut self, value: &Value) {
        if value.texts.is_empty() || value.texts.iter().any(|text| text.contains(HOLE)) {
            return self.unknown(Verb::Exec);
        }
        self.settle(value);
        for text in value.texts.clone() {
            self.nested(&text);
        }
    }

    pub(super) fn url(&mut self, value: &Value) {
        if value.texts.is_empty() {
            if value.hidden {
                self.unknown(Verb::Connect);
            }
            if let Some(host) = value.field(&["hostname", "host", "url"]).cloned() {
                self.host(&host, value.field(&["port"]));
            }
            return;
        }
        for text in value.texts.clone() {
            self.tell(Effect::Url(text));
        }
        self.settle(value);
    }

    pub(super) fn host(&mut self, value: &Value, port: Option<&Value>) {
        if let Some([host, port, ..]) = value.list.as_deref() {
            let (host, port) = (host.clone(), port.clone());
            return self.host(&host, Some(&port));
        }
        if value.texts.is_empty() {
            if value.hidden {
                self.unknown(Verb::Connect);
            }
            return;
        }
        for text in value.texts.clone() {
            if text.contains("://") {
                self.tell(Effect::Url(text));
                continue;
            }
            let port = port.and_then(|port| {
                port.number
                    .map(|number| number.to_string())
                    .or_else(|| port.only().map(str::to_owned))
            });
            let full = match port {
                Some(port) if !text.contains(':') => format!("{text}:{port}"),
                _ => text,
            };
            if full.contains(HOLE) {
                self.unknown(Verb::Connect);
            } else {
                self.tell(Effect::Host(full));
            }
        }
        self.settle(value);
    }

    /// `connect(port, host)`, `TCPSocket.new(host, port)`, `{host, port}`.
    pub(super) fn host_and_port(&mut self, args: &[Value], fields: &[(String, Value)]) {
        let field = |names: &[&str]| {
            fields
                .iter()
                .find(|(name, _)| names.contains(&name.as_str()))
                .map(|(_, value)| value.clone())
        };
        let named = field(&["host", "hostname", "PeerAddr", "PeerHost"]);
        let host = named.or_else(|| {
            args.iter().find(|arg| arg.only().is_some_and(|t| t.parse::<u16>().is_err())).cloned()
        });
        let port = field(&["port", "PeerPort"])
            .or_else(|| args.iter().find(|arg| arg.number.is_some()).cloned())
            .or_else(|| {
                args.iter()
                    .find(|arg| arg.only().is_some_and(|t| t.parse::<u16>().is_ok()))
                    .cloned()
            });
        args.iter().for_each(|arg| self.settle(arg));
        match host {
            Some(host) => self.host(&host, port.as_ref()),
            None if port.is_some() => {}
            None => self.unknown(Verb::Connect),
        }
    }

    /// Perl's `open`, and Ruby's, whose path may be a command.
    pub(super) fn pipe_or_file(&mut self, args: &[Value]) {
        let perl = self.syntax.family == Family::Perl;
        let own = if perl { args.get(1..).unwrap_or_default() } else { args };
        let Some(first) = own.first() else { return };
        if perl && own.len() > 1 {
            let mode = first.only().unwrap_or_default().trim().to_owned();
            self.settle(first);
            let rest = own.get(1..).unwrap_or_default();
            if mode.contains('|') || mode.contains('-') {
                return self.runs(rest);
            }
            let does = match mode.as_str() {
                "" => Use::Update,
                mode if mode.contains('+') => Use::Update,
                mode if mode.contains('>') => Use::Write,
                _ => Use::Read,
            };
            return rest.iter().take(1).for_each(|value| self.path(does, value));
        }
        let piped = first.texts.iter().any(|text| {
            let text = text.trim();
            text.starts_with('|') || perl && text.ends_with('|')
        });
        if piped {
            let command = first.map(|text| text.trim().trim_matches('|').to_owned());
            return self.shell(&command);
        }
        if perl {
            let mode =
                first.texts.first().map(String::as_str).unwrap_or_default().trim().to_owned();
            let does = match mode {
                mode if mode.starts_with('+') => Use::Update,
                mode if mode.starts_with('>') => Use::Write,
                _ => Use::Read,
            };
            let path =
                first.map(|text| text.trim().trim_start_matches(['<', '>', '+']).trim().to_owned());
            return self.path(does, &path);
        }
        if first.texts.is_empty() && first.hidden {
            self.unknown(Verb::Exec);
        }
        self.opened(first, args.get(1), &[]);
    }
}
