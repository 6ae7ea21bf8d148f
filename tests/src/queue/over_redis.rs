//! Both sides of a queue over a test's Redis.

use std::sync::Arc;
use std::time::Duration;

use headroom_shared::contract::keys::Keys;
use headroom_shared::queue::redis::operator::Operator;
use headroom_shared::queue::redis::{RedisQueue, RedisWork, WorkerInfo, pool};
use headroom_shared::queue::{Bounds, Depth, JobQueue, Timing, Totals};
use headroom_shared::runtime::config::RedisUrl;

use crate::redis_server::RedisServer;

impl RedisServer {
    /// Offers jobs.
    pub fn producer(&self, max_queue: u64) -> RedisQueue {
        let url: RedisUrl = self.url().parse().unwrap();
        RedisQueue::new(pool(&url, &keys()), keys(), max_queue, bounds())
    }

    /// Takes jobs.
    pub fn worker(&self, timing: Timing) -> Arc<RedisWork> {
        worker_at(&self.url(), timing)
    }

    /// Looks into the queue and sets it right.
    pub fn operator(&self) -> Operator {
        let url: RedisUrl = self.url().parse().unwrap();
        let pool = pool(&url, &keys());
        Operator::new(pool, keys(), bounds(), Timing::default())
    }

    /// What the queue counts, asked anew.
    pub async fn counts(&self) -> (Depth, Totals) {
        self.producer(0).counts().await.unwrap()
    }
}

/// The queue of a worker that reaches Redis by this URL.
pub fn worker_at(url: &str, timing: Timing) -> Arc<RedisWork> {
    let url: RedisUrl = url.parse().unwrap();
    let info = WorkerInfo {
        host: "test".to_owned(),
        pid: std::process::id(),
        threads: 1,
        version: "0".to_owned(),
        started: 0,
    };
    let pool = pool(&url, &keys());
    Arc::new(RedisWork::new(pool, keys(), &info, bounds(), timing))
}

/// The names of the keys in Redis.
pub fn keys() -> Keys {
    Keys::new("headroom")
}

/// An hour's retention.
pub fn bounds() -> Bounds {
    Bounds::new(Duration::from_secs(3600))
}
