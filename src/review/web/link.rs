//! Addresses: their parameters, the filter that stands in them, and the command line that finds the
//! same records. The filter's language is that of `audit::query`.

use crate::audit::query::Filter;
use jiff::Timestamp;
use std::fmt::Write as _;

/// The parameters of an address, decoded, and bounded: more are not looked at.
pub(super) fn parameters(query: &str) -> Vec<(String, String)> {
    const PARAMETERS_MAX: usize = 64;
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).take(PARAMETERS_MAX);
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        let digit = |byte: Option<u8>| byte.and_then(|b| char::from(b).to_digit(16));
        bytes.push(match (byte, digit(ahead.next()), digit(ahead.next())) {
            (b'%', Some(high), Some(low)) => {
                rest = ahead;
                u8::try_from(high * 16 + low).unwrap_or(b'?')
            }
            (b'+', ..) => b' ',
            (byte, ..) => byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A text as it may stand in an address.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b':' | b'*' => {
                out.push(char::from(byte));
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// The filter of an address; what cannot be understood is told and left out. Parameters that are
/// none of a filter's are for the page.
pub(super) fn filter(parameters: &[(String, String)], now: Timestamp) -> (Filter, Vec<String>) {
    let names: Vec<String> = Filter::all_names().collect();
    let is_asked = |(name, value): &&(String, String)| !value.is_empty() && names.contains(name);
    let (mut good, mut wrong) = (Vec::new(), Vec::new());
    for pair in parameters.iter().filter(is_asked) {
        match Filter::from_pairs([(&pair.0, &pair.1)], now) {
            Ok(_) => good.push((&pair.0, &pair.1)),
            Err(why) => wrong.push(why.to_string()),
        }
    }
    let filter = Filter::from_pairs(good, now).unwrap_or_else(|why| {
        wrong.push(why.to_string());
        Filter::default()
    });
    (filter, wrong)
}

/// A filter of our own words.
pub(super) fn asks(pairs: &[(&str, &str)], now: Timestamp) -> Filter {
    Filter::from_pairs(pairs.iter().copied(), now).unwrap_or_default()
}

/// The address of the page that shows what a filter means.
pub(super) fn address(filter: &Filter) -> String {
    match filter.to_query() {
        query if query.is_empty() => "/explore".to_owned(),
        query => format!("/explore?{query}"),
    }
}

/// The command that finds the same.
pub(super) fn command(filter: &Filter) -> String {
    format!("toolgate audit query {}", filter.to_cli()).trim_end().to_owned()
}

/// A word as a shell takes it.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:,/@%+=".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::query::Field;

    fn of(query: &str) -> (Filter, Vec<String>) {
        filter(&parameters(query), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn an_address_comes_back_as_it_went() {
        for query in [
            "",
            "decision=deny",
            "decision=ask,deny&tool=mcp:*",
            "since=2h&grep=a%26b%3D%25",
            "since=2026-11-20T10:00:00Z&until=2026-11-21T10:00:00Z&session=s%20%3Cb%3E",
        ] {
            let (filter, wrong) = of(query);
            assert_eq!((filter.to_query().as_str(), wrong.len()), (query, 0));
        }
        let (filter, wrong) = of("since=soon&grep=(&x=1&before=2.3&&%=%4&tool=%zz+&rule=");
        assert_eq!((filter.to_query().as_str(), wrong.len()), ("tool=%25zz%20", 2));
    }

    #[test]
    fn a_command_says_the_same() {
        let (filter, _) = of("since=2h&decision=deny&decision=ask&tool=mcp:*&grep=it%27s");
        let said =
            r"toolgate audit query --since 2h --decision deny,ask --tool 'mcp:*' -g 'it'\''s'";
        assert_eq!(command(&filter), said);
        assert_eq!(command(&of("").0), "toolgate audit query");
        assert_eq!(command(&of("session=%60id%60").0), "toolgate audit query --session '`id`'");
    }

    #[test]
    fn a_value_is_put_in_and_taken_out() {
        let once = Filter::default().toggled(Field::Tool, "a*,b");
        assert!(once.names(Field::Tool, "a*,b") && !once.names(Field::Rule, "a*,b"));
        assert_eq!(address(&once), "/explore?tool=a%5C*%5C,b");
        assert_eq!(once.clone().toggled(Field::Tool, "a*,b"), Filter::default());
        let twice = once.toggled(Field::Tool, "Bash");
        assert_eq!(twice.asked(Field::Tool).as_deref(), Some(r"a\*\,b,Bash"));
        assert_eq!(of(&twice.to_query()).0, twice);
    }
}
