//! The queue over Redis lists. The table of keys in `docs/operations.md` says what stands where.
//!
//! | file | what |
//! |---|---|
//! | `requirements` | refuses a Redis that can't hold the queue |
//! | `memory` | how full Redis is |
//! | `producer` | [`RedisJobQueue`]: offers and counts |
//! | `line` | the one connection that blocks until a job comes |
//! | `held` | what this worker knows that it holds, and what it holds without knowing |
//! | `worker` | [`RedisWorkQueue`]: claim, take up, put off, bury, beat, leave |
//! | `finish` | ends a job, and claims the next with it |
//! | [`operator`] | [`QueueAdmin`](operator::QueueAdmin): looks, replays, drops, pauses |
//! | `reap` | takes back what dead workers hold |
//! | `scripts` | every step over several keys, as a script |

pub mod admin;
mod blocking_claim;
mod finish;
mod held_elements;
mod job_queue;
mod memory;
mod reap;
mod requirements;
mod scripts;
mod work_queue;

use std::sync::Arc;
use std::time::Duration;

use crate::contract::keys::Keys;
use crate::redis::RedisPool;
use crate::runtime::config::RedisUrl;

pub use self::job_queue::RedisJobQueue;
pub use self::requirements::{UnmetRequirement, check_requirements};
pub use self::work_queue::{RedisWorkQueue, WorkerInfo};

/// How long an answer may take: enough for the largest payload over a slow line.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The queue's connections to Redis. They are not the store's, so that no large job holds up a request. Must be called within a
/// tokio runtime.
#[must_use]
pub fn pool(url: &RedisUrl, keys: &Keys) -> Arc<RedisPool> {
    RedisPool::new("queue", url, keys, RESPONSE_TIMEOUT)
}
