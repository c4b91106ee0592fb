//! The workload as Cedar policies, in two layouts.
//!
//! One policy for each rule is what an author would write: the verb is the action, an exact tool
//! the resource (both are compared before any condition is looked at), everything else `like` on
//! the context, the conditions last. Cedar's `*` crosses `/` too, which no request tells apart.
//! The other layout is six policies and the lists as sets of an entity, which Cedar hashes. There
//! is no schema: it would check the request, not change the decision. Requests are made beforehand.

use crate::lists::{LISTS, candidates, entry, word};
use crate::workload::{Failure, Names, Request, Rule};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityUid, PolicySet, Request as Asked,
    RestrictedExpression,
};
use std::collections::{HashMap, HashSet};

/// What conditional rules ask, besides what they name.
const CONDITIONS: [&str; 2] = [
    r#"context.mode == "fast" && !context.labels.contains("secret")"#,
    r#"context.mode == "fast" && context.labels.contains("secret")"#,
];

/// Policies, and the entities that they look at.
pub struct Cedar {
    authorizer: Authorizer,
    policies: PolicySet,
    entities: Entities,
}

impl Cedar {
    /// A policy for each rule.
    ///
    /// # Errors
    /// If Cedar does not take it.
    pub fn of_rules(rules: &[Rule]) -> Result<Cedar, Failure> {
        let policies = rules.iter().map(policy).collect::<String>().parse()?;
        Ok(Cedar { authorizer: Authorizer::new(), policies, entities: Entities::empty() })
    }

    /// A policy for each list, and the lists as sets.
    ///
    /// # Errors
    /// If Cedar does not take it.
    pub fn of_lists(rules: &[Rule]) -> Result<Cedar, Failure> {
        let mut sets: HashMap<String, Vec<RestrictedExpression>> = HashMap::new();
        for (list, _, _) in LISTS {
            sets.insert(list.to_owned(), Vec::new());
            sets.insert(format!("fast_{list}"), Vec::new());
        }
        for rule in rules {
            let (list, text) = entry(rule);
            let prefix = if rule.conditional { "fast_" } else { "" };
            let text = RestrictedExpression::new_string(text);
            sets.entry(format!("{prefix}{list}")).or_default().push(text);
        }
        let sets = sets
            .into_iter()
            .map(|(name, texts)| (name, RestrictedExpression::new_set(texts)))
            .collect();
        let lists = Entity::new(uid("Lists", "all")?, sets, HashSet::new())?;
        Ok(Cedar {
            authorizer: Authorizer::new(),
            policies: LISTS.map(list_policy).concat().parse()?,
            entities: Entities::from_entities([lists], None)?,
        })
    }

    /// Whether the request is allowed.
    pub fn decide(&self, asked: &Asked) -> bool {
        let answer = self.authorizer.is_authorized(asked, &self.policies, &self.entities);
        answer.decision() == Decision::Allow
    }
}

fn policy(rule: &Rule) -> String {
    let effect = if rule.denies() { "forbid" } else { "permit" };
    let (resource, named) = match &rule.names {
        Names::Tool(name) => (format!("resource == Tool::{name:?}"), None),
        Names::Below(directory) => ("resource".to_owned(), Some(format!("{directory}*"))),
        Names::Extension(extension) => ("resource".to_owned(), Some(format!("*.{extension}"))),
        Names::Environment(name) => ("resource".to_owned(), Some(format!("/srv/*/{name}/*.env"))),
        Names::Host(name) => ("resource".to_owned(), Some(format!("*.{name}"))),
        Names::Command(program, word) => {
            ("resource".to_owned(), Some(format!("{program} {word} *")))
        }
    };
    let like = named.map(|pattern| format!("context.target like {pattern:?}"));
    let [allows, denies] = CONDITIONS;
    let condition = if rule.denies() { denies } else { allows };
    let condition = rule.conditional.then(|| condition.to_owned());
    let when: Vec<String> = like.into_iter().chain(condition).collect();
    let when = match when.is_empty() {
        true => String::new(),
        false => format!(" when {{ {} }}", when.join(" && ")),
    };
    let verb = word(rule.verb());
    format!("{effect}(principal, action == Action::\"{verb}\", {resource}){when};\n")
}

fn list_policy((list, verb, denies): (&str, crate::workload::Verb, bool)) -> String {
    let effect = if denies { "forbid" } else { "permit" };
    let [allowing, denying] = CONDITIONS;
    let condition = if denies { denying } else { allowing };
    format!(
        "{effect}(principal, action == Action::\"{}\", resource) when {{\n  \
         Lists::\"all\".{list}.containsAny(context.{list}) ||\n  \
         ({condition} && Lists::\"all\".fast_{list}.containsAny(context.{list}))\n}};\n",
        word(verb)
    )
}

/// The request as Cedar takes it: for the policies of rules its target, for those of lists what is
/// looked up.
///
/// # Errors
/// If Cedar does not take it.
pub fn request(request: &Request, lists: bool) -> Result<Asked, Failure> {
    let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
    let set = |texts: Vec<String>| {
        RestrictedExpression::new_set(texts.into_iter().map(RestrictedExpression::new_string))
    };
    let labels = if request.secret { vec!["secret".to_owned()] } else { vec![] };
    let mut context =
        vec![("mode".to_owned(), text(request.mode)), ("labels".to_owned(), set(labels))];
    if lists {
        let of_verb = LISTS.iter().filter(|(_, verb, _)| *verb == request.verb);
        context.extend(
            of_verb.map(|(list, _, _)| ((*list).to_owned(), set(candidates(request, list)))),
        );
    } else {
        context.push(("target".to_owned(), text(&request.target)));
    }
    let resource = match request.verb {
        crate::workload::Verb::Call => uid("Tool", &request.target)?,
        _ => uid("Target", "any")?,
    };
    let action = uid("Action", word(request.verb))?;
    Ok(Asked::new(uid("Agent", "main")?, action, resource, Context::from_pairs(context)?, None)?)
}

fn uid(kind: &str, id: &str) -> Result<EntityUid, Failure> {
    Ok(format!("{kind}::{id:?}").parse()?)
}
