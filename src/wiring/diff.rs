//! What an edit changes, line by line, for the person who is asked.
//!
//! The lines that both have at the beginning and the end are matched first; what lies between is
//! compared whole if it is small, and shown as replaced if it is not. Settings are small.

use std::fmt::Write;

/// Unchanged lines shown around a change.
const AROUND: usize = 3;
/// Pairs of lines that are compared: two thousand lines each. Beyond it nobody reads a diff.
const PAIRS_MAX: usize = 4_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line<'t> {
    Both(&'t str),
    Old(&'t str),
    New(&'t str),
}

/// The difference in the unified form, without a head; empty if there is none.
#[must_use]
pub fn unified(old: &str, new: &str) -> String {
    let lines = compare(&split(old), &split(new));
    let changed = |line: &Line<'_>| !matches!(line, Line::Both(_));
    let mut shown = vec![false; lines.len()];
    for (at, _) in lines.iter().enumerate().filter(|(_, line)| changed(line)) {
        let from = at.saturating_sub(AROUND);
        for show in shown.iter_mut().skip(from).take(at - from + AROUND + 1) {
            *show = true;
        }
    }
    let mut out = String::new();
    let (mut old_at, mut new_at, mut open) = (1, 1, false);
    for (index, (line, show)) in lines.iter().zip(&shown).enumerate() {
        if *show && !open {
            let hunk = || {
                let hunk = lines.iter().zip(&shown).skip(index);
                hunk.take_while(|(_, show)| **show).map(|(line, _)| line)
            };
            let olds = hunk().filter(|line| !matches!(line, Line::New(_))).count();
            let news = hunk().filter(|line| !matches!(line, Line::Old(_))).count();
            let at = |at: usize, count: usize| if count == 0 { at - 1 } else { at };
            let (from, to) = (at(old_at, olds), at(new_at, news));
            let _ = writeln!(out, "@@ -{from},{olds} +{to},{news} @@");
        }
        open = *show;
        let (mark, text) = match line {
            Line::Both(text) => (' ', text),
            Line::Old(text) => ('-', text),
            Line::New(text) => ('+', text),
        };
        old_at += usize::from(mark != '+');
        new_at += usize::from(mark != '-');
        if *show {
            let _ = writeln!(out, "{mark}{text}");
        }
    }
    out
}

/// The lines; one that ends without a line feed says so, since that too is a difference.
fn split(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    if !text.is_empty() && !text.ends_with('\n') {
        lines.push("\\ no line feed at the end");
    }
    lines
}

fn compare<'t>(old: &[&'t str], new: &[&'t str]) -> Vec<Line<'t>> {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (tail(old, head), tail(new, head));
    let end = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let middle = |lines: &[&'t str]| -> Vec<&'t str> {
        lines.iter().take(lines.len() - end).copied().collect()
    };
    let mut lines: Vec<Line<'t>> = old.iter().take(head).map(|line| Line::Both(line)).collect();
    between(&middle(old_rest), &middle(new_rest), &mut lines);
    lines.extend(tail(old_rest, old_rest.len() - end).iter().map(|line| Line::Both(line)));
    lines
}

fn tail<'s, 't>(lines: &'s [&'t str], from: usize) -> &'s [&'t str] {
    lines.get(from..).unwrap_or_default()
}

/// The longest common lines of the two, and the rest as it was and as it is.
fn between<'t>(old: &[&'t str], new: &[&'t str], out: &mut Vec<Line<'t>>) {
    let width = new.len() + 1;
    if old.len().saturating_mul(new.len()) > PAIRS_MAX {
        out.extend(old.iter().map(|line| Line::Old(line)));
        out.extend(new.iter().map(|line| Line::New(line)));
        return;
    }
    // How many lines the rests from here on have in common, from the end forwards.
    let mut common = vec![0u32; (old.len() + 1) * width];
    let at = |i: usize, j: usize| i * width + j;
    let get = |common: &[u32], i, j| common.get(at(i, j)).copied().unwrap_or_default();
    for (i, a) in old.iter().enumerate().rev() {
        for (j, b) in new.iter().enumerate().rev() {
            let most = match a == b {
                true => get(&common, i + 1, j + 1) + 1,
                false => get(&common, i + 1, j).max(get(&common, i, j + 1)),
            };
            if let Some(cell) = common.get_mut(at(i, j)) {
                *cell = most;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    loop {
        match (old.get(i), new.get(j)) {
            (Some(a), Some(b)) if a == b => {
                out.push(Line::Both(a));
                (i, j) = (i + 1, j + 1);
            }
            (Some(a), b) if b.is_none() || get(&common, i + 1, j) >= get(&common, i, j + 1) => {
                out.push(Line::Old(a));
                i += 1;
            }
            (_, Some(b)) => {
                out.push(Line::New(b));
                j += 1;
            }
            (_, None) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_change_is_shown_with_its_surroundings() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n";
        let new = "1\n2\n3\n4\nfive\n6\n7\n8\n9\n10\n11\n12\n13";
        let shown = "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n\
                     @@ -10,3 +10,5 @@\n 10\n 11\n 12\n+13\n+\\ no line feed at the end\n";
        assert_eq!(unified(old, new), shown);
        assert_eq!(unified("", "a\n"), "@@ -0,0 +1,1 @@\n+a\n");
        assert_eq!(unified("a\n", ""), "@@ -1,1 +0,0 @@\n-a\n");
        assert_eq!(unified(old, old), "");
    }

    proptest! {
        #[test]
        fn both_sides_can_be_read_back(
            old in prop::collection::vec("[ab]?", 0..12),
            new in prop::collection::vec("[ab]?", 0..12),
        ) {
            let of = |lines: &[String]| lines.iter().map(|l| format!("{l}\n")).collect::<String>();
            let (old, new) = (of(&old), of(&new));
            let lines = compare(&split(&old), &split(&new));
            let side = |skip: fn(&Line<'_>) -> bool| {
                let kept = lines.iter().filter(|line| !skip(line));
                kept.map(|(Line::Both(t) | Line::Old(t) | Line::New(t))| format!("{t}\n"))
                    .collect::<String>()
            };
            prop_assert_eq!(side(|line| matches!(line, Line::New(_))), old.clone());
            prop_assert_eq!(side(|line| matches!(line, Line::Old(_))), new.clone());
        }
    }
}
