//! How fast the queue empties.

use std::collections::VecDeque;

use headroom_shared::queue::redis::admin::QueueStatus;
use serde::Serialize;

/// Over how long the pace is taken, in milliseconds.
const WINDOW_MS: u64 = 10_000;

/// How fast the queue empties.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct DrainRate {
    /// Jobs done per second; none at the first reading.
    pub(super) per_second: Option<f64>,
    /// Seconds until no job is left, if they go on to become fewer as they did; none where they do not.
    pub(super) eta_s: Option<u64>,
    /// Why there is no such time.
    #[serde(skip)]
    pub(super) no_eta: &'static str,
}

/// The readings of the last seconds.
#[derive(Debug, Default)]
pub(super) struct RateWindow(VecDeque<Sample>);

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: u64,
    done: u64,
    /// Jobs that are not done.
    left: u64,
}

impl RateWindow {
    /// Takes one more reading, and gives the pace by it.
    pub(super) fn add(&mut self, status: &QueueStatus) -> DrainRate {
        let depth = status.depth;
        let last = Sample {
            at: status.at,
            done: status.totals.done,
            left: depth.waiting + depth.active + depth.delayed,
        };
        // A Redis that has lost its data, or whose clock was put back, begins anew.
        let is_new = |before: &Sample| before.at > last.at || before.done > last.done;
        if self.0.back().is_some_and(is_new) {
            self.0.clear();
        }
        while self.0.front().is_some_and(|it| it.at + WINDOW_MS < last.at) {
            self.0.pop_front();
        }
        self.0.push_back(last);
        let first = self.0.front().copied().unwrap_or(last);
        pace(first, last, status.paused.is_some())
    }
}

/// The pace between two readings. What comes meanwhile counts as what goes does, so that the time until the queue is empty is
/// right for one that is still being filled.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and seconds to be read by people"
)]
fn pace(first: Sample, last: Sample, paused: bool) -> DrainRate {
    let seconds = (last.at - first.at) as f64 / 1000.0;
    let done = (last.done - first.done) as f64;
    let fewer = first.left as f64 - last.left as f64;
    let known = seconds > 0.0;
    let no_eta = match (known, paused) {
        (false, _) => "not known yet",
        (true, true) => "never: paused",
        (true, false) if done == 0.0 => "never: no job gets done",
        (true, false) => "never: as many jobs come as get done, or more",
    };
    let eta = match last.left {
        0 => Some(0),
        left if fewer > 0.0 && !paused => Some((left as f64 * seconds / fewer).ceil() as u64),
        _ => None,
    };
    DrainRate {
        per_second: known.then(|| (done / seconds * 100.0).round() / 100.0),
        eta_s: eta,
        no_eta,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(first: (u64, u64, u64), last: (u64, u64, u64), paused: bool) -> DrainRate {
        let reading = |(at, done, left)| Sample { at, done, left };
        pace(reading(first), reading(last), paused)
    }

    #[test]
    fn the_time_until_empty_goes_by_what_is_left() {
        let pace = between((0, 10, 100), (5_000, 20, 90), false);
        assert_eq!((pace.per_second, pace.eta_s), (Some(2.0), Some(45)));
        // As many were done, but half as many came.
        let filled = between((0, 10, 100), (5_000, 20, 95), false);
        assert_eq!((filled.per_second, filled.eta_s), (Some(2.0), Some(95)));
    }

    #[test]
    fn there_is_no_such_time_for_a_queue_that_does_not_empty() {
        for (first, last, paused, why) in [
            ((0, 0, 5), (0, 0, 5), false, "not known yet"),
            ((0, 0, 5), (1, 0, 5), false, "no job gets done"),
            ((0, 0, 5), (1, 1, 5), false, "as many jobs come"),
            ((0, 0, 5), (1, 1, 4), true, "paused"),
        ] {
            let pace = between(first, last, paused);
            assert_eq!(pace.eta_s, None);
            assert!(pace.no_eta.contains(why), "{pace:?}");
        }
        assert_eq!(between((0, 0, 0), (0, 0, 0), true).eta_s, Some(0));
    }
}
