//! Walks a script: every branch is taken, and what may differ after it is joined.

use super::Walker;
use super::nodes::{assigned_in, inner_nodes, returns_early, status_of};
use super::simple::held_in;
use super::state::{Fed, Input, State};
use crate::model::access::Status;
use crate::model::doubt::Doubt;
use crate::model::word::Word as Value;
use crate::shell::expand::{self, Known};
use crate::shell::ir::{Assigned, Link, Node, Piece, Script, Simple, Word};
use crate::shell::vars;
use std::collections::BTreeSet;

impl Walker<'_> {
    pub(super) fn script(&mut self, script: &Script, state: &mut State, input: &Input) {
        let Some((last, before)) = script.nodes.split_last() else { return };
        for node in before {
            if state.stops && self.status == Status::Whole {
                self.chained(|walker| walker.node(node, state, input));
            } else {
                // What stands before a `;` has no say in the exit status.
                self.hidden(|walker| walker.node(node, state, input));
            }
        }
        if state.stops && self.status == Status::Whole {
            self.chained(|walker| walker.node(last, state, input));
        } else {
            self.node(last, state, input);
        }
    }

    pub(super) fn node(&mut self, node: &Node, state: &mut State, input: &Input) {
        let before = self.status;
        self.status = status_of(node, before);
        self.walk_node(node, state, input);
        // A trap that was set meanwhile, or an `exit`, decides the status of all that follows.
        self.status = self.settled(before);
    }

    fn walk_node(&mut self, node: &Node, state: &mut State, input: &Input) {
        match node {
            Node::Simple(simple) => self.simple(simple, state, input),
            Node::Declare { builtin, words, assignments } => {
                self.declare(builtin, words, assignments, state, input);
            }
            Node::Chain { first, rest } => self.chain(first, rest, state, input),
            Node::Pipe(stages) => self.pipe(stages, state, input),
            Node::Background(inner) => {
                self.apart(|walker| walker.node(inner, &mut state.clone(), input));
            }
            Node::Subshell(script) => {
                let mut inner = state.clone();
                self.apart(|walker| walker.script(script, &mut inner, input));
            }
            Node::Group(script) => self.script(script, state, input),
            Node::Not(inner) => {
                self.node(inner, state, input);
            }
            Node::If { arms, otherwise } => self.condition(arms, otherwise.as_ref(), state, input),
            Node::Loop { condition, body } => {
                let names = assigned_in(&[condition, body]);
                let texts = self.texts_in(&[condition, body]);
                let read = self.read_in_rounds(condition, input, state);
                self.rounds(names, &texts, state, |walker, inner| {
                    walker.script(condition, inner, input);
                    if let Some((name, value)) = read {
                        inner.vars.set(&name, value);
                    }
                    walker.script(body, inner, input);
                });
            }
            Node::For { variable, words, body } => {
                self.for_loop(variable, words.as_deref(), body, state, input);
            }
            Node::Case { words, arms } => {
                self.expressions(words, state, input);
                let before = state.clone();
                for arm in arms {
                    let mut inner = before.clone();
                    inner.branch = true;
                    self.script(arm, &mut inner, input);
                    inner.branch = before.branch;
                    state.join(inner);
                }
            }
            Node::Function { name, body } => {
                self.defined.insert(name.clone());
                state.functions.insert(name.clone());
                let bodies = self.functions.entry(name.clone()).or_default();
                if !bodies.contains(body) {
                    bodies.push((**body).clone());
                    // What was called may be called again, in a loop, with this body.
                    if self.called.remove(name) {
                        self.call(name, &mut state.clone(), &Input::default());
                        self.called.remove(name);
                    }
                }
            }
            Node::Test(words) => self.expressions(words, state, input),
            Node::Redirected { node, redirects } => {
                let (input, outputs) = self.redirects(redirects, state, input);
                let start = self.accesses.len();
                self.node(node, state, &input);
                self.holds(&outputs, start);
            }
        }
    }

    /// Words of which only the commands in them matter.
    fn expressions(&mut self, words: &[Word], state: &mut State, input: &Input) {
        for word in words {
            self.substitutions(word, state, input);
        }
    }

    fn chain(&mut self, first: &Node, rest: &[(Link, Node)], state: &mut State, input: &Input) {
        // Every state in which the chain may have been left so far.
        let mut left = state.clone();
        let mut ended = false;
        let stops = state.stops;
        // In a chain the failure of a `cd` keeps what `&&` joins to it from running.
        state.stops |= rest.first().is_some_and(|(link, right)| self.stops_after(*link, right));
        self.node(first, state, input);
        for (at, (link, node)) in rest.iter().enumerate() {
            if self.full.is_some() {
                break;
            }
            match link {
                Link::And => {
                    if at > 0 || assigns(first) {
                        left.join(State { hazards: Vec::new(), ..state.clone() });
                    }
                    ended = false;
                    let next = rest.get(at + 1);
                    state.stops =
                        stops || next.is_some_and(|(link, node)| self.stops_after(*link, node));
                    self.node(node, state, input);
                }
                Link::Or => {
                    let mut failed = left.clone();
                    failed.also_in(state.directories.clone());
                    failed.vars.join(&state.vars);
                    failed.branch = true;
                    self.node(node, &mut failed, input);
                    failed.branch = left.branch;
                    if self.ends(node) {
                        ended = true;
                        left = state.clone();
                    } else {
                        state.join(failed);
                    }
                }
            }
        }
        state.stops = stops;
        // What follows the chain runs whether or not the chain went through: `set -e` does not end
        // a script for what fails before the last `&&`.
        let joined = rest.iter().any(|(link, _)| *link == Link::And);
        if joined && !ended {
            state.join(State { hazards: Vec::new(), stops, ..left });
        }
    }

    fn pipe(&mut self, stages: &[Node], state: &mut State, input: &Input) {
        let start = self.accesses.len();
        let mut fed = input.clone();
        for stage in stages {
            let known = self.known(state);
            let script = Script { nodes: vec![stage.clone()] };
            let printed = expand::constant(&script, known);
            let files = matches!(fed.text, Fed::Nothing | Fed::Files) && self.prints_files(stage);
            // Each stage is a subshell of its own.
            self.apart(|walker| walker.node(stage, &mut state.clone(), &fed));
            let mut feeders = input.feeders.clone();
            feeders.extend(self.commands_since(start));
            // `echo "$x"` is no command of its own, and hands on what `x` holds.
            if let Node::Simple(simple) = stage {
                feeders.extend(held_in(&simple.words, state));
            }
            let text = match printed {
                Some(text) => Fed::Text(text),
                None if files => Fed::Files,
                None => self.prints_names(stage, state, &fed),
            };
            fed = Input { feeders, text };
        }
    }

    /// `cat` of files and nothing else prints those files.
    fn prints_files(&self, stage: &Node) -> bool {
        let Node::Simple(Simple { assignments, words, redirects }) = stage else { return false };
        let name = words.first().is_some_and(|word| *word == plain("cat"))
            && !self.defined.contains("cat");
        name && words.len() > 1
            && assignments.is_empty()
            && redirects.is_empty()
            && words.iter().all(|word| word.scripts().is_empty())
    }

    fn condition(
        &mut self,
        arms: &[(Script, Script)],
        otherwise: Option<&Script>,
        state: &mut State,
        input: &Input,
    ) {
        let outer = state.branch;
        let mut after: Option<State> = None;
        for (condition, body) in arms {
            self.script(condition, state, input);
            let mut inner = state.clone();
            inner.branch = true;
            self.script(body, &mut inner, input);
            inner.branch = outer;
            match &mut after {
                Some(after) => after.join(inner),
                None => after = Some(inner),
            }
        }
        if let Some(script) = otherwise {
            state.branch = true;
            self.script(script, state, input);
            state.branch = outer;
        }
        if let Some(after) = after {
            state.join(after);
        }
    }

    /// The variables that these scripts may assign something else than a number.
    fn texts_in(&self, scripts: &[&Script]) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let mut open: Vec<&Node> = scripts.iter().flat_map(|script| &script.nodes).collect();
        while let Some(node) = open.pop() {
            let assignments = match node {
                Node::Simple(simple) => {
                    for word in &simple.words {
                        if let [Piece::Text { text, .. }] = word.pieces.as_slice() {
                            names.insert(text.trim_start_matches("-v").to_owned());
                        }
                    }
                    simple.assignments.as_slice()
                }
                Node::Declare { assignments, .. } => assignments,
                Node::For { variable, .. } => {
                    names.insert(variable.clone());
                    &[]
                }
                _ => &[],
            };
            for assignment in assignments {
                match &assignment.value {
                    Assigned::Scalar(word) if !assignment.indexed && self.counts(word) => {}
                    _ => {
                        names.insert(assignment.name.clone());
                    }
                }
            }
            open.extend(inner_nodes(node));
        }
        names
    }

    /// Walks a loop's round once, with what it assigns unknown from the start.
    fn rounds(
        &mut self,
        names: Vec<String>,
        texts: &BTreeSet<String>,
        state: &mut State,
        walk: impl FnOnce(&mut Self, &mut State),
    ) {
        let before = state.clone();
        let counters: Vec<String> = names
            .iter()
            .filter(|name| {
                !texts.contains(*name) && before.vars.get(name).is_none_or(vars::is_number)
            })
            .cloned()
            .collect();
        state.vars.forget(names, &Doubt::Expansion("loop"));
        // What was a number and is only ever assigned numbers stays one.
        for name in counters {
            state.vars.set(&name, super::arithmetic::number());
        }
        state.branch = true;
        let mut inner = state.clone();
        walk(self, &mut inner);
        let moved = inner.directories != before.directories;
        inner.branch = before.branch;
        state.branch = before.branch;
        state.join(inner);
        if moved {
            // The next round starts somewhere else again.
            state.directories = None;
        }
    }

    fn for_loop(
        &mut self,
        variable: &str,
        words: Option<&[Word]>,
        body: &Script,
        state: &mut State,
        input: &Input,
    ) {
        let mut runs = false;
        let mut numbers = false;
        let start = self.accesses.len();
        let value = match words {
            None => vars::Value::Unknown(Doubt::Variable("@".to_owned())),
            Some(words) => {
                let mut all = Vec::new();
                for word in words {
                    self.substitutions(word, state, input);
                    all.extend(self.fields(word, state));
                }
                let all = self.globbed(all, state);
                numbers =
                    !words.is_empty() && words.iter().all(|word| self.is_number_word(word, state));
                runs = all.iter().any(|word| !matches!(word, Value::Unknown(_)));
                values_of(&all)
            }
        };
        let value = match value {
            vars::Value::Unknown(_) if numbers => super::arithmetic::number(),
            vars::Value::Unknown(Doubt::Expansion("integer")) => {
                vars::Value::Unknown(Doubt::Variable(variable.to_owned()))
            }
            value => value,
        };
        // Over nothing it is not set at all.
        let before = (!runs).then(|| state.clone());
        let mut names = assigned_in(&[body]);
        let texts = self.texts_in(&[body]);
        names.retain(|name| name != variable);
        self.note_hazard(variable, &value, state);
        state.vars.set(variable, value);
        let mut feeders = self.commands_since(start);
        feeders.extend(held_in(words.unwrap_or_default(), state));
        state.holds(variable, &feeders);
        self.rounds(names, &texts, state, |walker, inner| walker.script(body, inner, input));
        if let Some(before) = before {
            state.join(before);
        }
    }

    /// Replaces file name patterns by the names they fit, if no option changes what they fit.
    pub(super) fn globbed(&mut self, words: Vec<Value>, state: &State) -> Vec<Value> {
        if !state.globs {
            return self.expand_globs(words, state);
        }
        words
            .into_iter()
            .map(|word| match word {
                Value::Unknown(mut unknown) if matches!(unknown.reason, Doubt::Glob(_)) => {
                    unknown.reason = Doubt::Expansion("glob option");
                    Value::Unknown(unknown)
                }
                word => word,
            })
            .collect()
    }

    /// Calls a function of this text; false if the name may mean something else besides.
    pub(super) fn call(&mut self, name: &str, state: &mut State, input: &Input) -> bool {
        let Some(bodies) = self.functions.get(name).cloned() else { return false };
        let certain = state.functions.contains(name);
        self.called.insert(name.to_owned());
        let nested = self.calling.iter().filter(|inner| *inner == name).count();
        if nested > 1 || self.full.is_some() {
            return certain;
        }
        if self.calling.len() >= crate::limits::WRAPPER_DEPTH_MAX {
            self.everything(&Doubt::Limit("function calls"));
            return certain;
        }
        let scripts: Vec<Script> =
            bodies.into_iter().map(|body| Script { nodes: vec![body] }).collect();
        let assigned = assigned_in(&scripts.iter().collect::<Vec<_>>());
        if nested == 1 {
            // It calls itself: any number of its rounds lie before this one.
            state.vars.forget(assigned.clone(), &Doubt::Expansion("loop"));
        }
        self.calling.push(name.to_owned());
        let returned = self.returned;
        let before = state.clone();
        let mut after: Option<State> = None;
        let mut own = BTreeSet::new();
        for script in &scripts {
            let mut inner = before.clone();
            self.locals.push(BTreeSet::new());
            self.script(script, &mut inner, input);
            own.extend(self.locals.pop().unwrap_or_default());
            if returns_early(script) {
                own.extend(assigned.iter().cloned());
            }
            match &mut after {
                Some(after) => after.join(inner),
                None => after = Some(inner),
            }
        }
        self.calling.pop();
        self.returned = returned;
        *state = after.unwrap_or(before);
        for name in own {
            let value = vars::Value::Unknown(Doubt::Variable(name.clone()));
            state.vars.set(&name, value);
        }
        certain
    }

    /// A function that was never called by its plain name may still be: judged as if it were.
    pub(super) fn uncalled(&mut self, state: &State) {
        let names: Vec<String> = self.functions.keys().cloned().collect();
        for name in names {
            if !self.called.contains(&name) {
                self.call(&name, &mut state.clone(), &Input::default());
            }
        }
    }

    /// What is known for expanding a word here.
    pub(super) fn known<'s>(&'s self, state: &'s State) -> Known<'s> {
        Known {
            vars: &state.vars,
            home: self.home.as_deref(),
            directory: state.directory().map(crate::model::path::AbsPath::as_str),
            redefined: &self.defined,
            made: &self.made_bytes,
        }
    }

    /// Whether the failure of what stands before keeps what follows from running.
    fn stops_after(&self, link: Link, right: &Node) -> bool {
        match link {
            Link::And => true,
            Link::Or => self.ends(right),
        }
    }

    /// `exit` ends what it stands in, `return` a function, if nothing about them can fail.
    fn ends(&self, node: &Node) -> bool {
        match node {
            Node::Simple(simple) => {
                let is = |name: &str| {
                    simple.words.first().is_some_and(|word| *word == Word::quoted(name))
                        && !self.defined.contains(name)
                };
                let plain_status = match simple.words.get(1..) {
                    Some([] | [Word { .. }]) => simple.words.iter().skip(1).all(|word| {
                        matches!(word.pieces.as_slice(), [Piece::Text { text, .. }]
                            if text.bytes().all(|b| b.is_ascii_digit()))
                            || matches!(word.pieces.as_slice(), [Piece::Variable { name, .. }]
                            if name == "?")
                    }),
                    _ => false,
                };
                simple.redirects.is_empty()
                    && plain_status
                    && (is("exit") || is("return") && !self.calling.is_empty())
            }
            Node::Group(script) => script.nodes.last().is_some_and(|node| self.ends(node)),
            _ => false,
        }
    }
}

/// Whether a command may change what is followed of the shell: not a plain program's.
fn assigns(node: &Node) -> bool {
    match node {
        Node::Simple(simple) => {
            let name = simple.words.first();
            name.is_none_or(|word| *word != plain("cd") && *word != plain("pushd"))
        }
        _ => true,
    }
}

fn plain(text: &str) -> Word {
    Word { pieces: vec![Piece::Text { text: text.to_owned(), quoted: false }] }
}

fn values_of(words: &[Value]) -> vars::Value {
    let mut texts = Vec::new();
    for word in words {
        match word {
            Value::Known(text) => texts.push(text.clone()),
            Value::OneOf(many) => texts.extend(many.iter().cloned()),
            Value::Unknown(unknown) => return vars::Value::Unknown(unknown.reason.clone()),
        }
    }
    texts.sort();
    texts.dedup();
    if texts.len() > crate::limits::WORD_VALUES_MAX {
        return vars::Value::Unknown(Doubt::TooManyValues);
    }
    vars::Value::Texts(texts)
}
