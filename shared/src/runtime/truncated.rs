//! The beginning of a text, where all of it may be too much to keep or to show.

/// What a text begins with: at most `max_bytes` of it.
#[must_use]
pub fn truncated(text: &str, max_bytes: usize) -> &str {
    let end = (0..=max_bytes.min(text.len())).rfind(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_is_cut() {
        for (max_bytes, kept) in [(9, "añb"), (4, "añb"), (3, "añ"), (2, "a"), (0, "")] {
            assert_eq!(truncated("añb", max_bytes), kept, "{max_bytes}");
        }
    }
}
