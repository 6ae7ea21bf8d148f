//! Takes back what dead workers hold.

use redis::cmd;

use super::scripts;
use super::work_queue::RedisWorkQueue;
use crate::queue::dead_letter;
use crate::queue::limits::ms;
use crate::store::StoreError;

impl RedisWorkQueue {
    /// Empties the list of one worker, if it is dead; how many jobs went back and how many were buried.
    pub(super) async fn reap_one(&self, worker: &str) -> Result<(u64, u64), StoreError> {
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
            .arg(dead_letter::head(&reason, worker));
        self.pool
            .run("take back a dead worker's jobs", &script)
            .await
    }

    /// Workers whose heartbeat is old, or from a time that is yet to come. The script looks again.
    pub(super) async fn suspects(&self) -> Result<Vec<String>, StoreError> {
        let mut look = redis::pipe();
        look.add_command(cmd("TIME"))
            .zrange_withscores(self.keys.workers(), 0, -1);
        let looked = self
            .pool
            .repeat("look for dead workers", async |mut connection| {
                look.query_async(&mut connection).await
            });
        let ((seconds, micros), scores): ((u64, u64), Vec<(String, f64)>) = looked.await?;
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds fit for 285,000 years"
        )]
        let (now, stale) = (
            (seconds * 1000 + micros / 1000) as f64,
            ms(self.timing.stale_after) as f64,
        );
        Ok(scores
            .into_iter()
            .filter(|(worker, score)| worker != self.id() && (now - score >= stale || *score > now))
            .map(|(worker, _)| worker)
            .collect())
    }
}
