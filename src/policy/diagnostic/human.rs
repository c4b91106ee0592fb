//! A mistake as a compiler shows it: message, place, caret, the other places, help.

use super::lines::border;
use super::seen::picture;
use super::{Diagnostic, Lines, Severity, seen};
use crate::limits::EXCERPT_BYTES_MAX;
use crate::policy::builtin::pack;
use crate::policy::compile::Source;
use annotate_snippets::{Annotation, AnnotationKind, Level, Origin, Renderer, Snippet};
use std::ops::Range;

/// Lines of a place that are shown; of a longer one only its first.
const PLACE_LINES: usize = 4;
/// Bytes of a line that are shown on each side of a place. The renderer shows fewer, but would read
/// a line of megabytes for each of its mistakes.
const LINE_CONTEXT: usize = 1_000;

/// Every mistake in its place, in the texts it was found in.
#[must_use]
pub fn render_all(diagnostics: &[Diagnostic], sources: &[Source], colour: bool) -> String {
    let text_of = |file: &str| text_of(sources, file);
    let one = |found: &Diagnostic| render(found, &text_of, colour);
    diagnostics.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// The text of a file by its name: one of the sources, or a shipped pack.
#[must_use]
pub fn text_of<'a>(sources: &'a [Source], file: &str) -> Option<&'a str> {
    let source = sources.iter().find(|source| source.name == file);
    source.map(|source| source.text.as_str()).or_else(|| pack(file))
}

/// One mistake; `text_of` knows the texts of files by their names.
pub fn render<'a>(
    found: &Diagnostic,
    text_of: &dyn Fn(&str) -> Option<&'a str>,
    colour: bool,
) -> String {
    let level = match found.severity {
        Severity::Note => Level::NOTE,
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(seen(&found.message)).id(found.code);
    let mut group = title.elements(std::iter::empty::<Origin<'_>>());
    let mut cut = Vec::new();
    for excerpt in excerpts(found, text_of) {
        cut.extend(excerpt.cut);
        group = match excerpt.text {
            None => group.element(Origin::path(excerpt.file)),
            Some(text) => {
                let snippet = Snippet::source(text).line_start(excerpt.line);
                let snippet = snippet.path(excerpt.file);
                group.element(snippet.annotations(excerpt.marks.into_iter().map(Mark::annotation)))
            }
        };
    }
    if let Some(advice) = found.advice() {
        group = group.element(Level::HELP.message(advice));
    }
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut shown = renderer.render(&[group]);
    // The renderer counts columns from where the excerpt begins. The title is one line.
    let body = shown.find('\n').unwrap_or(shown.len());
    let body = shown.split_off(body);
    shown + &cut.into_iter().fold(body, |body, (as_cut, whole)| body.replacen(&as_cut, &whole, 1))
}

/// Some lines of a file, with the places in them.
struct Excerpt {
    file: String,
    /// The number of the first line.
    line: usize,
    /// If its line begins before it: the place as it is counted here, and as it is.
    cut: Option<(String, String)>,
    /// Nothing if the file's text is not at hand.
    text: Option<String>,
    marks: Vec<Mark>,
}

struct Mark {
    span: Range<usize>,
    label: String,
    primary: bool,
}

impl Mark {
    fn annotation(self) -> Annotation<'static> {
        let kind = if self.primary { AnnotationKind::Primary } else { AnnotationKind::Context };
        kind.span(self.span).label(self.label)
    }
}

/// The places of a mistake, those near one another in one excerpt; its own comes first.
fn excerpts<'a>(found: &Diagnostic, text_of: &dyn Fn(&str) -> Option<&'a str>) -> Vec<Excerpt> {
    let own = (&found.file, &found.span, &found.label, true);
    let others = found.others.iter().map(|note| (&note.file, &note.span, &note.label, false));
    // By file, in the file's own bytes.
    let mut groups: Vec<(&str, Vec<Mark>)> = Vec::new();
    for (file, span, label, primary) in std::iter::once(own).chain(others) {
        let span = text_of(file).map_or_else(|| span.clone(), |text| clamp(span, text));
        let mark = Mark { span, label: seen(label).into_owned(), primary };
        let near = groups.iter_mut().find(|(known, marks)| {
            let far = |other: &Mark| {
                let ends = other.span.end.max(mark.span.end);
                ends - other.span.start.min(mark.span.start) > EXCERPT_BYTES_MAX
            };
            *known == file.as_str() && !marks.iter().any(far)
        });
        match near {
            Some((_, marks)) => marks.push(mark),
            None => groups.push((file, vec![mark])),
        }
    }
    groups.into_iter().map(|(file, marks)| cut(file, text_of(file), marks)).collect()
}

/// The lines that hold the marks.
fn cut(file: &str, text: Option<&str>, mut marks: Vec<Mark>) -> Excerpt {
    let name = seen(file).into_owned();
    let Some(text) = text else {
        return Excerpt { file: name, line: 1, cut: None, text: None, marks };
    };
    let first = marks.iter().map(|mark| mark.span.start).min().unwrap_or_default();
    let last = marks.iter().map(|mark| mark.span.end).max().unwrap_or_default();
    let (before, rest) = text.split_at_checked(first).unwrap_or((text, ""));
    let begins = before.rfind('\n').map_or(0, |end| end + 1);
    let start = border(text, first.saturating_sub(LINE_CONTEXT)).max(begins);
    let behind = text.get(last..).and_then(|behind| behind.find('\n'));
    let ends = behind.map_or(text.len(), |end| last + end);
    let end = border(text, last + LINE_CONTEXT).max(last).min(ends);
    let line = before.matches('\n').count() + 1;
    let told = marks.iter().find(|mark| mark.primary).map_or(first, |mark| mark.span.start);
    let cut = (start > begins).then(|| {
        let whole = Lines::of(text).place(text, told);
        let here = text.get(start..told).unwrap_or_default();
        let as_cut = Lines::of(here).place(here, here.len());
        let place = |line, column| format!("{name}:{line}:{column}");
        (place(whole.line, as_cut.column), place(whole.line, whole.column))
    });
    let shown = text.get(start..end).unwrap_or(rest);
    // Half of a line's end is no part of the line.
    let shown = shown.strip_suffix('\r').filter(|_| end < text.len()).unwrap_or(shown);
    let mut spans: Vec<Range<usize>> =
        marks.iter().map(|mark| mark.span.start - start..mark.span.end - start).collect();
    let shown = picture(shown, &mut spans);
    for (mark, span) in marks.iter_mut().zip(spans) {
        mark.span = span;
    }
    Excerpt { file: name, line, cut, text: Some(shown), marks }
}

/// A span that surely lies inside the text, at borders of characters, and is not too long to show.
fn clamp(span: &Range<usize>, text: &str) -> Range<usize> {
    let start = border(text, span.start);
    let end = border(text, span.end).max(start);
    let inner = text.get(start..end).unwrap_or_default();
    match inner.find('\n') {
        Some(first) if inner.matches('\n').count() >= PLACE_LINES => start..start + first,
        _ => start..end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::pattern::unseen;

    #[test]
    fn a_span_out_of_the_text_still_renders() {
        let wrong = Diagnostic::error("P000", "p.toml", 90..99, "nothing there".to_owned());
        assert!(wrong.render("schema = 1\n", false).contains("error[P000]: nothing there"));
        assert!(wrong.render("é", false).contains("p.toml"));
    }

    #[test]
    fn two_places_are_shown_together_and_two_files_one_below_the_other() {
        let text = "schema = 1\n[read]\nallow = [\"/a\"]\n\n[write]\ndeny = [\"/b\"]\n";
        let at = |what: &str| text.find(what).unwrap()..text.find(what).unwrap() + what.len();
        let found = Diagnostic::warning("P000", "p.toml", at("\"/a\""), "dead".to_owned())
            .with_label("never")
            .with_other("p.toml", at("\"/b\""), "by `b`")
            .with_other("org.toml", 0..6, "and by this")
            .with_other("gone.toml", 0..6, "by what is not here");
        let org = "schema = 1\n";
        let text_of = |file: &str| match file {
            "p.toml" => Some(text),
            "org.toml" => Some(org),
            _ => None,
        };
        let expected = "\
warning[P000]: dead
 --> p.toml:3:10
  |
3 | allow = [\"/a\"]
  |          ^^^^ never
...
6 | deny = [\"/b\"]
  |         ---- by `b`
  |
 ::: org.toml:1:1
  |
1 | schema = 1
  | ------ and by this
 ::: gone.toml";
        assert_eq!(render(&found, &text_of, false), expected);
    }

    #[test]
    fn nothing_hidden_reaches_the_terminal() {
        let bad = "a\u{1b}[2K\u{7}\u{85}\u{9b}1m\u{202e}\u{200b}\u{e0041}\rb";
        let text = format!("schema = 1\n\"{bad}\" = 2 # {bad}\n");
        let found = Diagnostic::error("P000", bad, 11..20, format!("`{bad}`"))
            .with_label(bad)
            .with_other(bad, 30..33, bad)
            .with_other("x\u{1b}", 0..1, bad)
            .with_help(bad);
        let text_of = |file: &str| (file == bad).then_some(text.as_str());
        let plain = render(&found, &text_of, false);
        assert!(!plain.contains(|c| c != '\n' && unseen(c)), "{plain:?}");
        // Colours are the renderer's own escapes.
        let styled = render(&found, &text_of, true);
        let escapes = styled.split('\u{1b}').skip(1);
        for rest in escapes {
            assert!(rest.starts_with('[') && !rest.starts_with("[2K"), "{styled:?}");
        }
        assert!(!styled.contains(|c| c != '\n' && c != '\u{1b}' && unseen(c)), "{styled:?}");
    }

    #[test]
    fn a_long_line_is_cut_around_its_place() {
        let text = format!("a = 1\nb = [{}x{}]\n", "'é', ".repeat(9_999), ", 'é'".repeat(9_999));
        let at = text.find('x').unwrap();
        let shown = Diagnostic::error("P000", "p", at..at + 1, "here".to_owned())
            .with_label("this")
            .render(&text, false);
        assert!(shown.contains(" --> p:2:50001\n"), "{shown}");
        let lines: Vec<&str> = shown.lines().collect();
        let (line, caret) = (lines.get(3).unwrap(), lines.get(4).unwrap());
        let column = |line: &str, what| line.chars().position(|c| c == what);
        assert_eq!(column(line, 'x'), column(caret, '^'), "{shown}");
        assert!(line.chars().count() < 200, "{shown}");
    }

    #[test]
    fn places_far_apart_do_not_bring_along_what_lies_between() {
        let text = format!("first\n{}last\n", "between\n".repeat(EXCERPT_BYTES_MAX));
        let last = text.len() - 5..text.len() - 1;
        let found =
            Diagnostic::error("P000", "p", 0..5, "far".to_owned()).with_other("p", last, "");
        let shown = found.render(&text, false);
        assert!(shown.contains("first") && shown.contains("last"), "{shown}");
        assert!(!shown.contains("between"), "{shown}");
    }
}
