//! The tree over a stream's records (RFC 6962, SHA-256): one root for all of them, and short
//! proofs that a record is under it, or that one root's records are the beginning of another's.
//!
//! Record number n is leaf n - 1. Only the roots of the whole subtrees are kept, at most 64, which
//! is all that appending needs; a proof reads the leaves between two heads again ([`Known`]).

use crate::audit::place::Hash;
use sha2::{Digest, Sha256};

/// The hash of a leaf: a record's line without its newline.
#[must_use]
pub fn leaf(line: &[u8]) -> Hash {
    Hash::from_bytes(Sha256::new().chain_update([0]).chain_update(line).finalize().into())
}

/// The hash of two subtrees.
#[must_use]
pub fn node(left: &Hash, right: &Hash) -> Hash {
    let hash = Sha256::new().chain_update([1]).chain_update(left.as_bytes());
    Hash::from_bytes(hash.chain_update(right.as_bytes()).finalize().into())
}

/// A tree that is only appended to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    /// The roots of its whole subtrees, the largest first.
    nodes: Vec<Hash>,
}

impl Tree {
    /// A tree of its size and the roots of its whole subtrees; nothing if they are not as many as
    /// the size has.
    #[must_use]
    pub fn of(size: u64, nodes: Vec<Hash>) -> Option<Tree> {
        let fits = u32::try_from(nodes.len()).is_ok_and(|count| count == size.count_ones());
        fits.then_some(Tree { size, nodes })
    }

    /// How many leaves it has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of its whole subtrees, the largest first.
    #[must_use]
    pub fn nodes(&self) -> &[Hash] {
        &self.nodes
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut root = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.nodes.pop() {
                root = node(&left, &root);
            }
        }
        self.nodes.push(root);
        self.size += 1;
    }

    /// The root over all leaves.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut nodes = self.nodes.iter().rev();
        let Some(last) = nodes.next() else { return Hash::of(&[]) };
        nodes.fold(*last, |root, left| node(left, &root))
    }
}

/// What is known of a tree: the whole subtrees before some leaf, and each leaf from there on. It
/// proves whatever lies behind that place.
#[derive(Debug, Clone, Default)]
pub struct Known {
    before: Tree,
    leaves: Vec<Hash>,
}

impl Known {
    /// Nothing but the tree so far.
    #[must_use]
    pub fn after(before: Tree) -> Known {
        Known { before, leaves: Vec::new() }
    }

    /// One more leaf.
    pub fn push(&mut self, leaf: Hash) {
        self.leaves.push(leaf);
    }

    /// How many leaves the tree has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.before.size + u64::try_from(self.leaves.len()).unwrap_or(u64::MAX)
    }

    /// The path from a leaf to the root of the tree of the first `size` leaves.
    #[must_use]
    pub fn inclusion(&self, index: u64, size: u64) -> Option<Vec<Hash>> {
        if index >= size || size > self.size() {
            return None;
        }
        let mut path = Vec::new();
        self.path(index, 0, size, &mut path)?;
        Some(path)
    }

    /// The proof that the tree of the first `old` leaves is the beginning of that of `size`.
    #[must_use]
    pub fn consistency(&self, old: u64, size: u64) -> Option<Vec<Hash>> {
        if old > size || size > self.size() {
            return None;
        }
        let mut path = Vec::new();
        if old > 0 && old < size {
            self.beginning(old, 0, size, true, &mut path)?;
        }
        Some(path)
    }

    fn path(&self, index: u64, low: u64, high: u64, path: &mut Vec<Hash>) -> Option<()> {
        let Some(middle) = middle(low, high) else { return Some(()) };
        if index < middle {
            self.path(index, low, middle, path)?;
            path.push(self.subtree(middle, high)?);
        } else {
            self.path(index, middle, high, path)?;
            path.push(self.subtree(low, middle)?);
        }
        Some(())
    }

    fn beginning(
        &self,
        old: u64,
        low: u64,
        high: u64,
        whole: bool,
        path: &mut Vec<Hash>,
    ) -> Option<()> {
        if old == high {
            if !whole {
                path.push(self.subtree(low, high)?);
            }
            return Some(());
        }
        let middle = middle(low, high)?;
        if old <= middle {
            self.beginning(old, low, middle, whole, path)?;
            path.push(self.subtree(middle, high)?);
        } else {
            self.beginning(old, middle, high, false, path)?;
            path.push(self.subtree(low, middle)?);
        }
        Some(())
    }

    /// The root over the leaves from `low` up to `high`, where it is known.
    fn subtree(&self, low: u64, high: u64) -> Option<Hash> {
        if let Some(index) = low.checked_sub(self.before.size) {
            if high == low + 1 {
                return self.leaves.get(usize::try_from(index).ok()?).copied();
            }
        } else if let Some(known) = self.known(low, high) {
            return Some(known);
        }
        let middle = middle(low, high)?;
        Some(node(&self.subtree(low, middle)?, &self.subtree(middle, high)?))
    }

    fn known(&self, low: u64, high: u64) -> Option<Hash> {
        let (mut start, mut rest) = (0, self.before.size);
        for node in &self.before.nodes {
            let length = 1 << rest.checked_ilog2()?;
            if (start, start + length) == (low, high) {
                return Some(*node);
            }
            start += length;
            rest -= length;
        }
        None
    }
}

/// Where a tree over these leaves is parted; nothing for a single leaf.
fn middle(low: u64, high: u64) -> Option<u64> {
    let length = high.checked_sub(low)?;
    let below = length.checked_sub(1).filter(|below| *below > 0)?;
    Some(low + (1 << below.ilog2()))
}

/// Whether the path leads from a leaf to the root of the tree of that size (RFC 9162, 2.1.3.2).
#[must_use]
pub fn includes(root: &Hash, size: u64, index: u64, leaf: Hash, path: &[Hash]) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, leaf);
    for beside in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node(beside, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, beside);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether the first tree is the beginning of the second (RFC 9162, 2.1.4.2).
#[must_use]
pub fn extends(first: (u64, &Hash), second: (u64, &Hash), path: &[Hash]) -> bool {
    let ((old, old_root), (size, root)) = (first, second);
    if old == size {
        return path.is_empty() && old_root == root;
    }
    if old == 0 || old > size {
        return old == 0 && path.is_empty() && *old_root == Tree::default().root();
    }
    let (mut at, mut last) = (old - 1, size - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let (start, rest) = match path.split_first() {
        _ if old.is_power_of_two() => (*old_root, path),
        Some((start, rest)) => (*start, rest),
        None => return false,
    };
    let (mut first, mut second) = (start, start);
    for beside in rest {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            first = node(beside, &first);
            second = node(beside, &second);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            second = node(&second, beside);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && first == *old_root && second == *root
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The test data of certificate-transparency: eight leaves, and the root after each.
    const LEAVES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    #[test]
    fn the_roots_are_those_of_certificate_transparency() {
        let mut tree = Tree::default();
        for (count, root) in ROOTS.iter().enumerate() {
            assert_eq!(tree.root().to_string(), *root, "{count}");
            let same = Tree::of(tree.size(), tree.nodes().to_vec()).unwrap();
            assert_eq!(same, tree);
            if let Some(line) = LEAVES.get(count) {
                tree.push(leaf(line));
            }
        }
        assert_eq!(Tree::of(3, vec![Hash::ZERO]), None);
    }

    /// The definition of RFC 6962, 2.1, word for word.
    fn naive(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash::of(&[]),
            [one] => *one,
            more => {
                let (left, right) = more.split_at(more.len().next_power_of_two() / 2);
                node(&naive(left), &naive(right))
            }
        }
    }

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|n| leaf(&n.to_be_bytes())).collect()
    }

    fn tree(leaves: &[Hash]) -> Tree {
        let mut tree = Tree::default();
        leaves.iter().for_each(|leaf| tree.push(*leaf));
        tree
    }

    proptest! {
        #[test]
        fn proofs_hold_and_no_others_do(
            size in 1_u64..70, before in 0_u64..70, at in 0_u64..70, old in 0_u64..70,
            change in 0_usize..20,
        ) {
            let all = leaves(size);
            let root = naive(&all);
            prop_assert_eq!(tree(&all).root(), root);
            let (before, at, old) = (before % (size + 1), at % size, old % (size + 1));
            let known = |from: u64| {
                let (first, rest) = all.split_at(usize::try_from(from).unwrap());
                let mut known = Known::after(tree(first));
                rest.iter().for_each(|leaf| known.push(*leaf));
                known
            };
            let hash = all[usize::try_from(at).unwrap()];
            let path = known(0).inclusion(at, size).unwrap();
            prop_assert!(includes(&root, size, at, hash, &path));
            if before <= at {
                // What lies before is not needed.
                prop_assert_eq!(known(before).inclusion(at, size), Some(path.clone()));
            }
            prop_assert!(!includes(&root, size, at, Hash::ZERO, &path));
            prop_assert!(!includes(&root, size, size, hash, &path));
            prop_assert!(at == 0 || !includes(&root, size, at - 1, hash, &path));
            let mut changed = path.clone();
            if let Some(one) = changed.get_mut(change) {
                *one = Hash::ZERO;
                prop_assert!(!includes(&root, size, at, hash, &changed));
                changed.remove(change);
                prop_assert!(!includes(&root, size, at, hash, &changed));
            }
            changed = path;
            changed.push(Hash::ZERO);
            prop_assert!(!includes(&root, size, at, hash, &changed));

            let first = naive(&all[..usize::try_from(old).unwrap()]);
            let path = known(0).consistency(old, size).unwrap();
            prop_assert!(extends((old, &first), (size, &root), &path));
            prop_assert_eq!(known(old).consistency(old, size), Some(path.clone()));
            prop_assert!(!extends((old, &Hash::ZERO), (size, &root), &path));
            prop_assert!(old == 0 || !extends((old, &first), (size, &Hash::ZERO), &path));
            let mut changed = path.clone();
            if let Some(one) = changed.get_mut(change) {
                *one = Hash::ZERO;
                prop_assert!(!extends((old, &first), (size, &root), &changed));
            }
            changed = path;
            changed.push(Hash::ZERO);
            prop_assert!(!extends((old, &first), (size, &root), &changed));
        }
    }

    #[test]
    fn what_is_asked_of_no_tree_is_not_proved() {
        let known = Known::after(tree(&leaves(5)));
        assert_eq!(known.inclusion(5, 5), None);
        assert_eq!(known.inclusion(0, 6), None);
        // The leaf beside it is not known, nor could it be.
        assert_eq!(known.inclusion(0, 5), None);
        assert_eq!(known.consistency(6, 5), None);
        assert!(!extends((6, &Hash::ZERO), (5, &Hash::ZERO), &[]));
        assert!(!extends((3, &Hash::ZERO), (5, &Hash::ZERO), &[]));
    }
}
