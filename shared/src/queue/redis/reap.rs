//! Reaps dead workers: moves what they hold back to the queue; and repairs the count of the queue's text.

use redis::cmd;

use super::scripts;
use super::work_queue::RedisWorkQueue;
use crate::queue::dead_letter;
use crate::queue::limits::ms;
use crate::redis::{Retry, unix_ms};
use crate::store::StoreError;

/// How many jobs are looked at to count their text anew; so many take Redis a few milliseconds.
const MAX_RECOUNTED: usize = 1000;

/// A registered worker.
pub(super) struct RegisteredWorker {
    pub(super) id: String,
    /// Whether its last heartbeat is too old, or in the future. [`RedisWorkQueue::reap_worker`] checks again.
    pub(super) is_stale: bool,
}

impl RedisWorkQueue {
    /// Empties the list of one worker, if it is dead. Returns how many jobs went back to the queue, and how many to the dead-letter list.
    pub(super) async fn reap_worker(&self, worker: &str) -> Result<(u64, u64), StoreError> {
        let reason = format!(
            "{} workers died or stalled while they held it",
            self.bounds.max_worker_deaths
        );
        let mut script = scripts::REAP.key(self.keys.workers());
        script
            .key(self.keys.worker_info())
            .key(self.keys.active(worker))
            .key(self.keys.jobs())
            .key(self.keys.dead())
            .key(self.keys.crashes())
            .key(self.keys.attempts())
            .key(self.keys.stats())
            .arg(worker)
            .arg(ms(self.timing.stale_after))
            .arg(ms(self.timing.forget_after))
            .arg(self.bounds.max_worker_deaths)
            .arg(self.bounds.max_dead_letters)
            .arg(dead_letter::entry_head(&reason, worker));
        self.pool
            .query("take back a dead worker's jobs", Retry::Once, &script)
            .await
    }

    /// All registered workers.
    pub(super) async fn registered_workers(&self) -> Result<Vec<RegisteredWorker>, StoreError> {
        let mut read = redis::pipe();
        read.add_command(cmd("TIME"))
            .zrange_withscores(self.keys.workers(), 0, -1);
        let reply = self.pool.query("look for dead workers", Retry::Once, &read);
        let (time, scores): (_, Vec<(String, f64)>) = reply.await?;
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds fit for 285,000 years"
        )]
        let (now, stale) = (unix_ms(time) as f64, ms(self.timing.stale_after) as f64);
        let workers = scores.into_iter().map(|(id, score)| RegisteredWorker {
            is_stale: id != self.id() && (now - score >= stale || score > now),
            id,
        });
        Ok(workers.collect())
    }

    /// Repairs the count of the text that jobs have which are not done, where something else has changed the lists or the count. Leaves it
    /// where other workers than these are registered by now.
    pub(super) async fn recount_queued_bytes(
        &self,
        workers: &[RegisteredWorker],
    ) -> Result<(), StoreError> {
        let mut script = scripts::RECOUNT.key(self.keys.jobs());
        script
            .key(self.keys.refresh_jobs())
            .key(self.keys.delayed())
            .key(self.keys.stats())
            .key(self.keys.workers())
            .arg(MAX_RECOUNTED)
            .arg(self.bounds.max_envelope_bytes);
        for worker in workers {
            script.key(self.keys.active(&worker.id)).arg(&worker.id);
        }
        let operation = "count the text of the queue's jobs";
        let repaired: bool = self.pool.query(operation, Retry::Once, &script).await?;
        if repaired {
            tracing::debug!("the count of the queue's text was wrong and is right again");
        }
        Ok(())
    }
}
