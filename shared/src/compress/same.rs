//! When an expanded form says the same as its original.

use super::{ansi, json};

/// Whether `expanded` says the same as `original`: the same text; or the same without colours; or, where both are JSON, the same
/// values with the same key order, duplicate keys, number texts and string escapes.
#[must_use]
pub fn same(original: &str, expanded: &str) -> bool {
    if original == expanded {
        return true;
    }
    let (original, expanded) = (
        ansi::without_colour(original),
        ansi::without_colour(expanded),
    );
    original == expanded
        || match (json::minified(&original), json::minified(&expanded)) {
            (Some(original), Some(expanded)) => original == expanded,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_as_the_same() {
        for (a, b) in [
            ("x", "x"),
            ("\x1b[1mx\x1b[0m", "x"),
            ("{ \"a\" : [1, 2] }\n", "{\"a\":[1,2]}"),
            ("{\"a\": 1}\n\n{\"a\": 2}\n", "{\"a\":1}\n{\"a\":2}"),
            ("\x1b[1m[1,\x1b[0m 2]", "[1,2]"),
        ] {
            assert!(same(a, b), "{a:?} {b:?}");
        }
    }

    #[test]
    fn what_does_not() {
        for (a, b) in [
            ("x ", "x"),
            ("x\n", "x"),
            ("[1.0]", "[1]"),
            ("[1e5]", "[100000]"),
            (r#"["\u00e9"]"#, r#"["é"]"#),
            (r#"["\/"]"#, r#"["/"]"#),
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
            (r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#),
            (r#"[{"a":null}]"#, "[{}]"),
            ("1 2", "1\n2"),
            ("[1, 2", "[1,2"),
        ] {
            assert!(!same(a, b), "{a:?} {b:?}");
        }
    }
}
