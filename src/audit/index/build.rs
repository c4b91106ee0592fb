//! Makes the index of a file while it is sealed.

use super::column::{Dictionary, put, wide, zigzag};
use super::{CALL, Chunk, DECIDED, FRAMES, Header, INDEXED, MAGIC, TIME, TOOL_USE, mark};
use crate::audit::place::Hash;
use crate::audit::query::row::{Parts, Reader};
use crate::audit::wire::WireRecord;
use crate::limits::INDEX_COLUMN_BYTES_MAX;

/// How hard chunks are compressed: they are read far more often than written.
const LEVEL: i32 = 3;

/// Makes the index of one sealed file.
#[derive(Debug)]
pub(in crate::audit) struct Builder {
    reader: Reader,
    stream: Option<String>,
    first_seq: u64,
    last_seq: u64,
    times: Option<(i64, i64, i64)>,
    records: u64,
    odd: u64,
    sealed_bytes: u64,
    rows_in_frames: u64,
    dictionaries: Vec<Dictionary>,
    frames: Vec<u8>,
    time: Vec<u8>,
    decided: Vec<u8>,
    calls: Vec<u8>,
    tool_uses: Vec<u8>,
}

impl Builder {
    /// The index of a file of which nothing was read yet.
    pub(in crate::audit) fn new() -> Builder {
        Builder {
            reader: Reader::of(Parts::ALL),
            stream: None,
            first_seq: 0,
            last_seq: 0,
            times: None,
            records: 0,
            odd: 0,
            sealed_bytes: 0,
            rows_in_frames: 0,
            dictionaries: INDEXED.iter().map(|_| Dictionary::default()).collect(),
            frames: Vec::new(),
            time: Vec::new(),
            decided: Vec::new(),
            calls: Vec::new(),
            tool_uses: Vec::new(),
        }
    }

    /// The next line, without its newline.
    pub(in crate::audit) fn line(&mut self, line: &[u8]) {
        self.records += 1;
        if self.stream.is_none() {
            // One record's stream is that of all: lines of another would not be sealed.
            let first: Option<WireRecord> = serde_json::from_slice(line).ok();
            self.stream = Some(first.map(|record| record.stream).unwrap_or_default());
        }
        let Builder { reader, dictionaries, .. } = self;
        let Ok(row) = reader.read(line) else {
            self.odd += 1;
            return;
        };
        let (Some(time), seq) = (row.time(), row.seq()) else {
            self.odd += 1;
            return;
        };
        let follows = self.records == 1 || self.last_seq.checked_add(1) == Some(seq);
        self.odd += u64::from(!follows);
        if self.records == 1 {
            self.first_seq = seq;
        }
        self.last_seq = seq;
        let mut values: Vec<String> = Vec::new();
        for (field, dictionary) in INDEXED.iter().zip(dictionaries) {
            values.clear();
            field.each(&row, |value| {
                if !values.iter().any(|one| one == value) {
                    values.push(value.to_owned());
                }
            });
            dictionary.push(&values);
        }
        put(&mut self.decided, row.decided_us().map_or(0, |micros| micros.saturating_add(1)));
        let marked = |text: Option<std::borrow::Cow<'_, str>>| text.map_or(0, |text| mark(&text));
        self.calls.extend_from_slice(&marked(row.call()).to_le_bytes());
        self.tool_uses.extend_from_slice(&marked(row.tool_use_id()).to_le_bytes());
        let (first, last, before) = self.times.unwrap_or((time, time, 0));
        put(&mut self.time, zigzag(time.wrapping_sub(before)));
        self.times = Some((first.min(time), last.max(time), time));
    }

    /// A frame was written, `bytes` long, at `offset` of the sealed file: all lines since the
    /// frame before are in it.
    pub(in crate::audit) fn frame(&mut self, offset: u64, bytes: u64) {
        put(&mut self.frames, bytes);
        put(&mut self.frames, self.records - self.rows_in_frames);
        if offset != self.sealed_bytes {
            self.odd += 1;
        }
        self.rows_in_frames = self.records;
        self.sealed_bytes = offset.saturating_add(bytes);
    }

    /// The index's file.
    pub(in crate::audit) fn finish(mut self) -> Vec<u8> {
        if self.rows_in_frames != self.records {
            self.odd += 1;
        }
        let mut columns = vec![
            (FRAMES, self.frames),
            (TIME, self.time),
            (DECIDED, self.decided),
            (CALL, self.calls),
            (TOOL_USE, self.tool_uses),
        ];
        for (field, dictionary) in INDEXED.iter().zip(&self.dictionaries) {
            columns.push((field.as_str(), dictionary.bytes()));
        }
        let too_long = |(_, plain): &(&str, Vec<u8>)| plain.len() > INDEX_COLUMN_BYTES_MAX;
        if columns.iter().any(too_long) || self.odd > 0 {
            self.odd = self.odd.max(1);
            columns.clear();
        }
        let (min_time, max_time, _) = self.times.unwrap_or_default();
        let mut header = Header {
            stream: self.stream.unwrap_or_default(),
            first_seq: self.first_seq,
            last_seq: self.last_seq,
            min_time,
            max_time,
            records: self.records,
            odd: self.odd,
            sealed_bytes: self.sealed_bytes,
            columns: Vec::new(),
        };
        let mut chunks = Vec::new();
        for (name, plain) in columns {
            let Ok(chunk) = zstd::bulk::compress(&plain, LEVEL) else {
                // It does not happen in memory; and without a column there is no index.
                header.odd += 1;
                continue;
            };
            header.columns.push(Chunk {
                name: name.to_owned(),
                bytes: wide(chunk.len()),
                plain_bytes: wide(plain.len()),
                sha256: Hash::of(&chunk).to_string(),
            });
            chunks.extend_from_slice(&chunk);
        }
        file(&header, &chunks)
    }
}

fn file(header: &Header, chunks: &[u8]) -> Vec<u8> {
    let header = serde_json::to_vec(header).unwrap_or_default();
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&u32::try_from(header.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(Hash::of(&header).to_string().as_bytes());
    out.extend_from_slice(&header);
    out.extend_from_slice(chunks);
    out
}
