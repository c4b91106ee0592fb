//! One mistake in a policy: what, where, and what to do about it.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::ops::Range;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The policy loads; its author should look.
    Warning,
    /// The policy does not load.
    Error,
}

/// One mistake: its code, its words, its place.
///
/// Wording: lower case, no final period, what the author wrote in backticks, and the help says
/// what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// A stable code, such as `P003`; the language reference has a paragraph for each.
    pub code: &'static str,
    /// Whether the policy still loads.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// The name of the file, as the user gave it.
    pub file: String,
    /// The place in the file, in bytes.
    pub span: Range<usize>,
    /// What stands at that place, in a few words.
    pub label: String,
    /// What to do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at `span` of `file`.
    #[must_use]
    pub fn error(code: &'static str, file: &str, span: Range<usize>, message: String) -> Self {
        Diagnostic {
            code,
            severity: Severity::Error,
            message,
            file: file.to_owned(),
            span,
            label: String::new(),
            help: None,
        }
    }

    /// A warning at `span` of `file`.
    #[must_use]
    pub fn warning(code: &'static str, file: &str, span: Range<usize>, message: String) -> Self {
        let error = Diagnostic::error(code, file, span, message);
        Diagnostic { severity: Severity::Warning, ..error }
    }

    /// The same with help.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same with words at the place itself.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// The mistake as a compiler shows it: message, place, caret, help. `text` is the file's text.
    #[must_use]
    pub fn render(&self, text: &str, colour: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let span = clamp(&self.span, text);
        let annotation = AnnotationKind::Primary.span(span).label(self.label.as_str());
        let snippet = Snippet::source(text).path(self.file.as_str()).annotation(annotation);
        let mut group = level.primary_title(&self.message).id(self.code).element(snippet);
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help));
        }
        let groups: [Group<'_>; 1] = [group];
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&groups)
    }
}

/// A span that surely lies inside the text, at character borders.
fn clamp(span: &Range<usize>, text: &str) -> Range<usize> {
    let border = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = border(span.start);
    start..border(span.end).max(start)
}

/// Where the lines of a text end, looked up once for many places.
#[derive(Debug)]
pub struct Lines {
    ends: Vec<usize>,
}

impl Lines {
    /// The lines of this text.
    #[must_use]
    pub fn of(text: &str) -> Lines {
        Lines { ends: text.match_indices('\n').map(|(at, _)| at).collect() }
    }

    /// The line of a place, counted from 1.
    #[must_use]
    pub fn line_of(&self, offset: usize) -> usize {
        self.ends.partition_point(|end| *end < offset) + 1
    }
}

/// The candidate nearest to `word`, if it is near enough to be meant.
#[must_use]
pub fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        // A text that is far longer is far away, and measuring it would take its length in time.
        .filter(|candidate| word.len() / 4 <= candidate.len() + 3)
        .map(|candidate| (edit_distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 2).clamp(1, 3))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, by characters.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (pair, to) in row.windows(2).zip(&b) {
            let &[diagonal, above] = pair else { continue };
            let left = next.last().copied().unwrap_or_default();
            let replaced = diagonal + usize::from(from != *to);
            next.push(replaced.min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearness() {
        assert_eq!(edit_distance("unles", "unless"), 1);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(did_you_mean("dney", ["deny", "allow"]), Some("deny"));
        assert_eq!(did_you_mean("zzz", ["deny", "allow"]), None);
    }

    #[test]
    fn lines() {
        let lines = Lines::of("a\n\nb");
        for (offset, line) in [(0, 1), (1, 1), (2, 2), (3, 3), (99, 3)] {
            assert_eq!(lines.line_of(offset), line, "{offset}");
        }
    }

    #[test]
    fn a_span_out_of_the_text_still_renders() {
        let wrong = Diagnostic::error("P000", "p.toml", 90..99, "nothing there".to_owned());
        assert!(wrong.render("schema = 1\n", false).contains("error[P000]: nothing there"));
        assert!(wrong.render("é", false).contains("p.toml"));
    }
}
