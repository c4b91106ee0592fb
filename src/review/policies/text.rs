//! The lines of a policy file that a rule stands in.
//!
//! It is not the policy's reader, only enough of TOML's layout to find where a table or a key
//! begins and ends: strings, comments and brackets.

/// The text of what stands at a line, counted from 1: a whole `[[rule]]` with the comment above it;
/// of the grid, the table's head, the key and the line itself.
#[must_use]
pub fn excerpt(text: &str, line: usize) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let at = line.checked_sub(1).filter(|at| *at < lines.len())?;
    let starts = statement_starts(text);
    let is_head = |place: &usize| {
        starts.get(*place) == Some(&true)
            && lines.get(*place).is_some_and(|line| line.trim_start().starts_with('['))
    };
    let head = (0..=at).rev().find(is_head);
    let of_rule = head.filter(|head| {
        lines.get(*head).is_some_and(|line| line.trim_start().starts_with("[[rule]]"))
    });
    let Some(head) = of_rule else { return Some(of_grid(&lines, &starts, head, at)) };
    let end = (head + 1..lines.len()).find(is_head).unwrap_or(lines.len());
    let mut from = head;
    while from > 0 && lines.get(from - 1).is_some_and(|line| line.trim_start().starts_with('#')) {
        from -= 1;
    }
    let mut kept: Vec<&str> = lines.get(from..end).unwrap_or_default().to_vec();
    // What stands before the next head belongs to that.
    while kept.last().is_some_and(|line| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#')
    }) {
        kept.pop();
    }
    Some(kept.join("\n"))
}

/// A line of a table with its head and its key, and marks where lines are left out.
fn of_grid(lines: &[&str], starts: &[bool], head: Option<usize>, at: usize) -> String {
    let key = (0..=at).rev().find(|place| starts.get(*place) == Some(&true)).unwrap_or(at);
    let end = (at + 1..lines.len()).find(|place| starts.get(*place) == Some(&true));
    let end = end.unwrap_or(lines.len());
    let mut shown: Vec<usize> = head.into_iter().chain([key, at]).collect();
    // A short statement is shown whole.
    if end - key <= SHORT_LINES {
        shown.extend(key..end);
    }
    shown.sort_unstable();
    shown.dedup();
    let mut out: Vec<&str> = Vec::new();
    let mut before: Option<usize> = None;
    for place in shown {
        if before.is_some_and(|before| before + 1 < place) {
            out.push("...");
        }
        before = Some(place);
        out.extend(lines.get(place));
    }
    while out.last().is_some_and(|line| line.trim().is_empty() || line.trim().starts_with('#')) {
        out.pop();
    }
    out.join("\n")
}

/// Lines of a key that are shown without leaving any out.
const SHORT_LINES: usize = 6;

/// For each line, whether a statement begins on it: no string and no bracket is open.
fn statement_starts(text: &str) -> Vec<bool> {
    let mut starts = Vec::new();
    let mut depth = 0_usize;
    // The quote of a string of several lines.
    let mut open: Option<&str> = None;
    for line in text.lines() {
        let begins = depth == 0 && open.is_none();
        starts.push(begins && !line.trim().is_empty() && !line.trim_start().starts_with('#'));
        let is_head = begins && line.trim_start().starts_with('[');
        let mut rest = line;
        while let Some(c) = rest.chars().next() {
            let after = rest.get(c.len_utf8()..).unwrap_or_default();
            if let Some(quote) = open {
                rest = if rest.starts_with(quote) {
                    open = None;
                    rest.get(quote.len()..).unwrap_or_default()
                } else if c == '\\' && quote == BASIC {
                    after.get(after.chars().next().map_or(0, char::len_utf8)..).unwrap_or_default()
                } else {
                    after
                };
                continue;
            }
            match c {
                '#' => break,
                '"' | '\'' if rest.starts_with(BASIC) || rest.starts_with(LITERAL) => {
                    open = Some(if c == '"' { BASIC } else { LITERAL });
                    rest = rest.get(3..).unwrap_or_default();
                    continue;
                }
                '"' | '\'' => {
                    rest = behind_string(after, c);
                    continue;
                }
                '[' | '{' if !is_head => depth += 1,
                ']' | '}' if !is_head => depth = depth.saturating_sub(1),
                _ => {}
            }
            rest = after;
        }
    }
    starts
}

const BASIC: &str = "\"\"\"";
const LITERAL: &str = "'''";

/// What stands behind a string of one line that has begun.
fn behind_string(text: &str, quote: char) -> &str {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' && quote == '"' {
            escaped = true;
        } else if c == quote {
            return text.get(at + c.len_utf8()..).unwrap_or_default();
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "\
[policy]
name = \"p\"

[read]
allow = [
  \"$workspace/**\",
  \"[not a head]\",
  # a comment
  \"/usr/**\",
  \"/lib/**\",
  \"/opt/**\",
]
deny = [\"/etc/shadow\"]

# Nobody reads keys.
[[rule]]
id = \"no-keys\"
why = \"\"\"
[[rule]]
\"\"\"

# The next one.
[[rule]]
id = \"x\"
";

    #[test]
    fn a_rule_is_whole_and_an_entry_has_its_key() {
        let rule =
            "# Nobody reads keys.\n[[rule]]\nid = \"no-keys\"\nwhy = \"\"\"\n[[rule]]\n\"\"\"";
        assert_eq!(excerpt(POLICY, 17).as_deref(), Some(rule));
        assert_eq!(excerpt(POLICY, 19).as_deref(), Some(rule));
        let entry = "[read]\nallow = [\n...\n  \"/usr/**\",";
        assert_eq!(excerpt(POLICY, 9).as_deref(), Some(entry));
        let short = "[read]\n...\ndeny = [\"/etc/shadow\"]";
        assert_eq!(excerpt(POLICY, 13).as_deref(), Some(short));
        assert_eq!(excerpt(POLICY, 0), None);
        assert_eq!(excerpt(POLICY, 99), None);
        assert_eq!(excerpt(POLICY, 24).as_deref(), Some("# The next one.\n[[rule]]\nid = \"x\""));
    }

    proptest::proptest! {
        #[test]
        fn any_text_has_an_excerpt_at_each_of_its_lines(
            text in "[\\[\\]{}'\"#\\\\a=\n ]{0,60}", line in 0_usize..12,
        ) {
            let there = line >= 1 && line <= text.lines().count();
            proptest::prop_assert_eq!(excerpt(&text, line).is_some(), there);
        }
    }
}
