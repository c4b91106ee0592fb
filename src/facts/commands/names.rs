//! Commands that print names of files: the set of names that are there now, for `xargs`, a loop or
//! another command's words (policy language §11.12).
//!
//! The set is never too small. Where it could be, what is printed is not known, as with any other
//! command's output.

use super::Walker;
use super::operands::filter_of;
use super::state::{Fed, Input, State};
use super::tree::{ARGUMENTS_MAX, Filter, fits};
use crate::catalogue::options::{self, Reading};
use crate::catalogue::program::{self, Kind};
use crate::facts::paths;
use crate::limits::WORD_VALUES_MAX;
use crate::model::access::Role;
use crate::model::doubt::Doubt;
use crate::model::path::Extent;
use crate::model::word::Word as Value;
use crate::shell::expand;
use crate::shell::ir::{Assigned, Node, Piece, Script, Simple, Word};
use crate::shell::vars;
use crate::world::FileKind;

/// Options of `git ls-files` and `git diff --name-only` that leave each line a name.
const GIT_NAMES: [&str; 16] = [
    "-c",
    "--cached",
    "--staged",
    "-m",
    "--modified",
    "-o",
    "--others",
    "-d",
    "--deleted",
    "--exclude-standard",
    "-z",
    "--name-only",
    "--diff-filter",
    "--no-renames",
    "--merge-base",
    "--error-unmatch",
];
/// Options with which `rg` and `grep` print other lines than names, or more than that.
const MORE_THAN_NAMES: [&str; 5] = ["--json", "-c", "--count-matches", "--vimgrep", "--stats"];

impl Walker<'_> {
    /// The words that a word becomes. `$(git ls-files)` is split into the names it prints.
    pub(super) fn fields(&mut self, word: &Word, state: &State) -> Vec<Value> {
        if let [Piece::Substitution { script, quoted: false }] = word.pieces.as_slice()
            && expand::constant(script, self.known(state)).is_none()
            && state.vars.get("IFS").is_none()
            && let Some(names) = self.names_of(script, state)
            // Blanks split a name, and what looks like a pattern is one.
            && !names.iter().any(|name| name.contains([' ', '\t', '*', '?', '[', '\\']))
        {
            return names.into_iter().map(Value::known).collect();
        }
        expand::fields(word, self.known(state))
    }

    /// The names that a script prints, if it is one command, or one pipe.
    pub(super) fn names_of(&mut self, script: &Script, state: &State) -> Option<Vec<String>> {
        let [node] = script.nodes.as_slice() else { return None };
        let stages = match node {
            Node::Pipe(stages) => stages.as_slice(),
            node => std::slice::from_ref(node),
        };
        let mut fed = Input::default();
        for stage in stages {
            fed.text = self.prints_names(stage, state, &fed);
        }
        match fed.text {
            Fed::Names(names) => Some(names),
            Fed::Nothing | Fed::Text(_) | Fed::Files | Fed::Unknown(_) => None,
        }
    }

    /// What a command prints, if it prints names of files and nothing else.
    pub(super) fn prints_names(&mut self, stage: &Node, state: &State, input: &Input) -> Fed {
        match self.listed_by(stage, state, input) {
            Some(names) if names.len() > ARGUMENTS_MAX => Fed::Unknown(Doubt::TooManyValues),
            // A name of two lines would be two names to whoever reads them.
            Some(names) if !names.iter().any(|name| name.contains('\n')) => Fed::Names(names),
            Some(_) | None => Fed::Unknown(Doubt::CommandOutput),
        }
    }

    fn listed_by(&mut self, stage: &Node, state: &State, input: &Input) -> Option<Vec<String>> {
        let Node::Simple(Simple { assignments, words, redirects }) = stage else { return None };
        let quiet = redirects.iter().all(|redirect| redirect.fd == Some(2));
        let name = match words.first()?.pieces.as_slice() {
            [Piece::Text { text, .. }] => text.as_str(),
            _ => return None,
        };
        let other = self.defined.contains(name) || state.redefined.contains(name);
        if other || !assignments.is_empty() || !quiet || !state.hazards.is_empty() {
            return None;
        }
        let lists = matches!(
            name,
            "find"
                | "ls"
                | "git"
                | "rg"
                | "grep"
                | "egrep"
                | "fgrep"
                | "head"
                | "tail"
                | "sort"
                | "uniq"
        );
        if !lists {
            return None;
        }
        let own: Vec<Value> =
            words.iter().skip(1).flat_map(|word| expand::fields(word, self.known(state))).collect();
        if name == "find" {
            return self.listed_by_find(&own, state);
        }
        let own = self.globbed(own, state);
        let reading = options::read(name, program::find(name), &own);
        if let Fed::Names(names) = &input.text
            && let Some(left) = passed_on(name, &reading, names)
        {
            return Some(left);
        }
        match name {
            "ls" => self.listed_by_ls(&own, state),
            "git" => self.listed_by_git(&own, state),
            "rg" if input.text == Fed::Nothing => self.listed_by_rg(&reading, state),
            "grep" | "egrep" | "fgrep" => self.listed_by_grep(name, &reading, state),
            _ => None,
        }
    }

    /// `find` with tests alone.
    fn listed_by_find(&mut self, own: &[Value], state: &State) -> Option<Vec<String>> {
        let acts = |word: &Value| {
            word.as_known().is_none_or(|text| {
                ["-exec", "-ok", "-delete", "-printf", "-fprint", "-ls"]
                    .iter()
                    .any(|act| text.starts_with(act))
            })
        };
        if own.iter().any(acts) {
            return None;
        }
        known(&self.found(own, state))
    }

    fn listed_by_ls(&mut self, own: &[Value], state: &State) -> Option<Vec<String>> {
        let texts = known(own)?;
        let (mut hidden, mut itself) = (false, false);
        let mut operands = Vec::new();
        for text in &texts {
            match text.strip_prefix('-') {
                Some("-color=never") => {}
                Some(letters) if !letters.is_empty() => {
                    if letters.contains(|c: char| !"1aAdtrScufvU".contains(c)) {
                        return None;
                    }
                    hidden |= letters.contains(['a', 'A', 'f']);
                    itself |= letters.contains('d');
                }
                Some(_) | None => operands.push(text.as_str()),
            }
        }
        if operands.is_empty() && itself {
            return Some(vec![".".to_owned()]);
        }
        let from = if operands.is_empty() { vec!["."] } else { operands };
        let mut names = Vec::new();
        for text in &from {
            let target = paths::target(text, state.directory(), self.place).ok()?;
            match self.place.world.resolve(&target.written).kind.ok()? {
                FileKind::Directory if itself => names.push((*text).to_owned()),
                // Of several it prints each with its name before it.
                FileKind::Directory if from.len() > 1 => return None,
                FileKind::Directory => {
                    let mut inner = self.listed(&target.written)?;
                    inner.retain(|name| hidden || !name.starts_with('.'));
                    names.extend(inner);
                }
                _ => names.push((*text).to_owned()),
            }
        }
        Some(names)
    }

    /// `git ls-files` and `git diff --name-only`, whose names are relative to where git stands.
    fn listed_by_git(&mut self, own: &[Value], state: &State) -> Option<Vec<String>> {
        let texts = known(own)?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let texts = texts.strip_prefix(&["--no-pager"]).unwrap_or(&texts);
        let (sub, texts) = texts.split_first()?;
        let here = state.directory()?.clone();
        let diff = match *sub {
            "ls-files" => false,
            // Its names are relative to the top.
            "diff" if texts.contains(&"--name-only") => {
                let top = here.join(".git").ok()?;
                if !matches!(self.place.world.resolve(&top).kind, Ok(FileKind::Directory)) {
                    return None;
                }
                true
            }
            _ => return None,
        };
        let mut only = Vec::new();
        let mut after_end = false;
        for text in texts {
            match *text {
                "--" => after_end = true,
                text if after_end || !text.starts_with('-') => {
                    // A revision, or the tree that the names are of.
                    if after_end || !diff {
                        only.push(text.to_owned());
                    }
                }
                text => {
                    let name = text.split('=').next().unwrap_or(text);
                    if !GIT_NAMES.contains(&name) {
                        return None;
                    }
                }
            }
        }
        let spec = Pathspec::read(&only)?;
        let names = self.names_below(".", &work_tree(), state)?;
        let names: Vec<String> = names.into_iter().filter(|name| spec.takes(name)).collect();
        // git quotes such names.
        let plain = |name: &String| name.is_ascii() && !name.contains(['"', '\\', '\t']);
        names.iter().all(plain).then_some(names)
    }

    fn listed_by_rg(&mut self, reading: &Reading, state: &State) -> Option<Vec<String>> {
        let has = |name: &str| reading.has(&[name.to_owned()]);
        if !["-l", "--files-without-match", "--files"].iter().any(|name| has(name))
            || !reading.doubts.is_empty()
            || MORE_THAN_NAMES.iter().any(|name| has(name))
        {
            return None;
        }
        let filter = filter_of("rg", reading.table?, reading);
        self.searched(reading, Some(&filter), state)
    }

    fn listed_by_grep(
        &mut self,
        name: &str,
        reading: &Reading,
        state: &State,
    ) -> Option<Vec<String>> {
        let has = |name: &str| reading.has(&[name.to_owned()]);
        if !["-l", "-L"].iter().any(|name| has(name)) || !reading.doubts.is_empty() || has("-c") {
            return None;
        }
        let table = reading.table?;
        let filter = reading.has(&table.tree_options).then(|| filter_of(name, table, reading));
        self.searched(reading, filter.as_ref(), state)
    }

    /// The files that a search of these operands looks into; with a filter, all below them.
    fn searched(
        &mut self,
        reading: &Reading,
        tree: Option<&Filter>,
        state: &State,
    ) -> Option<Vec<String>> {
        let operands = reading.items.iter().filter(|item| item.arg.role == Role::Operand);
        let roots: Vec<Value> = operands
            .filter(|item| item.kind == Kind::Read)
            .map(|item| item.arg.word.clone())
            .collect();
        let roots = known(&roots)?;
        let Some(filter) = tree else {
            return (!roots.is_empty() && !roots.contains(&"-".to_owned())).then_some(roots);
        };
        if roots.is_empty() {
            return self.names_below(".", filter, state);
        }
        let mut all = Vec::new();
        for root in &roots {
            match self.names_below(root, filter, state)? {
                // A file that is named is searched itself.
                names if names.is_empty() => all.push(root.clone()),
                names => {
                    let joined = |name: String| format!("{}/{name}", root.trim_end_matches('/'));
                    all.extend(names.into_iter().map(joined));
                }
            }
        }
        Some(all)
    }

    /// The files below `root`, relative to it.
    fn names_below(&mut self, root: &str, filter: &Filter, state: &State) -> Option<Vec<String>> {
        let target = paths::target(root, state.directory(), self.place).ok()?;
        let filter = Filter { only_files: true, ..filter.clone() };
        let all = match self.extent(&target, &filter) {
            Extent::Below(all) | Extent::Seen(all) => all,
            Extent::Itself => return Some(Vec::new()),
            Extent::BelowUnknown(_) | Extent::Fitting(_) => return None,
        };
        let names = all.iter().filter_map(|path| super::find::below(path, &target.written));
        Some(names.map(str::to_owned).collect())
    }

    /// The variable that `while read -r f` sets in each round, and the names it may hold there.
    pub(super) fn read_in_rounds(
        &self,
        condition: &Script,
        input: &Input,
        state: &State,
    ) -> Option<(String, vars::Value)> {
        let Fed::Names(names) = &input.text else { return None };
        let [Node::Simple(Simple { assignments, words, redirects })] = condition.nodes.as_slice()
        else {
            return None;
        };
        let splits_nowhere = assignments.iter().all(|assignment| {
            let empty = Assigned::Scalar(Word::default());
            let quoted = Assigned::Scalar(Word::quoted(""));
            assignment.name == "IFS" && (assignment.value == empty || assignment.value == quoted)
        });
        let texts: Option<Vec<String>> = words
            .iter()
            .flat_map(|word| expand::fields(word, self.known(state)))
            .try_fold(Vec::new(), |mut all, word| {
                all.push(word.as_known()?.to_owned());
                Some(all)
            });
        let texts = texts?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let name = match texts.as_slice() {
            ["read", name] | ["read", "-r", name] | ["read", "-r", "-d", "", name] => *name,
            _ => return None,
        };
        // What it takes from a line's ends, or for an escape, would be another name.
        let changes = |text: &String| {
            text.contains('\\') || text.trim_matches([' ', '\t']).len() != text.len()
        };
        let plain = redirects.is_empty()
            && splits_nowhere
            && vars::is_name(name)
            && !self.defined.contains("read")
            && !state.readonly.contains(name)
            && state.vars.get("IFS").is_none()
            && names.len() <= WORD_VALUES_MAX
            && !names.is_empty()
            && !names.iter().any(changes);
        plain.then(|| (name.to_owned(), vars::Value::Texts(names.clone())))
    }
}

/// Names that git's work tree holds: never those of its own directory.
pub(super) fn work_tree() -> Filter {
    Filter { exclude_directories: vec![".git".to_owned()], ..Filter::default() }
}

/// Pathspecs that are plain names or patterns: which names they take.
pub(super) struct Pathspec<'a>(Vec<&'a str>);

impl Pathspec<'_> {
    /// Nothing, if one of them is more than that. What only leaves out is passed over.
    pub(super) fn read(texts: &[String]) -> Option<Pathspec<'_>> {
        let leaves_out = |text: &&String| {
            [":!", ":^", ":(exclude)"].iter().any(|prefix| text.starts_with(prefix))
        };
        let mut all = Vec::new();
        for text in texts.iter().filter(|text| !leaves_out(text)) {
            let strange = text.starts_with([':', '/']) || text.contains(['[', '\\']);
            if strange || text.split('/').any(|part| part == "..") {
                return None;
            }
            let text = text.strip_prefix("./").unwrap_or(text).trim_end_matches('/');
            all.push(if text == "." { "" } else { text });
        }
        Some(Pathspec(all))
    }

    /// Whether a name, relative to where git stands, is one of them. `*` goes over `/` there.
    pub(super) fn takes(&self, name: &str) -> bool {
        let one = |spec: &&str| {
            spec.is_empty()
                || fits(spec, name)
                || name.strip_prefix(*spec).is_some_and(|rest| rest.starts_with('/'))
        };
        self.0.is_empty() || self.0.iter().any(one)
    }
}

fn known(words: &[Value]) -> Option<Vec<String>> {
    words.iter().map(|word| word.as_known().map(str::to_owned)).collect()
}

/// The names that a filter passes on of its input; nothing if it does more than that.
fn passed_on(name: &str, reading: &Reading, names: &[String]) -> Option<Vec<String>> {
    let grep = matches!(name, "grep" | "egrep" | "fgrep");
    let options: &[&str] = match name {
        "head" | "tail" => &["-n", "-q"],
        "sort" => &["-u", "-r", "-n", "-V", "-f", "-h", "-k", "-t", "-R", "-s"],
        "uniq" => &["-u", "-d", "-i"],
        _ if grep => &["-v", "-i", "-E", "-F", "-G", "-P", "-w", "-x", "-e", "-m", "-s"],
        _ => return None,
    };
    let mut operands = Vec::new();
    for item in &reading.items {
        match &item.arg.role {
            Role::Operand => operands.push(&item.arg.word),
            Role::EndOfOptions => {}
            Role::Option { spellings, .. } => {
                let number = |text: &String| {
                    text.get(1..).is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
                };
                let lines = matches!(name, "head" | "tail") && spellings.iter().any(number);
                if !lines && !spellings.iter().any(|text| options.contains(&text.as_str())) {
                    return None;
                }
            }
        }
    }
    let has = |option: &str| reading.has(&[option.to_owned()]);
    let patterns = usize::from(grep && !has("-e"));
    if operands.len() != patterns {
        return None;
    }
    let mut left = names.to_vec();
    if let [pattern] = operands.as_slice()
        && !has("-w")
        && !has("-x")
        // What a dot or a letter's case is, elsewhere depends on the locale.
        && names.iter().all(|name| name.is_ascii())
        && let Some(globs) =
            pattern.as_known().and_then(|text| as_globs(text, name, reading, has("-i")))
    {
        let inverted = has("-v");
        left.retain(|text| {
            let text = if has("-i") { text.to_ascii_lowercase() } else { text.clone() };
            globs.iter().any(|glob| fits(glob, &text)) != inverted
        });
    }
    Some(left)
}

/// A regular expression of plain characters, dots, anchors and alternatives, as patterns that fit
/// exactly the lines it finds.
fn as_globs(text: &str, name: &str, reading: &Reading, fold: bool) -> Option<Vec<String>> {
    let has = |option: &str| reading.has(&[option.to_owned()]);
    let fixed = has("-F") || name == "fgrep";
    let extended = has("-E") || has("-P") || name == "egrep";
    if !text.is_ascii() {
        return None;
    }
    let text = if fold { text.to_ascii_lowercase() } else { text.to_owned() };
    let mut globs = Vec::new();
    let mut glob = String::from("*");
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            _ if c.is_ascii_alphanumeric() || "_-/ ,@".contains(c) => glob.push(c),
            '.' if fixed => glob.push('.'),
            '.' => glob.push('?'),
            '\\' if !fixed && chars.peek() == Some(&'.') => glob.extend(chars.next()),
            '\\' if !fixed && !extended && chars.peek() == Some(&'|') => {
                chars.next();
                globs.push(std::mem::replace(&mut glob, String::from("*")) + "*");
            }
            '|' if extended => globs.push(std::mem::replace(&mut glob, String::from("*")) + "*"),
            '^' if !fixed && glob == "*" => glob.clear(),
            '$' if !fixed && chars.peek().is_none() => {
                globs.push(glob);
                return Some(globs);
            }
            _ => return None,
        }
    }
    globs.push(glob + "*");
    Some(globs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pathspec_takes_what_git_takes() {
        for (spec, taken) in [
            ("", "a.rs src/b.rs .env"),
            ("*.rs", "a.rs src/b.rs"),
            ("src", "src/b.rs"),
            ("./src/", "src/b.rs"),
            (".", "a.rs src/b.rs .env"),
            ("sr", ""),
            (":!.env", "a.rs src/b.rs .env"),
            ("src/*", "src/b.rs"),
        ] {
            let texts: Vec<String> = spec.split_whitespace().map(str::to_owned).collect();
            let read = Pathspec::read(&texts).unwrap();
            let names = ["a.rs", "src/b.rs", ".env"].into_iter().filter(|name| read.takes(name));
            assert_eq!(names.collect::<Vec<_>>().join(" "), taken, "{spec}");
        }
        for spec in [":/", ":(top)x", "../x", "/etc", "[a]", "a/../../x"] {
            assert!(Pathspec::read(&[spec.to_owned()]).is_none(), "{spec}");
        }
    }

    #[test]
    fn a_filter_passes_on_no_fewer_names_than_it_would() {
        let names: Vec<String> =
            ["./a.rs", "./b.RS", "./.env", "./t/c.rs", "./d.rsx"].map(str::to_owned).to_vec();
        for (text, left) in [
            ("grep .rs$", Some("./a.rs ./t/c.rs")),
            (r"grep \.rs$", Some("./a.rs ./t/c.rs")),
            (r"grep -i \.rs$", Some("./a.rs ./b.RS ./t/c.rs")),
            ("grep -v .env", Some("./a.rs ./b.RS ./t/c.rs ./d.rsx")),
            ("grep -v ^./t/", Some("./a.rs ./b.RS ./.env ./d.rsx")),
            (r"grep -E a\.rs|env", Some("./a.rs ./.env")),
            (r"grep a\.rs\|env", Some("./a.rs ./.env")),
            ("grep -F a.rs", Some("./a.rs")),
            ("grep -v [a]", Some("./a.rs ./b.RS ./.env ./t/c.rs ./d.rsx")),
            ("grep -vw env", Some("./a.rs ./b.RS ./.env ./t/c.rs ./d.rsx")),
            ("grep -o .rs$", None),
            ("grep -c x", None),
            ("grep x file", None),
            ("head -5", Some("./a.rs ./b.RS ./.env ./t/c.rs ./d.rsx")),
            ("head -n 5", Some("./a.rs ./b.RS ./.env ./t/c.rs ./d.rsx")),
            ("head -c 5", None),
            ("sort -u", Some("./a.rs ./b.RS ./.env ./t/c.rs ./d.rsx")),
            ("sort other", None),
            ("uniq -c", None),
            ("tr a b", None),
        ] {
            let words: Vec<Value> = text.split(' ').map(Value::known).collect();
            let (name, own) = words.split_first().unwrap();
            let name = name.as_known().unwrap();
            let reading = options::read(name, program::find(name), own);
            let passed = passed_on(name, &reading, &names).map(|left| left.join(" "));
            assert_eq!(passed.as_deref(), left, "{text}");
        }
    }
}
