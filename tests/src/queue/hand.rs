//! `headroom-worker queue` on a test's Redis.

use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use headroom_shared::queue::WorkerInfo;
use headroom_shared::queue::redis::RedisWorkQueue;
use headroom_shared::queue::{Timing, WorkQueue};
use serde_json::Value;

use crate::process::Launch;
use crate::redis_server::RedisServer;

/// What a command ended with.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ended {
    /// The one line with which it failed.
    pub fn one_line(&self, code: i32) -> &str {
        assert_eq!(
            (self.code, self.out.as_str(), self.err.lines().count()),
            (Some(code), "", 1),
            "{self:?}"
        );
        self.err.trim_end()
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

/// A known worker, whose retries come late.
pub async fn registered(redis: &RedisServer) -> Arc<RedisWorkQueue> {
    let worker = redis.worker(Timing {
        first_retry_delay: Duration::from_secs(30),
        ..Timing::default()
    });
    worker.register().await.unwrap();
    worker
}

/// The command with these words after `queue`, for the Redis at `url`.
pub fn queue_at(url: &str, words: &str) -> Launch {
    let words: Vec<&str> = words.split_whitespace().collect();
    Launch::worker(url).args(&["queue"]).args(&words)
}

impl RedisServer {
    /// Runs `headroom-worker queue` with these words.
    pub async fn queue(&self, words: &str) -> Ended {
        queue_at(&self.url(), words).run().await.into()
    }

    /// What it prints when it does what it is told.
    pub async fn queue_text(&self, words: &str) -> String {
        let ended = self.queue(words).await;
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
        ended.out
    }

    /// The same as the one line of JSON that it is.
    pub async fn queue_json(&self, words: &str) -> Value {
        let text = self.queue_text(&format!("{words} --json")).await;
        assert_eq!(text.lines().count(), 1, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Makes a worker known whose last heartbeat came long ago.
    pub async fn dead_worker(&self, id: &str) {
        let info = serde_json::to_string(&WorkerInfo {
            host: "gone".to_owned(),
            pid: 7,
            threads: 3,
            version: "9".to_owned(),
            started: 1,
            model: None,
            ending: None,
        });
        let describe = ["HSET", "headroom:worker-info", id, &info.unwrap()];
        let _: u64 = self.command(&describe).await;
        let beat = ["ZADD", "headroom:workers", "1", id];
        let _: u64 = self.command(&beat).await;
    }
}
