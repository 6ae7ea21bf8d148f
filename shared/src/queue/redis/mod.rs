//! The queue over Redis lists. `docs/operations.md` has the table of its keys.
//!
//! | file | what |
//! |---|---|
//! | `job_queue` | [`RedisJobQueue`]: pushes jobs, and counts them |
//! | `capacity` | which workers are alive, and how much they have to do |
//! | `work_queue` | [`RedisWorkQueue`]: claims, loads and retries jobs, sends heartbeats |
//! | `finish`, `reap` | more of it: acknowledges a job and claims the next; takes back what dead workers hold |
//! | `blocking_claim` | the one connection that blocks until a job comes |
//! | `held_elements` | the elements that a worker holds, and those of claims whose reply was lost |
//! | [`admin`] | [`QueueAdmin`](admin::QueueAdmin): what an operator does: status, list, replay, drop, pause |
//! | `requirements` | refuses a Redis that is too old or evicts keys |
//! | `diagnosis` | what an operator wants to know of a Redis: memory, clock, rights |
//! | `memory` | how full Redis is |
//! | `scripts` | the Lua scripts: every step over several keys is one |
//!
//! Jobs wait in `headroom:jobs`, refreshes that have never been claimed in `headroom:jobs:refresh`. A claim first tries both lists in this
//! order, by one script that does not wait, and then blocks on `headroom:jobs` alone: so an idle worker takes a refresh that comes during
//! its wait when the wait is over, [`claim_wait`](crate::queue::Timing::claim_wait) later at most. The script that acknowledges a job tries
//! both likewise. All scripts that put a claimed element back put it into `headroom:jobs`, so that it is claimed at once.

pub mod admin;
mod blocking_claim;
mod capacity;
mod diagnosis;
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

pub use self::diagnosis::{Diagnosis, diagnose};
pub use self::job_queue::RedisJobQueue;
pub use self::requirements::{UnmetRequirement, check_requirements};
pub use self::work_queue::RedisWorkQueue;

/// The payload of a job that was withdrawn when a worker had it already. `finish.lua` knows it, too.
const WITHDRAWN: &str = "withdrawn";

/// How long a response may take: enough for the largest payload over a slow line.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The queue's connections to Redis. They are not the store's, so that no large job holds up a request. Must be called within a
/// tokio runtime.
#[must_use]
pub fn pool(url: &RedisUrl, keys: &Keys) -> Arc<RedisPool> {
    RedisPool::new("queue", url, keys, RESPONSE_TIMEOUT)
}
