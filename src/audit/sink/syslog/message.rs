//! One record as one RFC 5424 message.
//!
//! Whatever a record holds, the message has one header and one element of structured data, and no
//! control character but those that a line of JSON has: none.

use crate::audit::wire::WireRecord;
use crate::model::record::Kind;

/// The element's name. toolgate has no enterprise number of its own; this one is reserved for
/// examples (RFC 5612), so that it is nobody else's.
const SD_ID: &str = "toolgate@32473";
/// One value of the structured data, in bytes: ids are shorter, and the message has it whole.
const PARAM_BYTES_MAX: usize = 128;

/// As what messages are sent, by the names of `syslog.conf`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facility(u8);

impl Facility {
    const NAMES: [(&'static str, u8); 20] = [
        ("kern", 0),
        ("user", 1),
        ("mail", 2),
        ("daemon", 3),
        ("auth", 4),
        ("syslog", 5),
        ("lpr", 6),
        ("news", 7),
        ("uucp", 8),
        ("cron", 9),
        ("authpriv", 10),
        ("ftp", 11),
        ("local0", 16),
        ("local1", 17),
        ("local2", 18),
        ("local3", 19),
        ("local4", 20),
        ("local5", 21),
        ("local6", 22),
        ("local7", 23),
    ];

    /// The facility of a name; nothing for any other.
    #[must_use]
    pub fn parse(name: &str) -> Option<Facility> {
        let known = Facility::NAMES.iter().find(|(known, _)| *known == name);
        known.map(|(_, number)| Facility(*number))
    }
}

/// What is the same in every message.
pub(super) struct Header {
    facility: Facility,
    host: String,
    process: u32,
}

impl Header {
    pub(super) fn of_this_process(facility: Facility) -> Header {
        let host = crate::audit::sink::host().unwrap_or_default();
        Header { facility, host: printable(&host, 255), process: std::process::id() }
    }

    /// The message of a record, no longer than `most`: then its end is missing, and it says so.
    pub(super) fn message(&self, record: &WireRecord, line: &str, most: usize) -> Vec<u8> {
        let whole = self.head(record, false);
        if whole.len() + line.len() <= most {
            return [whole.as_bytes(), line.as_bytes()].concat();
        }
        let cut = self.head(record, true);
        let room = line.floor_char_boundary(most.saturating_sub(cut.len()));
        [cut.as_bytes(), line.get(..room).unwrap_or_default().as_bytes()].concat()
    }

    /// All but the message itself.
    fn head(&self, record: &WireRecord, is_cut: bool) -> String {
        let priority = u32::from(self.facility.0) * 8 + severity(record);
        let time = if is_timestamp(&record.ts) { record.ts.as_str() } else { "-" };
        let mut head = format!(
            "<{priority}>1 {time} {} toolgate {} {} [{SD_ID}",
            self.host,
            self.process,
            printable(&record.kind, 32),
        );
        let decision = record.decision.as_ref().map(|decision| decision.effect.as_str());
        for (name, value) in [
            ("stream", Some(record.stream.as_str())),
            ("seq", Some(record.seq.to_string().as_str())),
            ("decision", decision),
            ("tool", record.tool.as_deref()),
            ("session", record.session.as_deref()),
            ("cut", is_cut.then_some("true")),
        ] {
            if let Some(value) = value {
                param(&mut head, name, value);
            }
        }
        head.push_str("] ");
        head
    }
}

/// What a filter of severities asks: refusals and findings are warnings, questions notices.
fn severity(record: &WireRecord) -> u32 {
    const WARNING: u32 = 4;
    const NOTICE: u32 = 5;
    const INFORMATIONAL: u32 = 6;
    let telling = [Kind::Finding, Kind::BadInput, Kind::PolicyRefused, Kind::AuditRecovered];
    match record.decision.as_ref().map(|decision| decision.effect.as_str()) {
        Some("deny") => WARNING,
        Some("ask") => NOTICE,
        Some(_) => INFORMATIONAL,
        None if telling.iter().any(|kind| kind.as_str() == record.kind) => WARNING,
        None => INFORMATIONAL,
    }
}

/// Appends a parameter: `"`, `\` and `]` are escaped, control characters replaced.
fn param(head: &mut String, name: &str, value: &str) {
    head.push(' ');
    head.push_str(name);
    head.push_str("=\"");
    let end = value.floor_char_boundary(PARAM_BYTES_MAX);
    for char in value.get(..end).unwrap_or_default().chars() {
        match char {
            '"' | '\\' | ']' => {
                head.push('\\');
                head.push(char);
            }
            char if char.is_control() => head.push('\u{fffd}'),
            char => head.push(char),
        }
    }
    head.push('"');
}

/// A text as a header field: printable ASCII without spaces; `-` if nothing is left.
fn printable(text: &str, most: usize) -> String {
    let kept: String = text.chars().filter(char::is_ascii_graphic).take(most).collect();
    if kept.is_empty() { "-".to_owned() } else { kept }
}

/// Whether a record's time is one that RFC 5424 knows: RFC 3339, at most microseconds, in UTC.
fn is_timestamp(text: &str) -> bool {
    let date = text.get(..19).is_some_and(|date| {
        date.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            10 => byte == b'T',
            13 | 16 => byte == b':',
            _ => byte.is_ascii_digit(),
        })
    });
    let rest = text.get(19..).and_then(|rest| rest.strip_suffix('Z'));
    let fraction = rest.is_some_and(|rest| match rest.strip_prefix('.') {
        Some(digits) => {
            (1..=6).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
        }
        None => rest.is_empty(),
    });
    date && fraction && text.parse::<jiff::Timestamp>().is_ok()
}
