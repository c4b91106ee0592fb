//! Choices made from bytes: the same bytes, the same choices; none left, the first of each.

/// Bytes to choose by.
pub struct Choices<'a> {
    left: std::slice::Iter<'a, u8>,
}

impl<'a> Choices<'a> {
    /// Chooses by these bytes.
    pub fn of(bytes: &'a [u8]) -> Choices<'a> {
        Choices { left: bytes.iter() }
    }

    /// A number below `bound`, which is at most 256.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::from(self.left.next().copied().unwrap_or(0)) % bound
    }

    /// True once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    /// One of these.
    pub fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// So many, or one more, up to `most`.
    pub fn some<T>(
        &mut self,
        least: usize,
        most: usize,
        mut make: impl FnMut(&mut Self) -> T,
    ) -> Vec<T> {
        let count = least + self.below(most - least + 1);
        (0..count).map(|_| make(self)).collect()
    }

    /// The same things in another order.
    pub fn shuffled<T: Clone>(&mut self, things: &[T]) -> Vec<T> {
        let mut left = things.to_vec();
        let mut shuffled = Vec::new();
        while !left.is_empty() {
            let at = self.below(left.len().min(256));
            shuffled.push(left.swap_remove(at));
        }
        shuffled
    }
}
