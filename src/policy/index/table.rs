//! Tables from text to what is filed under it, made once and never changed.
//!
//! A lookup that finds nothing reads one bucket, most often; one that finds something compares the
//! key. The hash is seeded by the process, so that nobody can choose keys that collide; which seed
//! it is changes no answer.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

/// A hash of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hash(u64);

static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one("toolgate"));

/// Odd numbers without a pattern: digits of pi.
const BY_WORD: u64 = 0x2437_14fa_d2e3_1a7f;
const BY_LENGTH: u64 = 0x13c6_ef37_2fe9_4f83;
const BY_PART: u64 = 0xa458_fea3_f493_3d7f;

/// Hashes a text in words of eight bytes, the last of which may be shorter.
#[derive(Clone, Copy)]
pub(super) struct Hasher(u64);

impl Hasher {
    /// Of nothing yet. It can be copied, so that one is made for many texts.
    pub(super) fn new() -> Hasher {
        Hasher(*SEED)
    }

    /// Takes eight bytes, the first the lowest.
    #[inline]
    pub(super) fn word(&mut self, word: u64) {
        self.0 = mixed(self.0 ^ word, BY_WORD);
    }

    /// Takes the last bytes, which are fewer than eight, above them zeros; and the length of all.
    #[inline]
    pub(super) fn end(self, word: u64, length: usize) -> Hash {
        let length = (length as u64).wrapping_mul(BY_LENGTH);
        Hash(mixed(self.0 ^ word, BY_LENGTH ^ length))
    }
}

impl Hash {
    /// Before the first part of a text.
    pub(super) const NONE: Hash = Hash(0);

    /// The hash of a text.
    #[inline]
    pub(super) fn of(text: &[u8]) -> Hash {
        let mut hasher = Hasher::new();
        let (words, rest) = text.as_chunks::<8>();
        words.iter().for_each(|word| hasher.word(u64::from_le_bytes(*word)));
        hasher.end(word_of(rest), text.len())
    }

    /// The hash of a text that follows another one.
    #[inline]
    pub(super) fn then(self, next: Hash) -> Hash {
        Hash(mixed(self.0 ^ next.0.rotate_left(32), BY_PART))
    }

    /// The part that chooses the bucket, and the part that is kept there.
    #[inline]
    fn split(self) -> (usize, u32) {
        // Each takes its half of the bits.
        ((self.0 & u64::from(u32::MAX)) as usize, (self.0 >> 32) as u32)
    }
}

/// Up to eight bytes as a word, the first the lowest.
#[inline]
pub(super) fn word_of(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| (word << 8) | u64::from(*byte))
}

#[inline]
fn mixed(a: u64, b: u64) -> u64 {
    let wide = u128::from(a) * u128::from(b);
    // Both halves: the lower alone would forget the upper bits of `a`.
    (wide as u64) ^ ((wide >> 64) as u64)
}

/// Keys and their values, found by hash.
#[derive(Debug)]
pub(super) struct Table<V> {
    buckets: Box<[Bucket]>,
    items: Box<[Item<V>]>,
    /// All keys, one after another.
    keys: Box<[u8]>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tag: u32,
    /// The item's place; [`Bucket::FREE`] if there is none.
    item: u32,
}

#[derive(Debug)]
struct Item<V> {
    key: (u32, u32),
    value: V,
}

impl Bucket {
    const FREE: u32 = u32::MAX;
}

impl<V> Default for Table<V> {
    fn default() -> Table<V> {
        Table { buckets: Box::default(), items: Box::default(), keys: Box::default() }
    }
}

impl<V> Table<V> {
    /// A table of these, each key once. `hash` must be what a lookup will hash it to.
    pub(super) fn of(
        entries: impl ExactSizeIterator<Item = (Vec<u8>, V)>,
        hash: impl Fn(&[u8]) -> Hash,
    ) -> Table<V> {
        if entries.len() == 0 {
            return Table::default();
        }
        // At most half full, so that a lookup ends soon.
        let size = (entries.len() * 2).next_power_of_two();
        let mut buckets = vec![Bucket { tag: 0, item: Bucket::FREE }; size];
        let (mut items, mut keys) = (Vec::with_capacity(entries.len()), Vec::new());
        for (key, value) in entries {
            // More would be no policy: its patterns are counted and bounded.
            let place = u32::try_from(items.len()).unwrap_or(Bucket::FREE);
            let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
            let (at, tag) = hash(&key).split();
            let mut places = (0..size).map(|step| (at + step) & (size - 1));
            let free = places.find(|at| buckets.get(*at).is_some_and(|it| it.item == Bucket::FREE));
            if let Some(bucket) = free.and_then(|at| buckets.get_mut(at)) {
                *bucket = Bucket { tag, item: place };
            }
            let start = number(keys.len());
            keys.extend_from_slice(&key);
            items.push(Item { key: (start, number(keys.len())), value });
        }
        Table { buckets: buckets.into(), items: items.into(), keys: keys.into() }
    }

    /// Whether nothing is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// All values, in no order.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.items.iter().map(|item| &item.value)
    }

    /// The value whose key has this hash and is the `same`.
    #[inline]
    pub(super) fn get(&self, hash: Hash, same: impl Fn(&[u8]) -> bool) -> Option<&V> {
        let (mut at, tag) = hash.split();
        let last = self.buckets.len().wrapping_sub(1);
        loop {
            let bucket = self.buckets.get(at & last)?;
            if bucket.item == Bucket::FREE {
                return None;
            }
            if bucket.tag == tag
                && let Some(item) =
                    usize::try_from(bucket.item).ok().and_then(|at| self.items.get(at))
                && self.key(item).is_some_and(&same)
            {
                return Some(&item.value);
            }
            at += 1;
        }
    }

    fn key(&self, item: &Item<V>) -> Option<&[u8]> {
        let (from, to) = item.key;
        self.keys.get(usize::try_from(from).ok()?..usize::try_from(to).ok()?)
    }
}

/// Values found by how a text begins, or by how it ends.
#[derive(Debug)]
pub(super) struct Ends<V> {
    table: Table<V>,
    /// The lengths of the keys, as bits.
    lengths: u64,
    /// The outermost bytes of the keys, as bits.
    outermost: [u64; 4],
    /// From the end.
    tails: bool,
}

/// Bytes of an end that are compared; of a longer one the pattern itself compares the rest.
pub(super) const END_BYTES_MAX: usize = 63;

impl<V> Default for Ends<V> {
    fn default() -> Ends<V> {
        Ends { table: Table::default(), lengths: 0, outermost: [0; 4], tails: false }
    }
}

impl<V> Ends<V> {
    /// Values by these heads, or tails; none is empty or longer than [`END_BYTES_MAX`].
    pub(super) fn of(entries: BTreeMap<Vec<u8>, V>, tails: bool) -> Ends<V> {
        let (mut lengths, mut outermost) = (0_u64, [0_u64; 4]);
        for key in entries.keys() {
            lengths |= u32::try_from(key.len()).map_or(0, |length| 1_u64.unbounded_shl(length));
            let byte = if tails { key.last() } else { key.first() };
            let (word, bit) = bit(byte.copied().unwrap_or_default());
            if let Some(word) = outermost.get_mut(word) {
                *word |= bit;
            }
        }
        Ends { table: Table::of(entries.into_iter(), Hash::of), lengths, outermost, tails }
    }

    /// Whether nothing is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.lengths == 0
    }

    /// All values, in no order.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.table.values()
    }

    /// The values whose key this text begins with, or ends in.
    #[inline]
    pub(super) fn each(&self, text: &[u8], found: impl FnMut(&V)) {
        if self.lengths != 0 {
            self.each_length(text, found);
        }
    }

    fn each_length(&self, text: &[u8], mut found: impl FnMut(&V)) {
        let byte = if self.tails { text.last() } else { text.first() };
        let Some(byte) = byte else { return };
        let (word, bit) = bit(*byte);
        if self.outermost.get(word).is_none_or(|word| word & bit == 0) {
            return;
        }
        let mut lengths = self.lengths;
        while lengths != 0 {
            // At most 63.
            let length = lengths.trailing_zeros() as usize;
            lengths &= lengths - 1;
            let end = match text.len().checked_sub(length) {
                None => return,
                Some(before) if self.tails => text.get(before..),
                Some(_) => text.get(..length),
            };
            let Some(end) = end else { return };
            if let Some(value) = self.table.get(Hash::of(end), |key| key == end) {
                found(value);
            }
        }
    }
}

/// The word and the bit of a byte in a set of bytes.
fn bit(byte: u8) -> (usize, u64) {
    (usize::from(byte >> 6), 1 << (byte & 63))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filed_is_found_and_nothing_else() {
        let key = |nth: usize| format!("/srv/project{nth}/é").into_bytes();
        for count in [0, 1, 2, 3, 1_000] {
            let table = Table::of((0..count).map(|nth| (key(nth), nth)), Hash::of);
            for nth in 0..count + 10 {
                let key = key(nth);
                let found = table.get(Hash::of(&key), |other| other == key).copied();
                assert_eq!(found, (nth < count).then_some(nth));
            }
            // Another key of the same hash is another key.
            assert_eq!(table.get(Hash::of(&key(0)), |_| false), None);
        }
    }

    #[test]
    fn all_that_collides_is_found() {
        let table = Table::of((0..50_u8).map(|nth| (vec![nth], nth)), |_| Hash(7));
        for nth in 0..50_u8 {
            assert_eq!(table.get(Hash(7), |key| key == [nth]), Some(&nth));
        }
    }

    #[test]
    fn texts_of_any_length_have_hashes_of_their_own() {
        let text = "0123456789abcdefghijklmnopqrstuvwxyz".repeat(2);
        let mut seen: Vec<u64> =
            (0..text.len()).map(|end| Hash::of(&text.as_bytes()[..end]).0).collect();
        seen.extend((0..16).map(|zeros| Hash::of(&vec![0; zeros + 100]).0));
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), all);
    }

    #[test]
    fn ends() {
        let keys = |texts: &[&'static str]| -> BTreeMap<Vec<u8>, &'static str> {
            texts.iter().map(|text| (text.as_bytes().to_vec(), *text)).collect()
        };
        let found = |ends: &Ends<&'static str>, text: &str| {
            let mut found = Vec::new();
            ends.each(text.as_bytes(), |key| found.push(*key));
            found
        };
        let long = "a".repeat(END_BYTES_MAX);
        let long: &'static str = Box::leak(long.into_boxed_str());
        let heads = Ends::of(keys(&["a", "ab", "é", "b-", long]), false);
        let tails = Ends::of(keys(&["a", "ba", "é"]), true);
        for (text, heads_of, tails_of) in [
            ("", vec![], vec![]),
            ("a", vec!["a"], vec!["a"]),
            ("abc", vec!["a", "ab"], vec![]),
            ("aba", vec!["a", "ab"], vec!["a", "ba"]),
            ("éx", vec!["é"], vec![]),
            ("xé", vec![], vec!["é"]),
            ("b", vec![], vec![]),
            (&"a".repeat(100), vec!["a", long], vec!["a"]),
        ] {
            assert_eq!((found(&heads, text), found(&tails, text)), (heads_of, tails_of), "{text}");
        }
        assert!(Ends::<u8>::default().is_empty());
    }
}
