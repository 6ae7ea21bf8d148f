//! Splits a text into its words, and says which of them must stay.

use std::ops::Range;

use super::protect;
use super::quotations::{Fence, quoted};

/// A word: characters without white space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// Its bytes in the text.
    pub(super) range: Range<usize>,
    /// Whether it stays, whatever its score.
    pub(super) is_protected: bool,
}

/// The words of a text, in its order.
pub(super) fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut fence = Fence::default();
    for line in lines(text) {
        let content = &text[line.clone()];
        let in_code = fence.holds(content);
        let whole_line = in_code || protect::reports_a_failure(content);
        let mut quoted = quoted(content).into_iter().peekable();
        for word in words_of_line(content) {
            while quoted.next_if(|quote| quote.end <= word.start).is_some() {}
            let in_quotes = quoted.peek().is_some_and(|quote| quote.start < word.end);
            let is_protected =
                whole_line || in_quotes || protect::must_stay(&content[word.clone()]);
            words.push(Word {
                range: line.start + word.start..line.start + word.end,
                is_protected,
            });
        }
    }
    words
}

/// The lines of a text with the characters that end them. A lone carriage return ends a line too.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    text.split_inclusive(['\n', '\r']).map(move |line| {
        let range = start..start + line.len();
        start = range.end;
        range
    })
}

fn words_of_line(line: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = line.get(at..)?;
        let start = at + rest.find(|c: char| !c.is_whitespace())?;
        let rest = &line[start..];
        let end = start + rest.find(char::is_whitespace).unwrap_or(rest.len());
        at = end;
        Some(start..end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words that may go.
    fn free(text: &str) -> Vec<&str> {
        let words = words(text).into_iter();
        let free = words.filter(|word| !word.is_protected);
        free.map(|word| &text[word.range]).collect()
    }

    #[test]
    fn words_stand_between_white_space() {
        let text = "  one two\r\n\n\tthree\u{a0}four ";
        let ranges: Vec<&str> = words(text).into_iter().map(|it| &text[it.range]).collect();
        assert_eq!(ranges, ["one", "two", "three", "four"]);
        assert_eq!(words("").len() + words(" \n ").len(), 0);
    }

    #[test]
    fn a_fenced_block_stays_whole() {
        let text = "all of this\n```sh\nfollow these\n~~~\nsteps\n```\nmay go";
        assert_eq!(free(text), ["all", "of", "this", "may", "go"]);
        assert_eq!(free("may go\n~~~~\nmust\n~~~\nstay"), ["may", "go"]);
    }

    #[test]
    fn a_line_that_reports_a_failure_stays_whole() {
        for line in [
            "an Error came up",
            "warning: some thing",
            "it FAILED again",
            "then a panic happened",
            "see the exception below",
            "Traceback of it all",
        ] {
            assert_eq!(free(&format!("before it\n{line}\nafter it")).len(), 4);
        }
    }

    #[test]
    fn what_stands_in_quotes_stays() {
        for (text, goes) in [
            ("say \"good old day\" here", "say here"),
            ("say `good old day` here", "say here"),
            ("say 'good old day' here", "say here"),
            ("say “good old day” here", "say here"),
            (
                "the dogs' tails and it's own",
                "the dogs' tails and it's own",
            ),
            ("open \"but never shut", "open shut"),
            ("(\"one two\", three)", "three)"),
        ] {
            assert_eq!(free(text).join(" "), goes, "{text}");
        }
    }
}
