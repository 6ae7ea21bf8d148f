//! A code block of Markdown, ` ``` ` before and behind it, with a few lines around it.

use std::ops::Range;

use super::Wrapper;

/// The most lines before the code block, and behind it.
const MAX_LINES: usize = 8;

const MARKS: [&str; 2] = ["```", "~~~"];

pub(super) struct Fence;

impl Wrapper for Fence {
    fn inside(&self, text: &str) -> Option<Range<usize>> {
        let (opening, start) = opening(text)?;
        let mark = &opening[..opening.len() - opening.trim_start_matches(&opening[..1]).len()];
        let (mut at, mut end) = (start, None);
        for line in text[start..].split_inclusive('\n') {
            if line.starts_with(mark) {
                let closes = end.is_none() && line.trim_end() == mark;
                end = Some(closes.then_some(at)?);
            }
            at += line.len();
        }
        let end = end?.saturating_sub(1).max(start);
        let few_behind = text[end..].trim().matches('\n').count() <= MAX_LINES;
        (few_behind && (end - start) * 2 > text.len()).then_some(start..end)
    }
}

/// The line that opens the block, and where the next one begins.
fn opening(text: &str) -> Option<(&str, usize)> {
    let mut at = 0;
    for line in text.split_inclusive('\n').take(MAX_LINES + 1) {
        at += line.len();
        if MARKS.iter().any(|mark| line.starts_with(mark)) {
            return Some((line, at));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(text: &str) -> Option<&str> {
        Fence.inside(text).map(|inside| &text[inside])
    }

    #[test]
    fn a_code_block_is_taken_out() {
        let code = "let x = \"some words\";\nlet y = 2;";
        for (before, after) in [
            ("```rust\n", "\n```"),
            ("```\n", "\n```\n\n"),
            ("Found:\n\n~~~~\n", "\n~~~~\n1 file\n"),
        ] {
            let text = format!("{before}{code}{after}");
            assert_eq!(inside(&text), Some(code), "{text:?}");
        }
    }

    #[test]
    fn other_texts_are_left_alone() {
        for text in [
            "",
            "```",
            "```\na",
            "```\na\n```b\n",
            "```\nsome words\n```\n```\nmore\n```\n",
            "a long line of prose before it\n```\na\n```\n",
            "1\n2\n3\n4\n5\n6\n7\n8\n9\n```\nsome words that are most of it\n```\n",
            "````\nsome words\n```\n",
        ] {
            assert_eq!(inside(text), None, "{text:?}");
        }
    }
}
