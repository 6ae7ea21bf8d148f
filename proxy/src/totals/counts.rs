//! [`Counts`]: all that is counted, as it is stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::continuations::Continuations;
use super::cost::DailyCosts;
use super::retrievals::Balances;

/// The version of the layout.
const VERSION: u32 = 1;
/// Counts take less than this: what is larger was written by something else.
const MAX_STORED_BYTES: usize = 64 << 10;
/// There are fewer dialects, with shorter names.
const MAX_DIALECTS: usize = 16;
const MAX_NAME_BYTES: usize = 64;

/// All that is counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// The version of this layout.
    v: u32,
    /// Made with the first counts that a store gets: it has lost them where it holds others.
    pub(super) name: Option<Uuid>,
    /// How often conversations go on, by the names of their dialects.
    pub(crate) continuations: BTreeMap<String, Continuations>,
    /// What shortened texts save and cost.
    pub(crate) retrievals: Balances,
    /// What requests cost, by day.
    pub(crate) days: DailyCosts,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            v: VERSION,
            name: None,
            continuations: BTreeMap::new(),
            retrievals: Balances::default(),
            days: DailyCosts::default(),
        }
    }
}

/// Why what the store has in place of counts can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unusable {
    /// They are those of a newer proxy, with another layout.
    Newer(u32),
    /// They are no counts.
    Damaged,
}

impl Counts {
    /// Adds what is known of conversations of this dialect.
    pub(super) fn add_continuation(&mut self, dialect: &str, added: &Continuations) {
        self.continuations_of(dialect).add(added);
    }

    fn continuations_of(&mut self, dialect: &str) -> &mut Continuations {
        let known = self.continuations.entry(dialect.to_owned());
        known.or_insert(Continuations::NONE)
    }

    /// Adds those, at this time.
    pub(super) fn add(&mut self, added: &Self, now_ms: u64) {
        for (dialect, added) in &added.continuations {
            self.add_continuation(dialect, added);
        }
        self.retrievals.add(&added.retrievals, now_ms);
        self.days.add(&added.days, now_ms);
    }

    /// Of each figure the larger one, at this time.
    pub(super) fn max(&mut self, other: &Self, now_ms: u64) {
        for (dialect, other) in &other.continuations {
            self.continuations_of(dialect).max(other);
        }
        self.retrievals.max(&other.retrievals, now_ms);
        self.days.max(&other.days, now_ms);
    }

    /// Whether nothing is counted.
    pub(super) fn is_empty(&self) -> bool {
        self.continuations.is_empty() && self.retrievals.is_empty() && self.days.is_empty()
    }

    /// Whether a proxy may have made them.
    fn is_plausible(&self) -> bool {
        let is_name = |name: &String| name.len() <= MAX_NAME_BYTES;
        self.continuations.len() <= MAX_DIALECTS
            && self.continuations.keys().all(is_name)
            && self.days.is_plausible()
    }

    /// As they are stored: JSON.
    pub(super) fn to_stored(&self) -> Vec<u8> {
        // Maps of numbers: that can't fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Those that are stored so.
    ///
    /// # Errors
    /// Why they can't be used.
    pub(super) fn from_stored(value: &[u8]) -> Result<Self, Unusable> {
        #[derive(Deserialize)]
        struct Version {
            v: u32,
        }
        if value.len() > MAX_STORED_BYTES {
            return Err(Unusable::Damaged);
        }
        match serde_json::from_slice(value) {
            Ok(Version { v }) if v > VERSION => Err(Unusable::Newer(v)),
            Ok(_) => match serde_json::from_slice::<Self>(value) {
                Ok(counts) if counts.is_plausible() => Ok(counts),
                _ => Err(Unusable::Damaged),
            },
            Err(_) => Err(Unusable::Damaged),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_again_and_what_is_not_ours_is_told_apart() {
        let mut counts = Counts::default();
        assert!(counts.is_empty());
        counts.add_continuation("openai.chat", &Continuations::of_request(3, Some(2)));
        assert!(!counts.is_empty());
        let stored = counts.to_stored();
        assert_eq!(Counts::from_stored(&stored), Ok(counts));
        let newer = Counts::from_stored(br#"{"v":2,"more":[]}"#);
        assert_eq!(newer, Err(Unusable::Newer(2)));
        let large = format!("{}{}", " ".repeat(MAX_STORED_BYTES), r#"{"v":1}"#);
        let part = &stored[..stored.len() - 1];
        let negative = br#"{"v":1,"name":null,"continuations":{},"retrievals":{"kinds":{},"halved_ms":0},"days":{"5":{"requests":1,"usd":-1.0,"shadow_usd":0.0,"is_guess":false,"fresh":0,"read":0,"written":0,"output":0}}}"#;
        for damaged in [
            b"",
            &b"[]"[..],
            br#"{"v":1}"#,
            part,
            large.as_bytes(),
            negative,
        ] {
            assert_eq!(Counts::from_stored(damaged), Err(Unusable::Damaged));
        }
    }
}
