//! How many tokens something is.

use std::ops::{Add, AddAssign, Sub};

/// An image or a document in base64, or by its address. How many tokens an image is depends on its pixels; this is what Anthropic
/// states for one of about a megapixel (`docs/providers.md`).
pub(super) const MEDIA_TOKENS: u64 = 1500;

/// Signs around a block that the model reads: an estimate.
pub(super) const BLOCK_TOKENS: u64 = 4;

/// Tokens: those that depend on the model's tokenizer, and those that don't.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Weight {
    /// Of texts, in thousandths of a token of `o200k_base`.
    estimated: u64,
    /// Of everything else, in tokens.
    fixed: u64,
}

impl Weight {
    /// Of a text, as it is estimated.
    pub(super) const fn millitokens(estimated: u64) -> Self {
        let fixed = 0;
        Self { estimated, fixed }
    }

    /// Signs that a tokenizer makes tokens of.
    pub(super) const fn tokens(count: u64) -> Self {
        Self::millitokens(count * 1000)
    }

    /// As many for every model.
    pub(super) const fn fixed(fixed: u64) -> Self {
        let estimated = 0;
        Self { estimated, fixed }
    }

    /// What a client sends back encrypted. The model reads what is in it, of which nothing is known but its length: base64 of text with
    /// four bytes a token, as is assumed.
    pub(super) const fn encrypted(bytes: usize) -> Self {
        Self::millitokens(bytes as u64 * 1000 * 3 / 16)
    }

    /// Whole tokens of a model that makes so many of 100 of `o200k_base`.
    pub(super) const fn of_model(self, tokens_per_100: u64) -> u64 {
        self.fixed + self.estimated.saturating_mul(tokens_per_100) / 100_000
    }
}

impl Add for Weight {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            estimated: self.estimated.saturating_add(other.estimated),
            fixed: self.fixed.saturating_add(other.fixed),
        }
    }
}

impl AddAssign for Weight {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Weight {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            estimated: self.estimated.saturating_sub(other.estimated),
            fixed: self.fixed.saturating_sub(other.fixed),
        }
    }
}
