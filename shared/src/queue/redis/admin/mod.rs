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

use std::sync::Arc;

use serde::Serialize;

pub use self::dead_letters::{DeadLetter, DeadLetters};
pub use self::drop::{DropError, DroppedFrom};
pub use self::jobs::{JobList, JobState, ListedJob};
pub use self::pause::Paused;
pub use self::replay::{ReplayOutcome, ReplayRefusal};
pub(super) use self::status::score_ms;
pub use self::status::{QueueStatus, WorkerStatus};
use crate::contract::job::Envelope;
use crate::contract::keys::Keys;
use crate::queue::{Bounds, Element, Timing, element};
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

/// What an element of the queue holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Content {
    /// A job's envelope.
    Envelope(Envelope),
    /// Something else, which has no id: a worker moves it to the dead-letter list.
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
