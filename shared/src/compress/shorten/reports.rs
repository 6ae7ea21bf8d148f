//! Reports and other prose: the lines that say most stay, in their order.

use super::words;
use crate::compress::Source;

/// A shorter report stays whole: it has fewer lines and fewer bytes.
const MIN_LINES: usize = 60;
const MIN_BYTES: usize = 4_000;

/// Lines at both ends that stay.
const ENDS: usize = 8;

/// What a line of a code block counts: an agent may use it word for word, so that it stays in any case.
const CODE: i32 = 100;

/// For each line of a report, whether it stays, so that of each hundred bytes about so many do; `None` where all stay.
pub(super) fn shown(block: Source<'_>, lines: &[&str], percent: usize) -> Option<Vec<bool>> {
    if lines.len() < MIN_LINES && block.text.len() < MIN_BYTES || lines.len() < 4 * ENDS {
        return None;
    }
    let mut scores = scores(lines);
    for at in words::lines_with_rare(block.input, block.text, lines) {
        scores[at] += 3;
    }
    let mut order: Vec<usize> = (0..lines.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(scores[*at]));
    let (mut shown, mut bytes) = (vec![false; lines.len()], 0);
    for at in order {
        if scores[at] < CODE && bytes * 100 > block.text.len() * percent {
            break;
        }
        shown[at] = true;
        bytes += lines[at].len() + 1;
    }
    Some(shown)
}

/// For each line how much it says, more or less.
fn scores(lines: &[&str]) -> Vec<i32> {
    let mut in_code = false;
    let scores = lines.iter().enumerate().map(|(at, line)| {
        let line = line.trim();
        if line.starts_with("```") {
            in_code = !in_code;
        }
        let is_end = at < ENDS || at + ENDS >= lines.len();
        let score = if in_code { CODE } else { prose_score(line) };
        score + if is_end { 5 } else { 0 }
    });
    scores.collect()
}

fn prose_score(line: &str) -> i32 {
    if line.is_empty() || line.bytes().all(|byte| b"-=*_| ".contains(&byte)) {
        return -2;
    }
    let has = |found: bool, score: i32| if found { score } else { 0 };
    let words = line.split_whitespace();
    let is_link = line.contains("](") && words.count() < 8 || line.starts_with("<li><a ");
    has(line.starts_with('#'), 6)
        + has(line.contains("**"), 1)
        + has(line.contains('`'), 3)
        + has(line.bytes().any(|byte| byte.is_ascii_digit()), 1)
        + has(line.contains('/') || line.contains('_'), 2)
        + has(is_link, -4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_code_and_numbers_stay_before_other_prose() {
        let part = |n: usize| {
            format!(
                "# Part {n}\n\nIt does what it does, as the others do.\nSee `f_{n}` in a/b.rs.\n"
            )
        };
        let text: String = (0..50).map(part).collect();
        let lines: Vec<&str> = text.lines().collect();
        let block = Source {
            text: &text,
            tool: Some("Task"),
            input: None,
        };
        let shown = shown(block, &lines, 50).unwrap();
        for (line, shown) in lines.iter().zip(&shown) {
            assert!(
                *shown || line.starts_with("It") || line.is_empty(),
                "{line}"
            );
        }
        let bytes: usize = lines
            .iter()
            .zip(&shown)
            .filter(|it| *it.1)
            .map(|it| it.0.len() + 1)
            .sum();
        assert!(bytes * 2 >= text.len() && bytes * 10 < text.len() * 7);
        assert!(super::shown(Source { text: "a", ..block }, &["a"; 40], 50).is_none());
    }
}
