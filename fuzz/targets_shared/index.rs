//! Any bytes as an index: it is refused, or every column has a value for each row.

/// Fails if the property does not hold for these bytes.
pub fn hold(bytes: &[u8]) {
    let _ = toolgate::audit::index_reads_whole(bytes);
}
