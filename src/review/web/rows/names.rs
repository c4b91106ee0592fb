//! Texts that are kept once, and known by their number.

use std::collections::HashMap;

/// The texts of one field; number 0 is that there is none.
#[derive(Debug)]
pub(in crate::review::web) struct Names {
    numbers: HashMap<Box<str>, u32>,
    texts: Vec<Box<str>>,
    most: u32,
}

/// What names beyond the bound are together.
const OTHERS: &str = "(others)";

impl Names {
    /// With no more numbers than this.
    pub(in crate::review::web) fn at_most(most: u32) -> Names {
        let mut names = Names { numbers: HashMap::new(), texts: Vec::new(), most };
        names.number("");
        names
    }

    /// The number of a text, which is kept from now on.
    pub(in crate::review::web) fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let next = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        if next >= self.most {
            return self.most.saturating_sub(1);
        }
        let text = if next + 1 == self.most { OTHERS } else { text };
        self.texts.push(text.into());
        self.numbers.insert(text.into(), next);
        next
    }

    /// The number of a text, if there is one.
    pub(in crate::review::web) fn known(&self, text: &str) -> Option<u32> {
        self.numbers.get(text).copied()
    }

    /// The text of a number.
    pub(in crate::review::web) fn text(&self, number: u32) -> &str {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        self.texts.get(at).or(self.texts.last()).map_or("", |text| text)
    }

    /// How many there are, with the one that is none.
    pub(in crate::review::web) fn len(&self) -> usize {
        self.texts.len()
    }

    /// All of them, in the order of their numbers.
    pub(in crate::review::web) fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|text| &**text)
    }
}

/// A number in fewer bytes; the bound of its names sees to it that it fits.
pub(in crate::review::web) fn small<T: TryFrom<u32> + Default>(number: u32) -> T {
    T::try_from(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_bound_is_one_name() {
        let mut names = Names::at_most(3);
        let numbers: Vec<u32> = ["", "a", "b", "c", "a"].map(|t| names.number(t)).into();
        assert_eq!(numbers, [0, 1, 2, 2, 1]);
        assert_eq!([0, 1, 2, 9].map(|n| names.text(n)), ["", "a", OTHERS, OTHERS]);
        assert_eq!((names.known("a"), names.known("c"), names.len()), (Some(1), None, 3));
    }
}
