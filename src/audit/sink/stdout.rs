//! The log on standard output, a line a record, as it stands.

use super::deliver::{Deliver, Line, Refused};
use std::io::Write;

/// Standard output. Nothing else of `serve` is written there.
pub(super) struct Stdout;

impl Deliver for Stdout {
    fn send(&mut self, batch: &[Line]) -> Result<(), Refused> {
        let mut bytes = Vec::new();
        for line in batch {
            bytes.extend_from_slice(line.text.as_bytes());
            bytes.push(b'\n');
        }
        let mut out = std::io::stdout().lock();
        let written = out.write_all(&bytes).and_then(|()| out.flush());
        written.map_err(|why| format!("standard output: {why}").into())
    }
}
