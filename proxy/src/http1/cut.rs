//! Bytes as a connection may bring them.

use proptest::sample::Index;

/// The bytes in pieces that begin at these places.
pub(crate) fn cut<'a>(bytes: &'a [u8], places: &[Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = places
        .iter()
        .map(|place| place.index(bytes.len() + 1))
        .collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    let pieces = places.windows(2);
    pieces.map(|ends| &bytes[ends[0]..ends[1]]).collect()
}
