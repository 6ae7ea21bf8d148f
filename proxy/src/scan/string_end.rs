//! Where a JSON string ends: at the first quote that no backslash escapes.
//!
//! The text is taken in blocks of 64 bytes, each as one mask of its quotes. Only a block that has one is looked at more
//! closely: the backslashes just before it say whether its first byte is escaped, and arithmetic on the masks says the rest,
//! as in simdjson (Langdale and Lemire, "Parsing Gigabytes of JSON per Second", 2019).
//!
//! This is the workspace's one module with `unsafe` code: AVX2, where the machine has it, makes the masks. On tool output it
//! reads 25 to 40 GB/s, words of 8 bytes 4 to 8, and `memchr2` for quotes and backslashes 1 to 3.

#![cfg_attr(
    target_arch = "x86_64",
    expect(
        unsafe_code,
        reason = "vector instructions need it; each is used where the machine is known to have it"
    )
)]

/// Bytes of a block: one for each bit of its masks.
const BLOCK: usize = 64;

/// Bytes looked at before anything else. Most strings are names, roles and the like, and end in them.
const HEAD: usize = 16;

/// The place of the first unescaped quote in `text`, which begins inside a string and outside an escape.
#[inline]
pub(crate) fn string_end(text: &[u8]) -> Option<usize> {
    if let Some(head) = text.first_chunk() {
        let quotes = matches_in_head(head, b'"');
        let before = (quotes & quotes.wrapping_neg()).wrapping_sub(1);
        if quotes != 0 && matches_in_head(head, b'\\') & before == 0 {
            return Some(quotes.trailing_zeros() as usize);
        }
    }
    string_end_in_blocks(text)
}

/// The mask of the head's bytes that are `byte`: bit 0 for the first.
#[inline(always)]
fn matches_in_head(head: &[u8; HEAD], byte: u8) -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: every machine of this kind has SSE2, the one thing that the function asks for.
        unsafe { x86::matches_in_head(head, byte) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    matches_in_words(head, byte)
}

/// The same, for strings of any length.
fn string_end_in_blocks(text: &[u8]) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: this machine has AVX2, the one thing that the function asks for.
        return unsafe { x86::string_end(text) };
    }
    portable(text)
}

/// The same without vectors of our own, for machines without AVX2.
fn portable(text: &[u8]) -> Option<usize> {
    first_unescaped_quote(text, |block, byte| {
        // The compiler makes vectors of this test, which most blocks do not pass.
        let any = block.iter().fold(false, |any, at| any | (*at == byte));
        if any {
            matches_in_words(block, byte)
        } else {
            0
        }
    })
}

/// The search itself. `matches` gives the mask of the block's bytes that are `byte`: bit 0 for the first.
#[inline(always)]
fn first_unescaped_quote(text: &[u8], matches: impl Fn(&[u8; BLOCK], u8) -> u64) -> Option<usize> {
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    for (index, block) in blocks.iter().enumerate() {
        let mut quotes = matches(block, b'"');
        if quotes != 0 {
            let at = index * BLOCK;
            quotes &= !escaped(matches(block, b'\\'), is_escaped(text, at));
            if quotes != 0 {
                return Some(at + quotes.trailing_zeros() as usize);
            }
        }
    }
    string_end_in_bytes(text, text.len() - rest.len())
}

/// The same from `at` on, byte by byte: for what is left of a document after its last whole block.
#[inline(never)]
fn string_end_in_bytes(text: &[u8], at: usize) -> Option<usize> {
    let mut is_escaped = is_escaped(text, at);
    let mut bytes = text.iter().enumerate().skip(at);
    let (end, _) = bytes.find(|(_, byte)| {
        let ends = **byte == b'"' && !is_escaped;
        is_escaped = **byte == b'\\' && !is_escaped;
        ends
    })?;
    Some(end)
}

/// Whether the byte at `at` is escaped: whether an odd number of backslashes stands before it.
///
/// They end at the latest with the quote for which the block before was looked at: all calls together read each byte once.
fn is_escaped(text: &[u8], at: usize) -> bool {
    let before = text[..at].iter().rev();
    before.take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// The escaped bytes of a block: those behind an odd number of backslashes. `first` says whether its first byte is one.
#[inline(always)]
fn escaped(backslashes: u64, first: bool) -> u64 {
    const ODD: u64 = 0xAAAA_AAAA_AAAA_AAAA;
    let first = u64::from(first);
    // In a run of backslashes that begins at an even bit, those at even bits escape what follows; where it begins at an odd
    // bit, those at odd bits. The subtraction's borrow runs through the runs of the one kind and not of the other.
    let may_escape = backslashes & !first;
    let codes = (may_escape << 1 | ODD).wrapping_sub(may_escape) ^ ODD;
    codes ^ (backslashes | first)
}

/// The mask of the bytes that are `byte`, from words of eight; at most 64 bytes, and a whole number of words.
#[inline(always)]
fn matches_in_words(bytes: &[u8], byte: u8) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const LOW: u64 = 0x7F * ONES;
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().rev().fold(0, |mask, word| {
        let difference = u64::from_le_bytes(*word) ^ (u64::from(byte) * ONES);
        // The high bit of each byte that is 0; no carry leaves a byte.
        let zeros = !(((difference & LOW) + LOW) | difference | LOW);
        // Gathers the eight high bits, the first byte's lowest.
        let bits = (zeros >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        mask << 8 | bits
    })
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m128i, __m256i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_set1_epi8,
        _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_set1_epi8,
    };

    use super::{BLOCK, HEAD, first_unescaped_quote};

    const _: () = assert!(HEAD == size_of::<__m128i>());
    const _: () = assert!(BLOCK == 2 * size_of::<__m256i>());

    /// As [`super::matches_in_head`].
    #[inline]
    #[target_feature(enable = "sse2")]
    pub(super) fn matches_in_head(head: &[u8; HEAD], byte: u8) -> u64 {
        // SAFETY: the head has the 16 bytes that are loaded, and the load needs no alignment.
        let head = unsafe { _mm_loadu_si128(head.as_ptr().cast()) };
        let equal = _mm_cmpeq_epi8(head, _mm_set1_epi8(byte.cast_signed()));
        u64::from(_mm_movemask_epi8(equal).cast_unsigned())
    }

    /// As [`super::string_end`].
    #[target_feature(enable = "avx2")]
    pub(super) fn string_end(text: &[u8]) -> Option<usize> {
        first_unescaped_quote(text, |block, byte| {
            let byte = _mm256_set1_epi8(byte.cast_signed());
            let start: *const __m256i = block.as_ptr().cast();
            // SAFETY: a block has the 64 bytes that the two loads take, and they need no alignment.
            let halves = unsafe { [_mm256_loadu_si256(start), _mm256_loadu_si256(start.add(1))] };
            let [low, high] = halves.map(|half| {
                u64::from(_mm256_movemask_epi8(_mm256_cmpeq_epi8(half, byte)).cast_unsigned())
            });
            low | high << 32
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What the fast ways must find, said as simply as possible.
    fn naive(text: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            match text.get(at)? {
                b'"' => return Some(at),
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
    }

    #[track_caller]
    fn all_agree(text: &[u8]) {
        let end = naive(text);
        assert_eq!(string_end(text), end, "{text:?}");
        assert_eq!(string_end_in_blocks(text), end, "in blocks: {text:?}");
        assert_eq!(portable(text), end, "portable: {text:?}");
        assert_eq!(string_end_in_bytes(text, 0), end, "in bytes: {text:?}");
    }

    #[test]
    fn a_quote_at_any_place_of_a_text_of_any_length_is_found() {
        for length in 0..=200 {
            let mut text = vec![b'x'; length];
            all_agree(&text);
            for at in 0..length {
                text[at] = b'"';
                all_agree(&text);
                text[at] = b'x';
            }
        }
    }

    #[test]
    fn a_run_of_backslashes_at_any_place_is_read_in_pairs() {
        for length in [1, 2, 3, 7, 8, 15, 16, 63, 64, 65, 127, 128, 129] {
            for start in 0..140 {
                let mut text = vec![b'x'; start];
                text.resize(start + length, b'\\');
                // It ends in the run, behind an escaped quote, or behind a quote.
                all_agree(&text);
                text.extend(*b"\"x\"");
                all_agree(&text);
                text.resize(text.len() + 64, b'"');
                all_agree(&text);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        #[test]
        fn all_ways_agree_on_texts_of_the_bytes_that_matter(
            text in prop::collection::vec(prop::sample::select(&b"\"\\\\\\xn\xFF\x5B\x5D\x23\x21\xDC\xA2"[..]), 0..400),
            skip in 0_usize..70,
        ) {
            all_agree(&text[skip.min(text.len())..]);
        }

        #[test]
        fn all_ways_agree_on_texts_with_few_quotes(
            runs in prop::collection::vec((0_usize..80, 0_usize..70, any::<bool>()), 0..12),
            skip in 0_usize..70,
        ) {
            let mut text = Vec::new();
            for (plain, backslashes, quote) in runs {
                text.resize(text.len() + plain, b'a');
                text.resize(text.len() + backslashes, b'\\');
                text.extend(quote.then_some(b'"'));
            }
            all_agree(&text[skip.min(text.len())..]);
        }

        #[test]
        fn all_ways_agree_on_any_bytes(text: Vec<u8>, skip in 0_usize..70) {
            all_agree(&text[skip.min(text.len())..]);
        }
    }
}
