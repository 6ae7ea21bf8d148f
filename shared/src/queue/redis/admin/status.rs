//! How much is where, and who works.

use std::collections::HashMap;

use serde::Serialize;

use super::{Paused, QueueAdmin};
use crate::queue::limits::ms;
use crate::queue::redis::job_queue::totals;
use crate::queue::redis::{WorkerInfo, scripts};
use crate::queue::{Depth, Totals};
use crate::store::StoreError;

const OPERATION: &str = "read the queue's state";

/// The queue at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueueStatus {
    /// When: milliseconds since 1970 by Redis's clock.
    pub at: u64,
    /// How many jobs are where.
    #[serde(flatten)]
    pub depth: Depth,
    /// How long ago the job was pushed that is claimed next, in milliseconds; none where none waits, or what waits is no job.
    pub oldest_ms: Option<u64>,
    /// Bytes of text in the payloads of jobs that are not done, as the queue's bound counts them: anew whenever nothing waits.
    pub queued_bytes: u64,
    /// The pause, if it is on.
    pub paused: Option<Paused>,
    /// What has become of jobs so far.
    pub totals: Totals,
    /// Every worker that is known, by its id.
    pub workers: Vec<WorkerStatus>,
}

/// A worker as the queue knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkerStatus {
    /// Its id, as in the name of its active list.
    pub id: String,
    /// What it said of itself.
    #[serde(flatten)]
    pub info: Option<WorkerInfo>,
    /// How long ago its last heartbeat came, in milliseconds.
    pub heartbeat_ms: u64,
    /// Whether that is short enough. If not, its jobs are taken back from it.
    pub alive: bool,
    /// How many jobs it holds.
    pub holds: u64,
}

/// What the script returns.
type StatusReply = (
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
    /// How much is where, and who works.
    ///
    /// # Errors
    /// When the queue can't be reached.
    pub async fn status(&self) -> Result<QueueStatus, StoreError> {
        let (scores, infos) = self.known_workers().await?;
        let mut script = scripts::STATUS.key(self.keys.jobs());
        script
            .key(self.keys.delayed())
            .key(self.keys.dead())
            .key(self.keys.stats())
            .key(self.keys.paused());
        for (worker, _) in &scores {
            script.key(self.keys.active(worker));
        }
        let (at, waiting, delayed, dead, counters, paused, next, holds): StatusReply =
            self.pool.run(OPERATION, &script).await?;
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
                active: holds.iter().sum(),
                delayed,
                dead,
            },
            oldest_ms: pushed.map(|pushed| at.saturating_sub(pushed)),
            queued_bytes: counters
                .get("queued_bytes")
                .and_then(|bytes| u64::try_from(*bytes).ok())
                .unwrap_or(0),
            paused: paused.map(|value| Paused::read(&value, at)),
            totals: totals(&counters),
            workers: workers.collect(),
        })
    }

    /// Every worker with its last heartbeat, and what they said of themselves.
    async fn known_workers(
        &self,
    ) -> Result<(Vec<(String, u64)>, HashMap<String, Vec<u8>>), StoreError> {
        let mut both = redis::pipe();
        both.zrange_withscores(self.keys.workers(), 0, -1)
            .hgetall(self.keys.worker_info());
        let both = &both;
        let (scores, infos): (Vec<(String, f64)>, _) = self
            .pool
            .repeat(OPERATION, |mut connection| async move {
                both.query_async(&mut connection).await
            })
            .await?;
        let mut scores: Vec<_> = scores
            .into_iter()
            .map(|(worker, score)| (worker, whole(score)))
            .collect();
        scores.sort();
        Ok((scores, infos))
    }
}

/// A score that is a time in milliseconds.
pub(super) fn whole(score: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float beyond the range becomes its end"
    )]
    {
        score as u64
    }
}

/// The counters; what a hand has put there that is no number counts as none.
fn numbers(counters: &HashMap<String, Vec<u8>>) -> HashMap<String, i64> {
    let number = |text: &Vec<u8>| std::str::from_utf8(text).ok()?.parse().ok();
    counters
        .iter()
        .filter_map(|(name, text)| Some((name.clone(), number(text)?)))
        .collect()
}
