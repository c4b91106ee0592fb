//! What stands in a script: its commands, the functions it defines and the variables it may assign.

use super::arithmetic::changed_in;
use crate::model::access::Status;
use crate::shell::ir::{Assignment, Link, Node, Piece, Script, Word};
use crate::shell::vars;
use std::collections::BTreeSet;

/// Whether a `return` may leave the function before its end.
pub(super) fn returns_early(script: &Script) -> bool {
    let mut open: Vec<&Node> = script.nodes.iter().collect();
    while let Some(node) = open.pop() {
        if let Node::Simple(simple) = node
            && simple.words.first().is_some_and(|word| *word == Word::quoted("return"))
        {
            return true;
        }
        open.extend(inner_nodes(node));
    }
    false
}

/// The names that a script makes functions, in the shell itself or in a subshell of it.
pub(super) fn define(script: &Script, names: &mut BTreeSet<String>) {
    let mut open: Vec<&Node> = script.nodes.iter().collect();
    while let Some(node) = open.pop() {
        if let Node::Function { name, .. } = node {
            names.insert(name.clone());
        }
        open.extend(inner_nodes(node));
    }
}

/// The commands that stand in a command.
pub(super) fn inner_nodes(node: &Node) -> Vec<&Node> {
    match node {
        Node::Simple(_) | Node::Declare { .. } | Node::Test(_) => Vec::new(),
        Node::Chain { first, rest } => {
            std::iter::once(&**first).chain(rest.iter().map(|(_, node)| node)).collect()
        }
        Node::Pipe(nodes) => nodes.iter().collect(),
        Node::Background(node)
        | Node::Not(node)
        | Node::Redirected { node, .. }
        | Node::Function { body: node, .. } => vec![&**node],
        Node::Subshell(script) | Node::Group(script) => script.nodes.iter().collect(),
        Node::If { arms, otherwise } => {
            let arms = arms.iter().flat_map(|(condition, body)| [condition, body]);
            arms.chain(otherwise).flat_map(|script| &script.nodes).collect()
        }
        Node::Loop { condition, body } => condition.nodes.iter().chain(&body.nodes).collect(),
        Node::For { body, .. } => body.nodes.iter().collect(),
        Node::Case { arms, .. } => arms.iter().flat_map(|arm| &arm.nodes).collect(),
    }
}

/// Whether a command in such a node, itself of that status, still decides the call's exit status
/// (policy language §11.21).
pub(super) fn status_of(node: &Node, status: Status) -> Status {
    match node {
        Node::Simple(_) | Node::Subshell(_) | Node::Group(_) | Node::Redirected { .. } => status,
        Node::Chain { rest, .. } if rest.iter().all(|(link, _)| *link == Link::And) => match status
        {
            Status::Hidden => Status::Hidden,
            Status::Whole | Status::Chained => Status::Chained,
        },
        Node::Chain { .. }
        | Node::Declare { .. }
        | Node::Pipe(_)
        | Node::Background(_)
        | Node::Not(_)
        | Node::If { .. }
        | Node::Loop { .. }
        | Node::For { .. }
        | Node::Case { .. }
        | Node::Function { .. }
        | Node::Test(_) => Status::Hidden,
    }
}

/// The variables that these scripts may assign.
pub(super) fn assigned_in(scripts: &[&Script]) -> Vec<String> {
    let mut names = Vec::new();
    let mut open: Vec<&Node> = scripts.iter().flat_map(|script| &script.nodes).collect();
    while let Some(node) = open.pop() {
        match node {
            Node::Simple(simple) => {
                assigned(&simple.assignments, &mut names);
                names.extend(changed_in(&simple.words));
                // `read x`, `printf -vx`, `mapfile x`: any word may be a variable's name.
                for word in &simple.words {
                    if let [Piece::Text { text, .. }] = word.pieces.as_slice() {
                        let text = text.strip_prefix("-v").unwrap_or(text);
                        let text = text.split(['=', '[']).next().unwrap_or_default();
                        if vars::is_name(text) {
                            names.push(text.to_owned());
                        }
                    }
                }
            }
            Node::Declare { assignments, .. } => assigned(assignments, &mut names),
            Node::For { variable, .. } => names.push(variable.clone()),
            Node::Test(words) => names.extend(changed_in(words)),
            _ => {}
        }
        open.extend(inner_nodes(node));
    }
    names
}

pub(super) fn assigned(assignments: &[Assignment], names: &mut Vec<String>) {
    names.extend(assignments.iter().map(|assignment| assignment.name.clone()));
}
