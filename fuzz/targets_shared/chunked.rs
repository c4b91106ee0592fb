//! Any bytes: a chunked body ends at the same byte and says the same in whatever pieces it comes,
//! and so it does once it is written anew; nothing passes after it is refused.

use toolgate::model::reason::Reason;
use toolgate::plane::egress::framing::{Body, Chunked, Framing};

/// Fails if the property does not hold for these bytes.
pub fn hold(bytes: &[u8]) {
    let whole = pass(bytes, usize::MAX);
    assert_eq!(pass(bytes, 1), whole);
    assert_eq!(pass(bytes, 7), whole);
    let Ok((used, true, said)) = whole else { return };
    // The end is the first that there is, and what follows is nothing of it.
    assert_eq!(pass(&bytes[..used], usize::MAX), Ok((used, true, said.clone())));
    assert!(!pass(&bytes[..used - 1], usize::MAX).unwrap().1);
    let mut anew = Vec::new();
    for part in said.chunks(11) {
        anew.extend(format!("{:X}\r\n", part.len()).bytes());
        anew.extend(part);
        anew.extend(b"\r\n");
    }
    anew.extend(b"0\r\n\r\n");
    assert_eq!(pass(&anew, usize::MAX), Ok((anew.len(), true, said)));
}

fn pass(bytes: &[u8], size: usize) -> Result<(usize, bool, Vec<u8>), Reason> {
    let (mut body, mut said, mut used) = (Body::new(Framing::Chunked), Vec::new(), 0);
    for piece in bytes.chunks(size) {
        let taken = body.take_data(piece, &mut |data| said.extend_from_slice(data));
        match taken {
            Ok(taken) => used += taken,
            Err(reason) => {
                assert_eq!(body.take(b"0\r\n\r\n"), Err(reason));
                return Err(reason);
            }
        }
        if body.is_done() {
            break;
        }
        assert_eq!(taken, Ok(piece.len()));
    }
    assert_eq!(Chunked::default().read(b"", &mut |_| ()), Ok(0));
    Ok((used, body.is_done(), said))
}
