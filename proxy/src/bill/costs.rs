//! What requests have cost since the process began, and what they would have cost in the originals, by model.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use headroom_shared::contract::usage::Usage;

/// After so many requests that were billed the sums are logged.
const LOG_EVERY: u64 = 100;
/// The sums of so many days are kept.
const MAX_DAYS: usize = 60;
const DAY_MS: u64 = 24 * 3600 * 1000;

/// The sums of one process.
#[derive(Debug, Default)]
pub(crate) struct Costs {
    sums: Mutex<Sums>,
}

#[derive(Debug, Default)]
struct Sums {
    models: BTreeMap<String, Cost>,
    /// By days since 1970, in UTC: the last [`MAX_DAYS`].
    days: BTreeMap<u64, Cost>,
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
    /// Counts a request of the model with this name that ended at `now_ms`.
    pub(super) fn add(&self, model: String, cost: &Cost, now_ms: u64) {
        let mut sums = self.sums();
        sums.models.entry(model).or_default().add(cost);
        sums.days.entry(now_ms / DAY_MS).or_default().add(cost);
        if sums.days.len() > MAX_DAYS {
            sums.days.pop_first();
        }
        let total = total(sums.models.values());
        drop(sums);
        if total.requests.is_multiple_of(LOG_EVERY) {
            log(&total);
        }
    }

    /// The sums of each model, by the name that it is counted under.
    pub(super) fn by_model(&self) -> BTreeMap<String, Cost> {
        self.sums().models.clone()
    }

    /// The sums of each day, by its beginning: milliseconds since 1970.
    pub(super) fn by_day(&self) -> BTreeMap<u64, Cost> {
        let sums = self.sums();
        let days = sums.days.iter();
        days.map(|(day, cost)| (day * DAY_MS, *cost)).collect()
    }

    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
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
