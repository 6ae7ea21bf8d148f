//! [`LearnedCounts`]: all that is counted, as it is stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::continuations::Continuations;
use super::retrievals::Balances;

/// The version of the layout.
const VERSION: u32 = 1;

/// All that is counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LearnedCounts {
    /// The version of this layout: 1.
    v: u32,
    /// How often conversations go on, by the names of their dialects.
    pub(crate) continuations: BTreeMap<String, Continuations>,
    /// What shortened texts save and cost.
    pub(crate) retrievals: Balances,
}

impl Default for LearnedCounts {
    fn default() -> Self {
        Self {
            v: VERSION,
            continuations: BTreeMap::new(),
            retrievals: Balances::default(),
        }
    }
}

/// What stands in the store in place of counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// Those of a proxy of another version: they are left alone.
    OtherVersion(u32),
    /// No counts at all.
    Damaged,
}

impl LearnedCounts {
    /// What one request tells of conversations of its dialect.
    pub(crate) fn of_continuations(dialect: &str, counts: Continuations) -> Self {
        Self {
            continuations: BTreeMap::from([(dialect.to_owned(), counts)]),
            ..Self::default()
        }
    }

    /// What one request tells of shortened texts.
    pub(crate) fn of_retrievals(retrievals: Balances) -> Self {
        Self {
            retrievals,
            ..Self::default()
        }
    }

    /// Adds those, at this time.
    pub(super) fn add(&mut self, added: &Self, now_ms: u64) {
        for (dialect, added) in &added.continuations {
            let known = self.continuations.entry(dialect.clone());
            let known = known.or_insert(Continuations::NONE);
            known.add(added);
        }
        self.retrievals.add(&added.retrievals, now_ms);
    }

    /// Whether nothing is counted.
    pub(super) fn is_empty(&self) -> bool {
        self.continuations.is_empty() && self.retrievals.is_empty()
    }

    /// As they are stored: JSON.
    pub(super) fn to_stored(&self) -> Vec<u8> {
        // Maps of numbers: that can't fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Those that are stored so.
    ///
    /// # Errors
    /// What it is instead.
    pub(super) fn from_stored(value: &[u8]) -> Result<Self, Unreadable> {
        #[derive(Deserialize)]
        struct Version {
            v: u32,
        }
        match serde_json::from_slice(value) {
            Ok(Version { v: VERSION }) => {
                serde_json::from_slice(value).map_err(|_| Unreadable::Damaged)
            }
            Ok(Version { v }) => Err(Unreadable::OtherVersion(v)),
            Err(_) => Err(Unreadable::Damaged),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_again_and_what_is_not_ours_is_told_apart() {
        let mut counts = LearnedCounts::default();
        assert!(counts.is_empty());
        let request = Continuations::of_request(3, Some(2));
        counts.add(&LearnedCounts::of_continuations("openai.chat", request), 1);
        assert!(!counts.is_empty());
        let stored = counts.to_stored();
        assert_eq!(LearnedCounts::from_stored(&stored), Ok(counts));
        let other = LearnedCounts::from_stored(br#"{"v":2,"more":[]}"#);
        assert_eq!(other, Err(Unreadable::OtherVersion(2)));
        for damaged in [&b""[..], b"[]", br#"{"v":1}"#, &stored[..stored.len() - 1]] {
            assert_eq!(
                LearnedCounts::from_stored(damaged),
                Err(Unreadable::Damaged)
            );
        }
    }
}
