//! One program with its words: the exec access itself, and what a wrapper runs in turn.

use super::Walker;
use super::fd::fd_clauses;
use super::find::find_clauses;
use super::state::{Fed, Input, State};
use crate::catalogue::options::{self, Item, Reading};
use crate::catalogue::program::{self, Kind, Program, Wrapper};
use crate::facts::paths;
use crate::limits::WORD_VALUES_MAX;
use crate::model::access::{
    Arg, Certainty, Command, OptionClass, Program as Name, Role, Target, Verb,
};
use crate::model::doubt::Doubt;
use crate::model::path::{AbsPath, PathTarget};
use crate::model::word::Word;

impl Walker<'_> {
    /// Runs words that are already expanded. `inner` are the commands that ran to make them.
    pub(super) fn argv(
        &mut self,
        words: &[Word],
        state: &mut State,
        input: &Input,
        inner: &[usize],
    ) {
        let Some((first, arguments)) = words.split_first() else { return };
        let Some(name) = first.as_known() else {
            return self.unknown_program(first, arguments, state);
        };
        if name.is_empty() {
            return;
        }
        let shell_name = !state.bare && !name.contains('/');
        if shell_name {
            if self.call(name, state, input) || self.builtin(name, arguments, state, input) {
                return;
            }
            if super::builtin::has_exec(name) {
                self.program(first, name, arguments, state, input, inner);
                return self.after_exec(name, arguments, state, input);
            }
        }
        self.program(first, name, arguments, state, input, inner);
    }

    /// A command whose very name is not known may be any.
    fn unknown_program(&mut self, first: &Word, arguments: &[Word], state: &State) {
        let reason = super::builtin::first_doubt(std::slice::from_ref(first));
        self.unknown(Verb::Exec, reason);
        // It may be an `exit`.
        self.ended = true;
        let reading = options::read("", None, arguments);
        self.suspects(&reading, "", state);
    }

    fn program(
        &mut self,
        first: &Word,
        name: &str,
        arguments: &[Word],
        state: &State,
        input: &Input,
        inner: &[usize],
    ) {
        let base = name.rsplit('/').next().unwrap_or(name);
        let (words, clauses) = match base {
            "find" => find_clauses(arguments),
            "fd" | "fdfind" => fd_clauses(arguments),
            "tar" | "bsdtar" => (super::archive::dashed(arguments), Vec::new()),
            "ar" | "gcc-ar" | "llvm-ar" => (super::archive::lettered(arguments), Vec::new()),
            "env" => (super::wrapper::spelt_out(arguments), Vec::new()),
            _ => (arguments.to_vec(), Vec::new()),
        };
        let table = program::find(base);
        let mut reading = options::read(base, table, &words);
        if base == "git" {
            super::git::spell_out(&mut reading);
        }
        let mut at = state.clone();
        if !matches!(base, "tar" | "bsdtar") {
            self.options_directory(&reading, &mut at);
        }
        let mut doubts = self.doubts_of(name, &reading, state);
        if base == "git" {
            doubts.extend(self.foreign_repository(&at));
        }
        let shell = self.shell_input(base, table, &reading, input);
        doubts.extend(shell.doubt.clone());
        let mut fed_by = input.feeders.clone();
        if matches!(input.text, Fed::Nothing | Fed::Files) && input.feeders.is_empty() {
            fed_by = inner.to_vec();
        }
        self.feeds_of_files(name, &reading, &at, &mut fed_by);
        fed_by.sort_unstable();
        fed_by.dedup();
        let transparent = is_transparent(table, &reading, &shell, !clauses.is_empty());
        let command = Command {
            program: Name {
                word: first.clone(),
                file: self.program_file(name, state),
                known: table.is_some(),
            },
            args: Vec::new(),
            fed_by,
            doubts,
            transparent,
            status: self.status,
        };
        let outer = self.within;
        let start = self.accesses.len();
        self.executes(&command, &reading, &at);
        self.within = Some(start);
        self.effects(base, &reading, &at, input);
        self.passes_on(&command.fed_by, start);
        self.interpret(base, &reading, &at, input, shell);
        self.runs_written(name, &at);
        if transparent {
            self.wrapped(base, &reading, &at, input);
        } else {
            self.hidden(|walker| walker.wrapped(base, &reading, &at, input));
        }
        if table.is_none() && !super::builtin::has_exec(name) {
            self.hidden(|walker| walker.perhaps_wrapped(base, arguments, &at));
        }
        for clause in clauses {
            match base {
                "find" => self.find_clause(&clause, &words, &at),
                _ => self.fd_clause(&clause, &reading, &at),
            }
        }
        self.within = outer;
    }

    /// What a command reads of a file that this text wrote feeds it, and what feeds it is held by
    /// the files that it writes.
    fn passes_on(&mut self, fed_by: &[usize], start: usize) {
        let mut feeders = [fed_by, &self.writers_since(start)].concat();
        feeders.retain(|feeder| *feeder < start);
        feeders.sort_unstable();
        feeders.dedup();
        if feeders.is_empty() {
            return;
        }
        let mut written = Vec::new();
        for access in self.accesses.iter_mut().skip(start) {
            match &mut access.target {
                Target::Exec(command) => command.fed_by.clone_from(&feeders),
                Target::Write(path) => written.push(path.written.clone()),
                Target::Read(_) | Target::Connect(_) | Target::Call(_) | Target::Unknown { .. } => {
                }
            }
        }
        for path in written {
            let held = self.written.entry(path).or_default();
            held.extend(
                feeders.iter().filter(|feeder| !held.contains(feeder)).copied().collect::<Vec<_>>(),
            );
        }
    }

    /// The exec access, once for each directory in which its words mean something else.
    fn executes(&mut self, command: &Command, reading: &Reading, state: &State) {
        let mut seen: Vec<Command> = Vec::new();
        for directory in each_directory(state) {
            let args = self.args_of(reading, directory.as_ref());
            let command = Command { args, ..command.clone() };
            if !seen.contains(&command) {
                self.certain(Target::Exec(command.clone()));
                seen.push(command);
            }
        }
    }

    fn doubts_of(&self, name: &str, reading: &Reading, state: &State) -> Vec<Doubt> {
        let mut doubts = state.hazards.clone();
        if state.redefined.contains(name) {
            doubts.push(Doubt::Redefined(name.to_owned()));
        }
        doubts.extend(reading.doubts.iter().cloned());
        if name.rsplit('/').next() == Some("git") {
            doubts.extend(super::configured::doubt(reading));
        }
        if !name.contains('/')
            && let Ok(Some(path)) = self.place.world.find_program(name)
            && (path.is_within(self.place.workspace) || path.is_within(self.place.tmp))
        {
            doubts.push(Doubt::WritableProgram(path.as_str().to_owned()));
        }
        doubts
    }

    fn program_file(&self, name: &str, state: &State) -> Option<PathTarget> {
        if !name.contains('/') {
            return None;
        }
        let first = state.directories.as_deref().and_then(<[AbsPath]>::first);
        paths::target(name, first, self.place).ok()
    }

    /// `git -C`, `make -C`, `env -C`: what follows is relative to there.
    pub(super) fn options_directory(&self, reading: &Reading, state: &mut State) {
        for item in &reading.items {
            let (Kind::Directory, Role::Option { value: Some(value), .. }) =
                (item.kind, &item.arg.role)
            else {
                continue;
            };
            let moved = value.as_known().and_then(|text| {
                let from = state.directories.as_deref();
                let all: Result<Vec<AbsPath>, Doubt> = match (text.starts_with('/'), from) {
                    (true, _) => paths::target(text, None, self.place).map(|t| vec![t.written]),
                    (false, Some(from)) => from
                        .iter()
                        .map(|d| paths::target(text, Some(d), self.place).map(|t| t.written))
                        .collect(),
                    (false, None) => Err(Doubt::DirectoryUnknown),
                };
                all.ok()
            });
            state.directories = moved;
        }
    }

    fn args_of(&self, reading: &Reading, directory: Option<&AbsPath>) -> Vec<Arg> {
        let mut args: Vec<Arg> = Vec::new();
        for item in &reading.items {
            let mut arg = item.arg.clone();
            arg.path = self.arg_path(item, directory);
            args.push(arg);
        }
        if let Some((_, words)) = &reading.rest {
            args.extend(words.iter().map(|word| Arg {
                word: word.clone(),
                role: Role::Operand,
                path: None,
            }));
        }
        args
    }

    /// Where a word leads if it is a path. A rule may name any operand by its path (policy language
    /// §11.15), so one of which no table says what it is counts as well.
    fn arg_path(&self, item: &Item, directory: Option<&AbsPath>) -> Option<PathTarget> {
        let word = match &item.arg.role {
            Role::Operand => &item.arg.word,
            Role::Option { value: Some(value), .. } => value,
            Role::Option { value: None, .. } | Role::EndOfOptions => return None,
        };
        let text = word.as_known()?;
        let is_url = !super::operands::is_path(item.kind) && text.contains("://");
        if text.is_empty() || is_url || super::operands::is_no_access(text) {
            return None;
        }
        paths::target(text, directory, self.place).ok()
    }

    /// A program, script or input that this text wrote before holds what those commands printed.
    fn feeds_of_files(
        &self,
        name: &str,
        reading: &Reading,
        state: &State,
        fed_by: &mut Vec<usize>,
    ) {
        let scripts = reading
            .items
            .iter()
            .filter_map(|item| match (&item.arg.role, item.kind) {
                (Role::Operand, Kind::Script | Kind::Read) => Some(&item.arg.word),
                (Role::Option { value, .. }, Kind::Script) => value.as_ref(),
                _ => None,
            })
            .filter_map(Word::as_known);
        let own = name.contains('/').then_some(name);
        let sourced = matches!(name, "." | "source")
            .then(|| reading.items.first().and_then(|item| item.arg.word.as_known()))
            .flatten();
        for text in scripts.chain(own).chain(sourced) {
            for directory in each_directory(state) {
                if let Ok(target) = paths::target(text, directory.as_ref(), self.place)
                    && let Some(feeders) = self.written.get(&target.written)
                {
                    fed_by.extend(feeders);
                }
            }
        }
    }

    /// What a wrapper runs.
    fn wrapped(&mut self, base: &str, reading: &Reading, state: &State, input: &Input) {
        let mut inner = state.clone();
        inner.bare = true;
        for item in &reading.items {
            self.wrapper_option(base, item, &mut inner, input);
        }
        let entrypoint = entrypoint(base, reading);
        let (kind, words) = match &reading.rest {
            Some((Kind::Module, words)) => return self.module(base, reading, words, &inner, input),
            Some((kind, words)) => (*kind, words.as_slice()),
            None if entrypoint.is_some() => (Kind::Command, [].as_slice()),
            None => return self.fed_shell(base, input, &inner),
        };
        let words: Vec<Word> = match base {
            "xargs" => fill(words, reading, input),
            "parallel" | "parallel.moreutils" => super::parallel::texts(words, &reading.items),
            "hyperfine" | "pee" => super::parallel::lines(words),
            _ => entrypoint.into_iter().chain(words.iter().cloned()).collect(),
        };
        // What starts with a dash is for the program that the image names.
        let for_image = |word: &Word| word.as_known().is_some_and(|text| text.starts_with('-'));
        if words.first().is_none_or(|word| super::elsewhere::is_container(base) && for_image(word))
        {
            return;
        }
        if super::elsewhere::runs_elsewhere(base) {
            // Other files, another home: nothing relative is known there.
            inner.directories = None;
        }
        if self.level >= crate::limits::WRAPPER_DEPTH_MAX {
            return self.everything(&Doubt::Limit("wrapper depth"));
        }
        if kind == Kind::ShellText {
            inner.bare = false;
            return match super::builtin::joined(&words) {
                Some(text) => self.text(&text, &mut inner, &Input::default(), true),
                None => self.everything(&super::builtin::first_doubt(&words)),
            };
        }
        self.level += 1;
        let input = if base == "xargs" {
            Input { feeders: input.feeders.clone(), text: Fed::Nothing }
        } else {
            input.clone()
        };
        self.argv(&words, &mut inner, &input, &[]);
        self.level -= 1;
    }

    /// `python -m MODULE`: it reads, writes and reaches what the program of that name does; but it
    /// is no run of that program, so that the exec counts only where an ask or deny fits.
    fn module(
        &mut self,
        base: &str,
        reading: &Reading,
        words: &[Word],
        inner: &State,
        input: &Input,
    ) {
        let value = |item: &Item| match &item.arg.role {
            Role::Option { value, .. } if item.kind == Kind::Module => value.clone(),
            _ => None,
        };
        let Some(module) = reading.items.last().and_then(value) else { return };
        let named = match (base, module.as_known()) {
            ("cmake", Some(tool)) => cmake_tool(tool).iter().copied().map(Word::known).collect(),
            _ => vec![module],
        };
        let first = named.first().and_then(Word::as_known);
        let known = first.is_some_and(|name| program::find(name).is_some());
        if !known || self.level >= crate::limits::WRAPPER_DEPTH_MAX {
            let reading = options::read(base, None, words);
            return reading.items.iter().for_each(|item| self.perhaps_path(base, item, inner));
        }
        let start = self.accesses.len();
        let words: Vec<Word> = named.into_iter().chain(words.iter().cloned()).collect();
        self.level += 1;
        self.argv(&words, &mut inner.clone(), input, &[]);
        self.level -= 1;
        if let Some(access) = self.accesses.get_mut(start) {
            access.certainty = Certainty::Suspected(Doubt::InlineCode(base.to_owned()));
        }
    }

    /// A program without a table may run what its words spell: suspected, so that a deny still
    /// sees the `rm` of `watch rm x` or `parallel 'rm {}'`.
    fn perhaps_wrapped(&mut self, base: &str, arguments: &[Word], state: &State) {
        if self.level >= crate::limits::WRAPPER_DEPTH_MAX {
            return;
        }
        let known = |text: &str| {
            let name = text.rsplit('/').next().unwrap_or(text);
            program::find(name).is_some() || super::builtin::has_exec(name)
        };
        let start = self.accesses.len();
        self.level += 1;
        for (at, word) in arguments.iter().enumerate() {
            let Some(text) = word.as_known() else { continue };
            let mut inner = state.clone();
            if known(text) {
                inner.bare = true;
                let rest = arguments.get(at..).unwrap_or_default();
                self.argv(rest, &mut inner, &Input::default(), &[]);
                break;
            }
            let named = text.split_whitespace().next();
            // Prose that starts like a command is no command if no shell could read it.
            if named.is_some_and(|first| first != text && known(first)) && self.is_readable(text) {
                self.text(text, &mut inner, &Input::default(), true);
            }
        }
        self.level -= 1;
        let doubt = Doubt::UnknownProgram(base.to_owned());
        for access in self.accesses.iter_mut().skip(start) {
            access.certainty = Certainty::Suspected(doubt.clone());
        }
    }

    fn wrapper_option(&mut self, base: &str, item: &Item, inner: &mut State, input: &Input) {
        match &item.arg.role {
            Role::Option { value: Some(value), .. } if item.kind == Kind::ShellText => {
                match value.as_known() {
                    Some(text) => self.text(text, &mut inner.clone(), input, true),
                    None => {
                        self.everything(&super::builtin::first_doubt(std::slice::from_ref(value)))
                    }
                }
            }
            Role::Option { class, .. } => {
                let (program, option) = (base.to_owned(), item.arg.word.to_string());
                match class {
                    OptionClass::Unknown => inner.hazard(Doubt::UnknownOption { program, option }),
                    OptionClass::Hazardous => {
                        inner.hazard(Doubt::HazardousOption { program, option });
                    }
                    OptionClass::Harmless | OptionClass::Plain => {}
                }
            }
            Role::Operand if item.kind == Kind::Assignment => {
                let name = item.arg.word.to_string();
                let (name, text) = name.split_once('=').unwrap_or((&name, ""));
                let value = match item.arg.word.as_known() {
                    Some(_) => crate::shell::vars::Value::Texts(vec![text.to_owned()]),
                    None => crate::shell::vars::Value::Unknown(Doubt::CommandOutput),
                };
                self.note_hazard(name, &value, inner);
            }
            Role::Operand | Role::EndOfOptions => {}
        }
    }
}

/// Whether the command only runs what is judged on its own.
fn is_transparent(
    table: Option<&'static Program>,
    reading: &Reading,
    shell: &super::interpreter::ShellText,
    clauses: bool,
) -> bool {
    let pure = table.is_some_and(|table| table.wrapper == Some(Wrapper::Pure));
    let runs = reading.rest.as_ref().is_some_and(|(_, words)| !words.is_empty());
    let shell_text = interprets(table) == Some(program::Interpreter::Shell)
        && shell.doubt.is_none()
        && matches!(shell.text, Some(Some(_)));
    let writes = ["-delete", "-fprint", "-fprint0", "-fls", "-fprintf"];
    let deletes = writes.iter().any(|name| reading.has(&[(*name).to_owned()]));
    pure && runs || shell_text || clauses && !deletes
}

/// Every directory that the command may run in; nothing where none is known.
pub(super) fn each_directory(state: &State) -> Vec<Option<AbsPath>> {
    match &state.directories {
        Some(all) => all.iter().cloned().map(Some).collect(),
        None => vec![None],
    }
}

/// What a container runs in place of what its image would.
fn entrypoint(base: &str, reading: &Reading) -> Option<Word> {
    if !super::elsewhere::is_container(base) {
        return None;
    }
    reading.items.iter().rev().find_map(|item| match &item.arg.role {
        Role::Option { value, .. } if item.is_any(&["--entrypoint".to_owned()]) => value.clone(),
        _ => None,
    })
}

/// The words that `xargs` makes from its input.
fn fill(words: &[Word], reading: &Reading, input: &Input) -> Vec<Word> {
    let replaced = reading.items.iter().find_map(|item| match &item.arg.role {
        Role::Option { spellings, value, .. }
            if spellings.iter().any(|s| s == "-I" || s == "-i") =>
        {
            Some(value.as_ref().and_then(Word::as_known).unwrap_or("{}").to_owned())
        }
        _ => None,
    });
    let separated = reading.has(&["-0".to_owned(), "-d".to_owned()]);
    let from_file = reading.has(&["-a".to_owned()]);
    let reason = super::builtin::doubt_of(input).unwrap_or(Doubt::CommandOutput);
    // Blanks and quotes split a name, or join two.
    let split = |name: &String| name.contains([' ', '\t', '\n', '\'', '"', '\\']);
    let names = match &input.text {
        _ if from_file => vec![Word::unknown(reason.clone())],
        Fed::Text(text) if !separated && !text.contains(['\'', '"', '\\']) => {
            text.split_whitespace().map(Word::known).collect()
        }
        Fed::Names(names) if separated || !names.iter().any(split) => {
            names.iter().map(Word::known).collect()
        }
        _ => vec![Word::unknown(reason.clone())],
    };
    if words.is_empty() {
        return Vec::new();
    }
    let Some(mark) = replaced else { return words.iter().cloned().chain(names).collect() };
    // Each line is one, whatever it holds.
    let lines: Option<Vec<&str>> = match &input.text {
        _ if from_file => None,
        Fed::Text(text) if !separated && !text.contains(['\'', '"', '\\']) => {
            Some(text.lines().map(str::trim_start).filter(|line| !line.is_empty()).collect())
        }
        Fed::Names(all) if separated || !all.iter().any(split) => {
            Some(all.iter().map(String::as_str).collect())
        }
        _ => None,
    };
    let lines = lines.filter(|all| !all.is_empty() && all.len() <= WORD_VALUES_MAX);
    // In a text of several words it may be code, which no name of now settles.
    let code =
        |text: &str| matches!(&input.text, Fed::Names(_)) && text.contains(char::is_whitespace);
    let filled = |text: &str| match &lines {
        Some(all) if !code(text) => {
            Word::one_of(all.iter().map(|line| text.replace(&mark, line)).collect())
        }
        Some(_) | None => Word::unknown(reason.clone()),
    };
    words
        .iter()
        .map(|word| match word.as_known() {
            Some(text) if text.contains(&mark) => filled(text),
            _ => word.clone(),
        })
        .collect()
}

/// What a table says of the program, if it has one.
pub(super) fn interprets(table: Option<&'static Program>) -> Option<program::Interpreter> {
    table.and_then(|table| table.interpreter)
}

/// The command that does what this tool of `cmake -E` does; what has a command's name is as that.
fn cmake_tool(tool: &str) -> Vec<&str> {
    match tool {
        "copy" | "copy_if_different" => vec!["cp"],
        "copy_directory" | "copy_directory_if_different" => vec!["cp", "-r"],
        "create_hardlink" => vec!["ln"],
        "create_symlink" => vec!["ln", "-s"],
        "make_directory" => vec!["mkdir", "-p"],
        "remove" => vec!["rm"],
        "remove_directory" => vec!["rm", "-r"],
        "rename" => vec!["mv"],
        "touch_nocreate" => vec!["touch", "-c"],
        _ => vec![tool],
    }
}
