//! What the queue must survive without losing its temper: a slow or a full Redis, a clock that jumps, lost notices, and keys
//! and elements that something else has written.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clock;
mod elements;
mod key_types;
mod notices;
mod pressure;
mod results;
mod round_trips;
mod slow;
mod traps;
mod versions;

use headroom_tests::http::Call;
use headroom_tests::process::{Launch, Process};
use headroom_tests::queue::SOON;
use headroom_tests::redis_server::RedisServer;
use headroom_tests::wait::until;

/// A worker with a tenth of the real times, and a port to ask it on.
async fn worker(redis: &RedisServer, threads: usize) -> Process {
    Launch::worker(&redis.url())
        .program("scripted-worker")
        .set("SCRIPTED_QUICK", 1)
        .set("HEADROOM_BACKGROUND_COMPRESSION_WORKERS", threads)
        .start()
        .await
}

/// Waits until `/readyz` has this status, and gives its text.
async fn ready(worker: &Process, status: u16) -> String {
    until("the worker tells whether it is ready", SOON, async || {
        Call::get("/readyz").send(&worker.addr()).await.status() == status
    })
    .await;
    let answer = Call::get("/readyz").send(&worker.addr()).await;
    String::from_utf8(answer.bytes().await.to_vec()).unwrap()
}
