//! A path cut into what tables are asked for: each component, and each place on the way.
//!
//! It is cut once for all layers, in the letters as they stand for allows and without their case
//! for denies; most paths are in lower case, and then both are one.

use super::table::{Hash, Hasher, word_of};
use crate::model::access::Target;
use crate::model::path::AbsPath;
use crate::model::url::Destination;
use crate::policy::pattern::fold::{folded, is_folded};

/// Components that are kept without allocating. Deeper paths are rare.
const FEW: usize = 16;

/// One path, cut.
pub struct Lane<'a> {
    text: &'a str,
    few: [Step; FEW],
    /// All components, where there are more.
    many: Vec<Step>,
    count: usize,
}

/// One component, and the place that it ends at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    start: u32,
    end: u32,
    /// What follows its last dot begins here; 0 if it has none.
    after_dot: u32,
    /// Folding leaves the component as it is.
    pub(super) is_folded: bool,
    /// As it stands, and folded.
    name: [Hash; 2],
    place: [Hash; 2],
}

impl<'a> Lane<'a> {
    /// Room for a path.
    #[inline]
    #[must_use]
    pub const fn empty() -> Lane<'a> {
        const NONE: Hash = Hash::NONE;
        let none = Step {
            start: 0,
            end: 0,
            after_dot: 0,
            is_folded: true,
            name: [NONE; 2],
            place: [NONE; 2],
        };
        Lane { text: "", few: [none; FEW], many: Vec::new(), count: 0 }
    }

    /// The path by which a target is looked up, if it has one.
    #[must_use]
    pub fn path_of(target: &'a Target) -> Option<&'a AbsPath> {
        let path = match target {
            Target::Read(path) | Target::Write(path) => path,
            Target::Exec(command) => command.program.file.as_ref()?,
            Target::Connect(Destination::Unix(path)) => path,
            Target::Connect(Destination::Network(_)) => return None,
            Target::Call(_) | Target::Unknown { .. } => return None,
        };
        Some(&path.written)
    }

    /// Forgets what it held and cuts another path, into those components that a glob sees.
    pub fn cut(&mut self, text: &'a str) {
        self.text = text;
        self.count = 0;
        self.many.clear();
        let mut place = [Hash::NONE; 2];
        // What comes before the first `/` is nothing.
        let (mut start, mut left) = (1, text.as_bytes().get(1..));
        // Until then both hashes of a place are one.
        let mut all_folded = true;
        let hasher = Hasher::new();
        while let Some(rest) = left {
            let first = First::of(rest, hasher);
            let end = start + first.length;
            all_folded &= first.is_folded;
            let folded = match first.is_folded {
                true => first.hash,
                false => with_folded(text.get(start..end).unwrap_or_default(), Hash::of),
            };
            let [exact_place, folded_place] = place;
            let exact_place = exact_place.then(first.hash);
            place = match all_folded {
                true => [exact_place; 2],
                false => [exact_place, folded_place.then(folded)],
            };
            self.push(Step {
                start: number(start),
                end: number(end),
                after_dot: first.after_dot.map_or(0, |at| number(start + at)),
                is_folded: first.is_folded,
                name: [first.hash, folded],
                place,
            });
            start = end + 1;
            left = rest.get(first.length + 1..);
        }
    }

    #[inline]
    fn push(&mut self, step: Step) {
        match self.few.get_mut(self.count) {
            Some(slot) => *slot = step,
            None => {
                if self.many.is_empty() {
                    self.many.extend_from_slice(&self.few);
                }
                self.many.push(step);
            }
        }
        self.count += 1;
    }

    /// The components in order.
    #[inline]
    pub(super) fn steps(&self) -> &[Step] {
        self.few.get(..self.count).unwrap_or(&self.many)
    }

    /// Whether the path ends with this component.
    #[inline]
    pub(super) fn ends_at(&self, step: &Step) -> bool {
        place(step.end) == self.text.len()
    }

    /// The component itself.
    pub(super) fn component(&self, step: &Step) -> &'a str {
        self.text.get(place(step.start)..place(step.end)).unwrap_or_default()
    }

    /// What follows the component's last dot.
    pub(super) fn extension(&self, step: &Step) -> Option<&'a [u8]> {
        let after = place(step.after_dot);
        if after == 0 { None } else { self.text.as_bytes().get(after..place(step.end)) }
    }

    /// The path up to here.
    pub(super) fn place(&self, step: &Step) -> &'a str {
        self.text.get(..place(step.end)).unwrap_or_default()
    }
}

fn place(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// The first component of what is left of a path, looked at eight bytes at a time.
struct First {
    hash: Hash,
    length: usize,
    after_dot: Option<usize>,
    is_folded: bool,
}

/// A byte in each byte of a word.
const EACH: u64 = u64::MAX / 0xff;
const HIGHEST: u64 = EACH * 0x80;

impl First {
    #[inline]
    fn of(rest: &[u8], mut hasher: Hasher) -> First {
        let (mut length, mut after_dot, mut others, mut left) = (0, None, 0, rest);
        loop {
            let (word, most, after) = match left.split_first_chunk::<8>() {
                Some((word, after)) => (u64::from_le_bytes(*word), 8, after),
                None => (word_of(left), left.len(), &[][..]),
            };
            let slashes = zeros(word ^ (EACH * u64::from(b'/')));
            let (word, bytes) = match slashes {
                0 => (word, most),
                // The lowest bit that is set is the highest of its byte: below it stands the rest.
                _ => (word & (slashes ^ (slashes - 1)) >> 8, place(slashes.trailing_zeros() / 8)),
            };
            let dots = zeros(word ^ (EACH * u64::from(b'.')));
            if dots != 0 {
                after_dot = Some(length + place(8 - dots.leading_zeros() / 8));
            }
            others |= unfolded(word);
            length += bytes;
            if bytes < 8 {
                let hash = hasher.end(word, length);
                return First { hash, length, after_dot, is_folded: others == 0 };
            }
            hasher.word(word);
            left = after;
        }
    }
}

/// The highest bit of each byte that is zero, and of no other.
#[inline]
fn zeros(word: u64) -> u64 {
    let low = !HIGHEST;
    !(((word & low) + low) | word | low)
}

/// Not zero if some byte is a capital letter, or none of ASCII at all.
#[inline]
fn unfolded(word: u64) -> u64 {
    let low = word & !HIGHEST;
    let from_a = low + EACH * u64::from(0x80 - b'A');
    let after_z = low + EACH * u64::from(0x80 - b'Z' - 1);
    (word | (from_a & !after_z)) & HIGHEST
}

impl Step {
    /// The hash of the component.
    #[inline]
    pub(super) fn name_hash(&self, fold: bool) -> Hash {
        let [exact, folded] = self.name;
        if fold { folded } else { exact }
    }

    /// The hash of the path up to here.
    #[inline]
    pub(super) fn place_hash(&self, fold: bool) -> Hash {
        let [exact, folded] = self.place;
        if fold { folded } else { exact }
    }
}

/// The hash of a place, as [`Step::place_hash`] has it for one that is on the way.
pub(super) fn place_hash(place: &[u8]) -> Hash {
    let components = place.split(|byte| *byte == b'/').skip(1);
    components.fold(Hash::NONE, |place, component| place.then(Hash::of(component)))
}

/// Whether `text` is the key, its letters folded first if `fold` says so.
pub(super) fn same(key: &[u8], text: &str, fold: bool) -> bool {
    if key == text.as_bytes() {
        return true;
    }
    let Ok(key) = str::from_utf8(key) else { return false };
    fold && text.chars().map(folded).eq(key.chars())
}

/// Calls with the text in folded letters, or as it stands if it is so already.
pub(super) fn with_folded<R>(text: &str, call: impl FnOnce(&[u8]) -> R) -> R {
    if is_folded(text) {
        return call(text.as_bytes());
    }
    let mut bytes = [0; 512];
    let mut length = 0;
    for c in text.chars().map(folded) {
        match bytes.get_mut(length..length + c.len_utf8()) {
            Some(room) => length += c.encode_utf8(room).len(),
            // No component is as long.
            None => return call(text.chars().map(folded).collect::<String>().as_bytes()),
        }
    }
    call(bytes.get(..length).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str) {
        let mut lane = Lane::empty();
        lane.cut("/what/was/there/before");
        lane.cut(text);
        let names: Vec<&str> = lane.steps().iter().map(|step| lane.component(step)).collect();
        assert_eq!(names, text.split('/').skip(1).collect::<Vec<_>>(), "{text}");
        for step in lane.steps() {
            let (name, place) = (lane.component(step), lane.place(step));
            let extension = name.rsplit_once('.').map(|(_, extension)| extension.as_bytes());
            assert_eq!(lane.extension(step), extension, "{text}");
            let fold = |text: &str| text.chars().map(folded).collect::<String>();
            assert_eq!(step.is_folded, is_folded(name), "{text}");
            for (is_folded, name, place) in
                [(false, name.to_owned(), place.to_owned()), (true, fold(name), fold(place))]
            {
                assert_eq!(step.name_hash(is_folded), Hash::of(name.as_bytes()), "{text}");
                assert_eq!(step.place_hash(is_folded), place_hash(place.as_bytes()), "{text}");
                assert!(same(place.as_bytes(), lane.place(step), is_folded));
            }
        }
        let ends = lane.steps().iter().filter(|step| lane.ends_at(step)).count();
        assert_eq!(ends, 1, "{text}");
    }

    #[test]
    fn a_lane_has_the_hashes_of_its_keys() {
        let deep = "/Deep".repeat(40);
        for text in [
            "/",
            "/a",
            "/a/b",
            "/A/É/x.RS",
            "/a//b",
            "/work/",
            "/work/K\u{212a}",
            "/12345678/1234567/123456789/",
            "/1234567./.2345678/12.45678.tar.gz/a@Z[",
            &deep,
        ] {
            holds(text);
        }
    }

    proptest::proptest! {
        #[test]
        fn of_any_path(text in "(/[-a-zA-Z.@\\[`{é\u{2f2f}]{0,20}){1,20}") {
            holds(&text);
        }
    }

    #[test]
    fn folding_takes_no_text_apart() {
        let long = "É".repeat(600);
        for (text, expected) in [
            ("abc", "abc"),
            ("ABC", "abc"),
            ("É.\u{212a}", "é.k"),
            ("", ""),
            (&long, &"é".repeat(600)),
        ] {
            assert_eq!(with_folded(text, <[u8]>::to_vec), expected.as_bytes());
        }
    }
}
