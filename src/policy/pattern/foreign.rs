//! What people bring along from other tools' rules: none of it could ever match here, so it does
//! not load, and is told what it must be instead.

use super::PatternError;

/// `Read(./x)`, `//etc/x`, `./x`, `!/x`, `file:///x`, and nothing at all.
///
/// # Errors
/// If the text is one of these.
pub(super) fn path(text: &str) -> Result<(), PatternError> {
    refuse_empty(text, "path")?;
    refuse_negation(text)?;
    if let Some(rest) = text.strip_prefix("./") {
        let message = "no path pattern is relative to a working directory";
        return Err(PatternError::new(message).help(format!("write `$workspace/{rest}`")));
    }
    if let Some(rest) = text.strip_prefix("file://").filter(|rest| rest.starts_with('/')) {
        return Err(PatternError::new("a path pattern is no URL")
            .help(format!("write `{rest}`"))
            .fix(text, rest));
    }
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

/// `Bash(git push:*)`, `(git push)`, `!git push`.
///
/// # Errors
/// If the text is one of these.
pub(super) fn command(text: &str) -> Result<(), PatternError> {
    refuse_negation(text)?;
    if let Some(inner) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        let inner = inner.trim();
        return Err(PatternError::new("brackets group nothing in a pattern")
            .help(format!("write `{inner}`: a command is judged in a subshell too")));
    }
    let Some((tool, inner)) = tool(text) else { return Ok(()) };
    let meant = match inner.strip_suffix(":*").or_else(|| inner.strip_suffix(" *")) {
        Some(start) => format!("{start} ..."),
        None => inner.to_owned(),
    };
    Err(named(tool, &meant))
}

/// `WebFetch(domain:x)`, `domain:x`, `GET,POST https://x`, `x:443,8443`, `::1` and others.
///
/// # Errors
/// If the text is one of these.
pub(super) fn host(text: &str) -> Result<(), PatternError> {
    refuse_empty(text, "connect")?;
    refuse_negation(text)?;
    if text.contains(':') && text.parse::<std::net::Ipv6Addr>().is_ok() {
        return Err(PatternError::new(format!("`{text}` could be a host or a port"))
            .help(format!("write `{text}/128` for every port, or `[{text}]:443` for one")));
    }
    url(text)?;
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

/// What is written into a URL, and no pattern has.
fn url(text: &str) -> Result<(), PatternError> {
    let (methods, rest) = text.split_once(' ').unwrap_or(("", text));
    if methods.contains([',', '|']) {
        let first = methods.split([',', '|']).next().unwrap_or_default();
        return Err(PatternError::new("a pattern names one request method")
            .help(format!("write an entry for each, the first as `{first} {rest}`")));
    }
    let (scheme, rest) = match rest.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, rest),
    };
    if let (None, Some((scheme @ ("http" | "https" | "ws" | "wss" | "ssh"), host))) =
        (scheme, rest.split_once(":/"))
    {
        return Err(PatternError::new(format!("`{scheme}:/` is no scheme"))
            .help(format!("write `{scheme}://{host}`, with two `/`")));
    }
    let authority = rest.split('/').next().unwrap_or_default();
    let before = scheme.map(|scheme| format!("{scheme}://")).unwrap_or_default();
    if let Some((_, host)) = authority.rsplit_once('@') {
        // What stands before the `@` may be a password, so it is not shown again.
        return Err(PatternError::new("a pattern names a host, and no user or password")
            .help(format!("write `{before}{host}`")));
    }
    if let Some((host, ports)) = authority.rsplit_once(':')
        && ports.contains(',')
        && ports.chars().all(|c| c.is_ascii_digit() || c == ',')
    {
        let each: Vec<String> =
            ports.split(',').map(|port| format!("`{before}{host}:{port}`")).collect();
        return Err(PatternError::new("a pattern names one port, or `*`")
            .help(format!("write an entry for each: {}", each.join(", "))));
    }
    Ok(())
}

fn refuse_empty(text: &str, what: &str) -> Result<(), PatternError> {
    if text.trim().is_empty() {
        return Err(PatternError::new(format!("a {what} pattern is empty"))
            .help("remove it, or write `**` for everything"));
    }
    Ok(())
}

/// `!x` takes something out of a list in other tools.
fn refuse_negation(text: &str) -> Result<(), PatternError> {
    match text.strip_prefix('!').filter(|rest| !rest.is_empty()) {
        Some(rest) => Err(PatternError::new("no pattern takes something out of others with `!`")
            .help(format!("write a [[rule]] with `unless = [\"{}\"]`", rest.trim_start()))),
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
        for (text, meant) in [
            ("", "**"),
            ("!**/x", "unless"),
            ("./src/", "`$workspace/src/`"),
            ("file:///x", "`/x`"),
        ] {
            assert!(told(path(text)).unwrap().contains(meant), "{text}");
        }
        assert!(told(command("(git push)")).unwrap().contains("`git push`"));
        for (text, meant) in [
            ("https://user:pw@h.example/x", "`https://h.example`"),
            ("https:/h.example", "`https://h.example`"),
            ("h.example:443,8443", "`h.example:443`, `h.example:8443`"),
            ("GET,POST https://h.example/**", "`GET https://h.example/**`"),
            ("::1", "`::1/128`"),
            ("", "**"),
        ] {
            let told = told(host(text)).unwrap();
            assert!(told.contains(meant) && !told.contains("pw"), "{text}: {told}");
        }
        for text in ["GET https://h.example/a,b@c", "h.example:*", "[::1]:443", "fc00::/7"] {
            assert_eq!(host(text), Ok(()), "{text}");
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
