//! [`Shortener`]: what leaves words out of a text.

use headroom_shared::compress::Deadline;

/// Leaves words out of texts that a reader can do without.
pub trait Shortener: std::fmt::Debug + Send + Sync {
    /// The text without them: as many lines, each with words of the same line in their order. Nothing where no word is left out.
    ///
    /// # Errors
    /// Where the deadline is over first, or the work failed.
    fn shorten(&self, text: &str, deadline: Deadline) -> Result<Option<String>, ShortenError>;

    /// What tells it from others, in hexadecimal digits: two with the same identity and the same settings leave out the same words.
    fn identity(&self) -> &str;
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
