//! [`Tier`]: what the forms of a conversation may leave out.

use serde::{Deserialize, Serialize};

/// What the forms of a conversation may leave out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Nothing: each expands to its original.
    #[default]
    Lossless,
    /// What the model can fetch again with the retrieval tool, which the request offers it.
    Recoverable,
}

impl Tier {
    /// Its name, in settings and headers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lossless => "lossless",
            Self::Recoverable => "recoverable",
        }
    }

    /// Whether it is [`Tier::Lossless`].
    #[must_use]
    pub const fn is_lossless(&self) -> bool {
        matches!(self, Self::Lossless)
    }
}

/// What a text that should name a tier turned out to be.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no tier: \"lossless\" and \"recoverable\" are")]
pub struct NotATier(String);

impl std::str::FromStr for Tier {
    type Err = NotATier;

    fn from_str(text: &str) -> Result<Self, NotATier> {
        let tiers = [Self::Lossless, Self::Recoverable];
        let named = tiers.into_iter().find(|tier| tier.name() == text);
        named.ok_or_else(|| NotATier(text.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tier_is_read_from_its_name() {
        for tier in [Tier::Lossless, Tier::Recoverable] {
            assert_eq!(tier.name().parse::<Tier>().unwrap(), tier);
        }
        let error = "lossy".parse::<Tier>().unwrap_err();
        assert!(error.to_string().contains("recoverable"), "{error}");
    }
}
