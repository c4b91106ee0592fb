//! Any bytes as the first line of what retention kept of a file: it is refused, or the parts that it
//! tells of fill the file exactly. The first bytes choose the file's length.

/// The file that such a line would be in.
pub const NAME: &str = "toolgate-01900000-0000-7000-8000-000000000001-000001.kept";

/// Fails if the property does not hold for these bytes.
pub fn hold(bytes: &[u8]) {
    let Some((length, line)) = bytes.split_first_chunk::<2>() else { return };
    let length = u64::from(u16::from_le_bytes(*length));
    let is_one = toolgate::audit::kept_header_fits(NAME, line, length);
    // Whatever it is, it is refused in a file of another length.
    assert!(!is_one || !toolgate::audit::kept_header_fits(NAME, line, length + 1));
    assert!(!toolgate::audit::kept_header_fits("other.kept", line, length));
    if let Ok(header) = serde_json::from_slice::<serde_json::Value>(line) {
        let number = |key: &str| header.get(key).and_then(serde_json::Value::as_u64);
        if let (Some(first), Some(last)) = (number("first"), number("last")) {
            assert!(!is_one || (first > 0 && first <= last));
        }
    }
}
