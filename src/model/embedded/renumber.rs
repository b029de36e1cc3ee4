//! Damage for the tests of text formats: other numbers at some places.

use proptest::prelude::*;

/// Replaces the numbers at some places, whether they stand in a string or not.
pub(super) fn renumber(text: &str, changes: &[(prop::sample::Index, &str)]) -> Vec<u8> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || byte == b'-';
    let mut parts: Vec<&[u8]> = text.as_bytes().chunk_by(|&a, &b| is_digit(a) == is_digit(b)).collect();
    let places: Vec<usize> = (0..parts.len()).filter(|&i| is_digit(parts[i][0])).collect();
    for (place, number) in changes {
        parts[*place.get(&places)] = number.as_bytes();
    }
    parts.concat()
}
