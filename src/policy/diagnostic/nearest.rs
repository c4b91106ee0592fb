//! What was meant by a word that is none: did-you-mean, and when it is sure enough for `--fix`.

/// Changes beyond which one word is no misspelling of another.
const FAR: usize = 3;

/// How many slips in a word leave no doubt of what is meant: a short one may be another word.
fn slips(word: &str) -> usize {
    match word.chars().count() {
        0..4 => 0,
        4..7 => 1,
        _ => 2,
    }
}

/// The candidate nearest to `word`, if it is near enough to be meant: one slip more than leave no
/// doubt.
#[must_use]
pub fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .filter_map(|candidate| Some((distance(word, candidate)?, candidate)))
        .filter(|(distance, candidate)| {
            *distance <= (candidate.len() / 2).clamp(1, FAR).min(slips(word) + 1)
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// The candidate that must be meant: one slip away, two in a longer word, and no other is as near.
#[must_use]
pub fn surely_meant<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let mut near: Vec<(usize, &str)> = candidates
        .into_iter()
        .filter_map(|candidate| Some((distance(word, candidate)?, candidate)))
        .collect();
    near.sort_unstable();
    near.dedup();
    match near.as_slice() {
        [(least, _), (next, _), ..] if least == next => None,
        [(least, meant), ..] if *least <= slips(word) => Some(meant),
        _ => None,
    }
}

/// How many slips lie between two words, if few: a letter too many, too few, another one, or two
/// exchanged (optimal string alignment). Case is none.
fn distance(a: &str, b: &str) -> Option<usize> {
    let a: Vec<char> = a.chars().take(100).flat_map(char::to_lowercase).collect();
    let b: Vec<char> = b.chars().take(100).flat_map(char::to_lowercase).collect();
    if a.len().abs_diff(b.len()) > FAR {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let mut last = None;
    for (i, from) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, to) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX - 1);
            let replaced = at(&row, j) + usize::from(from != to);
            let least = replaced.min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            let left = j.checked_sub(1).and_then(|left| Some((left, b.get(left)?)));
            let exchanged = match left {
                Some((left, other)) if last == Some(to) && from == other => at(&before, left) + 1,
                _ => usize::MAX,
            };
            next.push(least.min(exchanged));
        }
        before = std::mem::replace(&mut row, next);
        last = Some(from);
    }
    row.last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearness() {
        for (a, b, slips) in [
            ("unles", "unless", Some(1)),
            ("", "abc", Some(3)),
            ("dney", "deny", Some(1)),
            ("Deny", "deny", Some(0)),
            ("ca", "abc", Some(3)),
            ("kitten", "sitting", Some(3)),
            ("a", "abcde", None),
        ] {
            assert_eq!(distance(a, b), slips, "{a} {b}");
            assert_eq!(distance(b, a), slips, "{b} {a}");
        }
    }

    #[test]
    fn what_is_near_is_meant_and_what_is_alone_surely() {
        let words = ["deny", "allow", "mode", "note", "permission_mode", "unless"];
        for (word, meant, surely) in [
            ("dney", Some("deny"), Some("deny")),
            ("DENY", Some("deny"), Some("deny")),
            ("zzz", None, None),
            // As near to `mode` as to `note`.
            ("mote", Some("mode"), None),
            // Two slips in a short word may be another word.
            ("dann", Some("deny"), None),
            ("permision-mode", Some("permission_mode"), Some("permission_mode")),
            ("unlss", Some("unless"), Some("unless")),
            // Two slips in six letters, and one in three, are only offered.
            ("unlass", Some("unless"), Some("unless")),
            ("unlaas", Some("unless"), None),
            ("alo", None, None),
            ("Note", Some("note"), Some("note")),
            ("", None, None),
        ] {
            assert_eq!(did_you_mean(word, words), meant, "{word}");
            assert_eq!(surely_meant(word, words), surely, "{word}");
        }
        assert_eq!(surely_meant("dney", []), None);
    }
}
