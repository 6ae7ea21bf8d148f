//! How many jobs are in each state, and which workers there are.

use std::collections::HashMap;

use super::{QueueAdmin, pause};
use crate::queue::limits::ms;
use crate::queue::redis::job_queue::totals;
use crate::queue::redis::scripts;
use crate::queue::{Depth, QueueStatus, WorkerStatus};
use crate::redis::Retry;
use crate::store::StoreError;

const OPERATION: &str = "read the queue's state";

/// What the script returns.
type StatusReply = (
    u64,
    u64,
    u64,
    u64,
    u64,
    HashMap<String, Vec<u8>>,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Vec<u64>,
);

impl QueueAdmin {
    /// Reads the queue's state.
    ///
    /// # Errors
    /// When the queue can't be reached.
    pub(super) async fn read_status(&self) -> Result<QueueStatus, StoreError> {
        let (scores, infos) = self.registered_workers().await?;
        let mut script = scripts::STATUS.key(self.keys.jobs());
        script
            .key(self.keys.refresh_jobs())
            .key(self.keys.delayed())
            .key(self.keys.dead())
            .key(self.keys.stats())
            .key(self.keys.paused());
        for (worker, _) in &scores {
            script.key(self.keys.active(worker));
        }
        let reply = self.pool.query(OPERATION, Retry::Once, &script);
        let (at, waiting, waiting_refresh, delayed, dead, counters, paused, next, holds): StatusReply =
            reply.await?;
        let counters = numbers(&counters);
        let pushed = next.and_then(|next| Some(self.content(&next).envelope()?.enqueued_ms));
        let workers = scores.into_iter().zip(&holds).map(|((id, score), holds)| {
            let heartbeat_ms = at.saturating_sub(score);
            WorkerStatus {
                info: infos
                    .get(&id)
                    .and_then(|info| serde_json::from_slice(info).ok()),
                id,
                heartbeat_ms,
                alive: heartbeat_ms < ms(self.timing.stale_after),
                holds: *holds,
            }
        });
        Ok(QueueStatus {
            at,
            depth: Depth {
                waiting,
                waiting_refresh,
                active: holds.iter().sum(),
                delayed,
                dead,
            },
            oldest_ms: pushed.map(|pushed| at.saturating_sub(pushed)),
            queued_bytes: counters
                .get("queued_bytes")
                .and_then(|bytes| u64::try_from(*bytes).ok())
                .unwrap_or(0),
            paused: paused.map(|value| pause::read(&value, at)),
            totals: totals(&counters),
            workers: workers.collect(),
        })
    }

    /// Every worker's last heartbeat, and what each says of itself.
    async fn registered_workers(
        &self,
    ) -> Result<(Vec<(String, u64)>, HashMap<String, Vec<u8>>), StoreError> {
        let mut both = redis::pipe();
        both.zrange_withscores(self.keys.workers(), 0, -1)
            .hgetall(self.keys.worker_info());
        let reply = self.pool.query(OPERATION, Retry::Once, &both);
        let (scores, infos): (Vec<(String, f64)>, _) = reply.await?;
        let mut scores: Vec<_> = scores
            .into_iter()
            .map(|(worker, score)| (worker, score_ms(score)))
            .collect();
        scores.sort();
        Ok((scores, infos))
    }
}

/// A score that is a time in milliseconds.
pub(in crate::queue::redis) fn score_ms(score: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float beyond the range becomes its end"
    )]
    {
        score as u64
    }
}

/// The counters, without those that are no numbers because they were set by hand.
fn numbers(counters: &HashMap<String, Vec<u8>>) -> HashMap<String, i64> {
    let number = |text: &Vec<u8>| std::str::from_utf8(text).ok()?.parse().ok();
    counters
        .iter()
        .filter_map(|(name, text)| Some((name.clone(), number(text)?)))
        .collect()
}
