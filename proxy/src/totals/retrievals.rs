//! [`Balances`]: what shortened texts save, and what fetching their originals costs, by kind.

use std::collections::BTreeMap;

use headroom_shared::contract::output_kind::{OutputKind, OutputKinds};
use serde::{Deserialize, Serialize};

/// After so many retrievals of a kind it is known what they cost.
pub(crate) const MIN_RETRIEVALS: u64 = 5;

/// What is known counts half after so long: milliseconds. So a kind that was left whole is tried again.
pub(crate) const HALF_LIFE_MS: u64 = 6 * 3_600_000;

/// What is known of each kind, where what was long ago counts less.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Balances {
    #[serde(with = "by_name")]
    kinds: [Balance; OutputKind::ALL.len()],
    /// When they were last halved: milliseconds since 1970; 0 where that is not known.
    halved_ms: u64,
}

/// What is known of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Balance {
    /// What its shortened texts save, in fresh tokens.
    pub(crate) saved: u64,
    /// What fetching their originals costs, in fresh tokens.
    pub(crate) cost: u64,
    /// How many originals were fetched.
    pub(crate) retrievals: u64,
}

impl Balances {
    /// What is known of this kind.
    pub(crate) const fn of(&self, kind: OutputKind) -> Balance {
        self.kinds[kind as usize]
    }

    /// The same, to be changed.
    pub(crate) fn of_mut(&mut self, kind: OutputKind) -> &mut Balance {
        &mut self.kinds[kind as usize]
    }

    /// Whether nothing is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.kinds == [Balance::default(); OutputKind::ALL.len()]
    }

    /// The same at this time.
    pub(super) fn at(&mut self, now_ms: u64) -> &mut Self {
        if self.halved_ms == 0 || self.halved_ms > now_ms {
            // The clock of another proxy may be ahead.
            self.halved_ms = now_ms;
        }
        let halvings = (now_ms - self.halved_ms) / HALF_LIFE_MS;
        if halvings > 0 {
            let shift = u32::try_from(halvings).unwrap_or(u32::MAX);
            let half = |count: u64| count.checked_shr(shift).unwrap_or(0);
            self.kinds = self.kinds.map(|it| Balance {
                saved: half(it.saved),
                cost: half(it.cost),
                retrievals: half(it.retrievals),
            });
            self.halved_ms += halvings * HALF_LIFE_MS;
        }
        self
    }

    /// Adds those, as much of them as counts at this time.
    pub(super) fn add(&mut self, added: &Self, now_ms: u64) {
        if added.is_empty() {
            return;
        }
        let mut added = *added;
        let added = added.at(now_ms);
        for (balance, added) in self.at(now_ms).kinds.iter_mut().zip(&added.kinds) {
            balance.saved = balance.saved.saturating_add(added.saved);
            balance.cost = balance.cost.saturating_add(added.cost);
            balance.retrievals = balance.retrievals.saturating_add(added.retrievals);
        }
    }

    /// Of each figure the larger one.
    pub(super) fn max(&mut self, other: &Self, now_ms: u64) {
        let mut other = *other;
        let other = other.at(now_ms);
        for (balance, other) in self.at(now_ms).kinds.iter_mut().zip(&other.kinds) {
            *balance = Balance {
                saved: balance.saved.max(other.saved),
                cost: balance.cost.max(other.cost),
                retrievals: balance.retrievals.max(other.retrievals),
            };
        }
    }

    /// The kinds of which fetching has cost more than shortening saved.
    pub(crate) fn whole_kinds(&self) -> OutputKinds {
        let kinds = OutputKind::ALL.into_iter().zip(self.kinds);
        let costs_more =
            kinds.filter(|(_, it)| it.retrievals >= MIN_RETRIEVALS && it.cost > it.saved);
        costs_more.map(|(kind, _)| kind).collect()
    }
}

/// Balances as a map from the names of their kinds; those of kinds that are not known here are passed over.
mod by_name {
    use serde::{Deserializer, Serializer};

    use super::{BTreeMap, Balance, Deserialize, OutputKind};

    type Kinds = [Balance; OutputKind::ALL.len()];

    pub(super) fn serialize<S: Serializer>(kinds: &Kinds, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(OutputKind::ALL.iter().map(|kind| kind.name()).zip(kinds))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Kinds, D::Error> {
        let named = BTreeMap::<String, Balance>::deserialize(from)?;
        let of = |kind: OutputKind| named.get(kind.name()).copied().unwrap_or_default();
        Ok(OutputKind::ALL.map(of))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000 * HALF_LIFE_MS;

    fn one(saved: u64) -> Balances {
        let mut balances = Balances::default();
        balances.of_mut(OutputKind::Search).saved = saved;
        balances
    }

    #[test]
    fn what_was_long_ago_counts_less_wherever_it_was_counted() {
        let mut here = Balances::default();
        here.add(&one(400), NOW);
        let mut elsewhere = Balances::default();
        elsewhere.add(&one(800), NOW + HALF_LIFE_MS);
        elsewhere.add(&here, NOW + 2 * HALF_LIFE_MS);
        assert_eq!(elsewhere.of(OutputKind::Search).saved, 400 + 100);
    }

    #[test]
    fn a_clock_that_was_ahead_stops_nothing() {
        let mut balances = Balances::default();
        balances.add(&one(400), u64::MAX);
        balances.add(&one(400), NOW);
        assert_eq!(
            balances.at(NOW + HALF_LIFE_MS).of(OutputKind::Search).saved,
            400
        );
    }

    #[test]
    fn kinds_are_stored_by_their_names() {
        let stored = serde_json::to_value(one(5)).unwrap();
        assert_eq!(stored["kinds"]["search"]["saved"], 5);
        let other = serde_json::json!({"halved_ms": 0, "kinds": {"search": {"saved": 5, "cost": 0, "retrievals": 0}, "unknown": {"saved": 1, "cost": 1, "retrievals": 1}}});
        assert_eq!(serde_json::from_value::<Balances>(other).unwrap(), one(5));
    }
}
