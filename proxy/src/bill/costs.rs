//! What requests have cost since the process began, and what they would have cost in the originals, by model.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use headroom_shared::contract::usage::Usage;

/// After so many requests that were billed the sums are logged.
const LOG_EVERY: u64 = 100;

/// The sums of one process.
#[derive(Debug, Default)]
pub(crate) struct Costs {
    models: Mutex<BTreeMap<String, Cost>>,
}

/// The sums of some requests.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Cost {
    /// How many they are.
    pub(super) requests: u64,
    /// What they cost, in dollars.
    pub(super) usd: f64,
    /// What they would have cost in the originals.
    pub(super) shadow_usd: f64,
    /// Whether the prices are those of another model.
    pub(super) is_guess: bool,
    fresh: u64,
    read: u64,
    written: u64,
    output: u64,
}

impl Cost {
    /// That of one request.
    pub(super) const fn of(usage: Usage, usd: f64, shadow_usd: f64, is_guess: bool) -> Self {
        Self {
            requests: 1,
            usd,
            shadow_usd,
            is_guess,
            fresh: usage.fresh(),
            read: usage.read,
            written: usage.written,
            output: usage.output,
        }
    }

    /// What was saved, in dollars; below 0 where it was a loss.
    pub(super) const fn saved_usd(&self) -> f64 {
        self.shadow_usd - self.usd
    }

    /// The tokens that were paid for, by kind.
    pub(super) const fn tokens(&self) -> [(&'static str, u64); 4] {
        [
            ("fresh", self.fresh),
            ("read", self.read),
            ("written", self.written),
            ("output", self.output),
        ]
    }

    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.usd += other.usd;
        self.shadow_usd += other.shadow_usd;
        self.is_guess |= other.is_guess;
        self.fresh = self.fresh.saturating_add(other.fresh);
        self.read = self.read.saturating_add(other.read);
        self.written = self.written.saturating_add(other.written);
        self.output = self.output.saturating_add(other.output);
    }
}

impl Costs {
    /// Counts a request of the model with this name.
    pub(super) fn add(&self, model: String, cost: &Cost) {
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        models.entry(model).or_default().add(cost);
        let total = total(models.values());
        drop(models);
        if total.requests.is_multiple_of(LOG_EVERY) {
            log(&total);
        }
    }

    /// The sums of each model, by the name that it is counted under.
    pub(super) fn by_model(&self) -> BTreeMap<String, Cost> {
        let models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        models.clone()
    }

    /// Logs the sums, if a request was billed.
    pub(crate) fn log_if_any(&self) {
        let total = total(self.by_model().values());
        if total.requests > 0 {
            log(&total);
        }
    }
}

/// The sum of all models.
pub(super) fn total<'a>(models: impl Iterator<Item = &'a Cost>) -> Cost {
    let mut total = Cost::default();
    models.for_each(|cost| total.add(cost));
    total
}

fn log(total: &Cost) {
    tracing::info!(
        requests = total.requests,
        usd = %format_args!("{:.4}", total.usd),
        shadow_usd = %format_args!("{:.4}", total.shadow_usd),
        saved_usd = %format_args!("{:.4}", total.saved_usd()),
        guessed_prices = total.is_guess,
        "what requests cost, and what they would have cost in the originals"
    );
}
