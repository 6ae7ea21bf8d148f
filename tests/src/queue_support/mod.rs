//! What the suites of the queue and the worker share.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod breakable;
pub mod jobs;
pub mod memory;
pub mod processes;
pub mod running;
pub mod server;
pub mod watch;

use std::time::{Duration, Instant};

/// Polls until `done` says so.
pub async fn until<F: Future<Output = bool>>(what: &str, most: Duration, done: impl Fn() -> F) {
    let since = Instant::now();
    while !done().await {
        assert!(since.elapsed() < most, "not within {most:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Long enough for anything that should come soon on a busy machine.
pub const SOON: Duration = Duration::from_secs(10);
