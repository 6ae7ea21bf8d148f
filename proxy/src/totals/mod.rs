//! What the proxies of a deployment have counted together: how often conversations go on, what requests cost by day, and what shortened texts
//! save and cost. Each proxy counts its own requests, and they add their counts up in the store.
//!
//! | file | what |
//! |---|---|
//! | here | the totals as a proxy knows them, and what of them the store does not know yet |
//! | [`continuations`] | how often conversations go on, by their turns |
//! | [`cost`] | what requests cost, by day |
//! | [`retrievals`] | what shortened texts save, and what fetching their originals costs |
//! | [`counts`] | all of that, as it is stored |
//! | [`sharing`] | adds it to what is in the store, again and again |

pub(crate) mod continuations;
pub(crate) mod cost;
mod counts;
pub(crate) mod retrievals;
pub(crate) mod sharing;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};
use uuid::Uuid;

use self::continuations::Continuations;
use self::cost::{Cost, DailyCosts};
use self::counts::Counts;
use self::retrievals::Balances;

/// The totals. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeploymentTotals(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// All that is known.
    counts: Counts,
    /// What of it is not in the store yet.
    unshared: Counts,
}

/// What a request tells of how often conversations go on. It counts once the provider has taken the request: one that it refuses comes again.
#[derive(Debug)]
pub(crate) struct Observation {
    totals: DeploymentTotals,
    dialect: &'static str,
    continuation: Continuations,
}

impl Observation {
    /// Counts it.
    pub(crate) fn add(self) {
        let Self {
            totals,
            dialect,
            continuation,
        } = self;
        totals.add_continuation(dialect, &continuation);
    }
}

impl DeploymentTotals {
    /// What a request of this dialect tells.
    pub(crate) fn observation(
        &self,
        dialect: &'static str,
        continuation: Continuations,
    ) -> Observation {
        Observation {
            totals: self.clone(),
            dialect,
            continuation,
        }
    }

    fn add_continuation(&self, dialect: &str, added: &Continuations) {
        self.count(|counts| counts.add_continuation(dialect, added));
    }

    /// Adds what became known of shortened texts at this time.
    pub(crate) fn add_retrievals(&self, added: &Balances, now_ms: u64) {
        self.count(|counts| counts.retrievals.add(added, now_ms));
    }

    /// Adds what a request cost that ended at this time.
    pub(crate) fn add_cost(&self, cost: &Cost, now_ms: u64) {
        self.count(|counts| counts.days.add_request(cost, now_ms));
    }

    /// Counts something that the store does not know yet.
    fn count(&self, add: impl Fn(&mut Counts)) {
        let mut state = self.state();
        add(&mut state.counts);
        add(&mut state.unshared);
    }

    /// What each day has cost.
    pub(crate) fn days(&self) -> DailyCosts {
        self.state().counts.days.clone()
    }

    /// How often conversations of this dialect go on.
    pub(crate) fn continuations(&self, dialect: &str) -> Continuations {
        let state = self.state();
        let known = state.counts.continuations.get(dialect);
        known.copied().unwrap_or(Continuations::NONE)
    }

    /// What is known of shortened texts at this time.
    pub(crate) fn retrievals(&self, now_ms: u64) -> Balances {
        *self.state().counts.retrievals.at(now_ms)
    }

    /// How many more reads are expected, for `/stats`: by dialect and turns.
    pub(crate) fn expected_reads(&self) -> Value {
        let continuations = self.state().counts.continuations.clone();
        let dialects = continuations.into_iter();
        let dialects = dialects.map(|(dialect, it)| (dialect, it.stats()));
        dialects.collect::<Map<String, Value>>().into()
    }

    /// Whether the store lacks nothing that was counted here.
    fn is_shared(&self) -> bool {
        self.state().unshared.is_empty()
    }

    /// Adds to the store's counts what it does not know yet, and takes over the sum. Where it has lost those that were known, or has none,
    /// all that is known here counts as well. Gives what is to be written, if it is more than the store has, and what of it is new.
    fn merge(&self, stored: Option<Counts>, now_ms: u64) -> Option<(Counts, Counts)> {
        let mut state = self.state();
        let unshared = std::mem::take(&mut state.unshared);
        let name = state.counts.name;
        let is_known = stored.as_ref().is_some_and(|stored| stored.name == name);
        let is_lost = !is_known && name.is_some();
        let mut counts = stored.unwrap_or_default();
        counts.add(&unshared, now_ms);
        if !is_known {
            counts.max(&state.counts, now_ms);
        }
        let is_more = is_lost || !unshared.is_empty();
        counts.name = counts.name.or_else(|| is_more.then(Uuid::new_v4));
        state.counts = counts;
        is_more.then(|| (state.counts.clone(), unshared))
    }

    /// Keeps for the next time what could not be written.
    fn give_back(&self, unshared: Counts, now_ms: u64) {
        let mut state = self.state();
        let newer = std::mem::replace(&mut state.unshared, unshared);
        state.unshared.add(&newer, now_ms);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
