//! [`LineRanges`]: which lines of a text are asked for.

use std::ops::RangeInclusive;

/// A list of lines that can't be read. Its text says how one is written.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} names no lines: \"41-77\", \"41\" and \"41-\" do, and several of them with commas between; the first line is 1"
)]
pub(super) struct NotLines(String);

/// Lines by their numbers, counted from 1: ranges in order of which none meets the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LineRanges(Vec<RangeInclusive<usize>>);

impl LineRanges {
    /// The lines that are in any of these ranges.
    pub(super) fn union(mut ranges: Vec<RangeInclusive<usize>>) -> Self {
        ranges.sort_unstable_by_key(|range| *range.start());
        let mut union: Vec<RangeInclusive<usize>> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match union.last_mut() {
                Some(last) if *range.start() <= last.end().saturating_add(1) => {
                    *last = *last.start()..=*last.end().max(range.end());
                }
                _ => union.push(range),
            }
        }
        Self(union)
    }

    /// Those of the lines that a text of so many has: there may be none.
    pub(super) fn of_text(&self, lines: usize) -> Self {
        let ranges = self.0.iter().filter(|range| *range.start() <= lines);
        Self(
            ranges
                .map(|range| *range.start()..=*range.end().min(&lines))
                .collect(),
        )
    }

    /// The ranges, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &RangeInclusive<usize>> {
        self.0.iter()
    }

    /// Whether there is no line.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::str::FromStr for LineRanges {
    type Err = NotLines;

    fn from_str(text: &str) -> Result<Self, NotLines> {
        let ranges: Option<Vec<_>> = text.split(',').map(|range| parse(range.trim())).collect();
        ranges
            .map(Self::union)
            .ok_or_else(|| NotLines(text.chars().take(60).collect()))
    }
}

/// One range: `41-77`, `41`, or `41-`, which goes to the end.
fn parse(range: &str) -> Option<RangeInclusive<usize>> {
    let number = |digits: &str| {
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse().ok()).flatten()
    };
    let (first, last) = match range.split_once('-') {
        Some((first, "")) => (number(first)?, usize::MAX),
        Some((first, last)) => (number(first.trim_end())?, number(last.trim_start())?),
        None => (number(range)?, number(range)?),
    };
    (1 <= first && first <= last).then_some(first..=last)
}
