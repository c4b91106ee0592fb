//! How much a text surprises: what tells a key that a machine drew from a word that a person chose.

/// Shannon entropy of the bytes, in bits per byte.
#[must_use]
pub fn entropy(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    // A text has less than four thousand million bytes: length and counts are exact in a float.
    let length = f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX));
    let share = |count: u32| f64::from(count) / length;
    counts.iter().filter(|count| **count > 0).map(|c| -share(*c) * share(*c).log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::entropy;

    #[test]
    fn entropy_is_shannons() {
        for (text, expected) in [("", 0.0), ("aaaa", 0.0), ("abab", 1.0), ("abcdabcd", 2.0)] {
            assert!((entropy(text) - expected).abs() < 1e-9, "{text}");
        }
    }
}
