//! Whether a form is enough smaller than its original.

/// The least that a form must save.
pub(super) const MIN_SAVED_BYTES: usize = 200;

/// Whether `form` is at least 10 % and [`MIN_SAVED_BYTES`] smaller than `text`, both as plain text (what a tokenizer sees) and
/// within a JSON string (what is sent).
pub(super) fn is_worth(text: &str, form: &str) -> bool {
    let enough = |from: usize, to: usize| to + MIN_SAVED_BYTES <= from && to <= from / 10 * 9;
    enough(text.len(), form.len()) && enough(escaped_len(text), escaped_len(form))
}

/// Bytes of the text within a JSON string, the quotes not counted.
pub(super) fn escaped_len(text: &str) -> usize {
    text.bytes().map(escaped_byte_len).sum()
}

fn escaped_byte_len(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0x00..=0x1f => 6,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_escaped_length_is_that_of_the_json_string() {
        let all: String = (0..0x800).filter_map(char::from_u32).collect();
        let quoted = serde_json::Value::from(all.as_str()).to_string();
        assert_eq!(escaped_len(&all) + 2, quoted.len());
    }

    #[test]
    fn a_form_must_save_a_tenth_and_two_hundred_bytes() {
        let text = |len| "x".repeat(len);
        assert!(is_worth(&text(2000), &text(1800)));
        assert!(!is_worth(&text(2000), &text(1801)));
        assert!(is_worth(&text(400), &text(200)));
        assert!(!is_worth(&text(400), &text(201)));
        assert!(!is_worth(&text(4000), &text(3700)));
        assert!(!is_worth(&text(2000), &"\t".repeat(1500)));
    }
}
