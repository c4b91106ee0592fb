//! What people bring along from other tools' rules: none of it could ever match here, so it does
//! not load, and is told what it must be instead.

use super::PatternError;

/// `Read(./x)`, `//etc/x`.
///
/// # Errors
/// If the text is one of these.
pub(super) fn path(text: &str) -> Result<(), PatternError> {
    if let Some((tool, inner)) = tool(text) {
        let meant = match (inner.strip_prefix("//"), inner.strip_prefix("./")) {
            (Some(rest), _) => format!("/{rest}"),
            (_, Some(rest)) => format!("$workspace/{rest}"),
            _ if inner.starts_with(['~', '$']) || inner.starts_with("**") => inner.to_owned(),
            _ => format!("$workspace/{}", inner.trim_start_matches('/')),
        };
        return Err(named(tool, &meant));
    }
    match text.strip_prefix("//").filter(|rest| !rest.is_empty() && !rest.contains("//")) {
        Some(rest) => {
            Err(PatternError::new("a path pattern that begins with `//` matches no path")
                .help(format!("one `/` is the root: write `/{rest}`"))
                .fix(text, format!("/{rest}")))
        }
        None => Ok(()),
    }
}

/// `Bash(git push:*)`.
///
/// # Errors
/// If the text is one of these.
pub(super) fn command(text: &str) -> Result<(), PatternError> {
    let Some((tool, inner)) = tool(text) else { return Ok(()) };
    let meant = match inner.strip_suffix(":*").or_else(|| inner.strip_suffix(" *")) {
        Some(start) => format!("{start} ..."),
        None => inner.to_owned(),
    };
    Err(named(tool, &meant))
}

/// `WebFetch(domain:x)`, `domain:x`.
///
/// # Errors
/// If the text is one of these.
pub(super) fn host(text: &str) -> Result<(), PatternError> {
    if let Some((tool, inner)) = tool(text) {
        return Err(named(tool, inner.strip_prefix("domain:").unwrap_or(inner)));
    }
    match text.strip_prefix("domain:") {
        Some(host) => Err(PatternError::new(format!("`{text}` is no host"))
            .help(format!("write `{host}`"))
            .fix(text, host)),
        None => Ok(()),
    }
}

fn named(tool: &str, meant: &str) -> PatternError {
    PatternError::new(format!("a pattern names what happens, not `{tool}`, the tool that does it"))
        .help(format!("write `{meant}`; which tools may run is for [call]"))
}

/// A tool's name and what stands in brackets behind it.
fn tool(text: &str) -> Option<(&str, &str)> {
    let (name, inner) = text.strip_suffix(')')?.split_once('(')?;
    let is_name = name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_alphanumeric());
    is_name.then_some((name, inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_tools_have() {
        let told = |read: Result<(), PatternError>| read.err().and_then(|error| error.help);
        for (text, meant) in [
            ("Write(src/**)", "$workspace/src/**"),
            ("Read(./.env)", "$workspace/.env"),
            ("Read(//etc/passwd)", "/etc/passwd"),
            ("Edit(/src/x)", "$workspace/src/x"),
            ("Read(~/.zshrc)", "~/.zshrc"),
            ("//etc/passwd", "/etc/passwd"),
        ] {
            let help = told(path(text)).unwrap();
            assert!(help.contains(&format!("`{meant}`")), "{text}: {help}");
        }
        for (text, meant) in [
            ("Bash(git push:*)", "git push ..."),
            ("Bash(git push *)", "git push ..."),
            ("Bash(make)", "make"),
        ] {
            let help = told(command(text)).unwrap();
            assert!(help.contains(&format!("`{meant}`")), "{text}: {help}");
        }
        for text in ["WebFetch(domain:x.example)", "domain:x.example"] {
            assert!(told(host(text)).unwrap().contains("`x.example`"), "{text}");
        }
        for text in ["/a", "**/x(1)", "$workspace/A(b)", "/A(b)", "//", "/a//b"] {
            assert_eq!(path(text), Ok(()), "{text}");
        }
        for text in ["git push ...", "find ( -name x )", "awk f(x)", "a (b)"] {
            assert_eq!(command(text), Ok(()), "{text}");
        }
        assert_eq!(host("https://x.example/A(b)"), Ok(()));
    }
}
