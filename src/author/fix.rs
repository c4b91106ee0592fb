//! `policy check --fix`: the fixes that diagnostics carry, put into the texts; nothing else of a
//! text changes, so comments and layout stay.
//!
//! Fixes that touch the same place are made one after the other, in rounds: after each the texts
//! are checked again. A fix after which a text would be less readable as TOML is not made, and one
//! that left its mistake as it was is not made again.

use crate::limits::FIX_ROUNDS_MAX;
use crate::policy::diagnostic::{Edit, Fix, Lines};
use crate::policy::{Diagnostic, Source};
use std::collections::BTreeSet;
use std::ops::Range;
use toml::de::DeTable;

/// The texts with their fixes.
#[derive(Debug)]
pub struct Fixed {
    /// The files, in the order in which they were given.
    pub sources: Vec<Source>,
    /// What was done, in order.
    pub done: Vec<Done>,
}

/// One fix that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The mistake's code.
    pub code: &'static str,
    /// The file.
    pub file: String,
    /// The line, from 1, in the text of that round.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What was done.
    pub words: String,
}

/// Fixes the texts; `check` finds what is wrong with them.
pub fn fix(sources: &[Source], check: &dyn Fn(&[Source]) -> Vec<Diagnostic>) -> Fixed {
    let mut fixed = Fixed { sources: sources.to_vec(), done: Vec::new() };
    let mut tried: BTreeSet<Mistake> = BTreeSet::new();
    for _ in 0..FIX_ROUNDS_MAX {
        let mut found = check(&fixed.sources);
        drop_vain(&mut found, &fixed.sources, &tried);
        let before = fixed.done.len();
        let mut made = Vec::new();
        let texts = fixed.sources.clone();
        for source in &mut fixed.sources {
            let (text, taken) = round(source, &found);
            made.extend(taken.iter().filter_map(|(found, _)| mistake(found, &texts)));
            // A file that is given twice is the same file.
            let new: Vec<Done> = done(source, &taken)
                .into_iter()
                .filter(|done| !fixed.done.iter().skip(before).any(|known| known == done))
                .collect();
            source.text = text;
            fixed.done.extend(new);
        }
        tried.extend(made);
        if fixed.done.len() == before {
            break;
        }
    }
    fixed
}

/// A mistake by its file and line, and what would mend it.
type Mistake = (&'static str, String, usize, String, String);

fn mistake(found: &Diagnostic, sources: &[Source]) -> Option<Mistake> {
    let words = found.fix.as_ref()?.words.clone();
    let source = sources.iter().find(|source| source.name == found.file)?;
    let line = source.text.get(..found.span.start)?.matches('\n').count();
    Some((found.code, found.file.clone(), line, found.message.clone(), words))
}

/// Takes out the fixes that were made before and left their mistake where it was.
fn drop_vain(found: &mut [Diagnostic], sources: &[Source], tried: &BTreeSet<Mistake>) {
    for found in found {
        if mistake(found, sources).is_some_and(|one| tried.contains(&one)) {
            found.fix = None;
        }
    }
}

type Taken<'a> = Vec<(&'a Diagnostic, &'a Fix)>;

/// One text with all fixes that do not touch one another, and which they are.
fn round<'a>(source: &Source, found: &'a [Diagnostic]) -> (String, Taken<'a>) {
    let mut wanted: Vec<(&Diagnostic, &Fix)> = found
        .iter()
        .filter(|found| found.file == source.name)
        .filter_map(|found| Some((found, found.fix.as_ref()?)))
        .collect();
    wanted.sort_by_key(|(_, fix)| fix.edits.first().map(|edit| edit.span.start));
    let mut taken: Vec<(&Diagnostic, &Fix)> = Vec::new();
    for (found, fix) in wanted {
        let apart = |other: &Edit| fix.edits.iter().all(|edit| !touch(&edit.span, &other.span));
        if taken.iter().flat_map(|(_, fix)| &fix.edits).all(apart) {
            taken.push((found, fix));
        }
    }
    let errors = errors(&source.text);
    let sound = |text: &str| crate::author::fix::errors(text) <= errors;
    let mut text = applied(&source.text, &taken);
    if text.as_deref().is_none_or(|text| !sound(text)) {
        // One of them does not go with the others.
        let mut kept = Vec::new();
        for one in taken {
            kept.push(one);
            if applied(&source.text, &kept).is_none_or(|text| !sound(&text)) {
                kept.pop();
            }
        }
        text = applied(&source.text, &kept);
        taken = kept;
    }
    match text {
        Some(text) if text != source.text => (text, taken),
        _ => (source.text.clone(), Vec::new()),
    }
}

/// What these did to the text.
fn done(source: &Source, taken: &Taken<'_>) -> Vec<Done> {
    let lines = Lines::of(&source.text);
    let done = |(found, fix): &(&Diagnostic, &Fix)| {
        let at = fix.edits.first().map_or(found.span.start, |edit| edit.span.start);
        let place = lines.place(&source.text, at);
        Done {
            code: found.code,
            file: source.name.clone(),
            line: place.line,
            column: place.column,
            words: fix.words.clone(),
        }
    };
    taken.iter().map(done).collect()
}

/// Whether two changes are of one place: what is put in at one place twice is in question too.
fn touch(a: &Range<usize>, b: &Range<usize>) -> bool {
    a == b || (a.start < b.end && b.start < a.end)
}

/// How many places of the text are no TOML.
fn errors(text: &str) -> usize {
    DeTable::parse_recoverable(text).1.len()
}

/// The text with these changes; nothing if one does not fit into it.
fn applied(text: &str, fixes: &[(&Diagnostic, &Fix)]) -> Option<String> {
    let mut edits: Vec<&Edit> = fixes.iter().flat_map(|(_, fix)| &fix.edits).collect();
    edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let (mut fixed, mut at) = (String::with_capacity(text.len()), 0);
    for edit in edits {
        fixed.push_str(text.get(at..edit.span.start)?);
        fixed.push_str(&edit.text);
        text.get(edit.span.clone())?;
        at = edit.span.end;
    }
    fixed.push_str(text.get(at..)?);
    Some(fixed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "schema = 1\n[policy]\nname = 'p'\n";

    fn fix_all(text: &str) -> Fixed {
        let source = Source { name: "p.toml".to_owned(), text: text.to_owned(), layer: None };
        fix(&[source], &|sources| {
            let anchors = crate::policy::pattern::Anchors::frozen(None);
            crate::policy::compile(sources, &anchors, &Default::default()).diagnostics
        })
    }

    #[test]
    fn what_has_one_answer_is_mended_and_the_rest_stays() {
        for (text, expected, count) in [
            ("[raed] # x\ndeny=['/a']", "[read] # x\ndeny=['/a']", 1),
            ("[read]\ndney   = ['/a'] # y\n", "[read]\ndeny   = ['/a'] # y\n", 1),
            ("[read]\n\"dney\" = ['/a']\n", "[read]\ndeny = ['/a']\n", 1),
            ("[call]\ndeny = [\"bash\", 'Read']\n", "[call]\ndeny = [\"Bash\", 'Read']\n", 1),
            ("[read]\ndeny = ['$worksapce/a']\n", "[read]\ndeny = ['$workspace/a']\n", 1),
            ("[read]\ndeny = ['$credential']\n", "[read]\ndeny = ['$credentials']\n", 1),
            (
                "[connect]\ndeny = ['get https://a.example/']\n",
                "[connect]\ndeny = ['GET https://a.example/']\n",
                1,
            ),
            // Two lists of tables of one key, each header for itself.
            (
                "[[ruel]]\nid='a'\ndeny='read'\nmatch='/'\n\
                 [[ruel]]\nid='b'\ndeny='read'\nmatch='/'",
                "[[rule]]\nid='a'\ndeny='read'\nmatch='/'\n\
                 [[rule]]\nid='b'\ndeny='read'\nmatch='/'",
                2,
            ),
            // A second fix comes to light by the first.
            ("[raed]\ndney=['/a']", "[read]\ndeny=['/a']", 2),
        ] {
            let fixed = fix_all(&format!("{HEAD}{text}"));
            assert_eq!(fixed.sources[0].text, format!("{HEAD}{expected}"));
            assert_eq!(fixed.done.len(), count, "{text}: {:?}", fixed.done);
        }
    }

    #[test]
    fn what_may_be_meant_otherwise_stays() {
        for text in [
            // As near to `mode` as to `note`; the key is there; the value is of another type.
            "[[rule]]\nid='a'\nmote='shadow'\n",
            "[read]\nalow=['/a']\nallow=['/b']\n",
            "[read]\nalow=1\n",
            // Out of braces or a list, what is written is something else; escapes are not read.
            "[call]\ndeny=['{bash,read}']\n",
            "[let]\nx=['bash']\n[call]\ndeny=['$x']\n",
            "[call]\ndeny=[\"b\\u0061sh\"]\n",
            "[call]\ndeny=['''bash''']\n",
            "[read]\ndeny=['src/']\n",
        ] {
            let text = format!("{HEAD}{text}");
            let fixed = fix_all(&text);
            assert_eq!(fixed.sources[0].text, text);
            assert_eq!(fixed.done, []);
        }
    }

    #[test]
    fn fixes_that_exclude_one_another_are_not_both_made() {
        // The key is misspelt, so it also seems to be missing.
        let fixed = fix_all("schem = 1\n[policy]\nname = 'p'\n");
        assert_eq!(fixed.sources[0].text, "schema = 1\n[policy]\nname = 'p'\n");
        assert_eq!(fixed.done.len(), 1);
    }

    #[test]
    fn a_fix_that_goes_in_circles_or_nowhere_ends() {
        let source = Source { name: "p".to_owned(), text: "a = 1\n".to_owned(), layer: None };
        let error = |fix| vec![Diagnostic::error("P000", "p", 0..1, String::new()).with_fix(fix)];
        let flip = |sources: &[Source]| {
            let other = if sources[0].text.starts_with('a') { "b" } else { "a" };
            error(Fix::new("flip", 0..1, other))
        };
        let fixed = fix(std::slice::from_ref(&source), &flip);
        assert_eq!(fixed.done.len(), 1);
        for (span, text) in [(0..1, "a"), (90..99, "x"), (0..1, "a b"), (2..99, "x")] {
            let fixed =
                fix(std::slice::from_ref(&source), &|_| error(Fix::new("no", span.clone(), text)));
            assert_eq!((fixed.sources[0].text.as_str(), fixed.done), ("a = 1\n", vec![]));
        }
    }
}
