//! Words that say how much a line of a command's output matters.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::line_matches::line_matches;

/// Something went wrong, or may.
pub(super) const TROUBLE: u8 = 1;
/// What follows belongs to it, up to an empty line: a panic, a stack trace.
pub(super) const TRACE: u8 = 2;
/// A count of what was done, where a number stands in the line, too.
pub(super) const SUMMARY: u8 = 4;
/// Something went well.
pub(super) const SUCCESS: u8 = 8;

/// Each word, in lower case, and what it says.
const WORDS: [(&str, u8); 68] = [
    ("error", TROUBLE),
    ("fail", TROUBLE),
    ("panic", TROUBLE | TRACE),
    ("warn", TROUBLE),
    ("exception", TROUBLE),
    ("traceback", TROUBLE | TRACE),
    ("backtrace", TROUBLE | TRACE),
    ("goroutine ", TROUBLE | TRACE),
    ("stack trace", TROUBLE | TRACE),
    ("fatal", TROUBLE),
    ("critical", TROUBLE),
    ("severe", TROUBLE),
    ("abort", TROUBLE),
    ("denied", TROUBLE),
    ("refused", TROUBLE),
    ("rejected", TROUBLE),
    ("not found", TROUBLE),
    ("no such", TROUBLE),
    ("cannot", TROUBLE),
    ("can't", TROUBLE),
    ("could not", TROUBLE),
    ("couldn't", TROUBLE),
    ("unable", TROUBLE),
    ("undefined", TROUBLE),
    ("unresolved", TROUBLE),
    ("unexpected", TROUBLE),
    ("unhandled", TROUBLE),
    ("uncaught", TROUBLE),
    ("unsupported", TROUBLE),
    ("invalid", TROUBLE),
    ("missing", TROUBLE),
    ("timed out", TROUBLE),
    ("timeout", TROUBLE),
    ("conflict", TROUBLE),
    ("killed", TROUBLE),
    ("segmentation", TROUBLE),
    ("overflow", TROUBLE),
    ("vulnerab", TROUBLE),
    ("assert", TROUBLE),
    ("caused by", TROUBLE),
    ("✗", TROUBLE),
    ("✘", TROUBLE),
    ("✖", TROUBLE),
    ("✕", TROUBLE),
    ("❌", TROUBLE),
    ("exit code", SUMMARY),
    ("exit status", SUMMARY),
    ("exited with", SUMMARY),
    ("test result:", SUMMARY),
    (" passed", SUMMARY),
    (" pass", SUMMARY),
    ("tests:", SUMMARY),
    ("test files", SUMMARY),
    ("test suites:", SUMMARY),
    ("ran ", SUMMARY),
    ("found ", SUMMARY),
    ("added ", SUMMARY),
    ("tasks:", SUMMARY),
    ("summary", SUMMARY),
    ("finished", SUMMARY),
    ("total", SUMMARY),
    ("(pass)", SUCCESS),
    ("✓", SUCCESS),
    ("✔", SUCCESS),
    ("--- pass", SUCCESS),
    ("=== run", SUCCESS),
    ("... ok", SUCCESS),
    (" passed [", SUCCESS),
];

static SEARCHER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .kind(Some(AhoCorasickKind::DFA))
        .build(WORDS.map(|(word, _)| word))
        .ok()
});

/// For each line what its words say; `None` only where the searcher can't be made.
pub(super) fn of(text: &str, lines: &[&str]) -> Option<Vec<u8>> {
    let searcher = SEARCHER.as_ref()?;
    let mut signs = vec![0; lines.len()];
    for (word, line) in line_matches(searcher, text, lines) {
        signs[line] |= WORDS[word].1;
    }
    Some(signs)
}

/// Whether a line that has a word of what goes wrong says that nothing did.
pub(super) fn is_harmless(line: &str, signs: u8) -> bool {
    let none = [
        " 0 fail",
        " 0 error",
        " 0 warn",
        "no error",
        "0 errors",
        "0 failed",
        "no tests to run",
    ];
    signs & SUCCESS != 0 || none.iter().any(|none| line.contains(none))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_the_signs_of_its_own_words() {
        let text = "\nERROR: a\nno\n12 passed, 3 Failed\n✓ b\nthread panicked";
        let lines: Vec<&str> = text.split('\n').collect();
        let signs = of(text, &lines).unwrap();
        assert_eq!(
            signs,
            [0, TROUBLE, 0, SUMMARY | TROUBLE, SUCCESS, TROUBLE | TRACE]
        );
    }
}
