//! Tokens that look like a command but are none: a pattern stands for a program's arguments, after
//! the shell has read them.

use super::PatternError;

/// Refuses tokens of shell syntax, which no argument is, and dots that are no `...`.
///
/// # Errors
/// With what to write instead.
pub(super) fn check(tokens: &[String]) -> Result<(), PatternError> {
    for (index, token) in tokens.iter().enumerate() {
        // What is escaped is meant as it stands.
        let bare = without_escaped(token);
        check_dots(token, &bare)?;
        if bare.contains(['\'', '"', '`']) {
            return Err(PatternError::new(format!(
                "`{token}` holds a quote, which no argument has"
            ))
            .help("write the argument without quotes; `\\` before a blank keeps it in the token"));
        }
        if is_operator(&bare) {
            return Err(PatternError::new(format!(
                "`{token}` is shell syntax, which is no argument"
            ))
            .help(
                "write one pattern for each command; files that are redirected to are for \
                     [write]; `\\` before the character means it as it stands",
            ));
        }
        if is_substitution(&bare) {
            return Err(PatternError::new(format!("`{token}` is no text that an argument has"))
                .help(
                    "the places are $workspace, $home and $tmp; write `*` for any one argument, \
                     or `\\$` for the character itself",
                ));
        }
        if index == 0 && is_assignment(&bare) {
            return Err(PatternError::new(format!("`{token}` sets a variable and is no program"))
                .help("write the program's name first: assignments before it are seen through"));
        }
    }
    Ok(())
}

fn check_dots(token: &str, bare: &str) -> Result<(), PatternError> {
    if bare.contains('…') {
        return Err(PatternError::new(format!("`{token}` holds the character `…`"))
            .help("write three dots, `...`, as a token of their own"));
    }
    if token != "..." && (bare.starts_with("...") || bare.ends_with("...")) {
        return Err(PatternError::new(format!("`{token}` has dots that are not `...`"))
            .help("write a blank before `...`, and three dots; `\\.` means a dot as it stands"));
    }
    Ok(())
}

fn without_escaped(token: &str) -> String {
    let mut bare = String::with_capacity(token.len());
    let mut chars = token.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                chars.next();
                bare.push('x');
            }
            other => bare.push(other),
        }
    }
    bare
}

/// `&&`, `;`, `x;`, `>out`, `2>&1`, `&>x`, `<(x)`.
fn is_operator(bare: &str) -> bool {
    let after_number = bare.trim_start_matches(|c: char| c.is_ascii_digit());
    after_number.starts_with(['<', '>'])
        || bare.starts_with("&>")
        || bare.ends_with([';', '&'])
        || bare.starts_with([';', '&'])
        || matches!(bare, "(" | ")")
}

/// `$VAR`, `${VAR}`, `$(x)`; `$workspace/x` and its like are places.
fn is_substitution(bare: &str) -> bool {
    let mut rest = bare;
    while let Some((_, after)) = rest.split_once('$') {
        let name: &str = after
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .next()
            .unwrap_or_default();
        let opens = after.starts_with(['{', '(']);
        let named = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if opens || (named && !matches!(name, "workspace" | "home" | "tmp")) {
            return true;
        }
        rest = after;
    }
    false
}

fn is_assignment(bare: &str) -> bool {
    let Some((name, _)) = bare.split_once('=') else { return false };
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use crate::policy::pattern::exec::ExecPattern;
    use crate::policy::pattern::{Anchors, Stance};

    #[test]
    fn what_is_no_command_pattern() {
        for (text, refused) in [
            ("git push...", true),
            ("git push ....", true),
            ("git push …", true),
            ("git ...push", true),
            ("git diff main...HEAD", false),
            ("git push ...", false),
            ("a && b", true),
            ("a || b", true),
            ("a ; b", true),
            ("a; b", true),
            ("a & b", true),
            ("a &", true),
            ("a > b", true),
            ("a >b", true),
            ("a < b", true),
            ("a >> b", true),
            ("a 2>&1", true),
            ("a &> b", true),
            ("FOO=1 a", true),
            ("env FOO=1 a", false),
            ("dd of=/dev/* ...", false),
            ("git commit -m 'x'", true),
            ("a \"b\"", true),
            ("a `b`", true),
            ("a $(b)", true),
            ("a $HOME/x", true),
            ("a ${x}", true),
            ("a $home/x", false),
            ("a of=$tmp/x", false),
            ("awk $1", false),
            ("find ... -exec rm \\;", false),
            ("a \\>", false),
            ("curl https://a.example/?a=1&b=2", false),
            ("a\u{200b} b", true),
            ("a\u{202e} b", true),
            ("a\u{7} b", true),
            ("a\tb", false),
            ("rm /a/../b", true),
            ("./../x", true),
            ("xargs -I{} cp {} x", false),
            ("a ... | b ...", false),
        ] {
            let read = ExecPattern::parse(text, &Anchors::frozen(None), Stance::Tighten);
            assert_eq!(read.is_err(), refused, "{text}: {read:?}");
        }
    }
}
