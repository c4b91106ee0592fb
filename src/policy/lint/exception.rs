//! What to do about an allow that a deny makes void: exceptions stand inside the deny.

use super::Subject;
use super::entries::{Entry, written};
use super::overlap::word;
use crate::model::access::Verb;
use crate::model::effect::Effect;
use crate::policy::diagnostic::{Edit, Fix};
use crate::policy::document::{CallText, Expect};
use crate::policy::pattern::Stance;
use crate::policy::pattern::cover::Cover;

/// What to do about `entry`, all of which `by` holds back, as it does `with`; and the fix, if there
/// is one answer.
pub(super) fn advise(
    entry: &Entry<'_>,
    by: &Entry<'_>,
    with: &[&Entry<'_>],
    subject: &Subject<'_>,
) -> (String, Option<Fix>) {
    let (says, stricter) = (word(entry.effect), word(by.effect));
    let win = match by.effect {
        Effect::Deny => "denies always win",
        Effect::Ask | Effect::Allow => "an ask wins over an allow",
    };
    if by.source.is_none() {
        return (format!("{win}, and a pack has no exceptions: remove this {says}"), None);
    }
    if stands_for_all_of(entry, by, subject) {
        return (format!("{win}: remove this {says}, or the {stricter}"), None);
    }
    let certain = |entry: &&&Entry<'_>| {
        by.file == entry.file
            && !by.is_of_grid()
            && entry.has_verbs_of(by)
            && entry.is_unconditional()
            && !stands_for_all_of(entry, by, subject)
    };
    let mut excepted: Vec<&Entry<'_>> = with.iter().filter(certain).copied().collect();
    let is_certain = excepted.iter().any(|other| other.is(entry));
    if !is_certain {
        excepted = vec![entry];
    }
    let mut texts: Vec<String> =
        excepted.iter().map(|entry| exception(entry, by, subject)).collect();
    texts.dedup();
    let Some(quoted) = texts.iter().map(|text| quoted(text)).collect::<Option<Vec<String>>>()
    else {
        return (format!("{win}; move the exception into the {stricter}"), None);
    };
    let list = format!("[{}]", quoted.join(", "));
    let unless = format!("unless = {list}");
    let help = if by.file != entry.file {
        format!("{win}; only its own file can except it: {unless}")
    } else if by.is_of_grid() {
        format!("{win}; write the {stricter} as a [[rule]] with {unless}")
    } else {
        let more = by.verbs.iter().filter(|verb| !entry.verbs.contains(verb));
        let more: Vec<&str> = more.map(|verb| verb.as_str()).collect();
        let mut too = String::new();
        if !more.is_empty() {
            too.push_str(&format!("; it then holds for {} too", more.join(" and ")));
        }
        if !entry.is_unconditional() {
            too.push_str("; conditions do not come along");
        }
        format!("{win}; move the exception into the {stricter}: {unless}{too}")
    };
    let is_certain = is_certain && !may_contradict(by, &texts);
    let edit = insert(entry.source.unwrap_or_default(), by, &list).filter(|_| is_certain);
    (help, edit.map(|edit| Fix { words: format!("write `{unless}`"), edits: vec![edit] }))
}

/// Whether some example of the rule may be one of a call that would then be excepted: a policy
/// whose examples fail does not load.
fn may_contradict(by: &Entry<'_>, exceptions: &[String]) -> bool {
    let is_path = matches!(by.verbs.first(), Some(Verb::Read | Verb::Write));
    let names: Vec<&str> = exceptions
        .iter()
        .map(|text| text.trim_end_matches('/').rsplit('/').next().unwrap_or_default())
        .collect();
    let is_plain = is_path && !names.iter().any(|name| name.contains(['*', '?', '[', '{', '\\']));
    by.rule.examples.iter().filter(|example| example.value.expect != Expect::Skip).any(|example| {
        let text = match &example.value.call {
            CallText::Bash(text) | CallText::Bare(_, text) | CallText::Output(text) => text.clone(),
            CallText::Tool(name, arguments) => format!("{name} {arguments}"),
        };
        // What a wildcard of the shell stands for is not looked up.
        let is_literal = !text.contains(['*', '?', '[', '{', '$']);
        !is_plain || !is_literal || names.iter().any(|name| text.contains(name))
    })
}

/// Whether an exception for `entry` would leave nothing of the rule that holds it back.
fn stands_for_all_of(entry: &Entry<'_>, by: &Entry<'_>, subject: &Subject<'_>) -> bool {
    let texts: Vec<String> = by.patterns.iter().map(|written| written.text.clone()).collect();
    let loosened = written(&texts, &by.verbs, Stance::Loosen, &subject.anchors);
    let covered = |narrow: &super::entries::Written| {
        entry.patterns.iter().any(|wide| wide.pattern.covers_all_of(&narrow.pattern))
    };
    loosened.is_some_and(|loosened| !loosened.is_empty() && loosened.iter().all(covered))
}

/// The exception as it is best written: where the deny speaks of any directory, so does it.
fn exception(entry: &Entry<'_>, by: &Entry<'_>, subject: &Subject<'_>) -> String {
    let own = entry.text().to_owned();
    let anywhere = || {
        let depth = by.text().strip_prefix("**/")?.trim_end_matches('/').split('/').count();
        let (inner, end) = match own.strip_suffix('/') {
            Some(inner) => (inner, "/"),
            None => (own.as_str(), ""),
        };
        let names: Vec<&str> = inner.split('/').skip(1).collect();
        let last = names.get(names.len().checked_sub(depth)?..)?;
        let text = format!("**/{}{end}", last.join("/"));
        let read =
            written(std::slice::from_ref(&text), &by.verbs, Stance::Loosen, &subject.anchors);
        let read = read?;
        let is_held_back = read.iter().all(|narrow| {
            by.patterns.iter().any(|wide| wide.pattern.covers_all_of(&narrow.pattern))
        });
        let is_all = entry
            .patterns
            .iter()
            .all(|narrow| read.iter().any(|wide| wide.pattern.covers_all_of(&narrow.pattern)));
        (is_held_back && is_all).then_some(text)
    };
    anywhere().unwrap_or(own)
}

/// The text as TOML; nothing if it would need escapes.
fn quoted(text: &str) -> Option<String> {
    let plain = |c: char| !c.is_control();
    match (text.contains(['"', '\\']), text.contains('\'')) {
        _ if !text.chars().all(plain) => None,
        (false, _) => Some(format!("\"{text}\"")),
        (true, false) => Some(format!("'{text}'")),
        (true, true) => None,
    }
}

/// A line below the rule's `match`, in its layout; nothing if that is no line of its own.
fn insert(text: &str, by: &Entry<'_>, list: &str) -> Option<Edit> {
    let (first, last) = (by.rule.matches.first()?, by.rule.matches.last()?);
    let key = text.get(..first.span.start)?.rfind("match")?;
    let line = text.get(..key)?.rfind('\n').map_or(0, |end| end + 1);
    let indent = text.get(line..key)?;
    let after_key = text.get(key + "match".len()..first.span.start)?;
    let room = after_key.len() - after_key.trim_start_matches(' ').len();
    if !indent.trim().is_empty() || !after_key.trim_start().starts_with('=') {
        return None;
    }
    let end = end_of_list(text, last.span.end);
    let rest = text.get(end..)?;
    let of_line = rest.split('\n').next()?.trim_end_matches('\r');
    let behind = of_line.trim();
    if !(behind.is_empty() || behind.starts_with('#')) {
        return None;
    }
    let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let gap = " ".repeat(("match".len() + room).saturating_sub("unless".len()).max(1));
    let at = end + of_line.len();
    Some(Edit { span: at..at, text: format!("{line_end}{indent}unless{gap}= {list}") })
}

/// Behind the `]` that closes a list whose last item ends at `end`; `end` where there is no list.
fn end_of_list(text: &str, end: usize) -> usize {
    let mut at = end;
    while let Some(rest) = text.get(at..) {
        match rest.chars().next() {
            Some(']') => return at + 1,
            Some('#') => at += rest.find('\n').unwrap_or(rest.len()),
            Some(c) if c == ',' || c.is_whitespace() => at += c.len_utf8(),
            Some(_) | None => break,
        }
    }
    end
}
