//! The drain rate: jobs done per second, and the time until the queue is empty.

use std::collections::VecDeque;

use headroom_shared::queue::QueueStatus;
use serde::Serialize;

/// The time over which the rate is measured, in milliseconds.
const WINDOW_MS: u64 = 10_000;

/// The drain rate; part of the output of `status --watch`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct DrainRate {
    /// Jobs done per second; none at the first sample.
    pub(super) per_second: Option<f64>,
    /// Seconds until the queue is empty at this rate; none where the number of jobs does not fall.
    pub(super) eta_s: Option<u64>,
    /// Why there is no `eta_s`.
    #[serde(skip)]
    pub(super) no_eta: &'static str,
}

/// The samples within [`WINDOW_MS`].
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
    /// Adds a sample, and returns the rate over the window.
    pub(super) fn add(&mut self, status: &QueueStatus) -> DrainRate {
        let depth = status.depth;
        let last = Sample {
            at: status.at,
            done: status.totals.done,
            left: depth.left(),
        };
        // Start again where Redis has lost its data, or its clock was set back.
        let is_reset = |before: &Sample| before.at > last.at || before.done > last.done;
        if self.0.back().is_some_and(is_reset) {
            self.0.clear();
        }
        while self.0.front().is_some_and(|it| it.at + WINDOW_MS < last.at) {
            self.0.pop_front();
        }
        self.0.push_back(last);
        let first = self.0.front().copied().unwrap_or(last);
        rate(first, last, status.paused.is_some())
    }
}

/// The rate between two samples. The time until the queue is empty takes new jobs into account: it goes by the change of the number of
/// jobs that are left.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and seconds to be read by people"
)]
fn rate(first: Sample, last: Sample, paused: bool) -> DrainRate {
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
        let sample = |(at, done, left)| Sample { at, done, left };
        rate(sample(first), sample(last), paused)
    }

    #[test]
    fn the_time_until_empty_goes_by_what_is_left() {
        let rate = between((0, 10, 100), (5_000, 20, 90), false);
        assert_eq!((rate.per_second, rate.eta_s), (Some(2.0), Some(45)));
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
            let rate = between(first, last, paused);
            assert_eq!(rate.eta_s, None);
            assert!(rate.no_eta.contains(why), "{rate:?}");
        }
        assert_eq!(between((0, 0, 0), (0, 0, 0), true).eta_s, Some(0));
    }
}
