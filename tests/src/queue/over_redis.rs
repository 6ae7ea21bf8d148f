//! Both sides of a queue over a test's Redis.

use std::sync::Arc;
use std::time::Duration;

use headroom_shared::contract::keys::Keys;
use headroom_shared::queue::redis::admin::QueueAdmin;
use headroom_shared::queue::redis::{RedisJobQueue, RedisWorkQueue, pool};
use headroom_shared::queue::{Bounds, Depth, JobQueue, Timing, Totals, WorkerInfo};
use headroom_shared::runtime::config::RedisUrl;

use crate::redis_server::RedisServer;

impl RedisServer {
    /// Offers jobs.
    pub fn producer(&self, max_queue: u64) -> RedisJobQueue {
        let url: RedisUrl = self.url().parse().unwrap();
        RedisJobQueue::new(pool(&url, &keys()), keys(), max_queue, bounds())
    }

    /// Takes jobs.
    pub fn worker(&self, timing: Timing) -> Arc<RedisWorkQueue> {
        worker_at(&self.url(), timing)
    }

    /// Looks into the queue and sets it right.
    pub fn operator(&self) -> QueueAdmin {
        let url: RedisUrl = self.url().parse().unwrap();
        let pool = pool(&url, &keys());
        QueueAdmin::new(pool, keys(), bounds(), Timing::default())
    }

    /// What the queue counts, asked anew.
    pub async fn counts(&self) -> (Depth, Totals) {
        self.producer(0).counts().await.unwrap()
    }
}

/// The queue of a worker that reaches Redis by this URL.
pub fn worker_at(url: &str, timing: Timing) -> Arc<RedisWorkQueue> {
    let url: RedisUrl = url.parse().unwrap();
    let info = WorkerInfo {
        host: "test".to_owned(),
        pid: std::process::id(),
        threads: 1,
        version: "0".to_owned(),
        started: 0,
        model: None,
        ending: None,
    };
    let pool = pool(&url, &keys());
    Arc::new(RedisWorkQueue::new(pool, keys(), &info, bounds(), timing))
}

/// The names of the keys in Redis.
pub fn keys() -> Keys {
    Keys::new("headroom")
}

/// An hour's retention.
pub fn bounds() -> Bounds {
    Bounds::new(Duration::from_secs(3600))
}
