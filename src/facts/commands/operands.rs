//! What a program's words come to: files read and written, hosts reached.

use super::Walker;
use super::program::each_directory;
use super::state::{Fed, Input, State};
use super::tree::Filter;
use crate::catalogue::options::{Item, Reading};
use crate::catalogue::program::{Interpreter, Kind, Program, Walk};
use crate::facts::paths;
use crate::model::access::{Role, Target, Verb};
use crate::model::doubt::Doubt;
use crate::model::path::{AbsPath, Extent, PathTarget};
use crate::model::word::Word;

/// Paths that are no access in a command (policy language §11.7).
pub(super) fn is_no_access(text: &str) -> bool {
    matches!(
        text,
        "/dev/null" | "/dev/zero" | "/dev/stdin" | "/dev/stdout" | "/dev/stderr" | "/dev/tty"
    ) || text.strip_prefix("/dev/fd/").is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether a word of this kind names a path.
pub(super) fn is_path(kind: Kind) -> bool {
    match kind {
        Kind::Read
        | Kind::Write
        | Kind::Update
        | Kind::Move
        | Kind::Delete
        | Kind::List
        | Kind::Directory
        | Kind::Fill
        | Kind::Prefix
        | Kind::Script
        | Kind::RemoteRead
        | Kind::RemoteWrite
        | Kind::InsideRead
        | Kind::InsideWrite => true,
        Kind::Text
        | Kind::Digits
        | Kind::Url
        | Kind::WebAddress
        | Kind::Host
        | Kind::Address
        | Kind::Port
        | Kind::Repository
        | Kind::Package
        | Kind::Code
        | Kind::Module
        | Kind::Command
        | Kind::ShellText
        | Kind::Subcommand
        | Kind::Assignment
        | Kind::Setting
        | Kind::AtFile
        | Kind::PerhapsUrl
        | Kind::NamedRead
        | Kind::Volume
        | Kind::Revision => false,
    }
}

impl Walker<'_> {
    /// Everything that the words of a program come to.
    pub(super) fn effects(&mut self, base: &str, reading: &Reading, state: &State, input: &Input) {
        let Some(table) = reading.table else {
            return match base {
                "." | "source" => {
                    let file = reading.items.first().map(|item| item.arg.word.clone());
                    file.iter().for_each(|file| self.word(Kind::Script, file, state, None));
                }
                _ if super::builtin::has_exec(base) => {}
                _ => self.suspects(reading, base, state),
            };
        };
        let shell_text =
            table.interpreter == Some(Interpreter::Shell) && reading.has(&["-c".to_owned()]);
        if !reading.doubts.is_empty() {
            self.suspects(reading, base, state);
        }
        let arrivals = self.arrivals(base, reading, state);
        let start = self.accesses.len();
        let filter = filter_of(base, table, reading);
        let grep = is_grep(base);
        let recurses = grep && told_to_recurse(reading);
        let tree = (table.tree || recurses || reading.has(&table.tree_options)).then_some(&filter);
        let in_place = reading.has(&table.in_place);
        let changed: Vec<String> =
            reading.variants().flat_map(|variant| &variant.changes).cloned().collect();
        let only_told = base == "git" && reading.has(&["--dry-run".to_owned()]);
        let makes_directories = base == "install" && reading.has(&["-d".to_owned()]);
        let mut after_end = false;
        let mut nth = 0;
        for item in &reading.items {
            let (word, operand) = match &item.arg.role {
                Role::EndOfOptions => {
                    after_end = true;
                    continue;
                }
                Role::Operand => (&item.arg.word, true),
                Role::Option { value: Some(value), .. } => (value, false),
                Role::Option { value: None, .. } => continue,
            };
            self.perhaps_path(base, item, state);
            if operand
                && item.kind == Kind::Read
                && self.linked(base, word, reading, &arrivals).is_some()
            {
                continue;
            }
            if base == "curl" && item.is_any(&["-o".to_owned()]) {
                let into = super::download::output_directory(reading, state);
                self.word(item.kind, word, into.as_ref().unwrap_or(state), None);
                continue;
            }
            if operand && in_place && matches!(item.kind, Kind::Read | Kind::Text) {
                self.backups(word, reading, state);
            }
            let kind = match (item.kind, operand) {
                (Kind::Delete, true) if only_told => Kind::List,
                (Kind::Read, true) if in_place => Kind::Update,
                (Kind::Read, false) if item.is_any(&changed) => Kind::Update,
                (Kind::Read, true) if makes_directories => Kind::Write,
                (Kind::Script, true) if shell_text => Kind::Text,
                // A file that `perl -i` changes, behind its code or its script.
                (Kind::Text, true) if in_place => Kind::Update,
                (Kind::Revision, true) if after_end => Kind::Read,
                (kind, _) => kind,
            };
            if base == "git" && operand {
                let at = super::git::Place { nth, after_end };
                nth += usize::from(!after_end && kind != Kind::Subcommand);
                if self.git_operand(word, kind, at, reading, state) {
                    continue;
                }
            }
            self.word(kind, word, state, if operand { tree } else { None });
        }
        self.arrive(base, reading, &arrivals, state);
        self.besides(reading, state, start);
        let reads = |item: &Item| item.kind == Kind::Read && item.arg.role == Role::Operand;
        // What is told to only list names reads nothing.
        let here = table.here && !reading.variants().any(|variant| variant.operands.is_some());
        let searches = here || grep && tree.is_some();
        // Only rg takes an input instead; `grep -r` never does.
        if searches && (grep || input.text == Fed::Nothing) && !reading.items.iter().any(reads) {
            let kind = match (base, only_told) {
                ("git", true) => Kind::List,
                ("git", false) => Kind::Delete,
                (_, _) => Kind::Read,
            };
            self.word(kind, &Word::known("."), state, tree);
        }
        let all = ["-A", "-u"].iter().any(|option| reading.has(&[(*option).to_owned()]));
        let adds = base == "git" && reading.subcommand.as_deref() == Some("add");
        if adds && all && nth == 0 {
            // From wherever it stands it takes the whole work tree.
            self.word(Kind::Read, &Word::known("."), state, tree);
            let inside = |path: &AbsPath| path.is_within(self.place.workspace);
            if state.directories.as_ref().is_none_or(|all| all.iter().any(inside)) {
                let top = State::at(Some(self.place.workspace));
                self.word(Kind::Read, &Word::known("."), &top, tree);
            }
        }
        if base == "find" && reading.has(&["-delete".to_owned()]) {
            self.find_deletes(reading, state);
        }
        if base == "git" && super::git::changes_tree(reading) {
            self.word(Kind::Write, &Word::known("."), state, None);
        }
        match base {
            "curl" => self.curl(reading, state),
            "ssh" | "scp" | "sftp" | "autossh" | "ssh-copy-id" => self.ssh_settings(reading, state),
            _ if super::statements::is_client(base) => {
                self.statements(base, reading, state, input);
            }
            "socat" => self.socat(reading, state),
            "http" | "https" | "xh" | "xhs" => self.httpie(base, reading, state),
            "tar" | "bsdtar" => self.tar(reading, state),
            "git" => self.git(reading, state),
            "wget" if !reading.has(&["-O".to_owned()]) => self.saves_by_name(reading, state),
            "wget" => self.fetched(reading, state, &["-O".to_owned()]),
            _ => {}
        }
    }

    /// What one word of a known kind comes to.
    pub(super) fn word(&mut self, kind: Kind, word: &Word, state: &State, tree: Option<&Filter>) {
        let texts = match word {
            Word::Known(text) => std::slice::from_ref(text),
            Word::OneOf(texts) => texts,
            Word::Unknown(unknown) => return self.unknown_word(kind, &unknown.reason),
        };
        for text in texts {
            self.text_of(kind, text, state, tree);
        }
    }

    fn unknown_word(&mut self, kind: Kind, reason: &Doubt) {
        let verbs: &[Verb] = match kind {
            Kind::Read | Kind::Script | Kind::Revision | Kind::NamedRead | Kind::InsideRead => {
                &[Verb::Read]
            }
            Kind::Write | Kind::Delete | Kind::Fill | Kind::Prefix | Kind::InsideWrite => {
                &[Verb::Write]
            }
            Kind::Update | Kind::Move | Kind::Volume => &[Verb::Read, Verb::Write],
            Kind::Url | Kind::WebAddress | Kind::Host | Kind::Address => &[Verb::Connect],
            Kind::RemoteRead => &[Verb::Connect, Verb::Read],
            Kind::RemoteWrite => &[Verb::Connect, Verb::Write],
            Kind::Repository => &[Verb::Connect],
            Kind::Package => &[Verb::Connect, Verb::Read],
            Kind::Text
            | Kind::Digits
            | Kind::List
            | Kind::Directory
            | Kind::Code
            | Kind::Module
            | Kind::Command
            | Kind::ShellText
            | Kind::Subcommand
            | Kind::Port
            | Kind::Setting
            | Kind::AtFile
            | Kind::PerhapsUrl
            | Kind::Assignment => &[],
        };
        for verb in verbs {
            self.unknown(*verb, reason.clone());
        }
    }

    fn text_of(&mut self, kind: Kind, text: &str, state: &State, tree: Option<&Filter>) {
        match kind {
            Kind::Read => {
                if text != "-" {
                    self.paths(text, state, &[Verb::Read], tree);
                }
            }
            Kind::Script => {
                if text != "-" {
                    self.paths(text, state, &[Verb::Read], None);
                }
            }
            Kind::Write => {
                if let Some(command) = text.strip_prefix(['|', '!']) {
                    // What strace and others take for a command, never an honest name.
                    self.text(command, &mut state.clone(), &Input::default(), true);
                }
                if text != "-" {
                    self.paths(text, state, &[Verb::Write], None);
                }
            }
            Kind::Delete => self.paths(text, state, &[Verb::Write], tree),
            Kind::Update | Kind::Move => {
                self.paths(text, state, &[Verb::Read, Verb::Write], tree);
            }
            Kind::Url => self.url(text, None, state),
            Kind::WebAddress => self.web_address(text, None, state),
            Kind::Host => self.host(text),
            Kind::Address => self.address(text, state),
            Kind::Fill => self.filled(text, state),
            Kind::Prefix => self.begun(text, state),
            Kind::RemoteRead => self.remote(text, state, Verb::Read, tree),
            Kind::RemoteWrite => self.remote(text, state, Verb::Write, tree),
            Kind::Repository => self.repository(text, state),
            Kind::Revision => self.revision(text, state),
            Kind::AtFile => self.named_by_at(text, state),
            Kind::PerhapsUrl => {
                self.perhaps_url(text, state);
            }
            Kind::NamedRead => self.named_read(text, state),
            Kind::Volume => self.volume(text, state),
            Kind::InsideRead => self.inside_read(text, state, tree),
            Kind::InsideWrite => self.inside_write(text, state),
            Kind::Package => self.package(text, state),
            Kind::Text
            | Kind::Digits
            | Kind::List
            | Kind::Directory
            | Kind::Code
            | Kind::Module
            | Kind::Command
            | Kind::ShellText
            | Kind::Subcommand
            | Kind::Port
            | Kind::Setting
            | Kind::Assignment => {}
        }
    }

    /// The paths that `text` names from every directory it may be used in.
    pub(super) fn targets(&mut self, text: &str, state: &State, verbs: &[Verb]) -> Vec<PathTarget> {
        let mut all = Vec::new();
        for directory in each_directory(state) {
            match paths::target(text, directory.as_ref(), self.place) {
                Ok(target) if !all.contains(&target) => all.push(target),
                Ok(_) => {}
                Err(doubt) => {
                    for verb in verbs {
                        self.unknown(*verb, doubt.clone());
                    }
                }
            }
        }
        all
    }

    pub(super) fn paths(
        &mut self,
        text: &str,
        state: &State,
        verbs: &[Verb],
        tree: Option<&Filter>,
    ) {
        if is_no_access(text) {
            return;
        }
        for mut target in self.targets(text, state, verbs) {
            if let Some(filter) = tree {
                target.extent = self.extent(&target, filter);
                // What the text made may be a directory, and hold what a rule names.
                let deletes = verbs == [Verb::Write];
                if deletes && target.extent == Extent::Itself && self.is_made(&target.written) {
                    target.extent = Extent::Below(Vec::new());
                }
            }
            for verb in verbs {
                if *verb == Verb::Read {
                    self.certain(Target::Read(target.clone()));
                } else {
                    self.made.insert(target.written.clone());
                    self.certain(Target::Write(target.clone()));
                }
            }
        }
    }

    /// `find -delete` removes the names that its tests leave; each is judged as one.
    fn find_deletes(&mut self, reading: &Reading, state: &State) {
        let mut own = Vec::new();
        for item in &reading.items {
            own.push(item.arg.word.clone());
            if let Role::Option { value: Some(value), .. } = &item.arg.role {
                own.push(value.clone());
            }
        }
        let roots = super::find::find_roots(&own);
        let deletes = |word: &Word| word.as_known() == Some("-delete");
        let at: Vec<usize> = own.iter().position(deletes).into_iter().collect();
        let found = self.found_at(&own, &at, state);
        if found.iter().all(|word| word.as_known().is_some()) {
            let emptied = self.emptied(&found, state);
            found.iter().for_each(|path| self.word(Kind::Delete, path, state, None));
            emptied.into_iter().for_each(|target| self.certain(Target::Write(target)));
            return;
        }
        let everything = Filter::default();
        roots.iter().for_each(|root| self.word(Kind::Delete, root, state, Some(&everything)));
    }

    /// A directory that goes takes what lies below it along, as with `rm -r`.
    fn emptied(&mut self, found: &[Word], state: &State) -> Vec<PathTarget> {
        let mut all = Vec::new();
        for text in found.iter().filter_map(Word::as_known) {
            all.extend(self.targets(text, state, &[]));
        }
        let names: Vec<AbsPath> = all.iter().map(|target| target.written.clone()).collect();
        all.retain(|target| self.is_directory(&target.written) || self.is_made(&target.written));
        for target in &mut all {
            let root = &target.written;
            let below = names.iter().filter(|name| name.is_within(root) && *name != root);
            target.extent = Extent::Below(below.cloned().collect());
        }
        all
    }

    /// Whether the text made this name, which is not there yet.
    fn is_made(&self, path: &AbsPath) -> bool {
        self.made.contains(path)
            && self.place.world.resolve(path).kind == Ok(crate::world::FileKind::Absent)
    }
}

fn is_grep(base: &str) -> bool {
    matches!(base, "grep" | "egrep" | "fgrep" | "ggrep" | "zgrep" | "zegrep" | "zfgrep")
}

/// `grep -d recurse`, whose value may be abbreviated.
fn told_to_recurse(reading: &Reading) -> bool {
    reading.items.iter().any(|item| match &item.arg.role {
        Role::Option { value: Some(value), .. } if item.is_any(&["-d".to_owned()]) => {
            value.values().is_none_or(|texts| texts.iter().any(|text| text.starts_with('r')))
        }
        _ => false,
    })
}

/// The filter without the names that `tar`, `zip` and `diff` are told to leave out.
fn leaving_out(
    mut filter: Filter,
    base: &str,
    reading: &Reading,
    values: &impl Fn(&str) -> Vec<String>,
) -> Filter {
    let sure = |pattern: &String| !pattern.contains(['/', '[', '\\', '{']);
    match base {
        "tar" | "gtar" => {
            let other = ["--anchored", "--no-wildcards", "--no-anchored", "--ignore-case"];
            if !reading.has(&other.map(str::to_owned)) {
                filter.exclude = values("--exclude");
            }
        }
        "diff" => filter.exclude = values("-x"),
        // Its patterns are of whole paths.
        "zip" => {
            filter.exclude = values("-x");
            filter.exclude.retain(|pattern| pattern.starts_with('*'));
        }
        _ => return filter,
    }
    filter.exclude.retain(sure);
    if base != "zip" {
        filter.exclude_directories.clone_from(&filter.exclude);
    }
    filter
}

pub(super) fn filter_of(base: &str, table: &Program, reading: &Reading) -> Filter {
    let values = |name: &str| -> Vec<String> {
        let fitting = reading.items.iter().filter_map(|item| match &item.arg.role {
            Role::Option { spellings, value: Some(value), .. }
                if spellings.iter().any(|spelling| spelling == name) =>
            {
                value.as_known().map(str::to_owned)
            }
            _ => None,
        });
        fitting.collect()
    };
    let has = |name: &str| reading.has(&[name.to_owned()]);
    // A glob of rg's own, unless it only leaves out, overrides what it skips by itself.
    let globs: Vec<String> =
        values("-g").into_iter().filter(|glob| !glob.starts_with('!')).collect();
    let simple = globs.iter().all(|glob| !glob.contains(['/', '{', '[', '\\']));
    let hidden = !globs.is_empty()
        || ["--hidden", "-u", "--iglob"].iter().any(|name| has(name))
        || has("-g") && values("-g").is_empty();
    let walk = if hidden && matches!(base, "rg" | "ag") { Walk::All } else { table.walk };
    let grep = is_grep(base);
    let follows = base == "rg" && has("-L") || grep && (has("-R") || has("-S"));
    if !grep {
        // git's own directory is never part of the work tree that it changes.
        let exclude_directories = if base == "git" { vec![".git".to_owned()] } else { Vec::new() };
        let include = if base == "rg" && simple { globs } else { Vec::new() };
        let filter = Filter { walk, exclude_directories, include, follows, ..Filter::default() };
        return leaving_out(filter, base, reading, &values);
    }
    let (mut exclude, mut include) = (values("--exclude"), values("--include"));
    // Sets of characters are not read in full: what they leave out is not sure.
    let sure = |pattern: &String| !pattern.contains(['[', '\\']);
    exclude.retain(sure);
    // The last that fits wins: together they leave nothing out for sure.
    if !exclude.is_empty() && !include.is_empty() {
        exclude.clear();
        include.clear();
    }
    let mut exclude_directories = values("--exclude-dir");
    exclude_directories.retain(sure);
    Filter { walk, exclude, exclude_directories, include, follows, only_files: false }
}
