//! Any bytes: what is read as a reply is written as the very same bytes, ends only in 0 or 2, and
//! is read from nothing shorter or longer; what is read as a request's head is written the same.

use toolgate::limits::EVENT_BYTES_MAX;
use toolgate::plane::hook::protocol::{Reply, parse_request_head, request_head};

/// Fails if the property does not hold for these bytes.
pub fn hold(bytes: &[u8]) {
    if let Ok(reply) = Reply::parse(bytes) {
        assert!(matches!(reply.code, 0 | 2));
        assert_eq!(Reply::parse(&reply.to_bytes()).as_ref(), Ok(&reply));
        if let Some((_, shorter)) = bytes.split_last() {
            assert!(Reply::parse(shorter).is_err());
        }
        assert!(Reply::parse(&[bytes, b"x"].concat()).is_err());
    }
    let Ok(line) = std::str::from_utf8(bytes) else { return };
    if let Ok((runtime, length)) = parse_request_head(line)
        && length <= EVENT_BYTES_MAX
    {
        let head = request_head(runtime, length);
        assert_eq!(parse_request_head(head.trim_end()), Ok((runtime, length)));
    }
}
