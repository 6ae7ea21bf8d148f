//! An estimate of how many tokens a text has in `o200k_base`.
//!
//! A finite automaton reads the text byte by byte. Its state says what the text before a byte looks like to that vocabulary's
//! pre-tokenizer, which splits a text into words with one sign before them, groups of three digits, runs of signs, of spaces and of line
//! breaks: the kind of run, how long it is, and what stands before it. What a byte costs is the mean number of tokens that begin there, by
//! state and class of byte ([`costs`]). No cost is negative, so a longer text never costs less than its beginning; and an estimate takes up
//! where a line begins, so those of the lines of a text, each with its line break, add up to that of the text, but for empty lines and CRLF.

mod costs;
mod states;

use std::iter::Sum;
use std::ops::{Add, Mul};

use costs::COSTS;
use states::{CLASS_OF, CLASSES, CONTINUATION, LINE_START, STATES, next};

/// A number of tokens, in thousandths.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tokens(u64);

impl Tokens {
    pub(super) const fn thousandths(thousandths: u64) -> Self {
        Self(thousandths)
    }

    pub(super) const fn whole(tokens: u64) -> Self {
        Self(tokens * 1000)
    }

    pub(super) const fn in_thousandths(self) -> u64 {
        self.0
    }

    pub(super) const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    pub(super) const fn percent(self, percent: u64) -> Self {
        Self(self.0 / 100 * percent)
    }
}

impl Add for Tokens {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Mul<usize> for Tokens {
    type Output = Self;

    fn mul(self, times: usize) -> Self {
        Self(self.0.saturating_mul(times as u64))
    }
}

impl Sum for Tokens {
    fn sum<I: Iterator<Item = Self>>(tokens: I) -> Self {
        tokens.fold(Self::default(), Add::add)
    }
}

/// What a byte makes of a state.
#[derive(Clone, Copy)]
struct Step {
    thousandths: u16,
    state: u8,
}

/// By state, then by class.
static STEPS: [[Step; CLASSES]; STATES] = steps();

/// How many tokens a text has, about, as if it stood at the beginning of a line.
pub(super) fn estimate(text: &str) -> Tokens {
    let mut state = LINE_START;
    let mut thousandths = 0;
    for byte in text.bytes() {
        let step = STEPS[usize::from(state)][usize::from(CLASS_OF[usize::from(byte)])];
        thousandths += u64::from(step.thousandths);
        state = step.state;
    }
    Tokens(thousandths)
}

const fn steps() -> [[Step; CLASSES]; STATES] {
    let none = Step {
        thousandths: 0,
        state: LINE_START,
    };
    let mut steps = [[none; CLASSES]; STATES];
    let mut state = 0;
    while state < STATES {
        let mut class = 0;
        while class < CLASSES {
            steps[state][class] = Step {
                // What a character costs is said by its first byte.
                thousandths: if class == CONTINUATION {
                    0
                } else {
                    COSTS[state][class]
                },
                state: next(state as u8, class),
            };
            class += 1;
        }
        state += 1;
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_text_costs_about_its_tokens() {
        // Counted with o200k_base.
        for (text, tokens) in [
            ("The quick brown fox jumps over the lazy dog.", 10),
            ("    let mut lines = Vec::with_capacity(text.len());\n", 12),
            ("2026-11-29 01:39:53,123 INFO started\n", 19),
        ] {
            let estimate = estimate(text);
            let near = |percent| Tokens::whole(tokens).percent(percent);
            assert!(
                near(70) < estimate && estimate < near(130),
                "{text:?}: {estimate:?}"
            );
        }
    }

    #[test]
    fn lines_add_up_to_their_text() {
        let text = "fn main() {\n\tprintln!(\"é→界😀\");\n}\n  1234567 ─── x_y/z.rs\n";
        let lines: Tokens = text.split_inclusive('\n').map(estimate).sum();
        assert_eq!(lines, estimate(text));
    }

    #[test]
    fn a_longer_text_costs_no_less() {
        let text = "x=1;  Ünï/co-de_\"'[{\n\n\t\t88888 HTTPServer abcdefghijklmnop 😀😀──界";
        let starts = text.char_indices().map(|(at, _)| estimate(&text[..at]));
        assert!(starts.is_sorted());
        assert_eq!(estimate(""), Tokens::default());
    }

    #[test]
    fn states_are_within_the_table() {
        let state = STEPS.iter().flatten().map(|step| step.state).max();
        assert_eq!(state.map(usize::from), Some(STATES - 1));
    }
}
