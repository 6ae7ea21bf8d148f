//! An estimate of how many tokens a text has in `o200k_base`.
//!
//! A finite automaton reads the text byte by byte. Its state says what the text before a byte looks like to that vocabulary's
//! pre-tokenizer, which splits a text into words with one sign before them, groups of three digits, runs of signs, of spaces and of line
//! breaks: the kind of run, how long it is, and what stands before it. What a byte costs is the mean number of tokens that begin there, by
//! state and class of byte ([`costs`]). No cost is negative, so a longer text never costs less than its beginning; and each line begins in the
//! same state, so the estimates of the lines of a text, each with its line break, add up to that of the text.

mod costs;
mod states;

use std::cmp::Reverse;
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
    /// The state after it, as the start of its row in [`STEPS`].
    row: u16,
}

/// The length of a row: a power of two.
const ROW: usize = CLASSES.next_power_of_two();

/// And of the table, so that no place in it needs a check.
const TABLE: usize = (STATES * ROW).next_power_of_two();

/// A row for each state, in it a step for each class.
static STEPS: [Step; TABLE] = steps();

/// How many texts are read side by side: each step in a text waits for the one before it, those in others need not.
pub(super) const LANES: usize = 4;

/// A text on its way through the automaton.
#[derive(Debug, Clone, Copy, Default)]
struct Lane<'a> {
    rest: &'a [u8],
    row: u16,
    thousandths: u64,
}

impl<'a> Lane<'a> {
    fn start(&mut self, text: &'a str) {
        self.rest = text.as_bytes();
        self.row = LINE_START.into();
    }

    fn step(&mut self, byte: u8) {
        let class = usize::from(CLASS_OF[usize::from(byte)]);
        let step = STEPS[(usize::from(self.row) + class) % TABLE];
        self.thousandths += u64::from(step.thousandths);
        self.row = step.row;
    }

    fn finish(&mut self) {
        for byte in self.rest {
            self.step(*byte);
        }
        self.rest = &[];
    }
}

/// How many tokens a text has, about, as if it stood at the beginning of a line.
pub(super) fn estimate(text: &str) -> Tokens {
    let mut lane = Lane::default();
    lane.start(text);
    lane.finish();
    Tokens(lane.thousandths)
}

/// Sums up the estimates of several texts.
#[derive(Debug, Default)]
pub(super) struct Estimates<'a>([Lane<'a>; LANES]);

impl<'a> Estimates<'a> {
    /// Adds that of one more text.
    pub(super) fn add(&mut self, text: &'a str) {
        let Self(lanes) = self;
        let free = |lane: &&mut Lane<'_>| lane.rest.is_empty();
        if let Some(lane) = lanes.iter_mut().find(free) {
            lane.start(text);
        }
        if lanes.iter().all(|lane| !lane.rest.is_empty()) {
            step_together(lanes);
        }
    }

    /// The sum.
    pub(super) fn sum(mut self) -> Tokens {
        let Self(lanes) = &mut self;
        loop {
            lanes.sort_unstable_by_key(|lane| Reverse(lane.rest.len()));
            let [longest, next, ..] = lanes;
            if next.rest.is_empty() {
                longest.finish();
                break;
            }
            step_pair(longest, next);
        }
        Tokens(lanes.iter().map(|lane| lane.thousandths).sum())
    }
}

/// Reads as much of two texts as the shorter one has.
fn step_pair(longer: &mut Lane<'_>, shorter: &mut Lane<'_>) {
    let (together, rest) = longer.rest.split_at(shorter.rest.len());
    let (mut first, mut second) = (*longer, *shorter);
    for (a, b) in together.iter().zip(shorter.rest) {
        first.step(*a);
        second.step(*b);
    }
    (first.rest, second.rest) = (rest, &[]);
    (*longer, *shorter) = (first, second);
}

/// Reads as much of all texts as the shortest has, which leaves a lane free.
fn step_together(lanes: &mut [Lane<'_>; LANES]) {
    let lengths = lanes.iter().map(|lane| lane.rest.len());
    let shortest = lengths.min().unwrap_or_default();
    let [a, b, c, d] = lanes.each_mut().map(|lane| {
        let (together, rest) = lane.rest.split_at(shortest);
        lane.rest = rest;
        together
    });
    let [mut first, mut second, mut third, mut fourth] = *lanes;
    for (((a, b), c), d) in a.iter().zip(b).zip(c).zip(d) {
        first.step(*a);
        second.step(*b);
        third.step(*c);
        fourth.step(*d);
    }
    *lanes = [first, second, third, fourth];
}

const fn steps() -> [Step; TABLE] {
    let none = Step {
        thousandths: 0,
        row: 0,
    };
    let mut steps = [none; TABLE];
    let mut state = 0;
    while state < STATES {
        let mut class = 0;
        while class < CLASSES {
            steps[state * ROW + class] = Step {
                // What a character costs is said by its first byte.
                thousandths: if class == CONTINUATION {
                    0
                } else {
                    COSTS[state][class]
                },
                row: next(state as u8, class) as u16 * ROW as u16,
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
        let text = "fn main() {\r\n\tprintln!(\"é→界😀\");\n}\n\n  1234567 ─── x_y/z.rs\n";
        let lines: Tokens = text.split_inclusive('\n').map(estimate).sum();
        assert_eq!(lines, estimate(text));
    }

    #[test]
    fn texts_side_by_side_cost_what_each_does() {
        let text = "fn main() { let x = 12345; } // é→界😀\n\ta-b_c ";
        let texts: Vec<&str> = (0..40)
            .map(|at| &text[at % 20..])
            .chain(["", "x"])
            .collect();
        for count in 0..texts.len() {
            let mut all = Estimates::default();
            for text in &texts[..count] {
                all.add(text);
            }
            let sum: Tokens = texts[..count].iter().map(|text| estimate(text)).sum();
            assert_eq!(all.sum(), sum);
        }
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
        let row = STEPS.iter().map(|step| step.row).max();
        assert_eq!(row.map(usize::from), Some((STATES - 1) * ROW));
    }
}
