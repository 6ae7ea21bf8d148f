//! Words that an output shares with the call that it answers.

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::line_matches::line_matches;
use crate::runtime::truncated::truncated;

/// A shorter word says little, in bytes.
const MIN_WORD_BYTES: usize = 4;

/// So many words of a call are looked for.
const MAX_WORDS: usize = 64;

/// A word that more lines have is not rare.
const MAX_LINES: usize = 3;

/// Bytes of a call's input that are looked at.
const MAX_INPUT_BYTES: usize = 4096;

/// The lines that have a word of the call's input, JSON text, which few others have.
pub(super) fn lines_with_rare(input: Option<&str>, text: &str, lines: &[&str]) -> Vec<usize> {
    let words = words_of(input.unwrap_or_default());
    let searcher = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .kind(Some(AhoCorasickKind::NoncontiguousNFA))
        // It is made for one text: what makes only the search faster does not pay.
        .prefilter(false)
        .dense_depth(1)
        .build(&words);
    let Ok(searcher) = searcher else {
        return Vec::new();
    };
    let mut found_in: Vec<Vec<usize>> = vec![Vec::new(); words.len()];
    for (word, line) in line_matches(&searcher, text, lines) {
        let in_lines = &mut found_in[word];
        if in_lines.len() <= MAX_LINES && in_lines.last() != Some(&line) {
            in_lines.push(line);
        }
    }
    let rare = found_in.into_iter().filter(|it| it.len() <= MAX_LINES);
    rare.flatten().collect()
}

/// The words of a text, each once: what letters, digits and underscores make.
fn words_of(text: &str) -> Vec<&str> {
    let words = truncated(text, MAX_INPUT_BYTES).split(|c: char| !c.is_alphanumeric() && c != '_');
    let mut words: Vec<&str> = words
        .filter(|word| {
            word.len() >= MIN_WORD_BYTES && !word.bytes().all(|byte| byte.is_ascii_digit())
        })
        .collect();
    words.sort_unstable();
    words.dedup();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words.truncate(MAX_WORDS);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rare_words_of_the_call_count() {
        let lines: Vec<String> = (0..20).map(|n| format!("module {n} is built")).collect();
        let mut lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        lines[7] = "module Wingman is built";
        let text = lines.join("\n");
        let input = r#"{"command":"make wingman module"}"#;
        assert_eq!(lines_with_rare(Some(input), &text, &lines), [7]);
        assert!(lines_with_rare(None, &text, &lines).is_empty());
    }
}
