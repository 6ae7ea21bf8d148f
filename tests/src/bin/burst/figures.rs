//! What the runs showed, in numbers.

use std::time::Duration;

use headroom_tests::report::percentile;
use serde::Serialize;

/// How the workers are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Threads of one process.
    Threads,
    /// Processes of one thread each.
    Processes,
}

impl Kind {
    /// So many of them, in words.
    pub(crate) fn name(self, count: u32) -> &'static str {
        match (self, count) {
            (Self::Threads, 1) => "thread",
            (Self::Threads, _) => "threads",
            (Self::Processes, 1) => "process",
            (Self::Processes, _) => "processes",
        }
    }
}

/// What was measured in one run.
#[derive(Debug)]
pub(crate) struct Measured {
    /// From the first cold start that was sent until the queue was empty.
    pub(crate) drain: Duration,
    /// From the same moment until the last cold start was answered.
    pub(crate) sending: Duration,
    /// How long each session's compressed prefix was waited for.
    pub(crate) waits: Vec<Duration>,
    /// Turns after the cold starts that went out uncompressed.
    pub(crate) uncompressed_turns: usize,
    /// How many cores were to be had just before and just after, in the mean.
    pub(crate) free_cores: f64,
}

/// All runs, the base of the speed-up first.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) runs: Vec<Run>,
}

/// One run. Times in seconds.
#[derive(Debug, Serialize)]
pub(crate) struct Run {
    pub(crate) workers: u32,
    pub(crate) kind: Kind,
    pub(crate) drain_s: f64,
    /// How many times as fast as the first run.
    pub(crate) speedup: f64,
    pub(crate) jobs_per_s: f64,
    pub(crate) wait_first_s: f64,
    pub(crate) wait_p50_s: f64,
    pub(crate) wait_p99_s: f64,
    pub(crate) wait_last_s: f64,
    pub(crate) uncompressed_turns: usize,
    /// How long the cold starts themselves took.
    pub(crate) sending_s: f64,
    /// How many cores were to be had just before and just after, in the mean.
    pub(crate) free_cores: f64,
}

impl Report {
    /// Adds the next run.
    pub(crate) fn add(&mut self, workers: u32, kind: Kind, measured: &Measured) {
        let mut waits = measured.waits.clone();
        waits.sort_unstable();
        let wait = |percent| percentile(&waits, percent).as_secs_f64();
        let drain_s = measured.drain.as_secs_f64();
        let base_s = self.runs.first().map_or(drain_s, |base| base.drain_s);
        #[expect(clippy::cast_precision_loss, reason = "a count of sessions")]
        let jobs = waits.len() as f64;
        self.runs.push(Run {
            workers,
            kind,
            drain_s,
            speedup: base_s / drain_s,
            jobs_per_s: jobs / drain_s,
            wait_first_s: wait(0),
            wait_p50_s: wait(50),
            wait_p99_s: wait(99),
            wait_last_s: wait(100),
            uncompressed_turns: measured.uncompressed_turns,
            sending_s: measured.sending.as_secs_f64(),
            free_cores: measured.free_cores,
        });
    }
}

/// The best speed-up that so many sessions can show with so many workers: jobs run in rounds of one a worker.
pub(crate) fn best_speedup(sessions: u32, workers: u32) -> f64 {
    f64::from(sessions) / f64::from(sessions.div_ceil(workers))
}

/// How many sessions show a count of workers at its best: begin and end of a run weigh little in 15 rounds.
pub(crate) fn enough_sessions(workers: u32) -> u32 {
    15 * workers
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn seconds(all: &[u64]) -> Vec<Duration> {
        all.iter().copied().map(Duration::from_secs).collect()
    }

    fn measured(drain: u64, waits: &[u64]) -> Measured {
        Measured {
            drain: Duration::from_secs(drain),
            sending: Duration::from_millis(500),
            waits: seconds(waits),
            uncompressed_turns: 3,
            free_cores: 2.0,
        }
    }

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let hundred = seconds(&(1..=100).collect::<Vec<_>>());
        for (percent, second) in [(0, 1), (1, 1), (50, 50), (99, 99), (100, 100)] {
            assert_eq!(percentile(&hundred, percent), Duration::from_secs(second));
        }
        let three = seconds(&[1, 2, 3]);
        assert_eq!(percentile(&three, 50), Duration::from_secs(2));
        assert_eq!(percentile(&three, 99), Duration::from_secs(3));
        assert_eq!(percentile::<Duration>(&[], 50), Duration::ZERO);
    }

    #[test]
    fn the_first_run_is_the_base_of_the_speed_up() {
        let mut report = Report::default();
        report.add(1, Kind::Threads, &measured(12, &[12, 4, 8, 2]));
        report.add(4, Kind::Threads, &measured(3, &[3, 3, 3, 3]));
        let [base, four] = report.runs.as_slice() else {
            panic!("{report:?}");
        };
        assert_eq!((base.speedup, four.speedup), (1.0, 4.0));
        assert_eq!((base.wait_first_s, base.wait_last_s), (2.0, 12.0));
        assert_eq!(base.wait_p50_s, 4.0);
    }

    #[test]
    fn jobs_run_in_rounds() {
        for (sessions, workers, best) in [(240, 16, 16.0), (5, 16, 5.0), (5, 3, 2.5), (4, 1, 1.0)] {
            assert_eq!(best_speedup(sessions, workers), best);
        }
    }

    #[test]
    fn the_json_names_what_was_promised() {
        let mut report = Report::default();
        report.add(2, Kind::Processes, &measured(2, &[1, 2]));
        let json: Value = serde_json::to_value(&report).unwrap();
        let run = &json["runs"][0];
        assert_eq!(
            (&run["workers"], &run["kind"]),
            (&2.into(), &"processes".into())
        );
        assert_eq!(run["jobs_per_s"], 1.0);
        assert_eq!(run["uncompressed_turns"], 3);
        for name in ["drain_s", "speedup", "wait_p50_s", "wait_p99_s"] {
            assert!(run[name].is_f64(), "{name}: {run}");
        }
    }
}
