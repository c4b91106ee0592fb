//! A TOML text as the lines that a person sees: blank, comment, header, key and value.

use toml_parser::Source;
use toml_parser::parser::{Event, EventKind, RecursionGuard, parse_document};

/// Lists in lists that are read; the policy reader's own parser has the same bound.
const DEPTH_MAX: u32 = 80;

/// One line, or several where the value has more.
#[derive(Debug)]
pub(super) enum Line<'a> {
    Blank,
    Comment(&'a str),
    /// `[a.b]` or `[[a.b]]`
    Header(String, Option<Trailing<'a>>),
    Entry(Entry<'a>),
}

/// `key = value # comment`
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) key: String,
    pub(super) value: Value<'a>,
    pub(super) comment: Option<Trailing<'a>>,
}

/// A comment behind something, on the same line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trailing<'a> {
    /// Blanks before it.
    pub(super) gap: usize,
    /// The column that it stands in.
    pub(super) column: usize,
    pub(super) text: &'a str,
}

/// A value.
#[derive(Debug)]
pub(super) enum Value<'a> {
    /// Anything but a list, in its layout.
    Whole(String),
    /// A list on one line.
    List(Vec<String>),
    /// A list over several lines.
    Rows(Vec<Row<'a>>),
}

/// One line of a list.
#[derive(Debug, Default)]
pub(super) struct Row<'a> {
    /// The entries, each with the blanks before it.
    pub(super) items: Vec<(usize, String)>,
    pub(super) comment: Option<Trailing<'a>>,
}

impl Row<'_> {
    fn is_blank(&self) -> bool {
        self.items.is_empty() && self.comment.is_none()
    }
}

/// The lines of a text; nothing if it is no TOML.
pub(super) fn read(text: &str) -> Option<Vec<Line<'_>>> {
    let tokens = Source::new(text).lex().into_vec();
    let (mut events, mut errors) = (Vec::new(), Vec::new());
    parse_document(&tokens, &mut RecursionGuard::new(&mut events, DEPTH_MAX), &mut errors);
    if !errors.is_empty() {
        return None;
    }
    events.retain(|event| event.kind() != EventKind::Whitespace);
    let mut reader = Reader { text, events: &events };
    let mut lines = Vec::new();
    while let Some(event) = reader.peek() {
        lines.push(reader.line(event)?);
    }
    Some(lines)
}

/// The events that are still to be read, blanks left out.
struct Reader<'a, 'e> {
    text: &'a str,
    events: &'e [Event],
}

impl<'a> Reader<'a, '_> {
    fn peek(&self) -> Option<Event> {
        self.events.first().copied()
    }

    fn next(&mut self) -> Option<Event> {
        let (first, rest) = self.events.split_first()?;
        self.events = rest;
        Some(*first)
    }

    /// The next event, if it is of this kind.
    fn take(&mut self, kind: EventKind) -> Option<Event> {
        self.peek().filter(|event| event.kind() == kind)?;
        self.next()
    }

    fn raw(&self, event: Event) -> &'a str {
        self.text.get(event.span().start()..event.span().end()).unwrap_or_default()
    }

    /// Blanks right before this place.
    fn gap(&self, at: usize) -> usize {
        let before = self.text.get(..at).unwrap_or_default();
        before.len() - before.trim_end_matches([' ', '\t']).len()
    }

    fn line(&mut self, event: Event) -> Option<Line<'a>> {
        match event.kind() {
            EventKind::Newline => {
                self.next()?;
                Some(Line::Blank)
            }
            EventKind::Comment => {
                self.next()?;
                self.take(EventKind::Newline);
                Some(Line::Comment(self.raw(event).trim_end()))
            }
            EventKind::StdTableOpen => self.header("[", EventKind::StdTableClose, "]"),
            EventKind::ArrayTableOpen => self.header("[[", EventKind::ArrayTableClose, "]]"),
            EventKind::SimpleKey => {
                let key = self.key()?;
                self.take(EventKind::KeyValSep)?;
                let value = self.value()?;
                Some(Line::Entry(Entry { key, value, comment: self.end_of_line()? }))
            }
            _ => None,
        }
    }

    fn header(&mut self, open: &str, closing: EventKind, close: &str) -> Option<Line<'a>> {
        self.next()?;
        let key = self.key()?;
        self.take(closing)?;
        Some(Line::Header(format!("{open}{key}{close}"), self.end_of_line()?))
    }

    /// A key with its dots, without blanks.
    fn key(&mut self) -> Option<String> {
        let mut key = String::new();
        while let Some(event) =
            self.take(EventKind::SimpleKey).or_else(|| self.take(EventKind::KeySep))
        {
            key.push_str(self.raw(event));
        }
        (!key.is_empty()).then_some(key)
    }

    /// What may still stand on a line: a comment, and its end.
    fn end_of_line(&mut self) -> Option<Option<Trailing<'a>>> {
        let comment = self.trailing();
        match self.peek().map(|event| event.kind()) {
            None => Some(comment),
            Some(EventKind::Newline) => {
                self.next()?;
                Some(comment)
            }
            Some(_) => None,
        }
    }

    fn trailing(&mut self) -> Option<Trailing<'a>> {
        let event = self.take(EventKind::Comment)?;
        let at = event.span().start();
        let before = self.text.get(..at).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        let column = line.chars().count();
        Some(Trailing { gap: self.gap(at), column, text: self.raw(event).trim_end() })
    }

    /// The value of a key.
    fn value(&mut self) -> Option<Value<'a>> {
        if self.peek()?.kind() != EventKind::ArrayOpen {
            return Some(Value::Whole(self.inner(false)?));
        }
        if self.spans_lines() {
            return Some(Value::Rows(self.rows()?));
        }
        self.next()?;
        let mut items = Vec::new();
        while self.take(EventKind::ArrayClose).is_none() {
            items.push(self.inner(false)?);
            self.take(EventKind::ValueSep);
        }
        Some(Value::List(items))
    }

    /// The events of the value that comes next, from its first to its last.
    fn extent(&self) -> &[Event] {
        let mut depth = 0_usize;
        let mut count = 0;
        for event in self.events {
            count += 1;
            match event.kind() {
                EventKind::ArrayOpen | EventKind::InlineTableOpen => depth += 1,
                EventKind::ArrayClose | EventKind::InlineTableClose => {
                    depth = depth.saturating_sub(1);
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        self.events.get(..count).unwrap_or_default()
    }

    /// Whether the value that comes next has a line break outside of its texts.
    fn spans_lines(&self) -> bool {
        let breaks =
            |event: &Event| matches!(event.kind(), EventKind::Newline | EventKind::Comment);
        self.extent().iter().any(breaks)
    }

    /// A list over several lines. Which entries share a line is its author's choice.
    fn rows(&mut self) -> Option<Vec<Row<'a>>> {
        self.next()?;
        let mut rows = vec![Row::default()];
        loop {
            let event = self.peek()?;
            let row = rows.last_mut()?;
            match event.kind() {
                EventKind::ArrayClose => break,
                EventKind::ValueSep => {}
                EventKind::Newline => rows.push(Row::default()),
                EventKind::Comment => {
                    row.comment = self.trailing();
                    continue;
                }
                _ => {
                    let gap = self.gap(event.span().start());
                    let item = self.inner(true)?;
                    row.items.push((gap, item));
                    continue;
                }
            }
            self.next()?;
        }
        self.next()?;
        // The line of the opening bracket and that of the closing one hold no entry of their own.
        let first = rows.iter().position(|row| !row.is_blank()).unwrap_or(rows.len());
        rows.drain(..first);
        while rows.last().is_some_and(Row::is_blank) {
            rows.pop();
        }
        rows.dedup_by(|next, row| next.is_blank() && row.is_blank());
        Some(rows)
    }

    /// A value inside another, on one line; with line breaks of its own it stays as it stands.
    /// `lined_up` keeps the blanks between its parts, which make columns with the lines around.
    fn inner(&mut self, lined_up: bool) -> Option<String> {
        let event = self.peek()?;
        if self.spans_lines() {
            let extent = self.extent();
            let (count, end) = (extent.len(), extent.last()?.span().end());
            self.events = self.events.get(count..).unwrap_or_default();
            return self.text.get(event.span().start()..end).map(str::to_owned);
        }
        self.next()?;
        match event.kind() {
            EventKind::Scalar => Some(self.raw(event).to_owned()),
            EventKind::ArrayOpen => {
                let parts = self.parts(EventKind::ArrayClose, lined_up, Self::inner)?;
                Some(format!("[{parts}]"))
            }
            EventKind::InlineTableOpen => {
                let parts = self.parts(EventKind::InlineTableClose, lined_up, Self::pair)?;
                Some(if parts.is_empty() { "{}".to_owned() } else { format!("{{ {parts} }}") })
            }
            _ => None,
        }
    }

    /// The parts of a list or table up to its end, with their commas.
    fn parts(
        &mut self,
        close: EventKind,
        lined_up: bool,
        part: impl Fn(&mut Self, bool) -> Option<String>,
    ) -> Option<String> {
        let mut parts = String::new();
        while self.take(close).is_none() {
            if !parts.is_empty() {
                parts.push(',');
                parts.push_str(&self.blanks(lined_up)?);
            }
            parts.push_str(&part(self, lined_up)?);
            self.take(EventKind::ValueSep);
        }
        Some(parts)
    }

    /// The blanks before what comes next: one, or as many as line it up.
    fn blanks(&self, lined_up: bool) -> Option<String> {
        let gap = if lined_up { self.gap(self.peek()?.span().start()) } else { 1 };
        Some(" ".repeat(gap.max(1)))
    }

    /// `key = value` in an inline table.
    fn pair(&mut self, lined_up: bool) -> Option<String> {
        let key = self.key()?;
        let blanks = self.blanks(lined_up)?;
        self.take(EventKind::KeyValSep)?;
        Some(format!("{key}{blanks}= {}", self.inner(lined_up)?))
    }
}
