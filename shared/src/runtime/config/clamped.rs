//! Numbers that are never refused: what lies outside of their range is moved into it, and what is none is the default.

use std::ops::RangeInclusive;

/// Such a number, and what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClampedNumber {
    value: u64,
    /// Nothing where that was not a number.
    asked: Option<i128>,
}

impl ClampedNumber {
    /// Reads one.
    #[must_use]
    pub fn read(text: &str, default: u64, range: &RangeInclusive<u64>) -> Self {
        let asked: Option<i128> = text.trim().parse().ok();
        let number = asked.unwrap_or_else(|| default.into()).max(0);
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        Self {
            value: number.clamp(*range.start(), *range.end()),
            asked,
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.value
    }

    /// That it is another number than was asked for in the variable of this name, which `takes` these.
    #[must_use]
    pub fn warning(self, name: &str, takes: &str) -> Option<String> {
        let value = self.value;
        match self.asked {
            None => Some(format!("{name} is not a number: {value} is used")),
            Some(asked) if asked != i128::from(value) => Some(format!(
                "{name} is {asked}, and takes {takes}: {value} is used"
            )),
            Some(_) => None,
        }
    }
}
