//! What the proxies of a deployment learn from its traffic: how often conversations go on, and what shortened texts save and cost. Each proxy
//! counts its own requests, and they add their counts up in the store.
//!
//! | file | what |
//! |---|---|
//! | here | the counts of a proxy, and those of which the store does not know yet |
//! | [`continuations`] | how often conversations go on, by their turns |
//! | [`retrievals`] | what shortened texts save, and what fetching their originals costs |
//! | [`counts`] | both, as they are stored |
//! | [`sharing`] | adds them to those in the store, again and again |

pub(crate) mod continuations;
mod counts;
pub(crate) mod retrievals;
pub(crate) mod sharing;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use headroom_shared::runtime::clock::now_ms;
use serde_json::{Map, Value};

use self::continuations::Continuations;
pub(crate) use self::counts::LearnedCounts;
use self::retrievals::Balances;

/// What is learned. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Learned(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// All that is known.
    counts: LearnedCounts,
    /// What of it is not in the store yet.
    unshared: LearnedCounts,
}

/// What a request adds, once the provider has taken it: one that it refuses comes again.
#[derive(Debug)]
pub(crate) struct Observation {
    learned: Learned,
    added: LearnedCounts,
    now_ms: u64,
}

impl Observation {
    /// Adds it.
    pub(crate) fn add(self) {
        self.learned.add(&self.added, self.now_ms);
    }
}

impl Learned {
    /// What a request adds at this time.
    pub(crate) fn observation(&self, added: LearnedCounts, now_ms: u64) -> Observation {
        Observation {
            learned: self.clone(),
            added,
            now_ms,
        }
    }

    /// Adds to the counts at this time.
    pub(crate) fn add(&self, added: &LearnedCounts, now_ms: u64) {
        let mut state = self.state();
        state.counts.add(added, now_ms);
        state.unshared.add(added, now_ms);
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
        let state = self.state();
        let dialects = state.counts.continuations.iter();
        let dialects = dialects.map(|(dialect, it)| (dialect.clone(), it.stats()));
        dialects.collect::<Map<String, Value>>().into()
    }

    /// What is to be added to the counts in the store.
    fn take_unshared(&self) -> LearnedCounts {
        std::mem::take(&mut self.state().unshared)
    }

    /// Keeps for the next time what could not be added there.
    fn give_back(&self, added: &LearnedCounts) {
        self.state().unshared.add(added, now_ms());
    }

    /// Takes over the store's counts, which hold all of this proxy's but those that have come since.
    fn take_over(&self, stored: Option<LearnedCounts>) {
        let mut state = self.state();
        if let Some(mut counts) = stored {
            counts.add(&state.unshared, now_ms());
            state.counts = counts;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
