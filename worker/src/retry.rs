//! Waits that grow while something stays broken, and that chance spreads, so that a fleet of workers does not come back in step.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio_util::sync::CancellationToken;

/// The shortest first wait and the shortest longest one: chance adds up to as much again.
const FIRST: Duration = Duration::from_millis(75);
const LONGEST: Duration = Duration::from_millis(2500);

#[derive(Debug)]
pub(crate) struct Backoff(<ExponentialBuilder as BackoffBuilder>::Backoff);

impl Backoff {
    pub(crate) fn new() -> Self {
        let waits = ExponentialBuilder::new()
            .with_min_delay(FIRST)
            .with_max_delay(LONGEST)
            .without_max_times()
            .with_jitter();
        Self(waits.build())
    }

    pub(crate) fn reset(&mut self) {
        *self = Self::new();
    }

    /// Waits, each time longer; false if `stop` ended the wait.
    pub(crate) async fn wait(&mut self, stop: &CancellationToken) -> bool {
        let time = self.0.next().unwrap_or(LONGEST);
        stop.run_until_cancelled(tokio::time::sleep(time))
            .await
            .is_some()
    }
}
