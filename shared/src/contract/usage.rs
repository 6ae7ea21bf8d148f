//! What a request took, in tokens, as providers state it in their responses.

use serde::{Deserialize, Serialize};

/// The tokens of one request and its response. Whether input was fresh, read from the provider's cache or written to it decides what it
/// costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Input tokens read from the cache.
    pub read: u64,
    /// Input tokens written to the cache, where the provider reports them.
    pub written: u64,
    /// How many of these it keeps for an hour, where the client asked for that.
    #[serde(default)]
    pub written_hour: u64,
    /// All input tokens: fresh, read and written.
    #[serde(rename = "total")]
    pub input: u64,
    /// Output tokens.
    #[serde(default)]
    pub output: u64,
}

impl Usage {
    /// Input tokens that were neither read from the cache nor written to it.
    #[must_use]
    pub const fn fresh(self) -> u64 {
        self.input
            .saturating_sub(self.read)
            .saturating_sub(self.written)
    }

    /// The larger of both in each count: what a stream has stated so far counts on where a later event leaves it out.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            read: self.read.max(other.read),
            written: self.written.max(other.written),
            written_hour: self.written_hour.max(other.written_hour),
            input: self.input.max(other.input),
            output: self.output.max(other.output),
        }
    }

    /// Whether the cache was neither read nor written.
    #[must_use]
    pub const fn is_uncached(self) -> bool {
        self.read == 0 && self.written == 0
    }
}
