//! A path cut into what tables are asked for: each component, and each place on the way.
//!
//! It is cut once for all layers, in the letters as they stand for allows and without their case
//! for denies; most paths are in lower case, and then both are one.

use super::table::Hash;
use crate::policy::pattern::fold::{folded, is_folded};

/// Components that are kept without allocating. Deeper paths are rare.
const FEW: usize = 24;

/// One path, cut.
pub(super) struct Lane<'a> {
    text: &'a str,
    few: [Step; FEW],
    many: Vec<Step>,
    count: usize,
}

/// One component, and the place that it ends at.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Step {
    start: usize,
    end: usize,
    /// As it stands, and folded.
    name: [Hash; 2],
    place: [Hash; 2],
}

impl<'a> Lane<'a> {
    /// Cuts a path; its components are those that a glob sees.
    pub(super) fn of(text: &'a str) -> Lane<'a> {
        let mut lane = Lane { text, few: [Step::default(); FEW], many: Vec::new(), count: 0 };
        let mut place = [Hash::default(); 2];
        let mut start = 1;
        while let Some(rest) = text.as_bytes().get(start..) {
            let length = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
            let end = start + length;
            let component = text.get(start..end).unwrap_or_default();
            let exact = Hash::of(component.as_bytes());
            let name = match is_folded(component) {
                true => [exact; 2],
                false => [exact, with_folded(component, Hash::of)],
            };
            place = [place[0].then(name[0]), place[1].then(name[1])];
            lane.push(Step { start, end, name, place });
            start = end + 1;
        }
        lane
    }

    fn push(&mut self, step: Step) {
        match self.few.get_mut(self.count) {
            Some(slot) => *slot = step,
            None => self.many.push(step),
        }
        self.count += 1;
    }

    /// The components in order.
    pub(super) fn steps(&self) -> impl Iterator<Item = &Step> {
        self.few.iter().take(self.count).chain(&self.many)
    }

    /// Whether the path ends with this component.
    pub(super) fn ends_at(&self, step: &Step) -> bool {
        step.end == self.text.len()
    }

    /// The component itself.
    pub(super) fn component(&self, step: &Step) -> &'a str {
        self.text.get(step.start..step.end).unwrap_or_default()
    }

    /// The path up to here.
    pub(super) fn place(&self, step: &Step) -> &'a str {
        self.text.get(..step.end).unwrap_or_default()
    }
}

impl Step {
    /// The hash of the component.
    pub(super) fn name_hash(&self, fold: bool) -> Hash {
        let [exact, folded] = self.name;
        if fold { folded } else { exact }
    }

    /// The hash of the path up to here.
    pub(super) fn place_hash(&self, fold: bool) -> Hash {
        let [exact, folded] = self.place;
        if fold { folded } else { exact }
    }
}

/// The hash of a place, as [`Step::place_hash`] has it for one that is on the way.
pub(super) fn place_hash(place: &[u8]) -> Hash {
    let components = place.split(|byte| *byte == b'/').skip(1);
    components.fold(Hash::default(), |place, component| place.then(Hash::of(component)))
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

    #[test]
    fn a_lane_has_the_hashes_of_its_keys() {
        let deep = "/Deep".repeat(40);
        for text in ["/", "/a", "/a/b", "/A/É/x.RS", "/a//b", "/work/", "/work/K\u{212a}", &deep] {
            let lane = Lane::of(text);
            let names: Vec<&str> = lane.steps().map(|step| lane.component(step)).collect();
            assert_eq!(names, text.split('/').skip(1).collect::<Vec<_>>(), "{text}");
            for step in lane.steps() {
                let (name, place) = (lane.component(step), lane.place(step));
                let fold = |text: &str| text.chars().map(folded).collect::<String>();
                for (is_folded, name, place) in
                    [(false, name.to_owned(), place.to_owned()), (true, fold(name), fold(place))]
                {
                    assert_eq!(step.name_hash(is_folded), Hash::of(name.as_bytes()), "{text}");
                    assert_eq!(step.place_hash(is_folded), place_hash(place.as_bytes()), "{text}");
                    assert!(same(place.as_bytes(), lane.place(step), is_folded));
                }
            }
            assert_eq!(lane.steps().filter(|step| lane.ends_at(step)).count(), 1, "{text}");
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
