//! Allows of programs that run whatever they are given: interpreters, shells, package runners.
//!
//! Such an allow is fine where a person decides what no rule speaks of, or where its author says
//! why: so it is told only where the layer's default is not `defer`, and of no rule with a `why`.

use super::Subject;
use super::entries::{Entries, Entry, Pattern};
use crate::model::effect::Effect;
use crate::policy::diagnostic::Diagnostic;
use crate::policy::pattern::exec::Opening;
use crate::policy::rule::Default;

/// Programs whose next operand is what is run, after these operands.
const RUNNERS: &[(&str, &[&str])] = &[
    ("python", &[]),
    ("python3", &[]),
    ("node", &[]),
    ("deno", &["run"]),
    ("bun", &["run"]),
    ("bun", &["x"]),
    ("tsx", &[]),
    ("ruby", &[]),
    ("perl", &[]),
    ("php", &[]),
    ("lua", &[]),
    ("Rscript", &[]),
    ("osascript", &[]),
    ("sh", &[]),
    ("bash", &[]),
    ("zsh", &[]),
    ("dash", &[]),
    ("ksh", &[]),
    ("fish", &[]),
    ("npx", &[]),
    ("pnpx", &[]),
    ("bunx", &[]),
    ("uvx", &[]),
    ("npm", &["exec"]),
    ("npm", &["x"]),
    ("pnpm", &["dlx"]),
    ("pnpm", &["exec"]),
    ("yarn", &["dlx"]),
    ("uv", &["run"]),
    ("uv", &["tool", "run"]),
    ("pipx", &["run"]),
    ("docker", &["run"]),
    ("docker", &["exec"]),
    ("podman", &["run"]),
    ("podman", &["exec"]),
    ("kubectl", &["exec"]),
    ("ssh", &[]),
];

pub(super) fn lint(subject: &Subject<'_>, entries: &Entries<'_>) -> Vec<Diagnostic> {
    entries
        .own()
        .filter(|entry| entry.effect == Effect::Allow && entry.rule.why.is_none())
        .filter(|entry| subject.default(entry.kind) != Default::Defer)
        .filter_map(told)
        .collect()
}

fn told(entry: &Entry<'_>) -> Option<Diagnostic> {
    let openings = entry.patterns.iter().flat_map(|one| match &one.pattern {
        Pattern::Exec(pattern) => pattern.openings(),
        Pattern::Path(_) | Pattern::Connect(_) | Pattern::Call(_) => Vec::new(),
    });
    let opening = openings.into_iter().find(runs_anything)?;
    let command = std::iter::once(opening.program.as_str())
        .chain(opening.operands.iter().map(String::as_str))
        .collect::<Vec<&str>>()
        .join(" ");
    let message = format!("this allow lets through whatever `{command}` is given to run");
    let lint = Diagnostic::warning("P024", entry.file, entry.at.span.clone(), message);
    Some(lint.with_label("what that does is not judged").with_help(
        "name what may be run, as `python3 -m pytest ...`; or write a [[rule]] that says `why`",
    ))
}

/// Whether the first thing that is left open is what the program runs.
fn runs_anything(opening: &Opening) -> bool {
    opening.open
        && RUNNERS.iter().any(|(program, operands)| {
            // `docker ...` is `docker run ...` too.
            *program == opening.program
                && operands.starts_with(
                    &opening.operands.iter().map(String::as_str).collect::<Vec<&str>>(),
                )
        })
}
