//! What bounds the queue in space and time. None of it is a setting: the values fit each other.

use std::time::Duration;

use crate::store::StoreError;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// How much of everything there may be.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Life of compressed prefixes and forms since they were written.
    pub results_live: Duration,
    /// Life of a payload. A job that waits longer is buried.
    pub payloads_live: Duration,
    /// How long an offer of the same prefix may coalesce with a waiting job. It bounds the harm of an envelope that was
    /// lost, for instance by a hand: until then its prefix can't be queued again.
    pub pending_lives: Duration,
    /// Length of the dead list.
    pub dead: u32,
    /// Attempts that a job has when it fails for passing reasons.
    pub attempts: u32,
    /// Worker deaths after which a job that was held at each of them is buried.
    pub deaths: u32,
    /// Longest envelope, in bytes.
    pub envelope_bytes: usize,
    /// Bytes of text that may wait, about: what is in work counts too, unless nothing waited since it was taken. A job that finds
    /// nothing waiting is taken whatever its size.
    pub queued_bytes: u64,
    /// How full Redis may be, in percent of its `maxmemory`, for a job of [`Self::large_bytes`] to be taken: what is left is for
    /// results, records and heartbeats.
    pub memory_percent: u64,
    /// Bytes of text from which a job counts as large.
    pub large_bytes: u64,
    /// Bytes of a result: the compressed prefix and its forms. A larger one is not stored, and its job is buried. Redis takes
    /// half a gigabyte at once, and a body of the default limit makes less than this.
    pub result_bytes: usize,
}

impl Bounds {
    /// The bounds of a deployment that keeps results for `retention`.
    #[must_use]
    pub fn new(retention: Duration) -> Self {
        Self {
            results_live: retention,
            payloads_live: retention.min(DAY),
            pending_lives: Duration::from_secs(3600),
            dead: 1000,
            attempts: 5,
            deaths: 3,
            envelope_bytes: 16 * 1024,
            queued_bytes: 256 * 1024 * 1024,
            memory_percent: 80,
            large_bytes: 64 * 1024,
            result_bytes: 64 * 1024 * 1024,
        }
    }

    /// Refuses a result of more bytes than are stored.
    pub(super) fn check_result(&self, bytes: usize) -> Result<(), StoreError> {
        let most = self.result_bytes;
        if bytes > most {
            let cause = format!("its result has {bytes} bytes, at most {most} are stored");
            return Err(StoreError::other("finish a job", cause));
        }
        Ok(())
    }
}

/// How long everything takes.
#[derive(Debug, Clone)]
pub struct Timing {
    /// How long a claim waits for a job, in whole milliseconds.
    pub claim: Duration,
    /// Between two heartbeats of a worker.
    pub beat: Duration,
    /// A worker is taken for dead when its last heartbeat is older. Five beats: a busy machine misses one or two.
    pub stale: Duration,
    /// Between two looks for dead workers and due retries, give or take a fifth.
    pub reap: Duration,
    /// How long a dead worker's list is still looked into.
    pub forget: Duration,
    /// Delay before a second attempt; it doubles with each further one.
    pub retry: Duration,
    /// Longest delay before a further attempt.
    pub retry_most: Duration,
    /// How long running jobs may go on when the worker is told to stop.
    pub grace: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            claim: Duration::from_secs(5),
            beat: Duration::from_secs(3),
            stale: Duration::from_secs(15),
            reap: Duration::from_secs(5),
            forget: Duration::from_secs(3600),
            retry: Duration::from_secs(2),
            retry_most: Duration::from_secs(60),
            grace: Duration::from_secs(20),
        }
    }
}

/// A time in the whole milliseconds that the queues count in.
pub(super) fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
