//! Results that are too large to be stored.

use std::sync::Arc;
use std::time::Duration;

use headroom_shared::compress::Deadline;
use headroom_shared::contract::id::BlockId;
use headroom_shared::contract::prefix::Form;
use headroom_shared::queue::{Finished, Job, Timing, WorkQueue};
use headroom_tests::queue::jobs::{TEXT, prefix};
use headroom_tests::queue::over_redis::{bounds, keys};
use headroom_tests::queue::running::Running;
use headroom_tests::queue::watch::{buried, claim, done, finish, offer, stored};
use headroom_tests::redis_server::RedisServer;
use headroom_tests::wait::until;
use headroom_worker::pool::JobHandler;
use headroom_worker::process;

/// Work whose result for the first prefix has so many bytes more than it needs.
fn swollen(bytes: usize) -> JobHandler {
    Arc::new(move |job: &Job, deadline| {
        let mut made = process::process(&job.payload, deadline)?;
        if job.envelope.prefix == prefix(1) {
            let form = Form::new(BlockId::from_bytes([9; 16]), &"x".repeat(bytes));
            made.forms.push(form);
        }
        Ok(made)
    })
}

#[tokio::test]
async fn a_result_that_is_too_large_is_buried_and_its_neighbours_are_done() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let most = bounds().max_result_bytes;
    let worker = redis.worker(Timing::default());
    let running = Running::start(worker, "1", Timing::default(), swollen(most));
    for number in 1..=3 {
        offer(&producer, number, TEXT).await;
    }
    done(&producer, 2).await;
    running.stop().await;
    let entries = buried(&redis).await;
    let reason = format!("bytes, at most {most} are stored");
    assert!(
        entries.len() == 1 && entries[0].contains(&reason),
        "{entries:?}"
    );
    assert!(stored(&redis, 1).await.is_none());
    assert_eq!(redis.counts().await.1.dead, 1);
}

/// A Redis may take less at once than it usually does, or less than it says.
#[tokio::test]
async fn a_result_that_redis_never_takes_is_buried_in_the_end_and_its_neighbours_are_done() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let small = ["CONFIG", "SET", "proto-max-bulk-len", "1mb"];
    let _: () = redis.command(&small).await;
    let timing = Timing {
        reap_interval: Duration::from_millis(50),
        first_retry_delay: Duration::from_millis(20),
        ..Timing::default()
    };
    let worker = redis.worker(timing.clone());
    let running = Running::start(worker, "1", timing, swollen(2 << 20));
    for number in 1..=3 {
        offer(&producer, number, TEXT).await;
    }
    let limit = Duration::from_secs(60);
    until("two are done and one is buried", limit, async || {
        let totals = redis.counts().await.1;
        (totals.done, totals.dead) == (2, 1)
    })
    .await;
    running.stop().await;
    let entries = buried(&redis).await;
    assert!(
        entries[0].contains("its result could not be stored"),
        "{entries:?}"
    );
    let depth = redis.counts().await.0;
    assert_eq!((depth.waiting, depth.active, depth.delayed), (0, 0, 0));
}

/// A large result does not go by way of the script that ends its job, unless nothing else has room for it.
#[tokio::test]
async fn a_large_result_is_taken_even_by_a_full_redis() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let worker = redis.worker(Timing::default());
    worker.register().await.unwrap();
    for (number, full) in [(1, "0"), (2, "1")] {
        offer(&producer, number, TEXT).await;
        let job = claim(&*worker).await;
        let mut made = process::process(&job.payload, Deadline::NEVER).unwrap();
        let form = Form::new(BlockId::from_bytes([number; 16]), &"x".repeat(1 << 20));
        made.forms.push(form.clone());
        let _: () = redis.command(&["CONFIG", "SET", "maxmemory", full]).await;
        assert_eq!(finish(&*worker, &job, &made).await, Finished::Done);
        let text: String = redis.command(&["GET", &keys().form(form.id)]).await;
        assert_eq!(text, form.text);
        assert_eq!(stored(&redis, number).await, Some(made.compressed));
    }
}
