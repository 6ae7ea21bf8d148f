//! What an operator does with the queue: status, list, dead letters, replay, drop, pause, resume.
//!
//! | file | what |
//! |---|---|
//! | here | [`QueueAdmin`] |
//! | `status` | how many jobs are in each state, and which workers there are |
//! | `jobs` | lists the jobs that are not done |
//! | `dead_letters`, `replay` | lists the dead letters, and moves them back to the queue |
//! | `drop` | deletes a job |
//! | `pause` | stops claims, and lets them go on |
//!
//! It works on the keys that `redis-cli` shows, and each step that changes something is one script, so that it may run beside any
//! number of workers.

mod dead_letters;
mod drop;
mod jobs;
mod pause;
mod replay;
mod status;

use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;

pub(super) use self::status::score_ms;
use crate::contract::keys::Keys;
use crate::queue::{
    AdminQueue, Bounds, Content, DeadLetters, DropError, DroppedFrom, JobList, QueueStatus,
    ReplayOutcome, Timing,
};
use crate::redis::{RedisPool, Retry};
use crate::store::StoreError;

/// An operator's access to the queue.
#[derive(Debug)]
pub struct QueueAdmin {
    pool: Arc<RedisPool>,
    keys: Keys,
    bounds: Bounds,
    timing: Timing,
}

impl QueueAdmin {
    /// The queue under these keys.
    #[must_use]
    pub fn new(pool: Arc<RedisPool>, keys: Keys, bounds: Bounds, timing: Timing) -> Self {
        Self {
            pool,
            keys,
            bounds,
            timing,
        }
    }

    fn content(&self, element: &[u8]) -> Content {
        Content::of(element, self.bounds.max_envelope_bytes)
    }

    /// The ids of all registered workers: dead ones too, as long as their lists are checked for jobs.
    async fn workers(&self) -> Result<Vec<String>, StoreError> {
        let range = redis::cmd("ZRANGE")
            .arg(self.keys.workers())
            .arg(0)
            .arg(-1)
            .to_owned();
        self.pool
            .query("look for workers", Retry::Once, &range)
            .await
    }
}

#[async_trait]
impl AdminQueue for QueueAdmin {
    async fn status(&self) -> Result<QueueStatus, StoreError> {
        self.read_status().await
    }

    async fn list(&self, limit: NonZeroU32) -> Result<JobList, StoreError> {
        self.list_jobs(limit).await
    }

    async fn dead_letters(&self, limit: NonZeroU32) -> Result<DeadLetters, StoreError> {
        self.read_dead_letters(limit).await
    }

    async fn replay(&self, id: &str) -> Result<ReplayOutcome, StoreError> {
        self.replay_one(id).await
    }

    async fn drop_job(&self, id: &str) -> Result<DroppedFrom, DropError> {
        self.remove_job(id).await
    }
}
