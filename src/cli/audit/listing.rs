//! Records as lines for people, below a head: number, when, what was decided, of what, and why.
//!
//! A terminal's width is kept: where one line has no room for the reason, a call that was not let
//! through has it on a second one. What goes to a file or a pipe is cut nowhere but where it is
//! longer than anybody reads.

use super::table::{bound, columns, fitted};
use super::{paint_of, told};
use crate::audit::wire::WireRecord;
use crate::cli::out::say;
use crate::cli::show::{colour, cut, paint, plain};
use crate::model::record::Kind;
use crate::review::subject;
use std::cell::Cell;

/// From so many columns on, the reason stands in the same line.
const WIDE: usize = 120;
/// No text of a line is longer where nothing bounds the line.
const TEXT_MAX: usize = 240;
/// A session's beginning, which all commands take for the whole where it is only one's.
const SESSION: usize = 10;

/// Prints records as they come, the head before the first.
pub(super) struct Listing {
    colour: bool,
    width: Option<usize>,
    begun: Cell<bool>,
}

impl Listing {
    pub(super) fn new() -> Listing {
        Listing { colour: colour(), width: bound(), begun: Cell::new(false) }
    }

    /// Prints one record.
    pub(super) fn print(&self, record: &WireRecord) {
        if !self.begun.replace(true) {
            let texts = ["time (UTC)", "decision", "tool", "session"];
            let named = texts.into_iter().zip(self.columns()).map(|(text, most)| match text {
                "decision" if most < text.len() => fitted("", most),
                text => fitted(text, most),
            });
            let head: Vec<String> = std::iter::once("record".to_owned()).chain(named).collect();
            let head = format!("{}  what, and why", head.join("  "));
            say!("{}", paint(&head, crate::cli::show::Paint::Dim, self.colour));
        }
        self.lines(record).iter().for_each(|line| say!("{line}"));
    }

    /// How wide time, decision, tool and session are.
    fn columns(&self) -> [usize; 4] {
        match self.width {
            // An id of a runtime is 36 long.
            None => [19, 8, 12, 36],
            Some(width) if width >= WIDE + 40 => [19, 8, 12, 36],
            Some(width) if width >= WIDE => [19, 8, 12, SESSION],
            Some(_) => [14, 5, 8, SESSION],
        }
    }

    fn lines(&self, record: &WireRecord) -> Vec<String> {
        let [of_time, of_decision, of_tool, of_session] = self.columns();
        let time = record.ts.get(11..19).unwrap_or(&record.ts);
        let date = record.ts.get(if of_time < 19 { 5 } else { 0 }..10).unwrap_or_default();
        let is_finding = record.kind == Kind::Finding.as_str();
        let tool = record.tool.as_deref().filter(|_| !is_finding).unwrap_or(&record.kind);
        let effect = record.decided().map_or("", |decision| decision.effect.as_str());
        let painted = paint(&fitted(&plain(effect), of_decision), paint_of(effect), self.colour);
        let session = record.session.as_deref().unwrap_or("-");
        let fixed = 6 + of_time + of_decision + of_tool + of_session + 5 * 2;
        let begin = format!(
            "{:>6}  {} {}  {painted}  {}  {}",
            record.seq,
            plain(date),
            plain(time),
            fitted(&plain(tool), of_tool),
            fitted(&plain(session), of_session),
        );
        let (what, why) = (what(record), why(record));
        match self.width {
            None => {
                let shown = |text: &str| cut(&plain(text), TEXT_MAX);
                vec![joined(&begin, &shown(&what), &shown(&why))]
            }
            Some(width) if width >= WIDE => {
                let room = width.saturating_sub(fixed + 2);
                // Half of the room for what, unless why needs less.
                let of_why = columns_of(&why).min(room / 2);
                let of_what = columns_of(&what).min(room - of_why);
                let why = shortened(&why, room - of_what);
                vec![joined(&begin, &shortened(&what, of_what), &why)]
            }
            Some(width) => {
                let room = width.saturating_sub(fixed);
                // Without a subject the reason is all there is to say.
                let (first, second) = match what.is_empty() {
                    true => (&why, String::new()),
                    false => (&what, why.clone()),
                };
                let second = if matches!(effect, "allow") { String::new() } else { second };
                let mut lines = vec![joined(&begin, &shortened(first, room), "")];
                if !second.is_empty() {
                    lines.push(format!("        {}", shortened(&second, width.saturating_sub(8))));
                }
                lines
            }
        }
    }
}

fn joined(begin: &str, what: &str, why: &str) -> String {
    let texts = [what, why].into_iter().filter(|text| !text.is_empty());
    let texts: Vec<&str> = std::iter::once(begin).chain(texts).collect();
    texts.join("  ").trim_end().to_owned()
}

fn columns_of(text: &str) -> usize {
    columns(&plain(text))
}

fn shortened(text: &str, room: usize) -> String {
    fitted(&plain(text), room).trim_end().to_owned()
}

/// What the call was about: its command, path or address.
pub(super) fn what(record: &WireRecord) -> String {
    match record.kind == Kind::ToolPre.as_str() || record.tool.is_some() {
        true => subject(record),
        false => String::new(),
    }
}

/// Why it was decided so, with the rule that did; of other records what they tell.
pub(super) fn why(record: &WireRecord) -> String {
    let Some(decision) = &record.decision else { return told(record) };
    let by = match record.deciding().first() {
        Some(rule) => rule.id.clone(),
        None => record.decider().filter(|_| decision.effect != "defer").unwrap_or_default(),
    };
    // Most reasons name the rule themselves.
    match by.is_empty() || decision.reason.contains(&by) || by == "(rule)" {
        true => decision.reason.clone(),
        false => format!("{by}: {}", decision.reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::wire::{WireCapture, WireDecision, WireRule};

    fn denied() -> WireRecord {
        let rule = WireRule {
            id: "no-wipe".to_owned(),
            file: "p.toml".to_owned(),
            line: 3,
            effect: "deny".to_owned(),
            matched: "yes".to_owned(),
            shadow: false,
        };
        WireRecord {
            seq: 41,
            ts: "2026-11-18T02:04:05.000006Z".to_owned(),
            kind: "tool.pre".to_owned(),
            session: Some("5e551011-0000-4000-8000-000000000001".to_owned()),
            tool: Some("Bash".to_owned()),
            decision: Some(WireDecision {
                effect: "deny".to_owned(),
                basis: "rule".to_owned(),
                reason: "That cannot be undone.".to_owned(),
                rules: vec![rule],
                rules_more: 0,
                attended: None,
                obligations: Vec::new(),
            }),
            input: Some(WireCapture {
                value: Some(serde_json::json!({ "command": "mkfs.ext4 /dev/sda1" })),
                bytes: 30,
                redactions: Vec::new(),
                redactions_more: 0,
            }),
            ..WireRecord::default()
        }
    }

    #[test]
    fn a_denial_says_what_and_why_at_every_width() {
        for width in [None, Some(60), Some(80), Some(100), Some(120), Some(200)] {
            let listing = Listing { colour: false, width, begun: Cell::new(false) };
            let lines = listing.lines(&denied());
            let all = lines.join("\n");
            for part in ["41", "deny", "Bash", "5e551011-", "no-wipe: That cannot be undone."] {
                assert!(all.contains(part), "{width:?}: {all}");
            }
            assert!(width.is_some_and(|width| width < 80) || all.contains("mkfs"), "{all}");
            let fits = |line: &&String| width.is_none_or(|width| columns(line) <= width.max(80));
            assert!(lines.iter().all(|line| fits(&line)), "{width:?}: {all}");
        }
    }

    #[test]
    fn what_nobody_bounds_is_whole() {
        let listing = Listing { colour: false, width: None, begun: Cell::new(false) };
        let line = listing.lines(&denied()).join("");
        assert!(line.contains("5e551011-0000-4000-8000-000000000001"), "{line}");
        assert!(line.ends_with("mkfs.ext4 /dev/sda1  no-wipe: That cannot be undone."), "{line}");
    }
}
