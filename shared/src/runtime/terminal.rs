//! What is written to a terminal.

/// A text that is not ours, such as a name in a file or in the queue, without line breaks and control characters: those may be commands to
/// the terminal.
#[must_use]
pub fn sanitized(text: &str) -> String {
    let plain = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_commands_no_terminal() {
        assert_eq!(sanitized("a\u{1b}[2Jb\nc"), "a\u{fffd}[2Jb\u{fffd}c");
    }
}
