//! Rust source as `tests/architecture.rs` looks at it: code without comments, texts and tests, and
//! the paths that stand in it. No parser: just enough of one, and it is tested itself.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// One file below `src/`.
pub struct File {
    /// Its path below `src/`, as `plane/hook/client.rs`.
    pub name: String,
    /// As it stands in the file.
    pub text: String,
    /// The code outside of tests; comments and the contents of texts are blank. Same lines.
    pub code: String,
}

impl File {
    /// The module under `src/` that it belongs to; `main` and `lib` for the two roots.
    pub fn top(&self) -> &str {
        let first = self.name.split('/').next().unwrap();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// The modules around its items, outermost first; none for the two roots.
    fn modules(&self) -> Vec<&str> {
        let path = self.name.strip_suffix(".rs").unwrap();
        let path = path.strip_suffix("/mod").unwrap_or(path);
        if matches!(path, "main" | "lib") { Vec::new() } else { path.split('/').collect() }
    }

    /// The other modules under `src/` that its code names.
    pub fn imports(&self) -> BTreeSet<String> {
        let depth = self.modules().len();
        let mut found = BTreeSet::new();
        for path in paths(&self.code) {
            let ups = path.iter().take_while(|part| *part == "super").count();
            let named = match path.first().map(String::as_str) {
                Some("crate" | "toolgate") => path.get(1),
                Some("super") if ups >= depth => path.get(ups),
                _ => None,
            };
            found.extend(named.filter(|name| *name != self.top()).cloned());
        }
        found
    }

    /// Lines that hold code.
    pub fn code_lines(&self) -> usize {
        self.code.lines().filter(|line| !line.trim().is_empty()).count()
    }

    /// The lines, from 1, on which `word` stands as a whole word of the code.
    pub fn lines_with(&self, word: &str) -> Vec<usize> {
        let is_part = |c: Option<char>| c.is_some_and(is_ident);
        let holds = |line: &str| {
            line.match_indices(word).any(|(at, _)| {
                let after = &line[at + word.len()..];
                let ends = word.ends_with(|c| !is_ident(c)) || !is_part(after.chars().next());
                ends && !is_part(line[..at].chars().next_back())
            })
        };
        (1..).zip(self.code.lines()).filter(|(_, line)| holds(line)).map(|(n, _)| n).collect()
    }
}

/// Every file below `src/` that is more than tests.
pub fn product() -> &'static [File] {
    static FILES: LazyLock<Vec<File>> = LazyLock::new(read_product);
    &FILES
}

fn read_product() -> Vec<File> {
    let src = root().join("src");
    let mut all: Vec<(PathBuf, String)> = files(&src)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect();
    let tests: BTreeSet<PathBuf> =
        all.iter().flat_map(|(path, text)| test_files(path, text)).collect();
    all.retain(|(path, _)| !tests.contains(path));
    let file = |(path, text): (PathBuf, String)| File {
        name: path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned(),
        code: without_tests(&mask(&text)).0,
        text,
    };
    all.into_iter().map(file).collect()
}

/// The package's directory.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a directory, in order.
pub fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => found.extend(files(&entry.path())),
            kind if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found.sort();
    found
}

/// The files that `#[cfg(test)] mod name;` of this file leads to.
fn test_files(path: &Path, text: &str) -> Vec<PathBuf> {
    let stem = path.file_stem().unwrap().to_str().unwrap();
    let directory = path.parent().unwrap();
    let own = match stem {
        "mod" | "lib" | "main" => directory.to_owned(),
        _ => directory.join(stem),
    };
    let masked = mask(text);
    let mut found = Vec::new();
    for (from, to) in without_tests(&masked).1 {
        let item = &text[from..to];
        let named = item.rsplit_once("mod ").and_then(|(_, rest)| rest.strip_suffix(';'));
        let Some(name) = named else { continue };
        found.push(match item.split_once("#[path = \"") {
            Some((_, rest)) => directory.join(rest.split('"').next().unwrap()),
            None => own.join(format!("{name}.rs")),
        });
    }
    found
}

fn is_ident(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// The text with comments and the contents of string and character literals made blank.
pub fn mask(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let length = literal(rest, before).unwrap_or(0);
        let (taken, blank) = if length == 0 { (first.len_utf8(), false) } else { (length, true) };
        for c in rest[..taken].chars() {
            match (blank, c) {
                (true, c) if c != '\n' => out.extend(std::iter::repeat_n(' ', c.len_utf8())),
                (_, c) => out.push(c),
            }
        }
        before = if blank { ' ' } else { first };
        rest = &rest[taken..];
    }
    out
}

/// The length of the comment or literal that begins here, if one does.
fn literal(text: &str, before: char) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(text.find("*/").map_or(text.len(), |end| end + 2));
    }
    if let Some(quoted) = text.strip_prefix('\'') {
        // `'a'` and `'\n'` are characters, `'a` is a lifetime.
        let escaped = quoted.starts_with('\\');
        let body = if escaped { 2 } else { quoted.chars().next()?.len_utf8() };
        let end = body + quoted.get(body..)?.find('\'')?;
        return (escaped || end == body).then_some(end + 2);
    }
    let prefix = if is_ident(before) { 0 } else { text.find(|c| !matches!(c, 'b' | 'r' | 'c'))? };
    let (prefix, body) = text.split_at(prefix);
    let hashes = body.find(|c| c != '#')?;
    if prefix.contains('r') && body[hashes..].starts_with('"') {
        let close = format!("\"{}", &body[..hashes]);
        let end = body[hashes + 1..].find(&close).map(|end| hashes + 1 + end + close.len());
        return Some(prefix.len() + end.unwrap_or(body.len()));
    }
    let inside = body.strip_prefix('"')?;
    let mut escaped = false;
    let end = inside.bytes().position(|b| {
        let ends = b == b'"' && !escaped;
        escaped = b == b'\\' && !escaped;
        ends
    });
    Some(prefix.len() + end.map_or(body.len(), |end| end + 2))
}

/// Masked code with every item under `#[cfg(test)]` made blank, and where those items stood.
fn without_tests(code: &str) -> (String, Vec<(usize, usize)>) {
    const MARK: &str = "#[cfg(test)]";
    let (mut out, mut cut) = (code.to_owned(), Vec::new());
    while let Some(from) = out.find(MARK) {
        let mut depth = 0_usize;
        let body = &out[from + MARK.len()..];
        let end = body.char_indices().find_map(|(at, c)| {
            match c {
                '{' | '(' | '[' => depth += 1,
                '}' | ')' | ']' => depth -= 1,
                _ => {}
            }
            // A field and its value end with a comma.
            (depth == 0 && matches!(c, ';' | '}' | ',')).then_some(at + 1)
        });
        let to = from + MARK.len() + end.unwrap_or(body.len());
        let blank = out[from..to].replace(|c| c != '\n', " ");
        out.replace_range(from..to, &blank);
        cut.push((from, to));
    }
    (out, cut)
}

/// Every path that stands in masked code, with `a::{b, c::d}` as two.
pub fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find(is_ident) {
        rest = one_path(&rest[at..], &[], &mut found);
    }
    found
}

/// Reads the path that begins here; what follows it.
fn one_path<'a>(mut rest: &'a str, before: &[String], found: &mut Vec<Vec<String>>) -> &'a str {
    let mut path = before.to_vec();
    loop {
        let end = rest.find(|c| !is_ident(c)).unwrap_or(rest.len());
        path.push(rest[..end].to_owned());
        rest = &rest[end..];
        let Some(next) = rest.trim_start().strip_prefix("::").map(str::trim_start) else {
            found.push(path);
            return rest;
        };
        if next.starts_with(is_ident) {
            rest = next;
            continue;
        }
        let Some(mut group) = next.strip_prefix('{') else {
            found.push(path);
            return next;
        };
        loop {
            group = group.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
            match group.chars().next() {
                Some('}') => return &group[1..],
                Some(c) if is_ident(c) => group = one_path(group, &path, found),
                Some(c) => {
                    found.push(path.clone());
                    group = &group[c.len_utf8()..];
                }
                None => return group,
            }
        }
    }
}
