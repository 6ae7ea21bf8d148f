//! Opens the file anew after a failure: redb refuses everything once it has met an I/O error, even when the disk has room again.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};

use super::access::Access;

/// The time before the first attempt; it doubles with each that fails.
const MIN_DELAY: Duration = Duration::from_millis(100);
/// The longest such time.
const MAX_DELAY: Duration = Duration::from_secs(5);
/// A file that fails sooner than this after it was opened is given the longest time: its disk is full again.
const STEADY: Duration = Duration::from_secs(60);

/// How long to wait before attempts to open the file.
#[derive(Debug)]
pub(super) struct Delays {
    /// When the file was last opened after a failure.
    reopened: Option<Instant>,
}

impl Delays {
    /// Those of a file that has not failed yet.
    pub(super) const fn new() -> Self {
        Self { reopened: None }
    }

    /// Those before each attempt, after a failure now.
    fn after_failure(&self) -> impl Iterator<Item = Duration> + use<> {
        let steady = self
            .reopened
            .is_none_or(|reopened| reopened.elapsed() > STEADY);
        ExponentialBuilder::new()
            .with_min_delay(if steady { MIN_DELAY } else { MAX_DELAY })
            .with_max_delay(MAX_DELAY)
            .without_max_times()
            .build()
    }
}

/// Opens the file anew, as often as it takes. Between attempts, `refuse_for` refuses requests for a time, and says whether the store is
/// still wanted.
pub(super) fn reopen(
    access: &Access,
    reason: &str,
    delays: &mut Delays,
    refuse_for: &mut impl FnMut(Duration) -> bool,
) {
    let path = access.path().display().to_string();
    tracing::warn!(
        path,
        reason,
        "the embedded store is away: requests are forwarded uncompressed until the disk that holds its file has room and can be written"
    );
    for delay in delays.after_failure() {
        if !refuse_for(delay) {
            return;
        }
        match access.reopen() {
            Ok(()) => {
                delays.reopened = Some(Instant::now());
                tracing::info!(path, "the embedded store is back");
                return;
            }
            Err(error) => {
                tracing::debug!(%error, "the embedded store stays away");
                access.close(&error.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_become_rarer_and_are_rare_where_the_last_success_was_short() {
        let mut delays = Delays::new();
        let first: Vec<Duration> = delays.after_failure().take(8).collect();
        assert!(first.is_sorted() && first[0] == MIN_DELAY && first[7] == MAX_DELAY);
        delays.reopened = Some(Instant::now());
        assert_eq!(delays.after_failure().next(), Some(MAX_DELAY));
    }
}
