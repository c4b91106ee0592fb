//! `toolgate policy explain`: why one call comes to what it comes to.

mod tree;

use super::{Asked, Outcome, Ready, home, is_policy, misplaced, now};
use crate::author::explain::{
    Base, Candidate, ConditionAnswer, Drawn, Explained, ExplainedAccess, ExplainedLayer, Explainer,
    LaneAnswer, PatternAnswer, Written, fallback_key, path_of, test_of,
};
use crate::author::groups::{Group, Kind, groups};
use crate::author::line::Line;
use crate::author::show::date;
use crate::cli::audit::paint_of;
use crate::cli::out::say;
use crate::cli::show::{Paint, colour, paint, plain};
use crate::model::decision::Obligation;
use crate::model::effect::Verdict;
use crate::model::path::{AbsPath, Extent, Real};
use crate::model::session::Spent;
use crate::model::truth::Truth;
use crate::policy::builtin::Protected;
use crate::policy::compile;
use crate::policy::diagnostic::{ascii, seen};
use crate::policy::rule::{Budget, Policy, Says};
use crate::policy::written::{WrittenPattern, WrittenRule};
use crate::world::Same;
use std::path::Path;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    asked: Asked,
    /// The call as one JSON object; a text that is none is a Bash command
    call: String,
    /// A second one is told from a policy that lacks its --policy
    #[arg(hide = true)]
    more: Option<String>,
    /// How it is told
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// A label that the session has; may be given more than once
    #[arg(long, value_name = "L")]
    session_label: Vec<String>,
    /// Exit code 1 if the call is denied
    #[arg(long)]
    exit_code: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    /// For people
    Human,
    /// One JSON object
    Json,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, String> {
    let given = [Some(&arguments.call), arguments.more.as_ref()];
    if let Some(file) = given.into_iter().flatten().map(Path::new).find(|file| is_policy(file)) {
        return Err(misplaced(file));
    }
    if let Some(more) = &arguments.more {
        return Err(format!("`{}` is one argument too many; quote the call", seen(more)));
    }
    let line = match is_object(&arguments.call) {
        true => arguments.call.clone(),
        false => serde_json::json!({ "bash": arguments.call }).to_string(),
    };
    let line = Line::read(line.as_bytes())?;
    let Ready { sources, bound, redactor } = arguments.asked.read()?;
    let world = Same { home: home(), path: None };
    // Once more, for what nobody needs to decide: the texts that the rules were made from.
    let compiled = compile(&sources, &bound.anchors, &Protected::default());
    let written = Written::of(&compiled.written);
    let explainer = Explainer { bound: &bound, written, world: &world, redactor: &redactor };
    let told = explainer.explain(line, &arguments.session_label, now())?;
    match arguments.format {
        Format::Json => say!("{}", ascii(&format!("{:#}", explainer.as_json(&told)))),
        Format::Human => crate::cli::out::text(&Screen::new(&explainer).whole(&told)),
    }
    let denied = told.effect == Verdict::Deny;
    Ok(if denied && arguments.exit_code { Outcome::Findings } else { Outcome::Fine })
}

/// Whether a text is meant as an object; a group of shell commands begins with a brace too.
fn is_object(call: &str) -> bool {
    let inner = call.trim_start().strip_prefix('{').map(str::trim_start);
    inner.is_some_and(|inner| inner.starts_with(['"', '}']))
}

/// An explanation for people: what is decided first, then access by access, layer by layer.
struct Screen<'a> {
    explainer: &'a Explainer<'a>,
    colour: bool,
    out: String,
}

impl<'a> Screen<'a> {
    fn new(explainer: &'a Explainer<'a>) -> Screen<'a> {
        Screen { explainer, colour: colour(), out: String::new() }
    }

    /// One line; whatever the call or the policy holds, it moves no cursor.
    fn line(&mut self, indent: usize, text: &str) {
        self.out.push_str(&" ".repeat(indent));
        self.out.push_str(&plain(text));
        self.out.push('\n');
    }

    /// One line that begins with a verdict.
    fn verdict(&mut self, indent: usize, verdict: Option<Verdict>, text: &str) {
        let word = verdict.map_or("-", Verdict::as_str);
        self.out.push_str(&" ".repeat(indent));
        self.out.push_str(&paint(&format!("{word:<5}"), paint_of(word), self.colour));
        self.out.push_str(&format!("  {}\n", plain(text)));
    }

    fn dim(&mut self, indent: usize, text: &str) {
        let text = paint(&plain(text), Paint::Dim, self.colour);
        self.out.push_str(&format!("{}{text}\n", " ".repeat(indent)));
    }

    fn whole(mut self, told: &Explained) -> String {
        let story = &told.story;
        self.verdict(0, Some(told.effect), &story.decision.reason);
        if story.unattended != told.effect {
            let nobody = format!("where nobody can be asked: {}", story.unattended);
            self.line(7, &nobody);
        }
        let groups = groups(&story.accesses);
        let tree = tree::lines(&story.accesses, &groups);
        if !tree.is_empty() {
            self.out.push_str("\nwhat it would do\n");
            tree.iter().for_each(|line| self.verdict(0, line.verdict, &line.text));
        }
        for group in groups {
            self.out.push('\n');
            self.group(&group, &story.accesses);
        }
        if !story.output.is_empty() {
            self.out.push_str("\noutput\n");
            story.output.iter().for_each(|rule| self.candidate(rule));
        }
        self.state(told);
        let policy = &self.explainer.bound.policy.id;
        self.out.push('\n');
        self.dim(0, &format!("policy  {}  sha256:{}", policy.name, policy.sha256));
        self.dim(0, &format!("decided in {} ns", told.nanos));
        self.out
    }

    fn group(&mut self, group: &Group, accesses: &[ExplainedAccess]) {
        let all: Vec<_> = group.places.iter().filter_map(|place| accesses.get(*place)).collect();
        let (Some(first), Some(place)) = (all.first(), group.places.first()) else { return };
        match &group.kind {
            Kind::Alone => self.access(place + 1, first, None),
            Kind::Tree(root) => self.access(place + 1, first, Some((all.len() - 1, root))),
            Kind::Unknown => self.unknown(&group.places, first, &all),
        }
    }

    /// Accesses whose targets are not known, for one and the same reason.
    fn unknown(&mut self, places: &[usize], first: &ExplainedAccess, all: &[&ExplainedAccess]) {
        let mut verbs: Vec<&str> = Vec::new();
        for verb in all.iter().map(|one| one.access.target.verb().as_str()) {
            if !verbs.contains(&verb) {
                verbs.push(verb);
            }
        }
        let verbs = verbs.join(", ");
        let text = format!("{}. {verbs} {}", ranges(places), first.access.target);
        match first.verdict {
            Some(_) => self.verdict(0, first.verdict, &text),
            None => self.verdict(0, None, &format!("{text}: no rule speaks of it, so it is none")),
        }
        for doubt in &first.doubts {
            self.line(7, &format!("not known: {doubt}"));
        }
        let floor = all.iter().flat_map(|one| &one.floor).collect::<Vec<_>>();
        if !floor.is_empty() {
            self.verdict(2, first.floor_verdict, "the floor that no policy can switch off");
            self.heads(&floor, &verbs);
        }
        for (place, layer) in first.layers.iter().enumerate() {
            self.of_layer(layer);
            let same = all.iter().filter_map(|one| one.layers.get(place));
            let mut rules: Vec<&Candidate> = Vec::new();
            for rule in same.flat_map(|layer| &layer.candidates) {
                if !rules.iter().any(|other| (&other.file, &other.id) == (&rule.file, &rule.id)) {
                    rules.push(rule);
                }
            }
            rules.sort_by_key(|rule| match rule.says {
                Says::Effect(effect) => std::cmp::Reverse(Some(effect)),
                Says::Redact | Says::Note => std::cmp::Reverse(None),
            });
            self.heads(&rules, &verbs);
        }
    }

    /// Rules that all say maybe to what is not known: which there are is all that tells anything.
    fn heads(&mut self, rules: &[&Candidate], verbs: &str) {
        if rules.is_empty() {
            return;
        }
        self.line(4, &format!("would be judged by every rule of {verbs}:"));
        rules.iter().take(CANDIDATES_SHOWN).for_each(|rule| self.head(rule));
        self.and_more(rules.len());
    }

    fn and_more(&mut self, all: usize) {
        let more = all.saturating_sub(CANDIDATES_SHOWN);
        if more > 0 {
            self.line(4, &format!("and {more} more (--format json has all)"));
        }
    }

    /// An access, and how many more of a tree there are of which the same is told.
    fn access(&mut self, place: usize, one: &ExplainedAccess, more: Option<(usize, &AbsPath)>) {
        self.target(place, one, more);
        if !one.floor.is_empty() {
            self.verdict(2, one.floor_verdict, "the floor that no policy can switch off");
            one.floor.iter().for_each(|rule| self.candidate(rule));
        }
        for layer in &one.layers {
            self.of_layer(layer);
            layer.candidates.iter().take(CANDIDATES_SHOWN).for_each(|rule| self.candidate(rule));
            self.and_more(layer.candidates.len());
        }
        for near in self.explainer.nearest(one) {
            let place = format!("{}:{}", near.file, near.line);
            self.line(4, &format!("nearest: `{}` ({})  {place}", near.id, near.differs));
        }
    }

    fn target(&mut self, place: usize, one: &ExplainedAccess, more: Option<(usize, &AbsPath)>) {
        let target = &one.access.target;
        let text = format!("{place}. {} {target}", target.verb());
        match one.verdict {
            Some(_) => self.verdict(0, one.verdict, &text),
            None => self.verdict(0, None, &format!("{text}: no rule speaks of it, so it is none")),
        }
        if let Some(path) = path_of(target) {
            match &path.real {
                Real::At(real) if *real != path.written => {
                    self.line(7, &format!("really {real}"));
                }
                Real::At(_) | Real::Unknown(_) => {}
            }
            for hop in &path.hops {
                self.line(7, &format!("by way of {hop}"));
            }
            match &path.extent {
                Extent::Itself => {}
                Extent::Below(paths) | Extent::Seen(paths) => {
                    self.line(7, &format!("and {} below it", paths.len()))
                }
                Extent::BelowUnknown(_) => self.line(7, "and what lies below it"),
                Extent::Fitting(pattern) => {
                    self.line(7, &format!("what fits {pattern} there, now or later"));
                }
            }
        }
        if let Some((more, root)) = more {
            self.line(7, &format!("and {more} more in {root}, of which the same is said"));
        }
        for doubt in &one.doubts {
            self.line(7, &format!("not known: {doubt}"));
        }
    }

    fn of_layer(&mut self, layer: &ExplainedLayer) {
        let power = layer.power.as_str();
        let why = why(layer);
        let text = format!("{} layer ({power}), {}: {why}", layer.kind.as_str(), layer.name);
        self.verdict(2, layer.verdict, &text);
    }

    fn head(&mut self, one: &Candidate) {
        let says = one.says.as_str();
        let shadow = if one.shadow { " (shadow)" } else { "" };
        let place = match one.line {
            0 => one.file.clone(),
            line => format!("{}:{line}", one.file),
        };
        let truth = format!("{:<5}", one.truth.to_string());
        let text = format!("{truth}  {says:<6}  {}{shadow}  {place}", one.id);
        self.line(4, &text);
    }

    fn candidate(&mut self, one: &Candidate) {
        self.head(one);
        let rule = self.explainer.written.rule(one);
        if let Some(until) = one.lapsed {
            self.line(11, &format!("it ended by itself on {}", date(until)));
        }
        self.patterns("match ", &one.matches, rule.map(|rule| (rule, rule.matches.as_slice())));
        self.patterns("unless", &one.unless, rule.map(|rule| (rule, rule.unless.as_slice())));
        if one.excepted {
            self.line(11, "so it is excepted");
        }
        for condition in &one.conditions {
            self.condition(condition, rule);
        }
        if let Some(why) = one.why.as_deref().filter(|_| one.truth == Truth::Yes) {
            self.line(11, &format!("why     {why}"));
        }
    }

    /// What the patterns say, the first of them one by one.
    fn patterns(
        &mut self,
        key: &str,
        answers: &[PatternAnswer],
        written: Option<(&WrittenRule, &[WrittenPattern])>,
    ) {
        // A rule of the grid is its pattern: nothing more is to be said of it.
        let itself = |pattern: &WrittenPattern, rule: &WrittenRule| {
            pattern.list.is_none() && rule.id.ends_with(&format!(":{}", pattern.text))
        };
        for answer in answers.iter().take(PATTERNS_SHOWN) {
            let pattern = written.and_then(|(_, patterns)| patterns.get(answer.place));
            let known = written.zip(pattern).is_some_and(|((rule, _), one)| itself(one, rule));
            if !known || !answer.lanes.is_empty() {
                self.pattern(key, answer, pattern);
            }
        }
        let more = answers.len().saturating_sub(PATTERNS_SHOWN);
        if more > 0 {
            self.line(11, &format!("{key}  and {more} more"));
        }
    }

    fn pattern(&mut self, key: &str, answer: &PatternAnswer, pattern: Option<&WrittenPattern>) {
        let text = match pattern {
            Some(pattern) => match &pattern.list {
                Some(list) => format!("`{}` of `{list}`", pattern.text),
                None => format!("`{}`", pattern.text),
            },
            None => "what is built in".to_owned(),
        };
        let added = pattern.and_then(|pattern| pattern.added_by.as_deref());
        let added = added.map(|file| format!(", added by {file}")).unwrap_or_default();
        // Without a link on the way, and nothing below, all ways of looking at the path are one.
        let first = answer.lanes.first();
        let same = |lane: &LaneAnswer| {
            first.is_some_and(|first| first.path == lane.path && first.truth == lane.truth)
        };
        let plain = answer.lanes.iter().all(same);
        let lanes: Vec<&str> = answer.lanes.iter().map(|lane| lane.lane).collect();
        let ways = match plain && !lanes.is_empty() {
            true => format!(" ({})", lanes.join(", ")),
            false => String::new(),
        };
        self.line(11, &format!("{key}  {text}{added}: {}{ways}", answer.truth));
        for lane in answer.lanes.iter().filter(|_| !plain) {
            let path = lane.path.as_deref().unwrap_or("not known");
            self.line(19, &format!("{:<8}  {:<5}  {path}", lane.lane, lane.truth.to_string()));
        }
    }

    fn condition(&mut self, answer: &ConditionAnswer, rule: Option<&WrittenRule>) {
        let test = test_of(answer, rule).unwrap_or_default();
        let found = match (&answer.label, answer.found.as_deref()) {
            (Some(label), Some(found)) => format!("`{label}` is {found}"),
            (Some(label), None) => format!("whether `{label}` is there is not known"),
            (None, Some(found)) => format!("it is {found}"),
            (None, None) => "the call does not say".to_owned(),
        };
        let test = if test.is_empty() { String::new() } else { format!(" = {test}") };
        self.line(11, &format!("when    {}{test}: {} ({found})", answer.key, answer.truth));
    }

    /// Labels, limits and budgets, and what the call would leave behind.
    fn state(&mut self, told: &Explained) {
        let policy = &self.explainer.bound.policy;
        let mut lines = Vec::new();
        if !told.session.labels.is_empty() {
            let labels: Vec<&str> = told.session.labels.iter().map(String::as_str).collect();
            lines.push(format!("labels of the session: {}", labels.join(", ")));
        }
        lines.extend(told.story.drawn.iter().filter_map(|drawn| limit(drawn, policy)));
        lines.extend(policy.budgets.iter().map(|one| budget(one, &told.session.spent)));
        lines.extend(told.story.decision.obligations.iter().map(|one| match one {
            Obligation::ReplaceOutput { because, .. } => {
                format!("the output is replaced: {}", because.join(", "))
            }
            Obligation::ReplaceInput(_) => "the input is replaced".to_owned(),
            Obligation::Mark { label, .. } => format!("the session is marked `{label}`"),
            Obligation::Unmark(label) => format!("the session loses the mark `{label}`"),
        }));
        if !lines.is_empty() {
            self.out.push('\n');
        }
        lines.iter().for_each(|line| self.line(0, line));
    }
}

/// Patterns of one rule that are shown; a target that is not known is named by each of a list.
const PATTERNS_SHOWN: usize = 4;

/// Rules of one layer that are shown.
const CANDIDATES_SHOWN: usize = 8;

/// Places as they are counted by people, those that follow each other as one: `5-8, 10`.
fn ranges(places: &[usize]) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for place in places.iter().map(|place| place + 1) {
        match runs.last_mut() {
            Some((_, end)) if *end + 1 == place => *end = place,
            _ => runs.push((place, place)),
        }
    }
    let run = |(from, to): &(usize, usize)| match from == to {
        true => from.to_string(),
        false => format!("{from}-{to}"),
    };
    runs.iter().map(run).collect::<Vec<_>>().join(", ")
}

fn limit(drawn: &Drawn, policy: &Policy) -> Option<String> {
    let limit = policy.limits.get(drawn.limit)?;
    let used = drawn.used.map_or("not known".to_owned(), |used| used.to_string());
    let takes = match drawn.amount {
        Some(amount) => format!("this call takes {amount}"),
        None => "this call names no amount".to_owned(),
    };
    let over = match drawn.over {
        Some(over) => format!("over it: {over}"),
        None => "within it".to_owned(),
    };
    let (max, per) = (limit.terms.max, limit.terms.per.as_str());
    Some(format!("limit of `{}`: {used} of {max}/{per} used, {takes}: {over}", limit.rule))
}

fn budget(budget: &Budget, spent: &Spent) -> String {
    let terms = &budget.terms;
    let mut parts = Vec::new();
    parts.extend(terms.calls.map(|most| format!("{} of {most} calls", spent.calls)));
    parts.extend(terms.output_bytes.map(|most| format!("0 of {most} bytes of output")));
    parts.extend(terms.wall.map(|most| format!("0 of {} s", most.as_secs())));
    parts.extend(terms.turns.map(|most| format!("0 of {most} turns")));
    parts.extend(terms.cost_usd.map(|most| format!("0 of {most} US dollars")));
    parts.extend(terms.models.as_ref().map(|models| format!("models {}", models.join(" "))));
    format!("budget of `{}`: {}", budget.policy, parts.join(", "))
}

/// From what a layer's verdict comes.
fn why(layer: &ExplainedLayer) -> String {
    let (fallback, verdict) = layer.fallback;
    let key = fallback_key(fallback);
    let mut text = match layer.base {
        Base::Rule(effect) => format!("a rule says {effect}"),
        Base::Apart => "each way that it leads is allowed by a rule of its own".to_owned(),
        Base::MaybeAllowed => format!("an allow says maybe, which softens {key} {verdict}"),
        Base::Fallback => format!("no rule says yes: {key} {verdict}"),
        Base::Suspicion => "the text merely names it".to_owned(),
    };
    if layer.doubted {
        text.push_str(", and one that holds back says maybe");
    }
    if layer.filled_over {
        text.push_str(", but a layer above has spoken, and this one only fills");
    }
    text
}
