//! Any bytes as a line of the log: where serde reads a record, the quick way finds the same fields.

/// Fails if the property does not hold for these bytes.
pub fn hold(bytes: &[u8]) {
    if let Ok((quick, slow)) = toolgate::audit::query::both_ways(bytes) {
        assert_eq!(quick, slow);
    }
}
