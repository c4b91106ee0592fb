//! What a text would make a runtime run by itself, were it a skill, a command or an agent.
//!
//! Claude Code runs `` !`cmd` `` and the fenced `` ```! `` blocks of such a text when it is used,
//! and the hooks and servers of its front matter: no hook is asked about either. What is found is
//! compared with what was there before, so that an edit of other lines passes. Whatever is spelled
//! in a way that a reader of YAML or JSON might still take for one of these counts: this must never
//! miss one, and may name one too many.

use std::collections::BTreeSet;

/// Everything in `text` that a runtime might run by itself, each as it stands there.
#[must_use]
pub fn carried(text: &str, is_json: bool) -> BTreeSet<&str> {
    let mut all = BTreeSet::new();
    if is_json {
        let lower = text.to_ascii_lowercase();
        // A manifest names hooks, servers and monitors, or files of its own choice that hold them.
        let names = ["hook", "server", "monitor", "command", "agents", "skills", "\\u"];
        if names.iter().any(|name| lower.contains(name)) {
            all.insert(text);
        }
        return all;
    }
    enclosed(text, "!`", "`", &mut all);
    enclosed(text, "```!", "```", &mut all);
    // An argument that takes this place could complete it.
    enclosed(text, "!$", "\n", &mut all);
    if let Some(front) = front_matter(text)
        && !is_plain(front)
    {
        all.insert(front);
    }
    all
}

/// Each part of `text` from an `open` to the `close` after it, or to the end.
fn enclosed<'a>(text: &'a str, open: &str, close: &str, all: &mut BTreeSet<&'a str>) {
    for (at, _) in text.match_indices(open) {
        let Some(found) = text.get(at..) else { continue };
        // Code as `if (!$x)` is none: the marker starts a word.
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        if open == "!$" && before.is_some_and(|before| !before.is_whitespace()) {
            continue;
        }
        let inside = found.get(open.len()..).unwrap_or_default();
        let end = inside.find(close).map_or(found.len(), |end| open.len() + end + close.len());
        all.extend(found.get(..end));
    }
}

/// The text between the first line, if it is `---`, and the next such line, or all of the rest.
fn front_matter(text: &str) -> Option<&str> {
    let start = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let rest = start.strip_prefix("---")?;
    let end = rest.match_indices("\n---").map(|(at, _)| at).find(|at| {
        let after = rest.get(at + 4..).unwrap_or_default();
        after.is_empty() || after.starts_with('\n') || after.starts_with("\r\n")
    });
    Some(end.and_then(|end| rest.get(..end)).unwrap_or(rest))
}

/// Whether no line of a front matter is, or could be read as, a key that runs something.
fn is_plain(front: &str) -> bool {
    let breaks = ['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}'];
    let mut top = None;
    for line in front.split(breaks) {
        let written = line.trim_start();
        let depth = line.len() - written.len();
        if written.is_empty() || written.starts_with('#') {
            continue;
        }
        let top = *top.get_or_insert(depth);
        // What no author of a skill writes in a key's place: quotes, flow, anchors, tags, merges.
        let odd = |c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_'));
        if runs(written) || (depth <= top && written.starts_with(odd) && !is_item(written)) {
            return false;
        }
    }
    true
}

/// An entry of a list below a key that stands as deep as the entry.
fn is_item(line: &str) -> bool {
    line == "-" || line.starts_with("- ")
}

/// Whether the line's key is one that runs something.
fn runs(line: &str) -> bool {
    let key = line.trim_start_matches(['"', '\'']);
    ["hooks", "mcpservers", "lspservers", "monitors"].iter().any(|name| {
        let head = key.get(..name.len());
        let rest = key.get(name.len()..).unwrap_or_default();
        let rest = rest.trim_start_matches(['"', '\'']).trim_start();
        head.is_some_and(|head| head.eq_ignore_ascii_case(name)) && rest.starts_with(':')
    })
}

#[cfg(test)]
mod tests {
    use super::carried;

    #[test]
    fn what_runs_by_itself_is_found_however_it_is_spelled() {
        for text in [
            "Now: !`touch x`",
            "!`x`",
            "a\n```!\ntouch x\n```\n",
            "```!touch x```",
            "run !$ARGUMENTS",
            "!`never closed",
            "---\nname: a\nhooks:\n  PreToolUse: []\n---\n",
            "---\nhooks : {}\n---\n",
            "---\n\"hooks\": {}\n---\n",
            "---\n'hooks': {}\n---\n",
            "---\n\"h\\u006foks\": {}\n---\n",
            "---\n{name: a, hooks: {}}\n---\n",
            "---\n? hooks\n: {}\n---\n",
            "---\n!!str hooks: {}\n---\n",
            "---\n&a hooks: {}\n---\n",
            "---\nx: &x {hooks: {}}\n<<: *x\n---\n",
            "---\n  name: a\n  hooks: {}\n---\n",
            "---\r\nname: a\r\nhooks: {}\r\n---\r\n",
            "---\nname: a\rhooks: {}\n---\n",
            "\u{feff}---\nhooks: {}\n---\n",
            "\n---\nhooks: {}\n",
            "---\nname: a\nHooks: {}\n---\n",
            "---\nname: a\n --- \nhooks: {}\n---\n",
            "---\nname: a\nmcpServers: {}\n---\n",
        ] {
            assert!(!carried(text, false).is_empty(), "{text:?}");
        }
        for text in ["{\"hooks\": {}}", "{\"mcpServers\": {}}", "{\"\\u0068ooks\": 1}"] {
            assert!(!carried(text, true).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_text_that_runs_nothing_carries_nothing() {
        for text in [
            "",
            "Say hello.",
            "# Title\n\nhooks: an example in a text that has no front matter\n",
            "---\nname: a\ndescription: on hooks: and why\nallowed-tools:\n- Read\n---\n\nx",
            "---\nname: a\ndescription: >\n  \"quoted\" and {braces}\n---\nhooks: below it\n",
            "---\nname: a\n# a comment\ntools: [Read, Grep]\n---\n\nUse `cargo test`! And `x`.\n",
            "```php\nif (!$x) { echo 1; }\n```\n```sh\nls\n```\n",
        ] {
            assert!(carried(text, false).is_empty(), "{text:?}");
        }
        assert!(carried("{\"name\": \"a\", \"version\": \"1\"}", true).is_empty());
    }
}
