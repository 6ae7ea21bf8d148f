//! The operator's hand: looks into the queue, brings buried jobs back, takes jobs out, stops claims and lets them go on.
//!
//! | file | what |
//! |---|---|
//! | here | [`QueueAdmin`] |
//! | `status` | how much is where, and who works |
//! | `jobs` | the jobs that are not done |
//! | `buried`, `replay` | the dead list, and the way back from it |
//! | `drop_job` | takes a job out of the queue |
//! | `pause` | stops claims, and lets them go on |
//!
//! It works on the keys that `redis-cli` shows, and each step that changes something is one script, so that it may race with
//! any number of workers.

mod dead_letters;
mod drop;
mod jobs;
mod pause;
mod replay;
mod status;

use std::sync::Arc;

use serde::Serialize;

pub use self::dead_letters::{DeadLetter, DeadLetters};
pub use self::drop::{DropError, DroppedFrom};
pub use self::jobs::{JobList, JobState, ListedJob};
pub use self::pause::Paused;
pub use self::replay::{ReplayOutcome, ReplayRefusal};
pub use self::status::{QueueStatus, WorkerStatus};
use crate::contract::job::Envelope;
use crate::contract::keys::Keys;
use crate::queue::{Bounds, Element, Timing, element};
use crate::redis::RedisPool;
use crate::store::StoreError;

/// The queue as the person sees it who runs it.
#[derive(Debug)]
pub struct QueueAdmin {
    pool: Arc<RedisPool>,
    keys: Keys,
    bounds: Bounds,
    timing: Timing,
}

/// What stands in an element of the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Content {
    /// A job's envelope.
    Envelope(Envelope),
    /// Something else: a worker buries it, and nobody can name it by an id.
    Unreadable {
        /// What is wrong with it; never its text.
        unreadable: String,
    },
}

impl Content {
    /// The job's id, where it has one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.envelope().map(|envelope| envelope.id.as_str())
    }

    /// The job's envelope, if it is one.
    #[must_use]
    pub const fn envelope(&self) -> Option<&Envelope> {
        match self {
            Self::Envelope(envelope) => Some(envelope),
            Self::Unreadable { .. } => None,
        }
    }
}

impl QueueAdmin {
    /// Runs a script that is not to be repeated by itself: it would not find what it has just moved.
    async fn once<T: redis::FromRedisValue>(
        &self,
        what: &'static str,
        script: &redis::ScriptInvocation<'_>,
    ) -> Result<T, StoreError> {
        self.pool
            .call(what, |mut connection| async move {
                script.invoke_async(&mut connection).await
            })
            .await
    }

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
        let element = Element::new(element.to_vec().into());
        match element::parse(&element, self.bounds.max_envelope_bytes) {
            Ok(envelope) => Content::Envelope(envelope),
            Err(unreadable) => Content::Unreadable { unreadable },
        }
    }

    /// The ids of all workers that are known, dead ones too as long as they are looked into.
    async fn workers(&self) -> Result<Vec<String>, StoreError> {
        let range = redis::cmd("ZRANGE")
            .arg(self.keys.workers())
            .arg(0)
            .arg(-1)
            .to_owned();
        let range = &range;
        self.pool
            .repeat("look for workers", |mut connection| async move {
                range.query_async(&mut connection).await
            })
            .await
    }
}
