//! A worker's own metrics. The counters that all workers share are the queue's.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// The counters; clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    threads: Gauge,
    busy: Gauge,
    ended: Family<[(&'static str, &'static str); 1], Counter>,
    seconds: Histogram,
    saved_bytes: Counter,
    timeouts: Counter,
    stuck_threads: Counter,
}

/// How a job ended at this worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    DoneAgain,
    Retried,
    DeadLettered,
    Lost,
}

impl Outcome {
    const ALL: [Self; 5] = [
        Self::Done,
        Self::DoneAgain,
        Self::Retried,
        Self::DeadLettered,
        Self::Lost,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::DoneAgain => "done_again",
            Self::Retried => "retried",
            Self::DeadLettered => "dead",
            Self::Lost => "lost",
        }
    }
}

impl Metrics {
    pub(crate) fn new(threads: usize) -> Self {
        let metrics = Self {
            threads: Gauge::default(),
            busy: Gauge::default(),
            ended: Family::default(),
            // From 1 ms to about 65 s.
            seconds: Histogram::new(exponential_buckets(0.001, 4.0, 9)),
            saved_bytes: Counter::default(),
            timeouts: Counter::default(),
            stuck_threads: Counter::default(),
        };
        metrics
            .threads
            .set(i64::try_from(threads).unwrap_or(i64::MAX));
        // A count that is still 0 is shown too.
        for outcome in Outcome::ALL {
            metrics.ended_so(outcome);
        }
        metrics
    }

    /// Puts them into a registry, for a program that shows its metrics.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "headroom_worker_threads",
            "Threads that run jobs, one job each",
            self.threads.clone(),
        );
        registry.register(
            "headroom_worker_busy_threads",
            "Threads that run a job now",
            self.busy.clone(),
        );
        registry.register(
            "headroom_worker_jobs",
            "Jobs whose time at this worker ended, by how",
            self.ended.clone(),
        );
        registry.register(
            "headroom_worker_job_seconds",
            "Time from a job's start to its result",
            self.seconds.clone(),
        );
        registry.register(
            "headroom_worker_saved_bytes",
            "Bytes that forms are shorter than their originals",
            self.saved_bytes.clone(),
        );
        registry.register(
            "headroom_worker_job_timeouts",
            "Jobs that took longer than HEADROOM_JOB_TIMEOUT_SECONDS, each time counted",
            self.timeouts.clone(),
        );
        registry.register(
            "headroom_worker_stuck_threads",
            "Threads that could not be stopped after their job's time was over",
            self.stuck_threads.clone(),
        );
    }

    /// Jobs that took longer than they may, each time counted.
    #[must_use]
    pub fn timeouts(&self) -> &Counter {
        &self.timeouts
    }

    /// Threads that went on long after their job's deadline.
    #[must_use]
    pub fn stuck_threads(&self) -> &Counter {
        &self.stuck_threads
    }

    /// A job runs until the guard is dropped.
    pub(crate) fn busy(&self) -> Busy {
        self.busy.inc();
        Busy(self.busy.clone())
    }

    pub(crate) fn ended(&self, outcome: Outcome) {
        self.ended_so(outcome).inc();
    }

    fn ended_so(&self, outcome: Outcome) -> Counter {
        self.ended
            .get_or_create_owned(&[("outcome", outcome.name())])
    }

    pub(crate) fn completed(&self, took: Duration, saved_bytes: u64) {
        self.seconds.observe(took.as_secs_f64());
        self.saved_bytes.inc_by(saved_bytes);
    }
}

#[derive(Debug)]
pub(crate) struct Busy(Gauge);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.dec();
    }
}
