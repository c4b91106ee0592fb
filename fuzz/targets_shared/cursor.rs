//! Any bytes as a sink's cursor: it is none, or what is written of it is the same cursor again.

/// Fails if the property does not hold for these bytes.
pub fn hold(bytes: &[u8]) {
    use toolgate::audit::sink::cursor_again;
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some(written) = cursor_again(text) else { return };
    assert_eq!(cursor_again(&written), Some(written));
}
