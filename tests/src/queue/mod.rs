//! What only the suites of the queue and the worker share: jobs, results, and who makes them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod hand;
pub mod jobs;
pub mod memory;
pub mod over_redis;
pub mod running;
pub mod watch;
pub mod workers;

use std::time::Duration;

/// Long enough for a step of the queue on a busy machine, where nothing else is promised.
pub const SOON: Duration = Duration::from_secs(10);
