//! The plain bytes of columns, written and strictly read.
//!
//! Numbers are LEB128 varints; signed ones zigzag. A dictionary column is its number of entries,
//! each entry's number of values and each value's length and bytes, and then a code for each row,
//! one, two or four bytes wide as the number of entries needs.

use std::collections::HashMap;

/// One field of all rows: which combinations of values there are, and which each row has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The values of each entry; an entry without a value is that of rows that have none.
    pub entries: Vec<Vec<String>>,
    /// The entry of each row.
    pub codes: Vec<u32>,
}

/// A dictionary column while it is made.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    entries: HashMap<Vec<String>, u32>,
    order: Vec<Vec<String>>,
    codes: Vec<u32>,
}

impl Dictionary {
    pub(super) fn push(&mut self, values: &[String]) {
        let code = match self.entries.get(values) {
            Some(code) => *code,
            None => {
                let code = u32::try_from(self.order.len()).unwrap_or(u32::MAX);
                self.entries.insert(values.to_vec(), code);
                self.order.push(values.to_vec());
                code
            }
        };
        self.codes.push(code);
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, wide(self.order.len()));
        for entry in &self.order {
            put(&mut out, wide(entry.len()));
            for value in entry {
                put(&mut out, wide(value.len()));
                out.extend_from_slice(value.as_bytes());
            }
        }
        let width = width(self.order.len());
        for code in &self.codes {
            out.extend_from_slice(code.to_le_bytes().get(..width).unwrap_or_default());
        }
        out
    }
}

impl Column {
    /// Reads a dictionary column of so many rows.
    pub(super) fn read(bytes: &[u8], rows: usize) -> Option<Column> {
        let mut at = Cursor(bytes);
        let count = at.length()?;
        // Each entry is at least a byte, so a false count cannot ask for much.
        if count > rows || count > bytes.len() {
            return None;
        }
        let mut entries = Vec::with_capacity(count);
        for _ in 0..count {
            let values = at.length()?;
            let mut entry = Vec::with_capacity(values.min(bytes.len()).min(16));
            for _ in 0..values {
                let length = at.length()?;
                entry.push(String::from_utf8(at.take(length)?.to_vec()).ok()?);
            }
            entries.push(entry);
        }
        let width = width(count);
        if at.0.len() != rows.checked_mul(width)? {
            return None;
        }
        let codes: Vec<u32> = match width {
            1 => at.0.iter().map(|code| u32::from(*code)).collect(),
            _ => at.0.chunks_exact(width).map(code).collect(),
        };
        let most = codes.iter().copied().max().unwrap_or_default();
        (rows == 0 || usize::try_from(most).ok()? < count).then_some(Column { entries, codes })
    }
}

fn code(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |code, byte| (code << 8) | u32::from(*byte))
}

/// The bytes of one code.
fn width(entries: usize) -> usize {
    match entries {
        0..=0x100 => 1,
        0x101..=0x1_0000 => 2,
        _ => 4,
    }
}

/// Appends a number.
pub(super) fn put(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or_default();
        number >>= 7;
        if number == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// A signed number as an unsigned one that is small if it is near zero.
pub(super) fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

pub(super) fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

pub(super) fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// What is left to read of a column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    /// The next number; nothing if it is none, or not written as short as it can be.
    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for place in 0..10_u32 {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            let low = u64::from(byte & 0x7f);
            if place == 9 && low > 1 {
                return None;
            }
            number |= low << (7 * place);
            if byte & 0x80 == 0 {
                return (*byte != 0 || place == 0).then_some(number);
            }
        }
        None
    }

    pub(super) fn length(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}
