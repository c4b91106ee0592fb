//! The policy file that is made of the lists.

use super::Format;
use super::lists::Lists;
use std::fmt::Write;

/// The whole file. It defers whatever it says nothing of: files and commands stay with the policy
/// that stands beside it, and at the proxy what no list allows is denied, since nobody is there to
/// be asked.
pub(super) fn policy(format: Format, lists: &Lists) -> String {
    let mut text = format!(
        "# Made from {} by `toolgate policy import`. It speaks of hosts and sockets only:\n\
         # everything else is left to the policies beside it, and at the proxy what is not\n\
         # allowed here is denied.\n\
         schema = 1\n\n\
         [policy]\n\
         name = \"imported-from-{}\"\n\
         default = \"defer\"\n",
        format.name(),
        format.as_str(),
    );
    for note in lists.notes.iter().chain(&lists.left_out) {
        // A string takes every line.
        let _ = writeln!(text, "# {}", one_line(note));
    }
    let all = [("allow", &lists.allow), ("ask", &lists.ask), ("deny", &lists.deny)];
    if all.iter().any(|(_, list)| !list.is_empty()) {
        text.push_str("\n[connect]\n");
    }
    for (key, list) in all.into_iter().filter(|(_, list)| !list.is_empty()) {
        let _ = writeln!(text, "{key} = [");
        for pattern in list {
            let _ = writeln!(text, "  {},", toml::Value::from(pattern.as_str()));
        }
        text.push_str("]\n");
    }
    text
}

fn one_line(note: &str) -> String {
    note.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
