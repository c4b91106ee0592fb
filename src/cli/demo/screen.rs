//! What the demo shows. Everything stands in words too; colour only helps.

use super::play::Played;
use super::session::Event;
use crate::audit::wire::{WireDecision, WireRule};
use crate::audit::{State, records, verify};
use crate::cli::audit::paint_of;
use crate::cli::out::say;
use crate::cli::show::{Paint, colour, cut, paint, plain};
use std::path::Path;
use std::time::Duration;

/// How wide a call's text may be.
const ABOUT_WIDTH: usize = 46;
/// How wide a rule's name may be.
const RULE_WIDTH: usize = 30;
/// How wide a line of talk may be.
const LINE_WIDTH: usize = 98;

pub(super) fn opening() {
    let colour = colour();
    say!("toolgate: one door between an AI agent and its tools\n");
    say!(
        "A sidecar has started with the shipped policy, policies/default.toml. A recorded session"
    );
    say!(
        "of Claude Code now asks it before every tool call. Nothing of the session is run here.\n"
    );
    let head = format!("{:>4}  {:<5}  {:<9} {:<ABOUT_WIDTH$}  rule", "", "", "tool", "call");
    say!("{}", paint(&head, Paint::Dim, colour));
}

pub(super) fn say(text: &str) {
    say!("\n      {}", paint(&format!("“{text}”"), Paint::Dim, colour()));
}

pub(super) fn decided(number: usize, event: &Event, decision: &WireDecision) {
    let colour = colour();
    let effect = paint(&format!("{:<5}", decision.effect), paint_of(&decision.effect), colour);
    let tool = event.tool.strip_prefix("mcp__").unwrap_or(&event.tool);
    say!(
        "{number:>4}  {effect}  {:<9} {:<ABOUT_WIDTH$}  {}",
        cut(tool, 9),
        cut(&plain(&event.about), ABOUT_WIDTH),
        paint(&cut(&plain(&rule_of(decision)), RULE_WIDTH), Paint::Dim, colour),
    );
    if matches!(decision.effect.as_str(), "deny" | "ask") {
        talk(&decision.reason, Paint::Dim);
    }
}

pub(super) fn redacted(decision: &WireDecision, replaced: bool) {
    let what = if replaced { "taken out of its output" } else { "found in its output" };
    let text = format!("{} ({what}; rule {})", decision.reason, rule_of(decision));
    talk(&text, Paint::Ask);
}

/// A reason below its line, wrapped.
fn talk(text: &str, hue: Paint) {
    let colour = colour();
    let indent = " ".repeat(13);
    let mut line = String::new();
    for word in plain(text).split(' ') {
        if !line.is_empty() && indent.len() + line.chars().count() + word.len() >= LINE_WIDTH {
            say!("{indent}{}", paint(&line, hue, colour));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    say!("{indent}{}", paint(&line, hue, colour));
}

/// The rule to name: rules stand in the log with the strictest and most telling first.
fn rule_of(decision: &WireDecision) -> String {
    let made = |rule: &&WireRule| !rule.shadow && rule.effect == decision.effect;
    let spoke = || decision.rules.iter().find(|rule| !rule.shadow);
    match (decision.rules.iter().find(made).or_else(spoke), decision.effect.as_str()) {
        (_, "defer") => "the runtime's own prompt".to_owned(),
        (Some(rule), _) => rule.id.clone(),
        (None, _) => format!("({})", decision.basis),
    }
}

/// The end: what was decided, whether the log holds, what to try next. True if all is well.
pub(super) fn closing(played: &Played, audit: &Path, kept: bool) -> Result<bool, String> {
    let colour = colour();
    let count = |effect: &str| played.decided.get(effect).copied().unwrap_or_default();
    let total: usize = played.decided.values().sum();
    say!(
        "\n{total} calls: {} allowed, {} refused, {} to be asked, {} left to the runtime's own \
         prompt; outputs redacted: {}.",
        count("allow"),
        count("deny"),
        count("ask"),
        count("defer"),
        played.redacted,
    );
    say!("Median answer, socket and synced log included: {}.", median(&played.took));
    let report = verify(audit, None).map_err(|error| error.to_string())?;
    let whole = report.state() != State::Broken;
    let leaked = leaked(audit)?;
    let state = match (whole, leaked) {
        (true, 0) => paint("whole, and free of the session's secrets", Paint::Allow, colour),
        (true, count) => paint(&format!("whole, but holds {count} secrets"), Paint::Deny, colour),
        (false, _) => paint("broken", Paint::Deny, colour),
    };
    say!("The log: {} records, each chained to the one before; {state}.", report.records);
    next(played, audit, kept);
    Ok(whole && leaked == 0)
}

/// Secrets of the recording that stand in the log: there must be none.
fn leaked(audit: &Path) -> Result<usize, String> {
    let redactor = crate::redact::Redactor::shipped().map_err(|error| error.to_string())?;
    let lines = records(audit).map_err(|error| error.to_string())?;
    Ok(lines.flatten().filter(|entry| redactor.redact_text(&entry.text).is_some()).count())
}

fn median(took: &[Duration]) -> String {
    let mut sorted = took.to_vec();
    sorted.sort();
    let middle = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    format!("{:.1} ms", middle.as_secs_f64() * 1000.0)
}

fn next(played: &Played, audit: &Path, kept: bool) {
    let program = program();
    let commands = match (kept, &played.denied) {
        (true, Some(denied)) => [
            format!("{program} audit query --decision deny --audit {}", audit.display()),
            format!("{program} audit show {denied} --audit {}", audit.display()),
            format!("{program} policy explain 'git push --force origin main'"),
        ],
        _ => [
            format!("{program} demo --audit demo-log        # the same, and the log stays"),
            format!("{program} policy explain 'cat .env'    # why, for any command"),
            format!("{program} serve --help                 # put it before your own agent"),
        ],
    };
    say!("\nTry next:");
    for command in commands {
        say!("  {command}");
    }
}

/// This program as it can be typed here.
fn program() -> String {
    let Ok(program) = std::env::current_exe() else { return "toolgate".to_owned() };
    let here = std::env::current_dir().unwrap_or_default();
    match program.strip_prefix(&here) {
        Ok(inside) => inside.display().to_string(),
        Err(_) => "toolgate".to_owned(),
    }
}
