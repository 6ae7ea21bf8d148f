//! Worker processes on a test's Redis, without a port to ask them on.

use tempfile::TempDir;

use crate::process::Launch;
use crate::redis_server::RedisServer;

/// The real program with so many threads.
pub fn real(redis: &RedisServer, threads: usize) -> Launch {
    Launch::worker(&redis.url())
        .unset("HEADROOM_WORKER_PORT")
        .set("HEADROOM_BACKGROUND_COMPRESSION_WORKERS", threads)
}

/// The worker whose jobs do what they are told, with the real times.
pub fn scripted(redis: &RedisServer, threads: usize) -> Launch {
    real(redis, threads).program("scripted-worker")
}

/// The same ten times as quick.
pub fn quick(redis: &RedisServer, threads: usize) -> Launch {
    scripted(redis, threads).set("SCRIPTED_QUICK", 1)
}

/// What holds up jobs of a scripted worker until a test lets them go.
#[derive(Debug)]
pub struct Latch(TempDir);

impl Latch {
    /// A closed one.
    pub fn closed() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// The text of a job that waits for it.
    pub fn job(&self) -> String {
        format!("until {}", self.0.path().join("open").display())
    }

    /// Whether a job waits for it, or did: a worker may hold one and not have read it yet.
    pub fn is_waited_for(&self) -> bool {
        self.0.path().join("open.waited-for").exists()
    }

    /// Lets all go that wait, and all that come.
    pub fn open(&self) {
        std::fs::write(self.0.path().join("open"), "").unwrap();
    }
}
