//! Which records are meant: the one filter of commands, pages and tests.
//!
//! It is read from pairs of a name and a text, which a command line and an address both are, and
//! printed back as either; what is read from what was printed is the same filter again. Between
//! names all must fit, between the words of one name any.

use super::field::Field;
use super::json::Walk;
use super::row::{Part, Parts, Reader, Row};
use super::term::Term;
use super::when::{self, End};
use crate::audit::wire::WireRecord;
use crate::limits::REGEX_BYTES_MAX;
use crate::policy::diagnostic::did_you_mean;
use jiff::Timestamp;
use regex::{Regex, RegexBuilder};

/// Why a filter cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {why}")]
pub struct FilterError {
    /// The name that the text was given for (`tool`, `since`).
    pub name: String,
    /// What is wrong, and what could be meant.
    pub why: String,
}

/// Which records are meant. The default means all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    since: Option<When>,
    until: Option<When>,
    terms: Vec<Term>,
    slower_than: Option<(String, u64)>,
    grep: Option<Regex>,
    /// What the times are relative to, if it was said.
    now: Option<String>,
}

/// A time, as typed and as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
struct When {
    typed: String,
    micros: i64,
}

impl PartialEq for Filter {
    fn eq(&self, other: &Filter) -> bool {
        let grep = |filter: &Filter| filter.grep.as_ref().map(|regex| regex.as_str().to_owned());
        self.since == other.since
            && self.until == other.until
            && self.terms == other.terms
            && self.slower_than == other.slower_than
            && self.now == other.now
            && grep(self) == grep(other)
    }
}

impl Filter {
    /// Reads a filter from pairs; a name may come more than once. `now` is what relative times
    /// are relative to, unless a pair says so.
    ///
    /// # Errors
    /// The first pair that cannot be understood.
    pub fn from_pairs<N: AsRef<str>, T: AsRef<str>>(
        pairs: impl IntoIterator<Item = (N, T)>,
        now: Timestamp,
    ) -> Result<Filter, FilterError> {
        let pairs: Vec<(N, T)> = pairs.into_iter().collect();
        let said = pairs.iter().rfind(|(name, _)| name.as_ref() == "now");
        let said = said.map(|(_, text)| text.as_ref().to_owned());
        let mut filter = Filter { now: said, ..Filter::default() };
        let now = match &filter.now {
            Some(text) => text.parse().map_err(|_| FilterError {
                name: "now".to_owned(),
                why: format!("`{text}` is no time; write it like 2026-11-24T09:30:00Z"),
            })?,
            None => now,
        };
        for (name, text) in &pairs {
            let (name, text) = (name.as_ref(), text.as_ref());
            filter
                .take(name, text, now)
                .map_err(|why| FilterError { name: name.to_owned(), why })?;
        }
        filter.terms.sort_by_key(|term| (term.field, term.not));
        Ok(filter)
    }

    /// All names that a pair can have.
    pub fn all_names() -> impl Iterator<Item = String> {
        let own = ["since", "until", "slower-than", "grep", "now"].map(str::to_owned);
        let plain = Field::ALL.map(|field| field.to_string());
        let not = Field::ALL.map(|field| format!("not-{field}"));
        own.into_iter().chain(plain).chain(not)
    }

    fn take(&mut self, name: &str, text: &str, now: Timestamp) -> Result<(), String> {
        let moment = |end| {
            let micros = when::moment(text, end, now)?;
            Ok::<_, String>(Some(When { typed: text.to_owned(), micros }))
        };
        match name {
            "since" => self.since = moment(End::Since)?,
            "until" => self.until = moment(End::Until)?,
            "now" => {}
            "slower-than" => {
                let micros = when::duration(text)
                    .ok_or_else(|| format!("`{text}` is no duration; write 250us, 5ms or 1.5s"))?;
                self.slower_than = Some((text.to_owned(), micros));
            }
            "grep" => {
                let regex = RegexBuilder::new(text).size_limit(REGEX_BYTES_MAX).build();
                self.grep = Some(regex.map_err(|why| {
                    let why = why.to_string();
                    format!("`{text}`: {}", why.lines().last().unwrap_or_default())
                })?);
            }
            _ => {
                let (field, not) = match name.strip_prefix("not-") {
                    Some(rest) => (Field::parse(rest), true),
                    None => (Field::parse(name), false),
                };
                let field = field.ok_or_else(|| unknown(name))?;
                let term = Term::parse(field, not, text)?;
                match self.terms.iter_mut().find(|one| one.field == field && one.not == not) {
                    Some(there) => there.join(term),
                    None => self.terms.push(term),
                }
            }
        }
        Ok(())
    }

    /// With one more condition: the value of a field as a group shows it, `-` for none. What was
    /// asked of that field before is no longer asked.
    #[must_use]
    pub fn with(mut self, field: Field, value: &str) -> Filter {
        let typed = typed_of(value);
        self.terms.retain(|term| term.field != field);
        if let Ok(term) = Term::parse(field, false, &typed) {
            self.terms.push(term);
            self.terms.sort_by_key(|term| (term.field, term.not));
        }
        self
    }

    /// With one more value of a field that may be had, or without it if it was asked for already.
    /// Nothing else changes.
    #[must_use]
    pub fn toggled(mut self, field: Field, value: &str) -> Filter {
        let typed = typed_of(value);
        let place = self.terms.iter().position(|term| term.field == field && !term.not);
        let Ok(new) = Term::parse(field, false, &typed) else { return self };
        match place.and_then(|place| self.terms.get_mut(place)) {
            Some(term) if term.has_word(&typed) => {
                if !term.drop_word(&typed) {
                    self.terms.retain(|term| term.field != field || term.not);
                }
            }
            Some(term) => term.join(new),
            None => self.terms.push(new),
        }
        self.terms.sort_by_key(|term| (term.field, term.not));
        self
    }

    /// Whether this very value of a field is asked for, and not by a pattern.
    #[must_use]
    pub fn names(&self, field: Field, value: &str) -> bool {
        let typed = typed_of(value);
        self.terms.iter().any(|term| term.field == field && !term.not && term.has_word(&typed))
    }

    /// The values that are asked for as they are, without a pattern, each with its field.
    #[must_use]
    pub fn literal_words(&self) -> Vec<(Field, String)> {
        let wanted = self.terms.iter().filter(|term| !term.not);
        let words =
            wanted.flat_map(|term| term.literals().map(move |(word, _)| (term.field, word)));
        let plain = words.filter(|(_, word)| !word.contains(['*', '?']));
        plain.map(|(field, word)| (field, word.to_owned())).collect()
    }

    /// The fields that something is asked of.
    pub fn fields(&self) -> impl Iterator<Item = Field> + '_ {
        let mut before = None;
        self.terms.iter().map(|term| term.field).filter(move |field| {
            let is_new = before != Some(*field);
            before = Some(*field);
            is_new
        })
    }

    /// Whether the texts of records are looked into, which no index holds.
    #[must_use]
    pub fn looks_into_texts(&self) -> bool {
        self.grep.is_some()
    }

    /// Without any condition on a field.
    #[must_use]
    pub fn without(mut self, field: Field) -> Filter {
        self.terms.retain(|term| term.field != field);
        self
    }

    /// Between these times, in microseconds since 1970, instead of those it had.
    #[must_use]
    pub fn between(mut self, since: Option<i64>, until: Option<i64>) -> Filter {
        let exact = |micros: i64| When { typed: when::show(micros), micros };
        self.since = since.map(exact);
        self.until = until.map(exact);
        self
    }

    /// From when, in microseconds since 1970.
    #[must_use]
    pub fn since(&self) -> Option<i64> {
        self.since.as_ref().map(|when| when.micros)
    }

    /// Until when, in microseconds since 1970: that moment itself is not meant.
    #[must_use]
    pub fn until(&self) -> Option<i64> {
        self.until.as_ref().map(|when| when.micros)
    }

    /// Whether every record is meant.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Filter { now: self.now.clone(), ..Filter::default() }
    }

    /// The words that were asked for of a field, without those it must not have.
    #[must_use]
    pub fn asked(&self, field: Field) -> Option<String> {
        self.terms.iter().find(|term| term.field == field && !term.not).map(Term::typed)
    }

    /// The filter as pairs of a name and a text.
    #[must_use]
    pub fn to_pairs(&self) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        let mut add = |name: &str, text: &str| pairs.push((name.to_owned(), text.to_owned()));
        if let Some(when) = &self.since {
            add("since", &when.typed);
        }
        if let Some(when) = &self.until {
            add("until", &when.typed);
        }
        for term in &self.terms {
            let not = if term.not { "not-" } else { "" };
            add(&format!("{not}{}", term.field), &term.typed());
        }
        if let Some((typed, _)) = &self.slower_than {
            add("slower-than", typed);
        }
        if let Some(regex) = &self.grep {
            add("grep", regex.as_str());
        }
        if let Some(now) = &self.now {
            add("now", now);
        }
        pairs
    }

    /// The filter as arguments of `toolgate audit query`, quoted for a shell.
    #[must_use]
    pub fn to_cli(&self) -> String {
        let argument = |(name, text): (String, String)| match name.as_str() {
            "grep" => format!("-g {}", quote(&text)),
            _ if name.starts_with("not-") => {
                let name = name.trim_start_matches("not-");
                format!("--not {}", quote(&format!("{name}={text}")))
            }
            // What begins with a dash would be taken for an option.
            _ if text.starts_with('-') => format!("--{name}={}", quote(&text)),
            _ => format!("--{name} {}", quote(&text)),
        };
        let arguments = self.to_pairs().into_iter().map(argument);
        arguments.collect::<Vec<_>>().join(" ")
    }

    /// The filter as the query of an address.
    #[must_use]
    pub fn to_query(&self) -> String {
        let pairs = self.to_pairs().into_iter();
        let pair = |(name, text): (String, String)| format!("{name}={}", percent(&text));
        pairs.map(pair).collect::<Vec<_>>().join("&")
    }

    /// Whether a record is meant.
    #[must_use]
    pub fn fits(&self, record: &WireRecord) -> bool {
        let line = serde_json::to_vec(record).unwrap_or_default();
        self.fits_line(&line).unwrap_or_default()
    }

    /// Whether the record of a line is meant.
    ///
    /// # Errors
    /// If the line is no record, in words.
    pub fn fits_line(&self, line: &[u8]) -> Result<bool, String> {
        let mut reader = Reader::of(self.parts());
        Ok(self.fits_row(&reader.read(line)?))
    }

    pub(in crate::audit) fn parts(&self) -> Parts {
        let mut parts =
            self.terms.iter().fold(Parts::default(), |all, term| all.or(term.field.parts()));
        if self.since.is_some() || self.until.is_some() {
            parts = parts.and(Part::Ts);
        }
        if self.slower_than.is_some() {
            parts = parts.and(Part::DecidedUs);
        }
        parts
    }

    pub(in crate::audit) fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Texts of which each line that fits holds one; none if that is not known, or they are common.
    pub(super) fn needles(&self) -> Vec<Vec<u8>> {
        let rank = |term: &&Term| match term.field {
            Field::Call => 0,
            Field::Session => 1,
            Field::Rule | Field::Matched | Field::Code => 2,
            Field::Path => 3,
            Field::Decision | Field::Kind => 4,
            Field::Tool | Field::Policy | Field::Agent => 5,
            Field::Host | Field::Uid | Field::Runtime | Field::Basis => 6,
        };
        let mut terms: Vec<&Term> = self.terms.iter().collect();
        terms.sort_by_key(rank);
        let literal = self.grep.as_ref().and_then(|regex| {
            let text = regex.as_str();
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '_');
            (text.len() >= 3 && text.chars().all(plain)).then(|| vec![text.as_bytes().to_vec()])
        });
        // Nearly each line holds an "allow" somewhere.
        let common = |needles: &Vec<Vec<u8>>| needles.iter().any(|one| one == b"\"allow\"");
        let found = terms.into_iter().filter_map(Term::needles).find(|one| !common(one));
        literal.or(found).unwrap_or_default()
    }

    pub(in crate::audit) fn slowness(&self) -> Option<u64> {
        self.slower_than.as_ref().map(|(_, micros)| *micros)
    }

    pub(in crate::audit) fn regex(&self) -> Option<&Regex> {
        self.grep.as_ref()
    }

    /// Whether a time is meant. A record whose time cannot be read is meant only if none was asked.
    pub(in crate::audit) fn fits_time(&self, time: Option<i64>) -> bool {
        let after = |since: &When| time.is_some_and(|time| time >= since.micros);
        let before = |until: &When| time.is_some_and(|time| time < until.micros);
        self.since.as_ref().is_none_or(after) && self.until.as_ref().is_none_or(before)
    }

    /// Whether a record is meant of which at least [`Filter::parts`] were read.
    pub(in crate::audit) fn fits_row(&self, row: &Row<'_>) -> bool {
        let timed = self.since.is_some() || self.until.is_some();
        (!timed || self.fits_time(row.time()))
            && self.terms.iter().all(|term| term.fits_row(row))
            && self.fits_slowness(row.decided_us())
            && self.fits_texts(row)
    }

    pub(in crate::audit) fn fits_slowness(&self, decided_us: Option<u64>) -> bool {
        let slow = |least: u64| decided_us.is_some_and(|micros| micros >= least);
        self.slowness().is_none_or(slow)
    }

    /// Whether one of a record's texts fits the regular expression: values, decoded; not keys.
    fn fits_texts(&self, row: &Row<'_>) -> bool {
        let Some(regex) = &self.grep else { return true };
        let mut walk = Walk::new(row.line());
        while let Some(piece) = walk.next_value_text() {
            if regex.is_match(&piece.text(row.line())) {
                return true;
            }
        }
        false
    }
}

impl Term {
    /// Whether a record fits; nothing is gathered for it.
    fn fits_row(&self, row: &Row<'_>) -> bool {
        let (mut any, mut some) = (false, false);
        self.field.each(row, |value| {
            some = true;
            any = any || self.names(value);
        });
        (any || (!some && self.names_none())) != self.not
    }
}

fn unknown(name: &str) -> String {
    let names: Vec<String> = Filter::all_names().collect();
    match did_you_mean(name, names.iter().map(String::as_str)) {
        Some(meant) => format!("there is no such filter; did you mean `{meant}`?"),
        None => format!("there is no such filter; there are {}", names.join(", ")),
    }
}

/// A value as a group shows it, as a word: `-` is none.
fn typed_of(value: &str) -> String {
    match value {
        super::term::ABSENT => value.to_owned(),
        value => escape(value),
    }
}

/// A value as a word that stands for it alone.
fn escape(value: &str) -> String {
    let special = |c: char| matches!(c, '*' | '?' | '\\' | ',');
    let escaped = value.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c]));
    let text = super::term::settled(&escaped.collect::<String>());
    if text == super::term::ABSENT { format!("\\{text}") } else { text }
}

/// A text as one word of a shell.
fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+,=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'-'
            | b'_'
            | b'.'
            | b'~'
            | b':'
            | b','
            | b'*'
            | b'/' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
