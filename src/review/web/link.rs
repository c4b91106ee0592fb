//! A filter as it stands in an address, and as the command line that finds the same records.

use super::rows::Field;
use jiff::Timestamp;
use std::fmt::Write as _;

/// What is looked for. Everything that is named must hold; of one field any value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Filter {
    /// Values of fields, as they were written; `*` stands for any text.
    pub(super) values: Vec<(Field, String)>,
    /// Not before this.
    pub(super) since: Option<Moment>,
    /// Before this.
    pub(super) until: Option<Moment>,
    /// A regular expression that the record's line must match.
    pub(super) text: Option<String>,
}

/// A time as it was written: a moment, or how long ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Moment {
    /// RFC 3339.
    At(Timestamp),
    /// So many seconds before now, as it was written.
    Ago(i64, String),
}

impl Moment {
    /// Reads `2h`, `7d`, or an RFC 3339 time.
    pub(super) fn parse(text: &str) -> Option<Moment> {
        if let Ok(at) = text.parse::<Timestamp>() {
            return Some(Moment::At(at));
        }
        let (count, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "w" => 604_800,
            _ => return None,
        };
        let count: i64 = count.parse().ok().filter(|count| (0..=100_000).contains(count))?;
        Some(Moment::Ago(count * seconds, text.to_owned()))
    }

    /// In microseconds since 1970.
    pub(super) fn micros(&self, now: Timestamp) -> i64 {
        match self {
            Moment::At(at) => at.as_microsecond(),
            Moment::Ago(seconds, _) => now.as_microsecond() - seconds * 1_000_000,
        }
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Moment::At(at) => write!(f, "{at}"),
            Moment::Ago(_, text) => f.write_str(text),
        }
    }
}

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

impl Filter {
    /// The filter of an address; what cannot be understood is told.
    pub(super) fn read(parameters: &[(String, String)]) -> (Filter, Vec<String>) {
        let (mut filter, mut wrong) = (Filter::default(), Vec::new());
        for (name, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
            let moment = || Moment::parse(value);
            match name.as_str() {
                "since" => filter.since = moment(),
                "until" => filter.until = moment(),
                "q" => filter.text = Some(value.clone()),
                name => {
                    let field = Field::ALL.into_iter().find(|field| field.key() == name);
                    filter.values.extend(field.map(|field| (field, value.clone())));
                }
            }
            if matches!(name.as_str(), "since" | "until") && moment().is_none() {
                wrong.push(format!("{name} is no time: write 2h, 7d, or 2026-11-24T09:00:00Z"));
            }
        }
        (filter, wrong)
    }

    /// The parameters of this filter, with no question mark.
    pub(super) fn query(&self) -> String {
        let mut pairs: Vec<(&str, String)> = Vec::new();
        pairs.extend(self.since.as_ref().map(|since| ("since", since.to_string())));
        pairs.extend(self.until.as_ref().map(|until| ("until", until.to_string())));
        pairs.extend(self.values.iter().map(|(field, value)| (field.key(), value.clone())));
        pairs.extend(self.text.clone().map(|text| ("q", text)));
        let pairs = pairs.iter().map(|(name, value)| format!("{name}={}", encoded(value)));
        pairs.collect::<Vec<_>>().join("&")
    }

    /// The address of the page that shows it.
    pub(super) fn address(&self) -> String {
        match self.query() {
            query if query.is_empty() => "/explore".to_owned(),
            query => format!("/explore?{query}"),
        }
    }

    /// The command that finds the same.
    pub(super) fn command(&self) -> String {
        let mut words = vec!["toolgate audit query".to_owned()];
        let mut add = |name: &str, value: &str| words.push(format!("--{name} {}", quoted(value)));
        if let Some(since) = &self.since {
            add("since", &since.to_string());
        }
        if let Some(until) = &self.until {
            add("until", &until.to_string());
        }
        for field in Field::ALL {
            let mut values = self.values.iter().filter(|(one, _)| *one == field).peekable();
            if values.peek().is_some() {
                let values: Vec<&str> = values.map(|(_, value)| value.as_str()).collect();
                add(field.key(), &values.join(","));
            }
        }
        if let Some(text) = &self.text {
            words.push(format!("-g {}", quoted(text)));
        }
        words.join(" ")
    }

    /// The same with a value of a field, or without it if it is there.
    pub(super) fn toggled(&self, field: Field, value: &str) -> Filter {
        let mut filter = self.clone();
        let before = filter.values.len();
        filter.values.retain(|(one, text)| !(*one == field && text == value));
        if filter.values.len() == before {
            filter.values.push((field, value.to_owned()));
        }
        filter
    }

    /// The same in another stretch of time.
    pub(super) fn within(&self, since: Option<Moment>, until: Option<Moment>) -> Filter {
        Filter { since, until, ..self.clone() }
    }

    /// Whether it names this value.
    pub(super) fn names(&self, field: Field, value: &str) -> bool {
        self.values.iter().any(|(one, text)| *one == field && text == value)
    }
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

    #[test]
    fn an_address_comes_back_as_it_went() {
        for query in [
            "",
            "decision=deny",
            "decision=deny&decision=ask&tool=mcp:*",
            "since=2h&q=a%26b%3D%25",
            "since=2026-11-20T10:00:00Z&until=2026-11-21T10:00:00Z&session=s%20%3Cb%3E",
        ] {
            let (filter, wrong) = Filter::read(&parameters(query));
            assert_eq!((filter.query().as_str(), wrong.len()), (query, 0));
        }
        let (filter, wrong) = Filter::read(&parameters("since=soon&x=1&&%=%4&tool=%zz+"));
        assert_eq!((filter.since, wrong.len()), (None, 1));
        assert_eq!(filter.values, [(Field::Tool, "%zz ".to_owned())]);
    }

    #[test]
    fn a_command_says_the_same() {
        let (filter, _) =
            Filter::read(&parameters("since=2h&decision=deny&decision=ask&tool=mcp:*&q=it%27s"));
        let command =
            r"toolgate audit query --since 2h --decision deny,ask --tool 'mcp:*' -g 'it'\''s'";
        assert_eq!(filter.command(), command);
        let (filter, _) = Filter::read(&parameters("session=%60id%60"));
        assert_eq!(filter.command(), "toolgate audit query --session '`id`'");
    }

    #[test]
    fn a_value_is_put_in_and_taken_out() {
        let once = Filter::default().toggled(Field::Tool, "Bash");
        assert!(once.names(Field::Tool, "Bash") && !once.names(Field::Rule, "Bash"));
        assert_eq!(once.toggled(Field::Tool, "Bash"), Filter::default());
    }
}
