//! How the examples and tests of a policy came out (`policy test`): for people, programs and CI.
//!
//! A claim that is not proved is told apart and never counts as passed. No text of a policy gets
//! into a report with a character that could not be seen.

use super::check::{Checked, failure};
use super::run::{Ran, RunKind, RunOutcome};
use crate::policy::diagnostic::{Lines, human, json as told, seen};
use crate::policy::{Diagnostic, Severity, Source};
use serde_json::{Value, json};
use std::fmt::Write;

/// What came of the examples and tests of a policy.
#[derive(Debug)]
pub struct Report<'a> {
    sources: &'a [Source],
    cases: Vec<Case>,
    filtered_out: usize,
    /// What was asked for, if nothing at all has it.
    missed: Option<String>,
    /// Whether the examples and tests were run: a file that is refused alone does not prevent it.
    loads: bool,
    /// What is wrong with the policy itself.
    pub mistakes: Vec<Diagnostic>,
}

/// One example or test.
#[derive(Debug)]
struct Case {
    ran: Ran,
    file: String,
    line: usize,
    column: usize,
    /// The rule of an example and its text, or the name of a test.
    name: String,
}

impl<'a> Report<'a> {
    /// The report on those whose name or text contains `filter`.
    #[must_use]
    pub fn of(checked: Checked, sources: &'a [Source], filter: Option<&str>) -> Report<'a> {
        let lines: Vec<Lines> = sources.iter().map(|source| Lines::of(&source.text)).collect();
        let all = checked.ran.len();
        let failed = |ran: &Ran| matches!(ran.outcome, RunOutcome::Failed { .. });
        let loads = checked.policy.is_some() || checked.ran.iter().any(failed);
        let case = |ran: Ran| -> Option<Case> {
            let (source, lines) = (sources.get(ran.file)?, lines.get(ran.file)?);
            let place = lines.place(&source.text, ran.span.start);
            let written = source.text.get(ran.span.clone()).unwrap_or_default();
            let written = written.split_whitespace().collect::<Vec<_>>().join(" ");
            let name = match ran.kind {
                RunKind::Example => format!("{} {written}", ran.name),
                RunKind::Test | RunKind::Claim => ran.name.clone(),
            };
            let file = source.name.clone();
            Some(Case { ran, file, line: place.line, column: place.column, name })
        };
        let fits = |case: &Case| filter.is_none_or(|filter| case.name.contains(filter));
        let mut cases: Vec<Case> = checked.ran.into_iter().filter_map(case).filter(fits).collect();
        // As they stand in the files, examples and tests alike.
        cases.sort_by_key(|case| (case.ran.file, case.ran.span.start));
        let of_policy = |found: &Diagnostic| !matches!(found.code, "P030" | "P031");
        let missed = filter.filter(|_| cases.is_empty()).map(str::to_owned);
        Report {
            sources,
            missed,
            filtered_out: all - cases.len(),
            loads,
            cases,
            mistakes: checked.diagnostics.into_iter().filter(of_policy).collect(),
        }
    }

    /// Whether the policy loads, and all that was looked at came out as it says.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.errors() == 0
            && self.missed.is_none()
            && self.count(|outcome| matches!(outcome, RunOutcome::Failed { .. })) == 0
    }

    /// What was asked for and is nowhere, in words: a name that was misspelt has tested nothing.
    #[must_use]
    pub fn missed(&self) -> Option<String> {
        let filter = self.missed.as_ref().filter(|_| self.loads)?;
        Some(format!("no rule, name or text of an example or test contains `{}`", seen(filter)))
    }

    fn errors(&self) -> usize {
        self.mistakes.iter().filter(|found| found.severity == Severity::Error).count()
    }

    fn count(&self, which: impl Fn(&RunOutcome) -> bool) -> usize {
        self.cases.iter().filter(|case| which(&case.ran.outcome)).count()
    }

    fn counts(&self) -> [usize; 3] {
        [
            self.count(|outcome| *outcome == RunOutcome::Held),
            self.count(|outcome| matches!(outcome, RunOutcome::Failed { .. })),
            self.count(|outcome| *outcome == RunOutcome::Unproved),
        ]
    }

    /// For people: every failure in its place, what is not proved, and how many of each; with
    /// `verbose` a line for each example and test.
    #[must_use]
    pub fn human(&self, verbose: bool, colour: bool) -> String {
        let mut out = String::new();
        for case in self.cases.iter().filter(|case| verbose || is_unproved(case)) {
            let (file, name) = (seen(&case.file), seen(&case.name));
            let word = word(&case.ran.outcome);
            let _ = writeln!(out, "{word:<14}  {file}:{}:{}  {name}", case.line, case.column);
        }
        let failed: Vec<Diagnostic> =
            self.cases.iter().filter_map(|case| failure(&case.ran, self.sources)).collect();
        if !failed.is_empty() {
            let shown = human::render_all(&failed, self.sources, colour);
            let _ = writeln!(out, "{shown}\n");
        }
        match self.loads {
            true => {
                let [passed, failed, unproved] = self.counts();
                let _ = write!(out, "{passed} passed, {failed} failed, {unproved} not proved yet");
                if self.filtered_out > 0 {
                    let _ = write!(out, ", {} filtered out", self.filtered_out);
                }
                if self.errors() > 0 {
                    let _ = write!(out, "; a file is refused, and was not tested");
                }
            }
            false => {
                let errors = self.errors();
                let _ =
                    write!(out, "{errors} mistake(s): the policy does not load; no test was run");
            }
        }
        out.push('\n');
        out
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let result = |case: &Case| {
            let (message, detail) = match &case.ran.outcome {
                RunOutcome::Failed { message, detail } => (Some(message), Some(detail)),
                RunOutcome::Held | RunOutcome::Unproved => (None, None),
            };
            json!({
                "file": case.file, "line": case.line, "column": case.column,
                "kind": kind(case.ran.kind), "name": case.ran.name, "text": case.name,
                "outcome": match &case.ran.outcome {
                    RunOutcome::Held => "passed",
                    RunOutcome::Failed { .. } => "failed",
                    RunOutcome::Unproved => "not_proved",
                },
                "message": message, "detail": detail,
            })
        };
        let [passed, failed, not_proved] = self.counts();
        json!({
            "results": self.cases.iter().map(result).collect::<Value>(),
            "passed": passed, "failed": failed, "not_proved": not_proved,
            "filtered_out": self.filtered_out, "errors": self.errors(),
            "diagnostics": told::diagnostics(&self.mistakes, self.sources),
        })
    }

    /// For CI: JUnit's XML, one suite for each file. What is not proved is skipped; a mistake that
    /// keeps the policy from loading is an error.
    #[must_use]
    pub fn junit(&self) -> String {
        let mut suites = String::new();
        let mut totals = [0; 4];
        for (place, source) in self.sources.iter().enumerate() {
            let again = self.sources.iter().take(place).any(|other| other.name == source.name);
            if !again {
                self.suite(&source.name, &mut suites, &mut totals);
            }
        }
        let counts = attributes(totals);
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <testsuites name=\"toolgate policy test\"{counts}>\n{suites}</testsuites>\n"
        )
    }

    fn suite(&self, file: &str, into: &mut String, totals: &mut [usize; 4]) {
        let mut counts = [0; 4];
        let mut cases = String::new();
        for case in self.cases.iter().filter(|case| case.file == file) {
            let inner = match &case.ran.outcome {
                RunOutcome::Held => None,
                RunOutcome::Failed { message, detail } => {
                    counts[1] += 1;
                    let (message, detail) = (xml(message), xml(detail));
                    Some(format!("<failure message=\"{message}\">{detail}</failure>"))
                }
                RunOutcome::Unproved => {
                    counts[3] += 1;
                    Some("<skipped message=\"not proved yet\"/>".to_owned())
                }
            };
            counts[0] += 1;
            test_case(&mut cases, &case.name, file, case.line, inner.as_deref());
        }
        let errors = self.mistakes.iter().filter(|found| found.severity == Severity::Error);
        for found in errors.filter(|found| found.file == file) {
            let text = human::text_of(self.sources, file).unwrap_or_default();
            let line = Lines::of(text).line_of(found.span.start);
            let help = found.help.as_deref().map(xml).unwrap_or_default();
            let inner = format!(
                "<error type=\"{}\" message=\"{}\">{help}</error>",
                found.code,
                xml(&found.message)
            );
            counts[0] += 1;
            counts[2] += 1;
            test_case(&mut cases, "the policy loads", file, line, Some(&inner));
        }
        let _ = write!(
            into,
            "  <testsuite name=\"{}\"{}>\n{cases}  </testsuite>\n",
            xml(file),
            attributes(counts)
        );
        for (total, count) in totals.iter_mut().zip(counts) {
            *total += count;
        }
    }
}

fn attributes([tests, failures, errors, skipped]: [usize; 4]) -> String {
    format!(" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\"")
}

fn test_case(into: &mut String, name: &str, file: &str, line: usize, inner: Option<&str>) {
    let (name, file) = (xml(name), xml(file));
    let _ = write!(
        into,
        "    <testcase classname=\"{file}\" name=\"{name}\" file=\"{file}\" line=\"{line}\""
    );
    into.push_str(&match inner {
        Some(inner) => format!(">\n      {inner}\n    </testcase>\n"),
        None => "/>\n".to_owned(),
    });
}

fn is_unproved(case: &Case) -> bool {
    case.ran.outcome == RunOutcome::Unproved
}

fn word(outcome: &RunOutcome) -> &'static str {
    match outcome {
        RunOutcome::Held => "ok",
        RunOutcome::Failed { .. } => "FAILED",
        RunOutcome::Unproved => "not proved yet",
    }
}

fn kind(kind: RunKind) -> &'static str {
    match kind {
        RunKind::Example => "example",
        RunKind::Test => "test",
        RunKind::Claim => "claim",
    }
}

/// A text as it may stand in XML, in an attribute too.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in seen(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            // What XML 1.0 has no place for even as a number.
            '\u{fffe}' | '\u{ffff}' => out.extend(c.escape_unicode()),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::author::check::check;
    use crate::policy::builtin::Protected;
    use crate::policy::pattern::Anchors;
    use crate::redact::Redactor;

    fn sources(text: &str) -> Vec<Source> {
        vec![Source { name: "p<1>.toml".to_owned(), text: text.to_owned(), layer: None }]
    }

    fn report<'a>(sources: &'a [Source], filter: Option<&str>) -> Report<'a> {
        let redactor = Redactor::shipped().unwrap();
        let anchors = Anchors::frozen(None);
        Report::of(check(sources, &anchors, &Protected::default(), &redactor), sources, filter)
    }

    const POLICY: &str = "schema = 1\n[policy]\nname = 'p'\n[[rule]]\nid = 'no-env'\n\
        deny = 'read'\nmatch = ['**/.env']\nexamples = [\n\
        { read = '/work/.env', expect = 'match' },\n\
        { read = '/work/<&\\u001b[2J>', expect = 'match' },\n]\n\
        [[test]]\nname = 'nothing is written'\nevery = 'write'\nexpect = 'deny'\n";

    #[test]
    fn what_failed_and_what_is_not_proved_is_never_passed() {
        let text = POLICY.replace("'/work/<&\\u001b[2J>'", "\"/work/<&\\u001b[2J>\"");
        let all = sources(&text);
        let report = report(&all, None);
        assert!(!report.holds());
        assert_eq!(report.counts(), [1, 1, 1]);
        let human = report.human(false, false);
        assert!(human.ends_with("1 passed, 1 failed, 1 not proved yet\n"), "{human}");
        assert!(human.contains("p<1>.toml:10:1"), "{human}");
        assert!(!human.contains('\u{1b}'), "{human}");
        assert_eq!(report.human(true, false).matches("\nok ").count(), 0);
        assert!(report.human(true, false).starts_with("ok "));
        let json = report.json();
        assert_eq!(json["not_proved"], 1);
        assert_eq!(json["results"][1]["outcome"], "failed");
        assert_eq!(json["results"][2]["kind"], "claim");
        let junit = report.junit();
        assert!(
            junit.contains(" tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\""),
            "{junit}"
        );
        assert!(junit.contains("<skipped message=\"not proved yet\"/>"), "{junit}");
        assert!(junit.contains("p&lt;1&gt;.toml"), "{junit}");
        assert!(!junit.contains("<&"), "{junit}");
        assert!(junit.chars().all(|c| c == '\n' || !c.is_control()), "{junit:?}");
    }

    #[test]
    fn a_filter_leaves_out_and_says_so() {
        let all = sources(POLICY);
        let some = report(&all, Some("/work/.env"));
        assert!(some.holds());
        assert!(
            some.human(false, false)
                .ends_with("1 passed, 0 failed, 0 not proved yet, 2 filtered out\n")
        );
        assert_eq!(report(&all, Some("nowhere")).counts(), [0, 0, 0]);
    }

    #[test]
    fn a_policy_that_does_not_load_is_an_error_and_runs_nothing() {
        let all = sources("schema = 1\n[policy]\nname = 'p'\ndefault = \"al'<low\"\n");
        let report = report(&all, None);
        assert!(!report.holds());
        assert!(report.human(true, false).contains("1 mistake(s)"));
        assert_eq!(report.json()["errors"], 1);
        let junit = report.junit();
        assert!(junit.contains("<error type=\"P006\""), "{junit}");
        assert!(junit.contains("al&apos;&lt;low"), "{junit}");
    }
}
