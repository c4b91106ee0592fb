use super::*;
use proptest::prelude::*;

fn all(file: &mut LogFile) -> Vec<u8> {
    let (mut all, mut buffer) = (Vec::new(), Vec::new());
    for number in 0.. {
        match file.read(number, &mut buffer).unwrap() {
            Some(range) => all.extend_from_slice(&buffer[range]),
            None => return all,
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn blocks_hold_each_whole_line_once(
        lengths in prop::collection::vec(0_usize..60_000, 0..60), torn in 0_usize..3_000
    ) {
        let mut bytes: Vec<u8> = lengths
            .iter()
            .enumerate()
            .flat_map(|(at, length)| {
                std::iter::repeat_n(b'a' + (at % 26) as u8, *length).chain([b'\n'])
            })
            .collect();
        let whole = bytes.len();
        bytes.extend(std::iter::repeat_n(b'x', torn));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        let mut plain = LogFile::at(file.path()).unwrap();
        prop_assert_eq!(&all(&mut plain)[..], &bytes[..whole]);
        let mut stream = LogFile::stream("s", Box::new(std::io::Cursor::new(bytes[..whole].to_vec())));
        prop_assert_eq!(&all(&mut stream)[..], &bytes[..whole]);
    }
}

#[test]
fn a_line_that_is_too_long_is_left_out_and_told() {
    let mut bytes = b"first\n".to_vec();
    bytes.extend(vec![b'x'; 900_000]);
    bytes.extend_from_slice(b"\nlast\n");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    let mut plain = LogFile::at(file.path()).unwrap();
    assert_eq!(all(&mut plain), b"first\nlast\n");
    assert_eq!(plain.too_long, 1);
    let mut stream = LogFile::stream("s", Box::new(std::io::Cursor::new(bytes)));
    let read = all(&mut stream);
    assert!(read.starts_with(b"first\n") && read.ends_with(b"last\n"));
}
