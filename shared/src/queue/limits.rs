//! The queue's limits in space ([`Bounds`]) and time ([`Timing`]). None is a setting: the values depend on each other.

use std::time::Duration;

use crate::contract::job::Envelope;
use crate::store::StoreError;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Limits on sizes, counts and lives.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// How long compressed prefixes and forms live after they were written.
    pub result_ttl: Duration,
    /// How long a payload lives. A job that waits longer becomes a dead letter.
    pub payload_ttl: Duration,
    /// How long a push of the same prefix may coalesce with a waiting job. If an envelope is lost, for instance because somebody
    /// deleted it, its prefix can't be queued again until then.
    pub pending_ttl: Duration,
    /// Length of the dead-letter list.
    pub max_dead_letters: u32,
    /// Attempts that a job has when it fails for transient reasons.
    pub max_attempts: u32,
    /// Worker deaths after which a job that was held at each of them becomes a dead letter.
    pub max_worker_deaths: u32,
    /// Longest envelope, in bytes.
    pub max_envelope_bytes: usize,
    /// Bytes of text that jobs may have which wait, run or are delayed. A job is accepted whatever its size if no other waits, a refresh if
    /// no other refresh waits.
    pub max_queued_bytes: u64,
    /// How full Redis may be, in percent of its `maxmemory`, for a job of [`Self::large_job_bytes`] to be accepted: the
    /// rest is for results, records and heartbeats.
    pub max_memory_percent: u64,
    /// Bytes of text from which a job counts as large.
    pub large_job_bytes: u64,
    /// Bytes of a result: the compressed prefix and its forms. A larger one is not stored, and its job becomes a dead letter. Redis
    /// accepts half a gigabyte in one value, and a request body of the default limit makes less than this.
    pub max_result_bytes: usize,
}

impl Bounds {
    /// The bounds of a deployment that keeps results for `retention`.
    #[must_use]
    pub fn new(retention: Duration) -> Self {
        Self {
            result_ttl: retention,
            payload_ttl: retention.min(DAY),
            pending_ttl: Duration::from_secs(3600),
            max_dead_letters: 1000,
            max_attempts: 5,
            max_worker_deaths: 3,
            max_envelope_bytes: 16 * 1024,
            max_queued_bytes: 256 * 1024 * 1024,
            max_memory_percent: 80,
            large_job_bytes: 64 * 1024,
            max_result_bytes: 64 * 1024 * 1024,
        }
    }

    /// Bytes of text that jobs may have with this one, so that it is accepted although others wait. Refreshes fill no more than half of the
    /// bound, and leave the rest to the jobs that go before them.
    pub(super) const fn max_queued_bytes_with(&self, envelope: &Envelope) -> u64 {
        if envelope.refresh {
            self.max_queued_bytes / 2
        } else {
            self.max_queued_bytes
        }
    }

    /// Refuses a result of more bytes than are stored.
    pub(super) fn check_result(&self, bytes: usize) -> Result<(), StoreError> {
        let max = self.max_result_bytes;
        if bytes > max {
            let cause = format!("its result has {bytes} bytes, at most {max} are stored");
            return Err(StoreError::other("finish a job", cause));
        }
        Ok(())
    }
}

/// Intervals, time limits and delays.
#[derive(Debug, Clone)]
pub struct Timing {
    /// How long a claim waits for a job, in whole milliseconds.
    pub claim_wait: Duration,
    /// Time between two heartbeats of a worker.
    pub heartbeat_interval: Duration,
    /// A worker counts as dead when its last heartbeat is older. Five intervals: a busy machine misses one or two.
    pub stale_after: Duration,
    /// Time between two looks for dead workers and due retries; up to a fifth less, at random.
    pub reap_interval: Duration,
    /// How long a dead worker's list is still checked for jobs.
    pub forget_after: Duration,
    /// Delay before a second attempt; it doubles with each further one.
    pub first_retry_delay: Duration,
    /// Longest delay before a further attempt.
    pub max_retry_delay: Duration,
    /// How long running jobs may go on when the worker stops.
    pub shutdown_grace: Duration,
    /// How long after its deadline a job's thread may go on without a look at the clock.
    pub stuck_after: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            claim_wait: Duration::from_secs(5),
            heartbeat_interval: Duration::from_secs(3),
            stale_after: Duration::from_secs(15),
            reap_interval: Duration::from_secs(5),
            forget_after: Duration::from_secs(3600),
            first_retry_delay: Duration::from_secs(2),
            max_retry_delay: Duration::from_secs(60),
            shutdown_grace: Duration::from_secs(20),
            stuck_after: Duration::from_secs(30),
        }
    }
}

/// A duration in whole milliseconds.
pub(super) fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
