//! The beginning of a text, where all of it may be too much to keep or to show.

/// So much of a text that others have chosen is logged, in bytes: lines that wait to be written take memory.
const MAX_LOGGED_BYTES: usize = 256;

/// What a text begins with: at most `max_bytes` of it.
#[must_use]
pub fn truncated(text: &str, max_bytes: usize) -> &str {
    let end = (0..=max_bytes.min(text.len())).rfind(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// What is logged of a text that others have chosen, such as the path of a request.
#[must_use]
pub fn logged(text: &str) -> &str {
    truncated(text, MAX_LOGGED_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_is_cut() {
        for (max_bytes, kept) in [(9, "añb"), (4, "añb"), (3, "añ"), (2, "a"), (0, "")] {
            assert_eq!(truncated("añb", max_bytes), kept, "{max_bytes}");
        }
        assert_eq!(logged(&"a".repeat(10_000)).len(), MAX_LOGGED_BYTES);
    }
}
