//! Lines and columns of a text, for places that are kept in bytes.

/// Where the lines of a text end, looked up once for many places.
#[derive(Debug)]
pub struct Lines {
    ends: Vec<usize>,
}

/// A place as people and editors name it: both counted from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Lines {
    /// The lines of this text.
    #[must_use]
    pub fn of(text: &str) -> Lines {
        Lines { ends: text.match_indices('\n').map(|(at, _)| at).collect() }
    }

    /// The line of a place, counted from 1.
    #[must_use]
    pub fn line_of(&self, offset: usize) -> usize {
        self.ends.partition_point(|end| *end < offset) + 1
    }

    /// The line and column of a place in the same text; of one behind it, those of its end.
    #[must_use]
    pub fn place(&self, text: &str, offset: usize) -> Place {
        let offset = border(text, offset);
        let line = self.line_of(offset);
        let start = line.checked_sub(2).and_then(|above| self.ends.get(above));
        let start = start.map_or(0, |end| end + 1);
        let column = text.get(start..offset).unwrap_or_default().chars().count() + 1;
        Place { line, column }
    }
}

/// The nearest border of a character at or before `offset`.
pub(super) fn border(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let lines = Lines::of("a\n\nb");
        for (offset, line) in [(0, 1), (1, 1), (2, 2), (3, 3), (99, 3)] {
            assert_eq!(lines.line_of(offset), line, "{offset}");
        }
    }

    #[test]
    fn columns_count_characters() {
        let text = "é = 1\nö\u{1f600}x\n";
        let lines = Lines::of(text);
        for (offset, line, column) in
            [(0, 1, 1), (1, 1, 1), (2, 1, 2), (6, 1, 6), (7, 2, 1), (9, 2, 2), (13, 2, 3)]
        {
            assert_eq!(lines.place(text, offset), Place { line, column }, "{offset}");
        }
        assert_eq!(lines.place(text, 99), Place { line: 3, column: 1 });
        assert_eq!(Lines::of("").place("", 5), Place { line: 1, column: 1 });
    }
}
