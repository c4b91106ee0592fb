//! The workload as Rego, for regorus, in two layouts.
//!
//! One rule for each rule is what an author would write, below a rule for each verb, so that only
//! the rules of one verb are looked at; paths come split at `/`. regorus has no index over rules,
//! as OPA has. The other layout is the lists as data, where looking up a key is what Rego is good
//! at. Both run as programs of its register machine, the faster of its two evaluators (4 to 7 times,
//! on this workload), as long as they fit into 65,535 instructions; beyond, the rules are
//! interpreted. Inputs are values made beforehand.

use crate::lists::{LISTS, candidates, entry, word};
use crate::workload::{Failure, Names, Request, Rule, Verb};
use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::vm::RegoVM;
use regorus::utils::limits::PolicyLengthConfig;
use regorus::{Engine, Value};
use serde_json::{Map, Value as Json, json};
use std::num::{NonZeroU32, NonZeroUsize};

const ENTRY: &str = "data.bench.allow";

const HEAD: &str = "package bench
import rego.v1
default allow := false
allow if { permitted; not forbidden }
secret if \"secret\" in input.labels
";

/// A policy, compiled for the register machine, or for the interpreter where it is too large.
pub enum Rego {
    /// The register machine.
    Machine(Box<RegoVM>),
    /// The interpreter.
    Interpreter(Box<Engine>),
}

/// Rules for rules beyond this many are more instructions than a program may have.
const PROGRAM_RULES_MAX: usize = 1_000;

impl Rego {
    /// A rule for each rule.
    ///
    /// # Errors
    /// If regorus does not take it.
    pub fn of_rules(rules: &[Rule]) -> Result<Rego, Failure> {
        let mut text = HEAD.to_owned();
        for verb in [Verb::Call, Verb::Read, Verb::Connect, Verb::Exec] {
            let verb = word(verb);
            text.push_str(&format!(
                "permitted if {{ input.verb == \"{verb}\"; permitted_{verb} }}\n\
                 forbidden if {{ input.verb == \"{verb}\"; forbidden_{verb} }}\n\
                 default permitted_{verb} := false\ndefault forbidden_{verb} := false\n"
            ));
        }
        text.extend(rules.iter().map(rule));
        let small = rules.len() <= PROGRAM_RULES_MAX;
        if small { Rego::compile(text, json!({})) } else { Rego::interpret(text) }
    }

    /// A rule for each list, and the lists as data.
    ///
    /// # Errors
    /// If regorus does not take it.
    pub fn of_lists(rules: &[Rule]) -> Result<Rego, Failure> {
        let mut text = HEAD.to_owned();
        let mut lists = Map::new();
        for (list, verb, denies) in LISTS {
            let head = if denies { "forbidden" } else { "permitted" };
            let verb = word(verb);
            let conditions = conditions(denies);
            text.push_str(&format!(
                "{head} if {{ input.verb == \"{verb}\"; some x in input.{list}; \
                 data.lists.{list}[x] }}\n\
                 {head} if {{ input.verb == \"{verb}\"; {conditions}; some x in input.{list}; \
                 data.lists.fast_{list}[x] }}\n"
            ));
            lists.insert(list.to_owned(), json!({}));
            lists.insert(format!("fast_{list}"), json!({}));
        }
        for rule in rules {
            let (list, text) = entry(rule);
            let prefix = if rule.conditional { "fast_" } else { "" };
            if let Some(Json::Object(list)) = lists.get_mut(&format!("{prefix}{list}")) {
                list.insert(text, Json::Bool(true));
            }
        }
        Rego::compile(text, json!({ "lists": lists }))
    }

    fn compile(text: String, data: Json) -> Result<Rego, Failure> {
        let data = Value::from_json_str(&data.to_string())?;
        let mut engine = engine(text)?;
        engine.add_data(data.clone())?;
        let policy = engine.compile_with_entrypoint(&ENTRY.into())?;
        let program =
            Compiler::compile_from_policy(&policy, &[ENTRY]).map_err(|error| error.to_string())?;
        let mut machine = RegoVM::new();
        // Its bound of 25,000 instructions for one request is less than what the rules take.
        machine.set_max_instructions(usize::MAX);
        machine.load_program(program);
        machine.set_data(data)?;
        Ok(Rego::Machine(Box::new(machine)))
    }

    fn interpret(text: String) -> Result<Rego, Failure> {
        let mut engine = engine(text)?;
        // The first question is when it gets ready.
        engine.set_input(Value::new_object());
        engine.eval_rule(ENTRY.to_owned())?;
        Ok(Rego::Interpreter(Box::new(engine)))
    }

    /// Whether the request is allowed.
    ///
    /// # Errors
    /// If regorus fails.
    pub fn decide(&mut self, input: &Value) -> Result<bool, Failure> {
        let answer = match self {
            Rego::Machine(machine) => {
                machine.set_input(input.clone());
                machine.execute()?
            }
            Rego::Interpreter(engine) => {
                engine.set_input(input.clone());
                engine.eval_rule(ENTRY.to_owned())?
            }
        };
        Ok(*answer.as_bool()?)
    }
}

fn engine(text: String) -> Result<Engine, Failure> {
    let mut engine = Engine::new();
    // Its bound on a file is meant for people; these rules are not written by one.
    engine.set_policy_length_config(PolicyLengthConfig {
        max_col: NonZeroU32::MAX,
        max_file_bytes: NonZeroUsize::MAX,
        max_lines: NonZeroUsize::MAX,
    });
    engine.add_policy("bench.rego".to_owned(), text)?;
    Ok(engine)
}

fn conditions(denies: bool) -> &'static str {
    match denies {
        true => "input.mode == \"fast\"; secret",
        false => "input.mode == \"fast\"; not secret",
    }
}

fn rule(rule: &Rule) -> String {
    let named = match &rule.names {
        Names::Tool(name) => format!("input.target == {name:?}"),
        Names::Below(directory) => format!("startswith(input.target, {directory:?})"),
        Names::Extension(extension) => format!("endswith(input.target, \".{extension}\")"),
        Names::Environment(name) => format!(
            "input.segments[3] == {name:?}; count(input.segments) == 5; \
             input.segments[1] == \"srv\"; endswith(input.target, \".env\")"
        ),
        Names::Host(name) => format!("endswith(input.target, \".{name}\")"),
        Names::Command(program, word) => {
            format!("startswith(input.target, \"{program} {word} \")")
        }
    };
    let head = if rule.denies() { "forbidden" } else { "permitted" };
    let verb = word(rule.verb());
    match rule.conditional {
        true => format!("{head}_{verb} if {{ {named}; {} }}\n", conditions(rule.denies())),
        false => format!("{head}_{verb} if {{ {named} }}\n"),
    }
}

/// The request as a Rego input.
///
/// # Errors
/// If regorus does not take it.
pub fn input(request: &Request, lists: bool) -> Result<Value, Failure> {
    let labels: &[&str] = if request.secret { &["secret"] } else { &[] };
    let mut input = json!({
        "verb": word(request.verb), "mode": request.mode, "labels": labels,
    });
    if let Some(input) = input.as_object_mut() {
        if lists {
            let of_verb = LISTS.iter().filter(|(_, verb, _)| *verb == request.verb);
            input.extend(
                of_verb.map(|(list, _, _)| ((*list).to_owned(), json!(candidates(request, list)))),
            );
        } else {
            input.insert("target".to_owned(), json!(request.target));
            let segments: Vec<&str> = request.target.split('/').collect();
            input.insert("segments".to_owned(), json!(segments));
        }
    }
    Ok(Value::from_json_str(&input.to_string())?)
}
