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
    /// When they were last halved: milliseconds since 1970.
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
        let halvings = now_ms.saturating_sub(self.halved_ms) / HALF_LIFE_MS;
        if halvings > 0 {
            let shift = u32::try_from(halvings).unwrap_or(u32::MAX);
            let half = |count: u64| count.checked_shr(shift).unwrap_or(0);
            self.kinds = self.kinds.map(|it| Balance {
                saved: half(it.saved),
                cost: half(it.cost),
                retrievals: half(it.retrievals),
            });
            self.halved_ms = now_ms;
        }
        self
    }

    /// Adds what became known at this time or shortly before.
    pub(super) fn add(&mut self, added: &Self, now_ms: u64) {
        if added.is_empty() {
            return;
        }
        for (balance, added) in self.at(now_ms).kinds.iter_mut().zip(&added.kinds) {
            balance.saved = balance.saved.saturating_add(added.saved);
            balance.cost = balance.cost.saturating_add(added.cost);
            balance.retrievals = balance.retrievals.saturating_add(added.retrievals);
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
