//! Which words are never left out, wherever they stand, and which whole lines: what carries facts, code, or the report of a failure.

/// A longer word is no language.
pub(super) const MAX_WORD: usize = 256;

/// Words that turn the meaning of others.
const NEGATIONS: [&str; 12] = [
    "not", "no", "never", "without", "except", "unless", "only", "none", "nor", "neither",
    "cannot", "nothing",
];

/// What a line that reports a failure has somewhere, in lower case.
const FAILURES: [&str; 7] = [
    "error",
    "warning",
    "fail",
    "panic",
    "exception",
    "traceback",
    "fatal",
];

/// Characters that stand in code, paths, tables and markup.
const SYMBOLS: [char; 19] = [
    '_', '/', '\\', '=', '{', '}', '[', ']', '<', '>', '|', '&', '$', '@', '#', '^', '~', '*', '%',
];

/// Whether a word stays wherever it stands: it has a digit or no letter, is an identifier, a path or a URL, in capitals, a negation, or longer
/// than [`MAX_WORD`].
pub(super) fn must_stay(word: &str) -> bool {
    word.len() > MAX_WORD
        || word.chars().any(|c| c.is_numeric() || SYMBOLS.contains(&c))
        || !word.chars().any(char::is_alphabetic)
        || word.contains("()")
        || has_inner_sign(word)
        || is_flag(word)
        || has_inner_capital(word)
        || is_in_capitals(word)
        || is_negation(word)
}

/// Whether a dot, a colon or an opening bracket stands between two letters, as in `std::fs`, `main.rs`, `call(it)`.
fn has_inner_sign(word: &str) -> bool {
    let mut before = None;
    let mut chars = word.chars().peekable();
    while let Some(c) = chars.next() {
        let signs = match c {
            '.' | '(' => before.is_some_and(char::is_alphabetic),
            // As in `::new`.
            ':' => before == Some(':') || before.is_some_and(char::is_alphabetic),
            _ => false,
        };
        if signs && chars.peek().is_some_and(|next| next.is_alphabetic()) {
            return true;
        }
        before = Some(c);
    }
    false
}

/// Whether a word is an option such as `--all`, or a hidden file such as `.env`.
fn is_flag(word: &str) -> bool {
    let name = word.trim_start_matches(['-', '.']);
    name.len() < word.len() && name.starts_with(char::is_alphabetic)
}

/// Whether a capital follows a small letter, as in `camelCase`.
fn has_inner_capital(word: &str) -> bool {
    let mut chars = word.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_lowercase() && chars.peek().is_some_and(|next| next.is_uppercase()) {
            return true;
        }
    }
    false
}

/// Whether a word has two letters or more, all of them capitals.
fn is_in_capitals(word: &str) -> bool {
    let letters = word.chars().filter(|c| c.is_alphabetic());
    letters.clone().count() >= 2 && letters.clone().all(char::is_uppercase)
}

fn is_negation(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphabetic());
    let word = word.to_lowercase();
    NEGATIONS.contains(&word.as_str()) || word.ends_with("n't") || word.ends_with("n’t")
}

/// Whether a line looks like the report of a failure.
pub(super) fn reports_a_failure(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    FAILURES.iter().any(|failure| lower.contains(failure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_carry_facts_stay() {
        for word in [
            "3",
            "v2",
            "x86,",
            "½",
            "snake_case",
            "_private",
            "camelCase",
            "parseJSON.",
            "std::fs",
            "::new",
            "key:value",
            "main.rs",
            "e.g",
            "/usr",
            "src/lib",
            "a\\b",
            "call()",
            "(run())",
            "call(it)",
            "x=y",
            "{",
            "[note]",
            "https://example.org",
            "www.example.org",
            "user@host",
            "#tag",
            "--all",
            "-v",
            ".env",
            "NULL",
            "OK,",
            "ÄÖ",
            "not",
            "No,",
            "never",
            "without",
            "Except",
            "unless",
            "only",
            "don't",
            "isn’t",
            "can't.",
            "-",
            "=>",
            "…",
            "**bold**",
        ] {
            assert!(must_stay(word), "{word}");
        }
        assert!(must_stay(&"long".repeat(100)));
    }

    #[test]
    fn plain_words_may_go() {
        for word in [
            "the",
            "The",
            "I",
            "a",
            "word,",
            "(word",
            "word)",
            "end.",
            "so:",
            "well-known",
            "it's",
            "naïve",
            "Zürich",
            "knot",
            "note",
            "o'clock",
        ] {
            assert!(!must_stay(word), "{word}");
        }
    }

    #[test]
    fn reports_of_failures_are_known_in_any_case() {
        for line in [
            "Error: it broke",
            "2 tests FAILED",
            "TypeError here",
            "thread panicked",
            "Traceback (most",
            "a Warning",
        ] {
            assert!(reports_a_failure(line), "{line}");
        }
        assert!(!reports_a_failure("all went well"));
    }
}
