//! Whether an expanded form is equivalent to its original.

use super::ansi;

/// Whether `expanded` is the text `original`, but for a terminal's colours.
#[must_use]
pub fn equivalent(original: &str, expanded: &str) -> bool {
    original == expanded || ansi::without_colour(original) == ansi::without_colour(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_as_the_same() {
        assert!(equivalent("x", "x"));
        assert!(equivalent("\x1b[1mx\x1b[0m", "x"));
    }

    #[test]
    fn what_does_not() {
        for (a, b) in [
            ("x ", "x"),
            ("x\n", "x"),
            ("{ \"a\" : 1 }", "{\"a\":1}"),
            ("[1.0]", "[1]"),
            ("\x1b[2Jx", "x"),
        ] {
            assert!(!equivalent(a, b), "{a:?} {b:?}");
        }
    }
}
