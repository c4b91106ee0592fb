//! Questions to the DNS stub and its answers (RFC 1035 §4, RFC 6891).
//!
//! One question of class IN, its name through the one parser of hosts; whatever else a message may
//! hold is refused in the protocol's own words. A response is never answered: two stubs would talk
//! for ever. The tests hold both directions against hickory's reading.
//!
//! ```
//! use toolgate::plane::egress::dns::{Answer, Asked, read_query};
//! let bytes = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01A\x07eXample\0\0\x01\0\x01";
//! let query = read_query(bytes).unwrap();
//! assert_eq!(query.name.as_ref().unwrap().as_str(), "a.example");
//! assert_eq!(query.asked, Asked::A);
//! let answer = query.answer(&Answer::Addresses(&["192.0.2.1".parse().unwrap()], 30), 512);
//! assert_eq!(answer[..4], [0x12, 0x34, 0x81, 0x80]);
//! ```

use crate::limits::{
    EGRESS_DNS_QUESTION_BYTES_MAX, EGRESS_DNS_UDP_BYTES_MAX, EGRESS_DNS_UDP_BYTES_PLAIN,
};
use crate::model::host::Name;
use crate::model::reason::Reason;
use std::net::IpAddr;

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Of what it is asked; [`Reason::InvalidHost`] if that is no host name, whose answer is
    /// [`Answer::NoName`].
    pub name: Result<Name, Reason>,
    /// Which record.
    pub asked: Asked,
    /// How much the client takes by UDP, in bytes.
    pub udp_bytes_max: u16,
    head: [u8; 4],
    /// As it came, to be said again in the same capitals.
    question: Vec<u8>,
    edns: bool,
}

/// Which record is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
    /// Another one, by its number; `HTTPS` and `SVCB` would tell of keys to hide a name with.
    Other(u16),
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<'a> {
    /// These addresses, those of the kind that was asked for, and for how many seconds.
    Addresses(&'a [IpAddr], u32),
    /// The name is there, such a record is not.
    NoData,
    /// There is no such name.
    NoName,
    /// It could not be found out.
    Failure,
    /// It is not answered.
    Refused,
}

/// What is no question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Malformed {
    /// It is not answered at all.
    Silent,
    /// This is the answer to it.
    Answered(Vec<u8>),
}

const HEAD: usize = 12;
/// A name with the lengths of its labels (RFC 1035 §2.3.4).
const NAME_BYTES_MAX: usize = 255;
/// Flags, in the third and fourth byte of a message.
const IS_RESPONSE: u8 = 0x80;
const OPCODE: u8 = 0x78;
const TRUNCATED: u8 = 0x02;
const RECURSION_DESIRED: u8 = 0x01;
const RECURSION_AVAILABLE: u8 = 0x80;
const CHECKING_DISABLED: u8 = 0x10;

const FORMAT_ERROR: u8 = 1;
const FAILURE: u8 = 2;
const NO_NAME: u8 = 3;
const NOT_IMPLEMENTED: u8 = 4;
const REFUSED: u8 = 5;

const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;
const TYPE_OPT: u16 = 41;
const CLASS_IN: u16 = 1;

/// Reads one message, whole, without the length that stands before it on TCP.
///
/// # Errors
/// If it is no single question of class IN, strictly.
pub fn read_query(bytes: &[u8]) -> Result<Query, Malformed> {
    let head: [u8; HEAD] = bytes
        .first_chunk()
        .copied()
        .filter(|head| head[2] & IS_RESPONSE == 0)
        .ok_or(Malformed::Silent)?;
    let [a, b, flags, more, ..] = head;
    let answered = |code| Malformed::Answered(message_head([a, b, flags, more], code, [0; 4]));
    if flags & OPCODE != 0 {
        return Err(answered(NOT_IMPLEMENTED));
    }
    let malformed = || answered(FORMAT_ERROR);
    if bytes.len() > EGRESS_DNS_QUESTION_BYTES_MAX {
        return Err(malformed());
    }
    let [_, _, _, _, questions @ .., more_high, more_low] = head;
    let counts = (questions, more_high);
    if counts != ([0, 1, 0, 0, 0, 0], 0) || more_low > 1 || flags & TRUNCATED != 0 {
        return Err(malformed());
    }
    let mut reader = Reader(bytes.get(HEAD..).unwrap_or_default());
    let name = name(&mut reader).ok_or_else(malformed)?;
    let [kind, class] = [reader.number(), reader.number()];
    let (Some(kind), Some(class)) = (kind, class) else { return Err(malformed()) };
    let length = bytes.len() - HEAD - reader.0.len();
    let question = bytes.get(HEAD..HEAD + length).unwrap_or_default().to_vec();
    let udp_bytes_max = match more_low {
        0 => None,
        _ => Some(options(&mut reader).ok_or_else(malformed)?),
    };
    if !reader.0.is_empty() {
        return Err(malformed());
    }
    if class != CLASS_IN {
        return Err(answered(NOT_IMPLEMENTED));
    }
    let asked = match kind {
        TYPE_A => Asked::A,
        TYPE_AAAA => Asked::Aaaa,
        other => Asked::Other(other),
    };
    let bounds = EGRESS_DNS_UDP_BYTES_PLAIN..=EGRESS_DNS_UDP_BYTES_MAX;
    let stated = udp_bytes_max.unwrap_or(0).clamp(*bounds.start(), *bounds.end());
    Ok(Query {
        name,
        asked,
        udp_bytes_max: stated,
        head: [a, b, flags, more],
        question,
        edns: udp_bytes_max.is_some(),
    })
}

/// Nothing if it is malformed; an error if it is no host's.
fn name(reader: &mut Reader<'_>) -> Option<Result<Name, Reason>> {
    let whole = reader.0.len();
    let mut text = Vec::new();
    loop {
        let [length] = reader.array()?;
        if length == 0 {
            break;
        }
        // Nothing stands before the question that it could point to.
        if length > 63 {
            return None;
        }
        let label = reader.take(usize::from(length))?;
        // A dot within a label would make two of it.
        let label = if label.contains(&b'.') { b"\0" } else { label };
        if !text.is_empty() {
            text.push(b'.');
        }
        text.extend_from_slice(label);
    }
    let read = std::str::from_utf8(&text).ok().and_then(|text| Name::parse(text).ok());
    let length = whole - reader.0.len();
    (length <= NAME_BYTES_MAX).then_some(read.ok_or(Reason::InvalidHost))
}

/// The one record that may follow: what the client takes (RFC 6891 §6.1.2).
fn options(reader: &mut Reader<'_>) -> Option<u16> {
    let [root] = reader.array()?;
    let kind = reader.number()?;
    let size = reader.number()?;
    let [_extended, version, _, _] = reader.array()?;
    let length = reader.number()?;
    let _data = reader.take(usize::from(length))?;
    (root == 0 && kind == TYPE_OPT && version == 0).then_some(size)
}

impl Query {
    /// The answer to it, in at most so many bytes; what does not fit is left out, and the client
    /// told to ask again by TCP.
    #[must_use]
    pub fn answer(&self, answer: &Answer<'_>, bytes_max: usize) -> Vec<u8> {
        let (code, addresses, seconds) = match answer {
            Answer::Addresses(addresses, seconds) => (0, *addresses, *seconds),
            Answer::NoData => (0, &[][..], 0),
            Answer::NoName => (NO_NAME, &[][..], 0),
            Answer::Failure => (FAILURE, &[][..], 0),
            Answer::Refused => (REFUSED, &[][..], 0),
        };
        let options: &[u8] = if self.edns { &OPTIONS } else { &[] };
        let room = bytes_max.saturating_sub(HEAD + self.question.len() + options.len());
        let of_kind = |address: &&IpAddr| match self.asked {
            Asked::A => address.is_ipv4(),
            Asked::Aaaa => address.is_ipv6(),
            Asked::Other(_) => false,
        };
        let (mut records, mut count, mut cut) = (Vec::new(), 0_u16, false);
        for address in addresses.iter().filter(of_kind) {
            let record = record(*address, seconds);
            if records.len() + record.len() > room {
                cut = true;
                break;
            }
            records.extend(record);
            count += 1;
        }
        let [high, low] = count.to_be_bytes();
        let counts = [1, high, low, u8::from(self.edns)];
        let mut out = message_head(self.head, code, counts);
        if cut && let Some(flags) = out.get_mut(2) {
            *flags |= TRUNCATED;
        }
        out.extend_from_slice(&self.question);
        out.extend(records);
        out.extend_from_slice(options);
        out
    }
}

/// What we take by UDP ourselves, without options.
const OPTIONS: [u8; 11] = {
    let [high, low] = EGRESS_DNS_UDP_BYTES_MAX.to_be_bytes();
    [0, 0, 41, high, low, 0, 0, 0, 0, 0, 0]
};

/// Questions, answers (high and low byte), and what follows them.
fn message_head([a, b, flags, more]: [u8; 4], code: u8, counts: [u8; 4]) -> Vec<u8> {
    let flags = IS_RESPONSE | flags & (OPCODE | RECURSION_DESIRED);
    let more = RECURSION_AVAILABLE | more & CHECKING_DISABLED | code;
    let [questions, high, low, additional] = counts;
    vec![a, b, flags, more, 0, questions, high, low, 0, 0, 0, additional]
}

fn record(address: IpAddr, seconds: u32) -> Vec<u8> {
    // The question's name, which stands right behind the head.
    let mut out = vec![0xc0, 12];
    let (kind, data) = match address {
        IpAddr::V4(address) => (TYPE_A, address.octets().to_vec()),
        IpAddr::V6(address) => (TYPE_AAAA, address.octets().to_vec()),
    };
    out.extend(kind.to_be_bytes());
    out.extend(CLASS_IN.to_be_bytes());
    out.extend(seconds.to_be_bytes());
    out.extend([0, if kind == TYPE_A { 4 } else { 16 }]);
    out.extend(data);
    out
}

/// What is left to be read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn number(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_resolver::proto::op::{Edns, Message, Query as Question, ResponseCode};
    use hickory_resolver::proto::rr::{Name as DnsName, RData, RecordType};
    use proptest::prelude::*;

    fn asked(name: &str, kind: RecordType, edns: Option<u16>) -> Vec<u8> {
        let mut message = Message::query();
        message.metadata.recursion_desired = true;
        // A `!` is a dot within a label.
        let labels = name.split('.').filter(|label| !label.is_empty());
        let labels = labels.map(|label| label.replace('!', ".").into_bytes());
        let labels: Vec<_> = labels.collect();
        let name = DnsName::from_labels(labels.iter().map(Vec::as_slice)).unwrap();
        message.add_query(Question::query(name, kind));
        if let Some(size) = edns {
            let mut edns = Edns::new();
            edns.set_max_payload(size);
            message.set_edns(edns);
        }
        message.to_vec().unwrap()
    }

    #[test]
    fn questions() {
        for (name, kind, edns, expected) in [
            ("a.example.", RecordType::A, None, (Ok("a.example"), Asked::A, 512)),
            ("A.eXample.", RecordType::AAAA, Some(4096), (Ok("a.example"), Asked::Aaaa, 1232)),
            ("a.example.", RecordType::HTTPS, Some(0), (Ok("a.example"), Asked::Other(65), 512)),
            (
                "_x._tcp.a.example.",
                RecordType::SRV,
                None,
                (Ok("_x._tcp.a.example"), Asked::Other(33), 512),
            ),
            (
                "1.2.0.192.in-addr.arpa.",
                RecordType::PTR,
                None,
                (Ok("1.2.0.192.in-addr.arpa"), Asked::Other(12), 512),
            ),
            ("127.0.0.1.", RecordType::A, None, (Err(Reason::InvalidHost), Asked::A, 512)),
            ("0x7f.1.", RecordType::A, None, (Err(Reason::InvalidHost), Asked::A, 512)),
            (".", RecordType::A, None, (Err(Reason::InvalidHost), Asked::A, 512)),
            ("a\0.example.", RecordType::A, None, (Err(Reason::InvalidHost), Asked::A, 512)),
            ("a!b.example.", RecordType::A, None, (Err(Reason::InvalidHost), Asked::A, 512)),
            ("a b.example.", RecordType::A, None, (Err(Reason::InvalidHost), Asked::A, 512)),
        ] {
            let query = read_query(&asked(name, kind, edns)).unwrap();
            let read = query.name.as_ref().map(Name::as_str).map_err(|reason| *reason);
            assert_eq!((read, query.asked, query.udp_bytes_max), expected, "{name}");
        }
    }

    #[test]
    fn what_is_no_question() {
        let plain = asked("a.example.", RecordType::A, None);
        let with = |at: usize, byte: u8| {
            let mut bytes = plain.clone();
            bytes[at] = byte;
            bytes
        };
        let code = |bytes: &[u8]| match read_query(bytes) {
            Err(Malformed::Answered(answer)) => {
                let answer = Message::from_vec(&answer).unwrap();
                assert_eq!(answer.metadata.id.to_be_bytes(), bytes[..2]);
                Some(answer.metadata.response_code)
            }
            Err(Malformed::Silent) => None,
            Ok(query) => panic!("{query:?}"),
        };
        let end = plain.len();
        for (bytes, expected) in [
            (with(2, 0x81), None),
            (plain[..11].to_vec(), None),
            (vec![], None),
            (with(2, 0x29), Some(ResponseCode::NotImp)),
            (with(end - 1, 255), Some(ResponseCode::NotImp)),
            (with(5, 0), Some(ResponseCode::FormErr)),
            (with(5, 2), Some(ResponseCode::FormErr)),
            (with(7, 1), Some(ResponseCode::FormErr)),
            (with(11, 1), Some(ResponseCode::FormErr)),
            (with(11, 2), Some(ResponseCode::FormErr)),
            (with(12, 0xc0), Some(ResponseCode::FormErr)),
            (with(12, 64), Some(ResponseCode::FormErr)),
            (plain[..end - 1].to_vec(), Some(ResponseCode::FormErr)),
            ([&plain[..], &[0]].concat(), Some(ResponseCode::FormErr)),
            ([&plain[..], &[0; 2000]].concat(), Some(ResponseCode::FormErr)),
        ] {
            assert_eq!(code(&bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn answers() {
        let addresses: Vec<IpAddr> =
            ["192.0.2.1", "2001:db8::1", "192.0.2.2"].map(|text| text.parse().unwrap()).into();
        let given = Answer::Addresses(&addresses, 30);
        let told = |kind, answer: &Answer<'_>, edns, max| {
            let query = read_query(&asked("A.Example.", kind, edns)).unwrap();
            let bytes = query.answer(answer, max);
            assert!(bytes.len() <= max);
            let answer = Message::from_vec(&bytes).unwrap();
            assert_eq!(answer.queries[0].name.to_ascii(), "A.Example.");
            assert!(answer.metadata.recursion_available && answer.metadata.recursion_desired);
            assert_eq!(answer.edns.is_some(), edns.is_some());
            let data = answer.answers.iter().map(|record| {
                assert_eq!(record.ttl, 30);
                match &record.data {
                    RData::A(address) => address.to_string(),
                    RData::AAAA(address) => address.to_string(),
                    other => panic!("{other}"),
                }
            });
            let data = data.collect::<Vec<_>>().join(" ");
            (answer.metadata.response_code, data, answer.metadata.truncation)
        };
        let no = ResponseCode::NoError;
        for (kind, answer, expected) in [
            (RecordType::A, &given, (no, "192.0.2.1 192.0.2.2")),
            (RecordType::AAAA, &given, (no, "2001:db8::1")),
            (RecordType::HTTPS, &given, (no, "")),
            (RecordType::A, &Answer::NoData, (no, "")),
            (RecordType::A, &Answer::NoName, (ResponseCode::NXDomain, "")),
            (RecordType::A, &Answer::Failure, (ResponseCode::ServFail, "")),
            (RecordType::A, &Answer::Refused, (ResponseCode::Refused, "")),
        ] {
            let (code, data) = expected;
            for edns in [None, Some(1232)] {
                assert_eq!(told(kind, answer, edns, 512), (code, data.to_owned(), false));
            }
        }
        let short = told(RecordType::A, &given, Some(512), 60);
        assert_eq!(short, (no, "192.0.2.1".to_owned(), true));
    }

    proptest! {
        /// Whatever comes, an answer is one to everybody, and a name is the one that hickory reads.
        #[test]
        fn read_as_others_read_it(
            body in proptest::collection::vec(prop_oneof![
                Just(0_u8), Just(1), Just(3), any::<u8>(), 0x61..0x7a_u8
            ], 0..60),
        ) {
            let bytes = [&b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0"[..], &body].concat();
            match read_query(&bytes) {
                Ok(query) => {
                    let theirs = Message::from_vec(&bytes).unwrap();
                    if let Ok(name) = &query.name {
                        let theirs = theirs.queries[0].name.to_lowercase();
                        let theirs = theirs.iter().collect::<Vec<_>>().join(&b'.');
                        prop_assert_eq!(name.as_str().as_bytes(), theirs);
                    }
                    prop_assert!(Message::from_vec(&query.answer(&Answer::NoName, 512)).is_ok());
                }
                Err(Malformed::Answered(answer)) => {
                    prop_assert!(Message::from_vec(&answer).is_ok());
                }
                Err(Malformed::Silent) => prop_assert!(false, "it was a question"),
            }
        }
    }
}
