//! What known functions make of known texts: paths put together, directories named, texts decoded.

use super::reader::Reader;
use super::value::{HOLE, Value};

/// Functions that give back what they are given, in another wrapping.
const SAME: &[&str] = &[
    "str",
    "String",
    "Path",
    "PurePath",
    "PosixPath",
    "Pathname",
    "PathBuf",
    "expanduser",
    "expand_path",
    "abspath",
    "realpath",
    "normpath",
    "normalize",
    "resolve",
    "fspath",
    "bytes",
    "encode",
    "decode",
    "strip",
    "trim",
    "chomp",
    "rstrip",
    "lstrip",
    "absolute",
    "to_s",
    "toString",
    "URL",
    "URI",
    "Request",
    "parse",
    "compile",
    "promisify",
    "list",
    "tuple",
    "sorted",
    "set",
    "fileURLToPath",
    "pathToFileURL",
    "path.expand",
    "normalizePath",
    "shellescape",
    "quote",
    "of",
    "get_path",
    "file",
    "freeze",
    "dup",
    "to_path",
    "path",
    "asList",
    "asarray",
    "array",
    "iter",
    "with_segments",
    "as_posix",
    "fsencode",
    "fsdecode",
    "absolute_path",
    "File.new",
    "vars",
    "Uri",
    "canonpath",
    "rel2abs",
    "ipairs",
    "pairs",
    "enumerate",
    "values",
    "bind",
    "to_a",
    "each_entry",
];

/// Functions that make texts no reader sees.
const DECODES: &[&str] = &[
    "b64decode",
    "b32decode",
    "b16decode",
    "b85decode",
    "a85decode",
    "standard_b64decode",
    "urlsafe_b64decode",
    "decodebytes",
    "decodestring",
    "unhexlify",
    "a2b_base64",
    "a2b_hex",
    "fromhex",
    "atob",
    "decode64",
    "strict_decode64",
    "urlsafe_decode64",
    "base64_decode",
    "hex2bin",
    "str_rot13",
    "strrev",
    "pack",
    "unpack",
    "unpack1",
    "fromCharCode",
    "fromCodePoint",
    "decompress",
    "inflate",
    "gunzipSync",
    "inflateSync",
    "gzinflate",
    "gzuncompress",
    "gzdecode",
    "rot13",
    "translate",
    "tr",
    "maketrans",
    "reverse",
    "reversed",
    "decode_base64",
    "decodeURIComponent",
    "unescape",
    "urldecode",
    "rawurldecode",
    "unquote",
    "from_bytes",
    "to_bytes",
    "convert_uudecode",
    "intToUtf8",
    "rawToChar",
    "chrtr",
    "hex",
    "oct",
    "char",
    "decodeEntities",
    "xor",
    "MIME::Base64::decode",
];

/// Names that stand for a place.
pub(super) fn constant(name: &str) -> Option<&'static str> {
    match name {
        "os.environ.HOME" | "process.env.HOME" | "ENV.HOME" | "_SERVER.HOME" | "_ENV.HOME"
        | "Deno.env.HOME" | "Bun.env.HOME" | "env.HOME" => Some("~"),
        "os.sep" | "path.sep" | "os.path.sep" | "File::SEPARATOR" | "DIRECTORY_SEPARATOR" => {
            Some("/")
        }
        _ => None,
    }
}

/// A module by the name that its functions are filed under.
pub(super) fn module(name: &str) -> String {
    let name = name.strip_prefix("node:").unwrap_or(name);
    match name {
        "fs/promises" | "fs-extra" | "graceful-fs" => "fs".to_owned(),
        "http2" | "https" => "http".to_owned(),
        "path/posix" => "path".to_owned(),
        "follow-redirects" => "http".to_owned(),
        other => other.to_owned(),
    }
}

/// `'%s/%s' % values`
pub(super) fn format(pattern: &Value, values: &Value) -> Value {
    let all = match &values.list {
        Some(list) => list.clone(),
        None => vec![values.clone()],
    };
    fill(pattern, &all, '%')
}

/// Puts values into a pattern of `%s` or `{}`.
fn fill(pattern: &Value, values: &[Value], mark: char) -> Value {
    let Some(text) = pattern.texts.first() else { return Value::default() };
    let mut value = Value { from: pattern.from.clone(), ..Value::text(String::new()) };
    let mut nth = 0;
    let mut chars = text.chars().peekable();
    let mut literal = String::new();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied();
        if c != mark || next == Some(mark) || next.is_none() {
            literal.push(c);
            continue;
        }
        let mut key = String::new();
        for c in chars.by_ref() {
            if mark == '{' && c == '}' || mark == '%' && c.is_alphabetic() {
                break;
            }
            key.push(c);
        }
        let at = key.parse().unwrap_or(nth);
        nth += 1;
        value = value.then(&Value::text(std::mem::take(&mut literal)));
        let hole = Value::text(HOLE);
        let part = values.get(at).unwrap_or(&hole);
        value = value.then(if part.texts.is_empty() { &hole } else { part });
        value.comes_from(&part.from);
        value.hidden |= part.hidden;
    }
    value.then(&Value::text(literal))
}

impl Reader {
    /// The value of a call that does nothing but make one; nothing if it may do more.
    pub(super) fn folded(
        &mut self,
        name: &str,
        receiver: &Value,
        args: &[Value],
        fields: &[(String, Value)],
    ) -> Option<Value> {
        let last = name.rsplit(['.', ':', '\\']).next().unwrap_or(name);
        let first = args.first();
        if let Some(value) = self.place_of(name, args) {
            return Some(value);
        }
        if let Some(value) = self.reflected(name, last, receiver, args) {
            return Some(value);
        }
        if let Some(value) = self.put_together(name, last, receiver, args, fields) {
            return Some(value);
        }
        if matches!(last, "chr" | "fromCharCode" | "fromCodePoint" | "char")
            && let [only] = args
            && let Some(c) = only.number.and_then(char::from_u32)
        {
            return Some(Value::text(c));
        }
        if DECODES.contains(&last) || DECODES.contains(&name) || last == "chr" {
            let mut value = Value::hidden(&receiver.from);
            args.iter().for_each(|arg| value.comes_from(&arg.from));
            let settled = value.clone();
            self.settle(&settled);
            return Some(value);
        }
        // `Buffer.from(text, 'base64')`, `codecs.decode(text, 'rot13')`
        let coded = |value: &Value| {
            value.only().is_some_and(|text| {
                let text = text.to_lowercase();
                matches!(
                    text.as_str(),
                    "hex" | "base64" | "base64url" | "rot13" | "rot_13" | "zlib"
                )
            })
        };
        if matches!(last, "from" | "decode" | "toString" | "encode") && args.iter().any(coded) {
            args.iter().chain([receiver]).for_each(|arg| self.settle(arg));
            return Some(Value::hidden(&[]));
        }
        if SAME.contains(&last) || SAME.contains(&name) || name == "Buffer.from" {
            let known = |value: &&Value| {
                !value.texts.is_empty()
                    || value.list.is_some()
                    || value.hidden
                    || value.name.is_some()
            };
            let own = receiver.texts.is_empty() && !receiver.hidden && receiver.list.is_none();
            let same = if own { first.filter(known) } else { Some(receiver) };
            let mut same = same.cloned().unwrap_or_default();
            same.target = None;
            if args.len() > 1
                && matches!(last, "Path" | "PurePath" | "resolve" | "of" | "expand_path")
            {
                let rest = if own { args.get(1..) } else { Some(args) };
                for more in rest.unwrap_or_default() {
                    same = same.joined(more);
                }
            }
            return Some(same);
        }
        None
    }

    /// The home directory, and what the environment says.
    fn place_of(&mut self, name: &str, args: &[Value]) -> Option<Value> {
        let asked = args.first().and_then(Value::only);
        let environment = matches!(
            name,
            "os.getenv"
                | "os.environ.get"
                | "getenv"
                | "ENV.fetch"
                | "os.Getenv"
                | "Deno.env.get"
                | "Sys.getenv"
                | "System.getenv"
                | "os.getenvb"
        );
        let home = matches!(
            name,
            "Path.home"
                | "os.homedir"
                | "homedir"
                | "Dir.home"
                | "pathlib.Path.home"
                | "File::HomeDir->my_home"
        );
        if environment {
            args.iter().for_each(|value| self.settle(value));
        }
        (home || environment && asked == Some("HOME")).then(|| Value::text("~"))
    }

    /// Modules and functions that are named by a text.
    fn reflected(
        &mut self,
        name: &str,
        last: &str,
        receiver: &Value,
        args: &[Value],
    ) -> Option<Value> {
        let loads = matches!(last, "__import__" | "import_module" | "require" | "_load" | "import")
            && name != "React.require";
        if loads {
            let first = args.first()?;
            return match first.only() {
                Some(text) => {
                    let full = module(text);
                    if !full.starts_with(['.', '/', '~']) {
                        self.settle(first);
                    }
                    Some(Value::named(full))
                }
                None => {
                    self.unknown(crate::model::access::Verb::Exec);
                    Some(Value::default())
                }
            };
        }
        let gets = matches!(
            last,
            "getattr" | "__getattribute__" | "attrgetter" | "methodcaller" | "__getattr__"
        ) || name == "Reflect.get"
            || name == "sys.modules.get";
        if gets {
            let (owner, key) = match args {
                [owner, key, ..] => (owner, key),
                [key] => (receiver, key),
                [] => return None,
            };
            let Some(key_text) = key.only() else {
                let owner = owner.name.clone().unwrap_or_default();
                if super::calls::is_powerful(self.syntax.family, &owner) || key.hidden {
                    self.unknown(crate::model::access::Verb::Exec);
                }
                return Some(Value::default());
            };
            self.settle(key);
            if owner.name.as_deref() == Some("sys.modules") {
                return Some(Value::named(key_text));
            }
            return Some(self.part(owner, key_text));
        }
        // `method(:system)`, `Object.const_get(:Kernel)`
        if matches!(last, "method" | "const_get" | "instance_method" | "public_method") {
            let key = args.first()?;
            let text = key.only()?;
            self.settle(key);
            let owned = receiver
                .name
                .as_ref()
                .filter(|owner| !matches!(owner.as_str(), "Kernel" | "Object"));
            let full = owned.map_or_else(|| text.to_owned(), |owner| format!("{owner}.{text}"));
            return Some(Value::named(full));
        }
        None
    }

    fn put_together(
        &mut self,
        name: &str,
        last: &str,
        receiver: &Value,
        args: &[Value],
        fields: &[(String, Value)],
    ) -> Option<Value> {
        if let Some(value) = path_of(name, last, receiver, args) {
            return Some(value);
        }
        match (last, args) {
            ("join", [only]) if !receiver.texts.is_empty() => match &only.list {
                Some(list) => Some(joins(receiver, list)),
                None => Some(Value { from: only.from.clone(), hidden: true, ..Value::default() }),
            },
            ("join", []) if receiver.list.is_some() => {
                let glue = if self.syntax.family == super::syntax::Family::Ruby { "" } else { "," };
                receiver.list.as_ref().map(|list| joins(&Value::text(glue), list))
            }
            ("join", [glue]) => match &receiver.list {
                Some(list) => Some(joins(glue, list)),
                None => Some(Value {
                    hidden: receiver.hidden,
                    from: receiver.from.clone(),
                    ..Value::default()
                }),
            },
            ("join" | "implode", [glue, rest @ ..]) => {
                let list = match rest {
                    [one] => one.list.clone().unwrap_or_else(|| rest.to_vec()),
                    many => many.to_vec(),
                };
                Some(joins(glue, &list))
            }
            ("concat", _) if !receiver.texts.is_empty() || receiver.list.is_some() => {
                let mut value = receiver.clone();
                for arg in args {
                    value = value.then(arg);
                }
                Some(value)
            }
            ("paste0", _) | ("paste", _) => {
                Some(joins(&Value::text(if last == "paste" { " " } else { "" }), args))
            }
            _ => changed(last, receiver, args, fields),
        }
    }
}

/// `os.path.join(a, b)` and its kin.
fn path_of(name: &str, last: &str, receiver: &Value, args: &[Value]) -> Option<Value> {
    const JOINS: [&str; 7] =
        ["path.join", "path.resolve", "File.join", "file.path", "joinpath", "catfile", "catdir"];
    if !JOINS.iter().any(|end| name.ends_with(end)) {
        return None;
    }
    let mut parts = args.iter();
    let start = if last == "joinpath" { Some(receiver) } else { parts.next() };
    let mut value = start.cloned().unwrap_or_default();
    for part in parts {
        value = value.joined(part);
    }
    value.target = None;
    Some(value)
}

/// The elements of a list with `glue` between them.
fn joins(glue: &Value, list: &[Value]) -> Value {
    let glue = if glue.texts.is_empty() { Value::text(",") } else { glue.clone() };
    let mut all = list.iter();
    let mut value = all.next().cloned().unwrap_or_default();
    if value.texts.is_empty() {
        value = Value { from: value.from, hidden: value.hidden, ..Value::text(HOLE) };
    }
    for item in all {
        value = value.then(&glue).then(item);
    }
    Value { number: None, target: None, ..value }
}

/// A text or list that is made of others.
fn changed(
    last: &str,
    receiver: &Value,
    args: &[Value],
    fields: &[(String, Value)],
) -> Option<Value> {
    match (last, args) {
        ("c" | "qw" | "Array", _) if !args.is_empty() => Some(Value::list(args.to_vec())),
        ("format", _) if !receiver.texts.is_empty() => {
            let all: Vec<Value> =
                args.iter().cloned().chain(fields.iter().map(|(_, v)| v.clone())).collect();
            Some(fill(receiver, &all, '{'))
        }
        ("sprintf" | "format", [pattern, rest @ ..]) if !pattern.texts.is_empty() => {
            Some(fill(pattern, rest, '%'))
        }
        ("replace" | "replaceAll" | "gsub" | "sub", [from, to]) if !receiver.texts.is_empty() => {
            match (from.only(), to.only()) {
                (Some(from), Some(to)) => Some(receiver.map(|text| text.replace(from, to))),
                _ => Some(Value::hidden(&receiver.from)),
            }
        }
        ("lower" | "toLowerCase" | "downcase" | "lc" | "strtolower", _) => {
            let value = if receiver.texts.is_empty() { args.first()? } else { receiver };
            Some(value.map(str::to_lowercase))
        }
        ("split", [by]) if !receiver.texts.is_empty() => {
            let (Some(text), Some(by)) = (receiver.only(), by.only()) else { return None };
            if by.is_empty() {
                return Some(Value::hidden(&receiver.from));
            }
            let item = |part: &str| Value { from: receiver.from.clone(), ..Value::text(part) };
            Some(Value::list(text.split(by).take(64).map(item).collect()))
        }
        ("split", []) => {
            let text = receiver.only()?;
            let item = |part: &str| Value { from: receiver.from.clone(), ..Value::text(part) };
            Some(Value::list(text.split_whitespace().take(64).map(item).collect()))
        }
        ("glob" | "iglob" | "globSync" | "rglob" | "Glob", [pattern, ..])
            if !pattern.texts.is_empty() =>
        {
            let pattern = match receiver.only() {
                Some(_) if last == "rglob" => {
                    receiver.clone().joined(&Value::text("**")).joined(pattern)
                }
                Some(_) => receiver.clone().joined(pattern),
                None if last == "rglob" => Value::text("**").joined(pattern),
                None => pattern.clone(),
            };
            Some(Value { glob: true, target: None, ..pattern })
        }
        _ => None,
    }
}
