//! What requests have cost since the process began, and what they would have cost in the originals, by model; and of all proxies of the
//! deployment together, by day.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::totals::DeploymentTotals;
use crate::totals::cost::{Cost, DailyCosts};

/// After so many requests that were billed the sums are logged.
const LOG_EVERY: u64 = 100;

/// The sums of one process by model, and the totals of the deployment, to which it adds.
#[derive(Debug, Default)]
pub(crate) struct Costs {
    models: Mutex<BTreeMap<String, Cost>>,
    totals: DeploymentTotals,
}

impl Costs {
    /// Nothing yet. What each day costs is added to these totals.
    pub(crate) fn new(totals: DeploymentTotals) -> Self {
        Self {
            totals,
            ..Self::default()
        }
    }

    /// Counts a request of the model with this name that ended at `now_ms`.
    pub(super) fn add(&self, model: String, cost: &Cost, now_ms: u64) {
        self.totals.add_cost(cost, now_ms);
        let mut models = self.models();
        models.entry(model).or_default().add(cost);
        let total = total(models.values());
        drop(models);
        if total.requests.is_multiple_of(LOG_EVERY) {
            log(&total);
        }
    }

    /// The sums of each model, by the name that it is counted under.
    pub(super) fn by_model(&self) -> BTreeMap<String, Cost> {
        self.models().clone()
    }

    /// What each day has cost, of all proxies of the deployment.
    pub(super) fn by_day(&self) -> DailyCosts {
        self.totals.days()
    }

    fn models(&self) -> MutexGuard<'_, BTreeMap<String, Cost>> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
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
