//! A simple command: what runs to make its words, what it assigns and where it is redirected.

use super::Walker;
use super::state::{Fed, Input, State};
use crate::model::access::{Access, Target, Verb};
use crate::model::doubt::Doubt;
use crate::model::host::Authority;
use crate::model::path::AbsPath;
use crate::model::url::{Destination, Network};
use crate::model::word::Word as Value;
use crate::shell::expand::{self, constant};
use crate::shell::ir::{Assigned, Assignment, Piece, Redirect, RedirectKind, Simple, Word};
use crate::shell::vars;

/// Builtins before which an assignment stays, where the shell is a POSIX one.
const SPECIAL: [&str; 15] = [
    ":", ".", "source", "eval", "exec", "exit", "export", "readonly", "return", "set", "shift",
    "times", "trap", "unset", "command",
];

/// Values of several words are tried together up to this many combinations.
const COMBINATIONS_MAX: usize = 64;

impl Walker<'_> {
    pub(super) fn simple(&mut self, simple: &Simple, state: &mut State, input: &Input) {
        if !self.count() {
            return;
        }
        let before_words = self.accesses.len();
        for word in &simple.words {
            self.substitutions(word, state, input);
        }
        let mut inner_feeders = self.commands_since(before_words);
        inner_feeders.extend(held_in(&simple.words, state));
        let mut words: Vec<Value> = Vec::new();
        for word in &simple.words {
            // What names a program, or is a text to be run, is not settled by the names of now.
            let code = words.first().is_none_or(|first| first.as_known() == Some("eval"));
            words.extend(match code {
                true => expand::fields(word, self.known(state)),
                false => self.fields(word, state),
            });
        }
        let (mut input, outputs) = self.redirects(&simple.redirects, state, input);
        if words.is_empty() {
            for assignment in &simple.assignments {
                self.assign(assignment, state);
            }
            return;
        }
        input.feeders.extend(&inner_feeders);
        let printed = (!outputs.is_empty()).then(|| self.printed(simple, state)).flatten();
        let start = self.accesses.len();
        if simple.assignments.is_empty() {
            self.expanded(words, state, &input, &inner_feeders);
        } else {
            // They hold for this command alone, but a `cd` or a definition stays.
            let before = state.clone();
            // `IFS= read` splits what is read, nothing else: what it sets is unknown anyway.
            let reads = words.first().and_then(Value::as_known) == Some("read");
            for assignment in &simple.assignments {
                if reads && assignment.name == "IFS" {
                    if let Assigned::Scalar(word) = &assignment.value {
                        self.substitutions(word, state, &input);
                    }
                } else {
                    self.assign(assignment, state);
                }
            }
            let set = state.clone();
            let special = words
                .first()
                .and_then(Value::as_known)
                .is_none_or(|name| SPECIAL.contains(&name) || self.functions.contains_key(name));
            self.expanded(words, state, &input, &inner_feeders);
            for assignment in &simple.assignments {
                let name = assignment.name.as_str();
                if special || state.vars.get(name) != set.vars.get(name) {
                    // A special builtin keeps it in `sh`; a builtin may have set the name itself.
                    let doubt = Doubt::Variable(name.to_owned());
                    state.vars.set(name, vars::Value::Unknown(doubt));
                } else {
                    state.vars.restore(name, before.vars.get(name));
                }
            }
            if !special {
                let passing =
                    |doubt: &Doubt| set.hazards.contains(doubt) && !before.hazards.contains(doubt);
                state.hazards.retain(|doubt| !passing(doubt));
            }
        }
        self.holds(&outputs, start);
        if let Some(text) = printed {
            self.holds_text(&outputs, &text);
        }
        self.feeds_processes(simple, before_words, start);
    }

    /// `>(...)` runs beside the command and gets its output: what ran to make the words is fed by
    /// what was then run.
    fn feeds_processes(&mut self, simple: &Simple, from: usize, start: usize) {
        let is_fed = |piece: &Piece| matches!(piece, Piece::Process { output: false, .. });
        let in_words = simple.words.iter().any(|word| word.pieces.iter().any(is_fed));
        let in_redirects = simple.redirects.iter().any(|redirect| match &redirect.kind {
            RedirectKind::Output(word) | RedirectKind::Duplicate(word) => {
                word.pieces.iter().any(is_fed)
            }
            RedirectKind::Input(_) | RedirectKind::Both(_) | RedirectKind::Text(_) => false,
        });
        if !in_words && !in_redirects {
            return;
        }
        let feeders = self.commands_since(start);
        for access in self.accesses.iter_mut().take(start).skip(from) {
            if let Target::Exec(command) = &mut access.target {
                command.fed_by.extend(&feeders);
            }
        }
    }

    fn expanded(&mut self, words: Vec<Value>, state: &mut State, input: &Input, inner: &[usize]) {
        let program = words.first().filter(|word| {
            matches!(word, Value::Unknown(unknown) if matches!(unknown.reason, Doubt::Glob(_)))
        });
        let program = program.cloned();
        let mut words = self.globbed(words, state);
        // No program has such a name: one that fits may be there when it runs.
        if let (Some(pattern), Some(first)) = (program, words.first_mut())
            && first.as_known().is_some_and(|text| {
                // A bracket that nothing closes is the command of that name.
                text.contains(['*', '?']) || text.contains('[') && text.contains(']')
            })
        {
            *first = pattern;
        }
        let combinations = combine(&words);
        if let [only] = combinations.as_slice() {
            return self.argv(only, state, input, inner);
        }
        let before = state.clone();
        let mut after: Option<State> = None;
        for words in combinations {
            let mut one = before.clone();
            self.argv(&words, &mut one, input, inner);
            match &mut after {
                Some(after) => after.join(one),
                None => after = Some(one),
            }
        }
        *state = after.unwrap_or(before);
    }

    /// Walks every script that runs while `word` is made; each is a subshell.
    pub(super) fn substitutions(&mut self, word: &Word, state: &mut State, input: &Input) {
        let fed = word.pieces.iter().any(|p| matches!(p, Piece::Process { output: false, .. }));
        let inner = if fed {
            // What it gets is the output of the command that the word belongs to.
            let text = Fed::Unknown(Doubt::CommandOutput);
            Input { feeders: input.feeders.clone(), text }
        } else {
            Input { feeders: Vec::new(), text: input.text.clone() }
        };
        for script in word.scripts() {
            self.hidden(|walker| {
                walker.apart(|walker| walker.script(script, &mut state.clone(), &inner));
            });
        }
        self.evaluated_in(word, state);
        self.defaults(word, state);
    }

    /// `${x:=word}` is an assignment wherever it stands.
    fn defaults(&mut self, word: &Word, state: &mut State) {
        for piece in &word.pieces {
            match piece {
                Piece::Default { name, word, assigns, .. } => {
                    self.defaults(word, state);
                    if *assigns {
                        let value = vars::Value::Unknown(Doubt::Variable(name.clone()));
                        self.note_hazard(name, &value, state);
                        state.vars.set(name, value);
                    }
                }
                Piece::Opaque { holds, evaluates, .. } => {
                    holds.iter().chain(evaluates).for_each(|word| self.defaults(word, state));
                }
                Piece::Text { .. }
                | Piece::Variable { .. }
                | Piece::Substitution { .. }
                | Piece::Process { .. } => {}
            }
        }
    }

    pub(super) fn assign(&mut self, assignment: &Assignment, state: &mut State) {
        let name = assignment.name.as_str();
        let start = self.accesses.len();
        let words = match &assignment.value {
            Assigned::Scalar(word) => std::slice::from_ref(word),
            Assigned::Array(words) => words,
        };
        let mut feeders = held_in(words, state);
        let value = match &assignment.value {
            Assigned::Scalar(word) => {
                self.substitutions(word, state, &Input::default());
                let number = self.is_number_word(word, state);
                match expand::single(word, self.known(state)) {
                    Value::Unknown(_) if number => super::arithmetic::number(),
                    Value::Unknown(unknown)
                        if unknown.reason == crate::model::doubt::Doubt::Expansion("integer") =>
                    {
                        vars::Value::Unknown(Doubt::Variable(name.to_owned()))
                    }
                    Value::Known(text) => vars::Value::Texts(vec![text]),
                    Value::OneOf(texts) => vars::Value::Texts(texts),
                    Value::Unknown(unknown) => vars::Value::Unknown(unknown.reason),
                }
            }
            Assigned::Array(words) => {
                let mut texts = Some(Vec::new());
                for word in words {
                    self.substitutions(word, state, &Input::default());
                    for field in expand::fields(word, self.known(state)) {
                        match (field, &mut texts) {
                            (Value::Known(text), Some(texts)) => texts.push(text),
                            _ => texts = None,
                        }
                    }
                }
                match texts {
                    Some(texts) => vars::Value::Array(texts),
                    None => vars::Value::Unknown(Doubt::Variable(name.to_owned())),
                }
            }
        };
        feeders.extend(self.commands_since(start));
        if !assignment.append && !assignment.indexed {
            state.held.remove(name);
        }
        state.holds(name, &feeders);
        let value = if assignment.append
            && super::arithmetic::is_number(&value)
            && state.vars.get(name).is_some_and(super::arithmetic::is_number)
            && (value == super::arithmetic::number()
                || state.vars.get(name) == Some(&super::arithmetic::number()))
        {
            super::arithmetic::number()
        } else if assignment.append || assignment.indexed {
            self.appended(name, assignment, value, state)
        } else {
            value
        };
        let value = if state.readonly.contains(name) {
            vars::Value::Unknown(Doubt::Variable(name.to_owned()))
        } else {
            value
        };
        self.note_hazard(name, &value, state);
        state.vars.set(name, value);
    }

    fn appended(
        &self,
        name: &str,
        assignment: &Assignment,
        value: vars::Value,
        state: &State,
    ) -> vars::Value {
        match (state.vars.get(name), value) {
            (Some(vars::Value::Texts(before)), vars::Value::Texts(after))
                if !assignment.indexed && before.len() * after.len() <= 64 =>
            {
                let mut all = Vec::new();
                for head in before {
                    all.extend(after.iter().map(|tail| format!("{head}{tail}")));
                }
                let bytes: usize = all.iter().map(String::len).sum();
                self.made_bytes.set(self.made_bytes.get().saturating_add(bytes));
                if bytes > crate::limits::WORD_BYTES_MAX {
                    vars::Value::Unknown(Doubt::Limit("expanded bytes"))
                } else {
                    vars::Value::Texts(all)
                }
            }
            _ => vars::Value::Unknown(Doubt::Variable(name.to_owned())),
        }
    }

    /// The accesses of redirections; gives the input they make and the files that get the output.
    pub(super) fn redirects(
        &mut self,
        redirects: &[Redirect],
        state: &mut State,
        input: &Input,
    ) -> (Input, Vec<AbsPath>) {
        let mut input = input.clone();
        let mut outputs = Vec::new();
        for redirect in redirects {
            let (RedirectKind::Input(word)
            | RedirectKind::Output(word)
            | RedirectKind::Both(word)
            | RedirectKind::Duplicate(word)
            | RedirectKind::Text(word)) = &redirect.kind;
            let start = self.accesses.len();
            self.substitutions(word, state, &Input::default());
            let mut feeders = self.commands_since(start);
            feeders.extend(held_in(std::slice::from_ref(word), state));
            let value = match &redirect.kind {
                RedirectKind::Text(_) => expand::single(word, self.known(state)),
                _ => self.redirect_target(word, state),
            };
            let stdin = redirect.fd.is_none_or(|fd| fd == 0);
            match &redirect.kind {
                RedirectKind::Input(_) => {
                    let from = self.accesses.len();
                    self.redirected(&value, &[Verb::Read], state, &mut Vec::new());
                    let feeders = [feeders, self.writers_since(from)].concat();
                    if stdin {
                        let text = self.fed_by_file(word, &value, state);
                        input = Input { feeders, text };
                    }
                }
                RedirectKind::Output(_) => {
                    self.redirected(&value, &[Verb::Write], state, &mut outputs);
                }
                RedirectKind::Both(_) => {
                    self.redirected(&value, &[Verb::Read, Verb::Write], state, &mut outputs);
                    if stdin {
                        let text = self.fed_by_file(word, &value, state);
                        input = Input { feeders, text };
                    }
                }
                RedirectKind::Duplicate(_) => {
                    let descriptor = value.as_known().is_some_and(|text| {
                        text == "-"
                            || text.trim_end_matches('-').bytes().all(|b| b.is_ascii_digit())
                    });
                    if !descriptor {
                        self.redirected(&value, &[Verb::Write], state, &mut outputs);
                    } else if redirect.fd == Some(0) && !matches!(value.as_known(), Some("0" | "-"))
                    {
                        // What was opened at another descriptor is not followed.
                        let doubt = Doubt::Other("it comes from another descriptor".to_owned());
                        input = Input { feeders, text: Fed::Unknown(doubt) };
                    }
                }
                RedirectKind::Text(_) if stdin => {
                    let text = match value {
                        Value::Known(text) => Fed::Text(text),
                        Value::OneOf(_) => Fed::Unknown(Doubt::TooManyValues),
                        Value::Unknown(unknown) => Fed::Unknown(unknown.reason),
                    };
                    input = Input { feeders, text };
                }
                RedirectKind::Text(_) => {}
            }
        }
        (input, outputs)
    }

    /// What a command reads of the file that its input is.
    fn fed_by_file(&mut self, word: &Word, value: &Value, state: &State) -> Fed {
        let process = |piece: &Piece| matches!(piece, Piece::Process { .. });
        let connects = |text: &String| socket(text).is_some();
        match self.fed_by_process(word, state) {
            Some(text) => text,
            None if word.pieces.iter().any(process) => Fed::Unknown(Doubt::CommandOutput),
            None if value.values().is_some_and(|texts| texts.iter().any(connects)) => {
                Fed::Unknown(Doubt::Other("it comes from a connection".to_owned()))
            }
            None if value.as_known() == Some("/dev/null") => Fed::Text(String::new()),
            None => Fed::Files,
        }
    }

    /// The file that a redirection names; a pattern is expanded there too.
    fn redirect_target(&mut self, word: &Word, state: &State) -> Value {
        let target = expand::target(word, self.known(state));
        let names = self.globbed(vec![target], state);
        let known: Option<Vec<String>> =
            names.iter().map(|name| name.as_known().map(str::to_owned)).collect();
        match (known, names.as_slice()) {
            (_, [only]) => only.clone(),
            (Some(names), _) => Value::one_of(names),
            (None, _) => Value::unknown(Doubt::TooManyValues),
        }
    }

    fn redirected(
        &mut self,
        value: &Value,
        verbs: &[Verb],
        state: &State,
        outputs: &mut Vec<AbsPath>,
    ) {
        let texts = match value {
            Value::Known(text) => std::slice::from_ref(text),
            Value::OneOf(texts) => texts,
            Value::Unknown(unknown) => {
                for verb in verbs {
                    self.unknown(*verb, unknown.reason.clone());
                }
                return;
            }
        };
        for text in texts {
            if let Some(rest) = socket(text) {
                self.raw_socket(rest);
                continue;
            }
            if super::operands::is_no_access(text) {
                continue;
            }
            for target in self.targets(text, state, verbs) {
                for verb in verbs {
                    self.certain(match verb {
                        Verb::Read => Target::Read(target.clone()),
                        _ => Target::Write(target.clone()),
                    });
                }
                if verbs.contains(&Verb::Write) {
                    self.made.insert(target.written.clone());
                    outputs.push(target.written);
                }
            }
        }
    }

    fn raw_socket(&mut self, text: &str) {
        let authority = text
            .split_once('/')
            .and_then(|(host, port)| Authority::parse(&format!("{host}:{port}")).ok());
        match authority {
            Some(authority) => {
                let network = Network::from_authority(authority);
                self.certain(Target::Connect(Destination::Network(network)));
            }
            None => self.unknown(Verb::Connect, Doubt::Expansion("socket")),
        }
    }

    /// The text of `< <(echo ...)`, or the names of `< <(find ...)`, if they are settled.
    fn fed_by_process(&mut self, word: &Word, state: &State) -> Option<Fed> {
        let [Piece::Process { script, output: true }] = word.pieces.as_slice() else { return None };
        match constant(script, self.known(state)) {
            Some(text) => Some(Fed::Text(text)),
            None => self.names_of(script, state).map(Fed::Names),
        }
    }

    /// The commands whose output the files hold that were read since `start`.
    pub(super) fn writers_since(&self, start: usize) -> Vec<usize> {
        let read = |access: &Access| match &access.target {
            Target::Read(path) => self.written.get(&path.written).cloned(),
            _ => None,
        };
        self.accesses.iter().skip(start).filter_map(read).flatten().collect()
    }

    /// Remembers that these files hold the output of the commands since `start`.
    pub(super) fn holds(&mut self, outputs: &[AbsPath], start: usize) {
        if outputs.is_empty() {
            return;
        }
        let feeders = self.commands_since(start);
        for path in outputs {
            self.written.entry(path.clone()).or_default().extend(&feeders);
        }
    }
}

/// The commands whose output the variables in these words hold.
pub(super) fn held_in(words: &[Word], state: &State) -> Vec<usize> {
    if state.held.is_empty() {
        return Vec::new();
    }
    let mut all = Vec::new();
    let mut open: Vec<&Word> = words.iter().collect();
    while let Some(word) = open.pop() {
        for piece in &word.pieces {
            let name = match piece {
                Piece::Variable { name, .. } => Some(name),
                Piece::Default { name, word, .. } => {
                    open.push(word);
                    Some(name)
                }
                Piece::Opaque { evaluates, holds, of, .. } => {
                    open.extend(evaluates.iter().chain(holds));
                    of.as_ref()
                }
                Piece::Text { .. } | Piece::Substitution { .. } | Piece::Process { .. } => None,
            };
            all.extend(name.and_then(|name| state.held.get(name)).into_iter().flatten());
        }
    }
    all
}

/// What follows `/dev/tcp/`, which bash connects to.
fn socket(text: &str) -> Option<&str> {
    text.strip_prefix("/dev/tcp/").or_else(|| text.strip_prefix("/dev/udp/"))
}

/// Every combination of the words' values, or the words as they are if there are too many.
fn combine(words: &[Value]) -> Vec<Vec<Value>> {
    let count = words.iter().fold(1_usize, |count, word| match word {
        Value::OneOf(texts) => count.saturating_mul(texts.len()),
        Value::Known(_) | Value::Unknown(_) => count,
    });
    if count > COMBINATIONS_MAX {
        return vec![words.to_vec()];
    }
    let mut all: Vec<Vec<Value>> = vec![Vec::with_capacity(words.len())];
    for word in words {
        let Value::OneOf(texts) = word else {
            all.iter_mut().for_each(|one| one.push(word.clone()));
            continue;
        };
        let with = |head: &Vec<Value>, text: &String| {
            let mut one = head.clone();
            one.push(Value::known(text));
            one
        };
        all = all.iter().flat_map(|head| texts.iter().map(|text| with(head, text))).collect();
    }
    all
}
