//! Waits that grow while something stays broken.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self { next: FIRST }
    }

    pub(crate) const fn reset(&mut self) {
        self.next = FIRST;
    }

    /// Waits, each time longer; false if `stop` ended the wait.
    pub(crate) async fn wait(&mut self, stop: &CancellationToken) -> bool {
        let time = self.next;
        self.next = (time * 2).min(LONGEST);
        stop.run_until_cancelled(tokio::time::sleep(time))
            .await
            .is_some()
    }
}
