//! What is easily done wrong about a wait for a job: waiting no longer than the client does by itself, and staying on a
//! connection, or with a server, that is of no more use.

use std::time::Duration;

use headroom_tests::queue::SOON;
use headroom_tests::queue::jobs::TEXT;
use headroom_tests::queue::watch::{done, empty, idle, offer};
use headroom_tests::queue::workers::Latch;
use headroom_tests::redis_server::RedisServer;
use headroom_tests::wait::until;

use super::{ready, worker};

/// The connection that waits for a job: its id at the server, and for how many seconds it has waited.
async fn waiting(redis: &RedisServer) -> Option<(u64, u64)> {
    let clients: String = redis.command(&["CLIENT", "LIST"]).await;
    let client = clients.lines().find(|client| client.contains("flags=b"))?;
    let number = |name: &str| {
        let value = client
            .split(' ')
            .find_map(|field| field.strip_prefix(name))?;
        value.parse().ok()
    };
    Some((number("id=")?, number("idle=")?))
}

#[tokio::test]
async fn an_idle_worker_waits_on_one_connection_for_longer_than_the_client_would_by_itself() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let mut worker = worker(&redis, 1).await;
    idle(&redis).await;
    let (id, _) = waiting(&redis).await.unwrap();
    until("it has waited for seconds", SOON, async || {
        waiting(&redis).await.is_some_and(|(_, idle)| idle >= 3)
    })
    .await;
    // The wait has ended at the server, and begins again.
    until("it waits anew", SOON, async || {
        waiting(&redis).await.is_some_and(|(_, idle)| idle < 3)
    })
    .await;
    assert_eq!(waiting(&redis).await.unwrap().0, id);
    offer(&producer, 1, TEXT).await;
    done(&producer, 1).await;
    empty(&redis).await;
    assert_eq!(worker.whole_log().await.matches("trouble").count(), 0);
}

#[tokio::test]
async fn a_redis_that_becomes_a_replica_is_waited_for() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let worker = worker(&redis, 1).await;
    idle(&redis).await;
    let _: () = redis.command(&["REPLICAOF", "127.0.0.1", "1"]).await;
    let reason = ready(&worker, 503).await;
    assert!(
        reason.contains("READONLY") || reason.contains("UNBLOCKED"),
        "{reason}"
    );
    let _: () = redis.command(&["REPLICAOF", "NO", "ONE"]).await;
    ready(&worker, 200).await;
    offer(&producer, 1, TEXT).await;
    done(&producer, 1).await;
    empty(&redis).await;
}

/// Longer than a worker offers a result before it tries to put its job off.
const OUTAGE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_worker_is_ready_again_after_an_outage_at_the_end_of_its_job() {
    let mut redis = RedisServer::persistent().await;
    let latch = Latch::closed();
    offer(&redis.producer(10), 1, &latch.job()).await;
    let worker = worker(&redis, 1).await;
    until("in work", SOON, async || latch.is_waited_for()).await;
    redis.kill();
    latch.open();
    let reason = ready(&worker, 503).await;
    tokio::time::sleep(OUTAGE).await;
    redis.start_again().await;
    assert_eq!(ready(&worker, 200).await, "ok\n", "{reason}");
    done(&redis.producer(10), 1).await;
    assert_eq!(ready(&worker, 200).await, "ok\n", "{reason}");
    empty(&redis).await;
}
