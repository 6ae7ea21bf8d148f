//! [`Cost`]: what requests cost, and what they would have cost in the originals; and the costs of each day.

use std::collections::BTreeMap;

use headroom_shared::contract::usage::Usage;
use serde::{Deserialize, Serialize};

/// The sums of so many days are kept.
const MAX_DAYS: usize = 60;
const DAY_MS: u64 = 24 * 3600 * 1000;

/// The sums of some requests.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// How many they are.
    pub(crate) requests: u64,
    /// What they cost, in dollars.
    pub(crate) usd: f64,
    /// What they would have cost in the originals.
    pub(crate) shadow_usd: f64,
    /// Whether the prices are those of another model.
    pub(crate) is_guess: bool,
    fresh: u64,
    read: u64,
    written: u64,
    output: u64,
}

impl Cost {
    /// That of one request.
    pub(crate) const fn of(usage: Usage, usd: f64, shadow_usd: f64, is_guess: bool) -> Self {
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
    pub(crate) const fn saved_usd(&self) -> f64 {
        self.shadow_usd - self.usd
    }

    /// The tokens that were paid for, by kind.
    pub(crate) const fn tokens(&self) -> [(&'static str, u64); 4] {
        [
            ("fresh", self.fresh),
            ("read", self.read),
            ("written", self.written),
            ("output", self.output),
        ]
    }

    /// Adds that of other requests. Sums that are too large for a number stay as they are.
    pub(crate) fn add(&mut self, other: &Self) {
        let usd = (self.usd + other.usd, self.shadow_usd + other.shadow_usd);
        if usd.0.is_finite() && usd.1.is_finite() {
            (self.usd, self.shadow_usd) = usd;
        }
        self.requests = self.requests.saturating_add(other.requests);
        self.is_guess |= other.is_guess;
        self.fresh = self.fresh.saturating_add(other.fresh);
        self.read = self.read.saturating_add(other.read);
        self.written = self.written.saturating_add(other.written);
        self.output = self.output.saturating_add(other.output);
    }
}

/// The costs of the last [`MAX_DAYS`] days with requests, in UTC.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct DailyCosts(
    /// By days since 1970.
    BTreeMap<u64, Cost>,
);

impl DailyCosts {
    /// Adds that of a request at this time.
    pub(super) fn add_request(&mut self, cost: &Cost, now_ms: u64) {
        self.0.entry(now_ms / DAY_MS).or_default().add(cost);
        self.limit(now_ms);
    }

    /// Adds those, at this time.
    pub(super) fn add(&mut self, added: &Self, now_ms: u64) {
        for (day, cost) in &added.0 {
            self.0.entry(*day).or_default().add(cost);
        }
        self.limit(now_ms);
    }

    /// Of each day the costs of more requests.
    pub(super) fn max(&mut self, other: &Self, now_ms: u64) {
        for (day, cost) in &other.0 {
            let known = self.0.entry(*day).or_default();
            if cost.requests > known.requests {
                *known = *cost;
            }
        }
        self.limit(now_ms);
    }

    /// Whether these may be costs.
    pub(super) fn is_plausible(&self) -> bool {
        let mut costs = self.0.values();
        costs.all(|cost| cost.usd >= 0.0 && cost.shadow_usd >= 0.0)
    }

    /// Keeps the last days alone, and none beyond tomorrow: the clock of another proxy may be ahead.
    fn limit(&mut self, now_ms: u64) {
        let tomorrow = now_ms / DAY_MS + 1;
        self.0.retain(|day, _| *day <= tomorrow);
        while self.0.len() > MAX_DAYS {
            self.0.pop_first();
        }
    }

    /// Whether there was no request.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each day by its beginning, in milliseconds since 1970, the first one first.
    pub(crate) fn by_beginning(&self) -> impl Iterator<Item = (u64, &Cost)> {
        let days = self.0.iter();
        days.map(|(day, cost)| (day.saturating_mul(DAY_MS), cost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_days_are_kept() {
        let mut days = DailyCosts::default();
        assert!(days.is_empty());
        let one = Cost::of(Usage::default(), 0.5, 0.75, false);
        let of_request = |now_ms| {
            let mut days = DailyCosts::default();
            days.add_request(&one, now_ms);
            days
        };
        for day in (0..100).chain(90..100) {
            days.add(&of_request(day * DAY_MS + 5), 100 * DAY_MS);
        }
        days.add(&of_request(u64::MAX), 100 * DAY_MS);
        let days: Vec<(u64, u64)> = days
            .by_beginning()
            .map(|(beginning, cost)| (beginning / DAY_MS, cost.requests))
            .collect();
        assert_eq!(days.len(), MAX_DAYS);
        assert_eq!((days[0], days[MAX_DAYS - 1]), ((40, 1), (99, 2)));
    }
}
