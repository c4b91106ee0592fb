//! What git's own spellings name: revisions with paths, pathspecs, and whole trees.

use super::Walker;
use super::find::below;
use super::names::{Pathspec, work_tree};
use super::program::each_directory;
use super::state::State;
use super::tree::Filter;
use crate::catalogue::options::{Item, Reading};
use crate::catalogue::program::{Kind, Walk};
use crate::facts::paths;
use crate::model::access::{Access, Arg, Certainty, OptionClass, Role, Target, Verb};
use crate::model::doubt::Doubt;
use crate::model::path::{AbsPath, Extent};
use crate::model::word::Word;
use crate::world::FileKind;

/// Subcommands that print what files hold.
const PRINTS: [&str; 7] = ["diff", "log", "show", "blame", "grep", "cat-file", "stash"];
/// Subcommands that only look at the names they are given.
const NAMES_ONLY: [&str; 3] = ["check-ignore", "check-attr", "ls-files"];

/// Where an operand stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// How many operands stand before it, and before `--`.
    pub(super) nth: usize,
    /// It follows `--`.
    pub(super) after_end: bool,
}

impl Walker<'_> {
    /// `git show REV:path` reads that path; a name that is there may be one.
    pub(super) fn revision(&mut self, text: &str, state: &State) {
        if is_pathspec_magic(text) {
            return self.pathspec_unknown(text, &[Verb::Read]);
        }
        if text.contains(':') {
            return self.after_colons(text, state);
        }
        // Revisions have no such signs, but for `@{n}` and `^`.
        if text.contains(['*', '?', '[']) {
            return self.pathspec_unknown(text, &[Verb::Read]);
        }
        for target in self.targets(text, state, &[]) {
            match self.place.world.resolve(&target.written).kind {
                Ok(FileKind::Absent) => {}
                Ok(_) => {
                    let mut target = target;
                    let filter = Filter { walk: Walk::Visible, ..Filter::default() };
                    target.extent = self.extent(&target, &filter);
                    self.certain(Target::Read(target));
                }
                Err(doubt) => self.push(Access::suspected(Target::Read(target), doubt)),
            }
        }
    }

    /// A colon may end the revision (`HEAD^{/a b:c}:x`, `:0:x`): what follows any may be the path.
    /// It is relative to the top of the work tree unless it starts with a dot.
    fn after_colons(&mut self, text: &str, state: &State) {
        let top = State::at(Some(self.place.workspace));
        for (at, _) in text.match_indices(':') {
            let path = text.get(at + 1..).unwrap_or_default();
            if path.is_empty() || path.starts_with(':') {
                continue;
            }
            self.paths(path, state, &[Verb::Read], None);
            if !path.starts_with("./") && !path.starts_with("../") {
                self.paths(path, &top, &[Verb::Read], None);
            }
        }
    }

    fn pathspec_unknown(&mut self, text: &str, verbs: &[Verb]) {
        for verb in verbs {
            self.unknown(*verb, Doubt::Glob(text.to_owned()));
        }
    }

    /// A pathspec that is more than a path; false if it is one.
    pub(super) fn pathspec(&mut self, word: &Word, verbs: &[Verb]) -> bool {
        let Some(texts) = word.values() else { return false };
        let Some(special) = texts.iter().find(|text| is_pathspec(text)) else { return false };
        // It only leaves out.
        if texts.iter().all(|t| [":!", ":^", ":(exclude)"].iter().any(|p| t.starts_with(p)))
            && verbs == [Verb::Read]
        {
            return true;
        }
        self.pathspec_unknown(special, verbs);
        true
    }

    /// The names of the work tree that a pathspec takes; false if it cannot be told which.
    fn fitting(&mut self, word: &Word, state: &State) -> bool {
        let Some(spec) = word.values().and_then(Pathspec::read) else { return false };
        for mut target in self.targets(".", state, &[Verb::Read]) {
            target.extent = match self.extent(&target, &work_tree()) {
                Extent::Below(mut all) => {
                    let root = target.written.clone();
                    all.retain(|path| below(path, &root).is_some_and(|name| spec.takes(name)));
                    Extent::Below(all)
                }
                other => other,
            };
            self.certain(Target::Read(target));
        }
        true
    }

    /// Whether one operand is settled here, with no more to say of it.
    pub(super) fn git_operand(
        &mut self,
        word: &Word,
        kind: Kind,
        at: Place,
        reading: &Reading,
        state: &State,
    ) -> bool {
        let sub = reading.subcommand.as_deref().unwrap_or_default();
        if kind == Kind::Update {
            self.restored(word, at, reading, state);
            return true;
        }
        // Said of the whole command below.
        if kind == Kind::Fill && matches!(sub, "clone" | "worktree add" | "submodule add") {
            return true;
        }
        let path = |texts: &[String]| texts.iter().all(|text| !text.contains(':'));
        if NAMES_ONLY.contains(&sub) && word.values().is_none_or(path) {
            return true;
        }
        let special = |texts: &[String]| texts.iter().any(|text| text.contains(['*', '?', '[']));
        if kind == Kind::Revision && !PRINTS.contains(&sub) && word.values().is_some_and(special) {
            return true;
        }
        // These look at the work tree alone: at the names that are there now.
        if matches!(sub, "add" | "grep")
            && matches!(kind, Kind::Read | Kind::Revision)
            && word.values().is_some_and(special)
        {
            return self.fitting(word, state);
        }
        match kind {
            Kind::Read => self.pathspec(word, &[Verb::Read]),
            Kind::Delete => self.pathspec(word, &[Verb::Write]),
            _ => false,
        }
    }

    /// What git does beyond its words' own accesses.
    pub(super) fn git(&mut self, reading: &Reading, state: &State) {
        let has = |name: &str| reading.has(&[name.to_owned()]);
        let all = work_tree();
        match reading.subcommand.as_deref() {
            Some("clone") => self.clones(reading, state),
            Some("config") => self.configures(reading, state),
            Some("push" | "fetch" | "pull" | "ls-remote") => self.named_remotes(reading, state),
            Some("log" | "show" | "blame" | "diff") => {
                self.lines_of(reading, state);
                let indexed = !matches!(reading.subcommand.as_deref(), Some("blame"));
                if indexed && self.was_indexed() {
                    self.perhaps_tree(state, &all);
                }
                if has("--no-index") {
                    self.trees(reading, state, &Filter::default());
                }
            }
            Some("grep") if has("--no-index") || has("--untracked") => {
                self.trees(reading, state, &all);
            }
            // What is ignored is left out; where nothing is, which names that are is not known.
            Some("add") if has("-f") || !self.ignores(state) => {
                let start = self.accesses.len();
                self.trees(reading, state, &all);
                let doubt = Doubt::TreeUnknown;
                for access in self.accesses.iter_mut().skip(start) {
                    access.certainty = Certainty::Possible(doubt.clone());
                }
            }
            Some("worktree add" | "submodule add") => {
                let path = reading.items.iter().find(|item| item.kind == Kind::Fill);
                let path = path.map(|item| item.arg.word.clone());
                path.iter().for_each(|path| self.new_tree(path, state));
            }
            _ => {}
        }
        for item in reading.items.iter().filter(|item| item.is_any(&["-c".to_owned()])) {
            if let (Kind::Setting, Role::Option { value: Some(value), .. }) =
                (item.kind, &item.arg.role)
                && let Some((key, text)) = value.as_known().and_then(|text| text.split_once('='))
            {
                self.later(key, text, state);
            }
        }
        if has("--pathspec-from-file") {
            let verbs = match reading.subcommand.as_deref() {
                Some("checkout" | "restore" | "rm" | "reset" | "stash") => vec![Verb::Write],
                _ => vec![Verb::Read],
            };
            verbs.iter().for_each(|verb| self.unknown(*verb, Doubt::CommandOutput));
        }
    }

    /// Whether the repository says what git leaves out.
    fn ignores(&self, state: &State) -> bool {
        each_directory(state).into_iter().flatten().any(|directory| {
            let mut next = Some(directory);
            while let Some(directory) = next.filter(|path| path.is_within(self.place.workspace)) {
                let file = directory.join(".gitignore").ok();
                let kind = file.map(|file| self.place.world.resolve(&file).kind);
                if matches!(kind, Some(Ok(FileKind::File))) {
                    return true;
                }
                next = directory.parent();
            }
            false
        })
    }

    /// The trees that the operands name, or the directory itself: all names, hidden ones too.
    fn trees(&mut self, reading: &Reading, state: &State, filter: &Filter) {
        let grep = reading.subcommand.as_deref() == Some("grep");
        let fitting = |kind: Kind| matches!(kind, Kind::Read | Kind::Revision);
        let operands = reading.items.iter().filter(|item| item.arg.role == Role::Operand);
        let words: Vec<Word> =
            operands.filter(|item| fitting(item.kind)).map(|item| item.arg.word.clone()).collect();
        if words.is_empty() && grep {
            return self.word(Kind::Read, &Word::known("."), state, Some(filter));
        }
        for word in &words {
            if !self.pathspec(word, &[Verb::Read]) {
                self.word(Kind::Read, word, state, Some(filter));
            }
        }
    }

    /// Whether this text put names into git that it may print now.
    fn was_indexed(&self) -> bool {
        self.accesses.iter().any(|access| match &access.target {
            Target::Exec(command) => {
                command.program.word.as_known().is_some_and(|name| name.ends_with("git"))
                    && command
                        .args
                        .iter()
                        .any(|arg| matches!(arg.word.as_known(), Some("add" | "commit" | "stash")))
            }
            _ => false,
        })
    }

    fn perhaps_tree(&mut self, state: &State, filter: &Filter) {
        for mut target in self.targets(".", state, &[Verb::Read]) {
            target.extent = self.extent(&target, filter);
            self.push(Access::possible(Target::Read(target), Doubt::TreeUnknown));
        }
    }

    /// `-L 1,20:file` prints that file.
    fn lines_of(&mut self, reading: &Reading, state: &State) {
        for item in reading.items.iter().filter(|item| item.is_any(&["-L".to_owned()])) {
            let Role::Option { value: Some(value), .. } = &item.arg.role else { continue };
            match value.values() {
                None => self.unknown(Verb::Read, Doubt::CommandOutput),
                Some(texts) => texts.iter().for_each(|text| self.after_colons(text, state)),
            }
        }
    }

    /// `git checkout x` names a branch unless a file of that name is there; what follows the first
    /// operand is a path in any case. A directory, or a name that is not there, is filled with what
    /// another revision has below it.
    pub(super) fn restored(&mut self, word: &Word, at: Place, reading: &Reading, state: &State) {
        let restore = reading.subcommand.as_deref() == Some("restore");
        if restore && only_index(reading) {
            return;
        }
        if !restore && !at.after_end && at.nth == 0 && !self.is_there(word, state) {
            return;
        }
        if self.pathspec(word, &[Verb::Write]) {
            return;
        }
        let verbs: &[Verb] = &[Verb::Read, Verb::Write];
        let other = reading.has(&["-s".to_owned()]) || !restore && at.nth > 0;
        let Some(texts) = word.values() else {
            return verbs.iter().for_each(|verb| {
                self.unknown(*verb, super::builtin::first_doubt(std::slice::from_ref(word)));
            });
        };
        for text in texts {
            for mut target in self.targets(text, state, verbs) {
                target.extent = match self.place.world.resolve(&target.written).kind {
                    Ok(FileKind::Directory | FileKind::Absent) | Err(_) if other => {
                        Extent::BelowUnknown(Doubt::TreeUnknown)
                    }
                    Ok(FileKind::Directory) | Err(_) => {
                        let exclude_directories = vec![".git".to_owned()];
                        self.extent(&target, &Filter { exclude_directories, ..Filter::default() })
                    }
                    Ok(_) => Extent::Itself,
                };
                if verbs.contains(&Verb::Read) {
                    let mut read = target.clone();
                    read.extent = Extent::Itself;
                    self.certain(Target::Read(read));
                }
                self.made.insert(target.written.clone());
                self.certain(Target::Write(target));
            }
        }
    }

    fn is_there(&self, word: &Word, state: &State) -> bool {
        let there = |text: &String| {
            each_directory(state).iter().any(|directory| {
                let target = paths::target(text, directory.as_ref(), self.place);
                is_pathspec(text)
                    || target.is_ok_and(|t| {
                        !matches!(self.place.world.resolve(&t.written).kind, Ok(FileKind::Absent))
                    })
            })
        };
        word.values().is_none_or(|texts| texts.iter().any(there))
    }

    /// A repository that is not the workspace's own `.git` may bring configuration that runs
    /// programs: a `.git` file, or a bare repository.
    pub(super) fn foreign_repository(&self, state: &State) -> Option<Doubt> {
        let is = |path: Option<AbsPath>, kinds: &[FileKind]| {
            path.is_some_and(|path| {
                self.place.world.resolve(&path).kind.is_ok_and(|kind| kinds.contains(&kind))
            })
        };
        let any = [FileKind::File, FileKind::Directory, FileKind::Other];
        each_directory(state).into_iter().flatten().find_map(|directory| {
            let file = is(directory.join(".git").ok(), &[FileKind::File, FileKind::Other]);
            let bare =
                is(directory.join("HEAD").ok(), &any) && is(directory.join("objects").ok(), &any);
            (file || bare)
                .then(|| Doubt::Other(format!("{} is another repository", directory.as_str())))
        })
    }

    /// A clone fills its directory; without one it makes one named as the repository. A new
    /// directory of the workspace that is not hidden holds a project of its own.
    fn clones(&mut self, reading: &Reading, state: &State) {
        let mut operands = reading.items.iter().filter(|item| item.arg.role == Role::Operand);
        let is = |kind: Kind| move |item: &&Item| item.kind == kind;
        let Some(repository) = operands.find(is(Kind::Repository)) else { return };
        let directory = operands.next().map(|item| item.arg.word.clone());
        let directory = match (directory, repository.arg.word.as_known()) {
            (Some(directory), _) => directory,
            (None, Some(text)) => {
                let text = text.trim_end_matches('/');
                let name = text.rsplit(['/', ':']).next().unwrap_or_default();
                Word::known(name.strip_suffix(".git").unwrap_or(name))
            }
            (None, None) => repository.arg.word.clone(),
        };
        self.new_tree(&directory, state);
    }

    /// A directory that gets a work tree.
    pub(super) fn new_tree(&mut self, directory: &Word, state: &State) {
        let Some(texts) = directory.values() else {
            let reason = super::builtin::first_doubt(std::slice::from_ref(directory));
            return self.unknown(Verb::Write, reason);
        };
        for text in texts {
            for mut target in self.targets(text, state, &[Verb::Write]) {
                let path = &target.written;
                let own = path.is_within(self.place.workspace) || path.is_within(self.place.tmp);
                let hidden = path.as_str().contains("/.");
                let absent = self.place.world.resolve(path).kind == Ok(FileKind::Absent);
                if !own || hidden || !absent {
                    target.extent = Extent::BelowUnknown(Doubt::TreeUnknown);
                }
                self.made.insert(target.written.clone());
                self.certain(Target::Write(target));
            }
        }
    }

    /// `git push x` after `git remote add x URL` in the same text.
    fn named_remotes(&mut self, reading: &Reading, state: &State) {
        let named = |item: &&Item| item.kind == Kind::Repository;
        let names: Vec<String> = reading
            .items
            .iter()
            .filter(named)
            .filter_map(|item| item.arg.word.as_known().map(str::to_owned))
            .collect();
        let mut urls = Vec::new();
        for access in self.accesses.iter() {
            let Target::Exec(command) = &access.target else { continue };
            let words: Vec<&str> = command
                .args
                .iter()
                .filter(|arg| arg.role == Role::Operand)
                .filter_map(|arg| arg.word.as_known())
                .collect();
            if let ["remote", "add" | "set-url", name, url, ..] = words.as_slice()
                && names.iter().any(|known| known == name)
            {
                urls.push((*url).to_owned());
            }
        }
        urls.iter().for_each(|url| self.repository(url, state));
    }
}

/// Subcommands that change the work tree as a whole.
const CHANGES_TREE: [&str; 16] = [
    "switch",
    "checkout",
    "restore",
    "stash",
    "stash pop",
    "stash apply",
    "stash push",
    "stash save",
    "stash branch",
    "pull",
    "merge",
    "rebase",
    "cherry-pick",
    "revert",
    "apply",
    "am",
];
/// What keeps them from it.
const CHANGES_NOTHING: [&str; 9] = [
    "--check",
    "--stat",
    "--numstat",
    "--summary",
    "--cached",
    "--abort",
    "--quit",
    "--show-current-patch",
    "--edit-todo",
];

/// Whether the command changes the work tree as a whole.
pub(super) fn changes_tree(reading: &Reading) -> bool {
    let has = |name: &&str| reading.has(&[(**name).to_owned()]);
    match reading.subcommand.as_deref() {
        Some("reset") => ["--hard", "--merge", "--keep"].iter().any(has),
        Some("restore") if only_index(reading) => false,
        // They take another's changes back, or only look; `--apply` does what it says after all.
        Some("apply") => has(&"--apply") || !CHANGES_NOTHING.iter().any(has),
        Some(name) => CHANGES_TREE.contains(&name),
        None => false,
    }
}

/// `git restore --staged` leaves the work tree as it is.
fn only_index(reading: &Reading) -> bool {
    reading.has(&["-S".to_owned()]) && !reading.has(&["-W".to_owned()])
}

/// Other spellings of an option: `+ref` and `--mirror` force a push.
pub(super) fn spell_out(reading: &mut Reading) {
    let push = reading.subcommand.as_deref() == Some("push");
    let has = |name: &str| reading.has(&[name.to_owned()]);
    let plus = |item: &Item| {
        let texts = item.arg.word.values();
        item.arg.role == Role::Operand
            && texts.is_some_and(|texts| texts.iter().any(|text| text.starts_with('+')))
    };
    if !push || has("-f") || !(has("--mirror") || reading.items.iter().any(plus)) {
        return;
    }
    let role = Role::Option {
        spellings: vec!["-f".to_owned(), "--force".to_owned()],
        value: None,
        class: OptionClass::Plain,
    };
    let arg = Arg { word: Word::known("--force"), role, path: None };
    reading.items.push(Item { arg, kind: Kind::Text });
}

fn is_pathspec_magic(text: &str) -> bool {
    [":(", ":!", ":^"].iter().any(|prefix| text.starts_with(prefix))
}

fn is_pathspec(text: &str) -> bool {
    text.starts_with(':') || text.contains(['*', '?', '['])
}
