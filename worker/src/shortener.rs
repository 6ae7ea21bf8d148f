//! [`Shortener`]: what leaves words out of a text.

use headroom_shared::compress::Deadline;

/// Leaves words out of texts that a reader can do without.
pub trait Shortener: std::fmt::Debug + Send + Sync {
    /// The text without them: as many lines, each with words of the same line in their order. Nothing where no word is left out. Behind what
    /// is looked at within `tokens` all words stay.
    ///
    /// # Errors
    /// Where the deadline is over first, or the work failed.
    fn shorten(
        &self,
        text: &str,
        tokens: &mut TokensLeft,
        deadline: Deadline,
    ) -> Result<Option<String>, ShortenError>;

    /// What tells it from others, in hexadecimal digits: two with the same identity leave out the same words.
    fn identity(&self) -> &str;
}

/// How many tokens may still be looked at. It counts work and not time, so that the same is looked at on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokensLeft(usize);

impl TokensLeft {
    /// As many as one job may have looked at. A model of Kompress's size takes some two minutes for them (`docs/model.md`).
    pub const OF_JOB: Self = Self(1 << 15);

    /// So many.
    #[must_use]
    pub const fn new(tokens: usize) -> Self {
        Self(tokens)
    }

    /// Takes so many of them. `false` where there are fewer; then none is left for anything else, either.
    pub fn take(&mut self, tokens: usize) -> bool {
        let left = self.0.checked_sub(tokens);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

/// Why there is no shorter text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShortenError {
    /// The deadline was over first.
    #[error("out of time")]
    OutOfTime,
    /// The work failed. The text holds nothing of what was to be shortened.
    #[error("{0}")]
    Failed(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_leaves_nothing_for_what_follows() {
        let mut left = TokensLeft::new(10);
        let taken = [4, 6, 1, 0].map(|tokens| left.take(tokens));
        assert_eq!(taken, [true, true, false, true]);
        let mut left = TokensLeft::new(10);
        assert_eq!([11, 1].map(|tokens| left.take(tokens)), [false, false]);
    }
}
