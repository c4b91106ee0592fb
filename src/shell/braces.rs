//! Brace expansion: `{a,b}` and `{1..3}`, before any other expansion, bounded.

use super::ir::{Piece, Word};
use crate::limits::WORD_VALUES_MAX;
use crate::model::doubt::Doubt;

/// How deep braces may stand in braces.
const NESTING_MAX: usize = 16;

/// One character that may be live, or a piece that is not looked into.
#[derive(Debug, Clone)]
enum Unit {
    Live(char),
    Dead(Piece),
}

/// The words that `word` stands for before its variables are looked at.
///
/// # Errors
/// A doubt, if there are more than a bound.
pub(super) fn expand(word: &Word) -> Result<Vec<Word>, Doubt> {
    let live = word.pieces.iter().any(|piece| match piece {
        Piece::Text { text, quoted } => !quoted && text.contains('{'),
        _ => false,
    });
    if !live {
        return Ok(vec![word.clone()]);
    }
    let mut units = Vec::new();
    for piece in &word.pieces {
        match piece {
            Piece::Text { text, quoted: false } => units.extend(text.chars().map(Unit::Live)),
            other => units.push(Unit::Dead(other.clone())),
        }
    }
    let expanded = alternatives(&units, NESTING_MAX)?;
    // It is the text that is expanded: what then stands behind a `$` may be a name.
    if expanded.len() > 1 && expanded.iter().any(|units| makes_names(units)) {
        return Err(Doubt::Expansion("brace"));
    }
    Ok(expanded.into_iter().map(|units| assemble(&units)).collect())
}

fn makes_names(units: &[Unit]) -> bool {
    let joins = |next: char| next == '_' || next.is_ascii_alphanumeric();
    units.windows(2).any(|pair| match pair {
        [Unit::Dead(Piece::Variable { braced: false, .. }), Unit::Live(next)] => joins(*next),
        [Unit::Live('$'), _] => true,
        _ => false,
    })
}

fn assemble(units: &[Unit]) -> Word {
    let mut pieces: Vec<Piece> = Vec::new();
    for unit in units {
        match unit {
            Unit::Live(c) => match pieces.last_mut() {
                Some(Piece::Text { text, quoted: false }) => text.push(*c),
                _ => pieces.push(Piece::Text { text: c.to_string(), quoted: false }),
            },
            Unit::Dead(piece) => pieces.push(piece.clone()),
        }
    }
    Word { pieces }
}

fn is_live(unit: &Unit, wanted: char) -> bool {
    matches!(unit, Unit::Live(c) if *c == wanted)
}

fn alternatives(units: &[Unit], nesting: usize) -> Result<Vec<Vec<Unit>>, Doubt> {
    if nesting == 0 {
        return Err(Doubt::Expansion("brace"));
    }
    let Some((open, close, commas)) = first_group(units) else {
        return Ok(vec![units.to_vec()]);
    };
    let head = units.get(..open).unwrap_or_default();
    let body = units.get(open + 1..close).unwrap_or_default();
    let tail = alternatives(units.get(close + 1..).unwrap_or_default(), nesting)?;
    let mut middles: Vec<Vec<Unit>> = Vec::new();
    if commas.is_empty() {
        middles = sequence(body)?;
    } else {
        let mut from = open + 1;
        for comma in commas.iter().copied().chain([close]) {
            let part = units.get(from..comma).unwrap_or_default();
            middles.extend(alternatives(part, nesting - 1)?);
            from = comma + 1;
        }
    }
    if middles.len().saturating_mul(tail.len()) > WORD_VALUES_MAX {
        return Err(Doubt::TooManyValues);
    }
    let join = |middle: &Vec<Unit>, tail: &Vec<Unit>| [head, middle, tail].concat();
    Ok(middles.iter().flat_map(|middle| tail.iter().map(move |tail| join(middle, tail))).collect())
}

/// The first group that expands: where it opens, closes, and its own commas.
fn first_group(units: &[Unit]) -> Option<(usize, usize, Vec<usize>)> {
    for (open, unit) in units.iter().enumerate() {
        if !is_live(unit, '{') {
            continue;
        }
        let mut depth = 0_usize;
        let mut commas = Vec::new();
        for (at, unit) in units.iter().enumerate().skip(open + 1) {
            match unit {
                Unit::Live('{') => depth += 1,
                Unit::Live(',') if depth == 0 => commas.push(at),
                Unit::Live('}') if depth == 0 => {
                    let body = units.get(open + 1..at).unwrap_or_default();
                    if !commas.is_empty() || is_sequence(body) {
                        return Some((open, at, commas));
                    }
                    break;
                }
                Unit::Live('}') => depth -= 1,
                Unit::Live(_) | Unit::Dead(_) => {}
            }
        }
    }
    None
}

fn plain(body: &[Unit]) -> Option<String> {
    body.iter()
        .map(|unit| match unit {
            Unit::Live(c) => Some(*c),
            Unit::Dead(_) => None,
        })
        .collect()
}

fn is_sequence(body: &[Unit]) -> bool {
    plain(body).is_some_and(|text| text.contains(".."))
}

fn sequence(body: &[Unit]) -> Result<Vec<Vec<Unit>>, Doubt> {
    let text = plain(body).unwrap_or_default();
    let mut parts = text.split("..");
    let (Some(first), Some(last), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Doubt::Expansion("brace"));
    };
    let padded = |part: &str| {
        let digits = part.trim_start_matches('-');
        digits.len() > 1 && digits.starts_with('0')
    };
    if padded(first) || padded(last) {
        return Err(Doubt::Expansion("brace"));
    }
    let live = |text: String| text.chars().map(Unit::Live).collect::<Vec<Unit>>();
    if let (Ok(a), Ok(b)) = (first.parse::<i64>(), last.parse::<i64>()) {
        if a.abs_diff(b) >= WORD_VALUES_MAX as u64 {
            return Err(Doubt::TooManyValues);
        }
        let mut all: Vec<_> = (a.min(b)..=a.max(b)).map(|n| live(n.to_string())).collect();
        if a > b {
            all.reverse();
        }
        return Ok(all);
    }
    let mut letters = (first.chars(), last.chars());
    match (letters.0.next(), letters.1.next(), letters.0.next(), letters.1.next()) {
        (Some(a), Some(b), None, None)
            if a.is_ascii_alphabetic()
                && b.is_ascii_alphabetic()
                && a.is_ascii_lowercase() == b.is_ascii_lowercase() =>
        {
            let mut all: Vec<_> = (a.min(b)..=a.max(b)).map(|c| live(c.to_string())).collect();
            if a > b {
                all.reverse();
            }
            Ok(all)
        }
        _ => Err(Doubt::Expansion("brace")),
    }
}
