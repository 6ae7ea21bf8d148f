//! The queue over Redis lists. The table of keys in `docs/operations.md` says what stands where.
//!
//! | file | what |
//! |---|---|
//! | `fit` | refuses a Redis that can't hold the queue |
//! | `pressure` | how full Redis is |
//! | `producer` | [`RedisQueue`]: offers and counts |
//! | `line` | the one connection that blocks until a job comes |
//! | `held` | what this worker knows that it holds, and what it holds without knowing |
//! | `worker` | [`RedisWork`]: claim, take up, put off, bury, beat, leave |
//! | `finish` | ends a job, and claims the next with it |
//! | [`operator`] | [`Operator`](operator::Operator): looks, replays, drops, pauses |
//! | `reap` | takes back what dead workers hold |
//! | `scripts` | every step over several keys, as a script |

mod finish;
mod fit;
mod held;
mod line;
pub mod operator;
mod pressure;
mod producer;
mod reap;
mod scripts;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use crate::contract::keys::Keys;
use crate::redis::RedisPool;
use crate::runtime::config::RedisUrl;

pub use self::fit::{Unfit, refuse_unfit};
pub use self::producer::RedisQueue;
pub use self::worker::{RedisWork, WorkerInfo};

/// How long an answer may take: enough for the largest payload over a slow line.
const ANSWER: Duration = Duration::from_secs(5);

/// The queue's connections to Redis. They are not the store's, so that no large job holds up a request. Must be called within a
/// tokio runtime.
#[must_use]
pub fn pool(url: &RedisUrl, keys: &Keys) -> Arc<RedisPool> {
    RedisPool::new("queue", url, keys, ANSWER)
}
