//! The escapes of `$'...'`, as bash decodes them.

/// Decodes the inside of `$'...'`; nothing if an escape is not one that every shell reads alike or
/// if the result is no UTF-8 text.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut bytes: Vec<u8> = Vec::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        match chars.next()? {
            'n' => bytes.push(b'\n'),
            't' => bytes.push(b'\t'),
            'r' => bytes.push(b'\r'),
            'a' => bytes.push(7),
            'b' => bytes.push(8),
            'e' | 'E' => bytes.push(27),
            'f' => bytes.push(12),
            'v' => bytes.push(11),
            c @ ('\\' | '\'' | '"' | '?') => bytes.push(u8::try_from(c).ok()?),
            'x' => bytes.push(u8::try_from(digits(&mut chars, 16, 2, 0)?).ok()?),
            'u' => push_char(&mut bytes, digits(&mut chars, 16, 4, 0)?)?,
            'U' => push_char(&mut bytes, digits(&mut chars, 16, 8, 0)?)?,
            c @ '0'..='7' => {
                let value = digits(&mut chars, 8, 2, c.to_digit(8)?).unwrap_or(c.to_digit(8)?);
                bytes.push(u8::try_from(value & 0xff).ok()?);
            }
            _ => return None,
        }
    }
    // A NUL ends the string in bash: what stands after it is dropped, so it is not guessed at.
    if bytes.contains(&0) { None } else { String::from_utf8(bytes).ok() }
}

/// Up to `most` digits after those that came to `value`; nothing if there is none.
fn digits(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    radix: u32,
    most: usize,
    mut value: u32,
) -> Option<u32> {
    let mut seen = 0;
    while seen < most
        && let Some(digit) = chars.peek().and_then(|c| c.to_digit(radix))
    {
        value = value.checked_mul(radix)?.checked_add(digit)?;
        chars.next();
        seen += 1;
    }
    (seen > 0).then_some(value)
}

fn push_char(bytes: &mut Vec<u8>, code: u32) -> Option<()> {
    let c = char::from_u32(code)?;
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    Some(())
}
