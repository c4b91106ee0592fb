//! A text that is put together while a call is judged: a label with its key, most often.
//!
//! It lies on the stack, so that no decision allocates; only a long one does.

/// Bytes that lie on the stack.
const FEW: usize = 120;

/// A text, most often a short one.
#[derive(Debug, Clone)]
pub(super) struct Short {
    bytes: [u8; FEW],
    length: usize,
    /// The whole text, once it is a long one.
    long: String,
}

impl Default for Short {
    fn default() -> Short {
        Short { bytes: [0; FEW], length: 0, long: String::new() }
    }
}

impl Short {
    /// Appends a text.
    pub(super) fn push(&mut self, text: &str) {
        let end = self.length + text.len();
        match self.bytes.get_mut(self.length..end) {
            Some(room) if self.long.is_empty() => {
                room.copy_from_slice(text.as_bytes());
                self.length = end;
            }
            _ => {
                if self.long.is_empty() {
                    self.long = self.as_str().to_owned();
                }
                self.long.push_str(text);
            }
        }
    }

    /// The whole text.
    pub(super) fn as_str(&self) -> &str {
        if !self.long.is_empty() {
            return &self.long;
        }
        // Whole texts were put there, so it is one.
        self.bytes.get(..self.length).and_then(|it| str::from_utf8(it).ok()).unwrap_or_default()
    }
}

impl std::fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.push(text);
        Ok(())
    }
}

impl From<Short> for String {
    fn from(short: Short) -> String {
        short.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::{FEW, Short};

    #[test]
    fn it_holds_what_was_put_there() {
        for sizes in [vec![], vec![0], vec![1, 2], vec![FEW], vec![FEW - 1, 2], vec![500, 0, 7]] {
            let (mut short, mut expected) = (Short::default(), String::new());
            for (nth, size) in sizes.into_iter().enumerate() {
                let text = ["é", "x"][nth % 2].repeat(size);
                short.push(&text);
                expected.push_str(&text);
            }
            assert_eq!(short.as_str(), expected);
            assert_eq!(String::from(short), expected);
        }
    }
}
