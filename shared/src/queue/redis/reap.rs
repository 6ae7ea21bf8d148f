//! Reaps dead workers: moves what they hold back to the queue.

use redis::cmd;

use super::scripts;
use super::work_queue::RedisWorkQueue;
use crate::queue::dead_letter;
use crate::queue::limits::ms;
use crate::redis::{Retry, unix_ms};
use crate::store::StoreError;

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

    /// Workers whose last heartbeat is too old, or in the future. [`Self::reap_worker`] checks again.
    pub(super) async fn stale_workers(&self) -> Result<Vec<String>, StoreError> {
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
        Ok(scores
            .into_iter()
            .filter(|(worker, score)| worker != self.id() && (now - score >= stale || *score > now))
            .map(|(worker, _)| worker)
            .collect())
    }
}
