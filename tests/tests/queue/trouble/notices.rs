//! Notices of finished jobs get lost, and nothing but time is lost with them.

use futures_util::StreamExt as _;
use headroom_shared::queue::Timing;
use headroom_tests::queue::SOON;
use headroom_tests::queue::jobs::{TEXT, prefix};
use headroom_tests::queue::over_redis::{keys, worker_at};
use headroom_tests::queue::running::Running;
use headroom_tests::queue::watch::{done, empty, offer, stored};
use headroom_tests::queue::workers::real;
use headroom_tests::redis_server::RedisServer;
use headroom_worker::process;
use redis::aio::PubSub;

async fn subscribed(redis: &RedisServer) -> PubSub {
    let client = redis::Client::open(redis.url()).unwrap();
    let mut notices = client.get_async_pubsub().await.unwrap();
    notices.subscribe(keys().done()).await.unwrap();
    notices
}

#[tokio::test]
async fn a_subscriber_that_is_cut_off_finds_the_result_when_it_is_back() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let mut notices = subscribed(&redis).await;
    let killed: u64 = redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    assert_eq!(killed, 1);
    let end = tokio::time::timeout(SOON, notices.on_message().next()).await;
    assert!(end.unwrap().is_none(), "its connection has ended");

    let _worker = real(&redis, 1).spawn();
    offer(&producer, 1, TEXT).await;
    done(&producer, 1).await;
    // Subscribed first and read then, it can't miss what comes between the two.
    let mut notices = subscribed(&redis).await;
    assert!(stored(&redis, 1).await.is_some());
    offer(&producer, 2, TEXT).await;
    let notice = tokio::time::timeout(SOON, notices.on_message().next()).await;
    let announced: String = notice.unwrap().unwrap().get_payload().unwrap();
    assert_eq!(announced, prefix(2).to_string());
    done(&producer, 2).await;
    empty(&redis).await;
}

#[tokio::test]
async fn a_notice_that_is_not_permitted_is_no_failure() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    for (number, rights) in [(1, ["-publish", "&*"]), (2, ["resetchannels", "+publish"])] {
        let mut user = vec!["ACL", "SETUSER", "me", "on", ">secret", "~*", "+@all"];
        user.extend(rights);
        let _: () = redis.command(&user).await;
        let mut notices = subscribed(&redis).await;
        let url = redis.url_as("me:secret");
        let worker = worker_at(&url, Timing::default());
        let running = Running::start(worker, "1", Timing::default(), process::handler());
        offer(&producer, number, TEXT).await;
        done(&producer, number.into()).await;
        running.stop().await;
        assert!(stored(&redis, number).await.is_some());
        // What comes first is somebody else's: its own notice was not let through.
        let _: u64 = redis.command(&["PUBLISH", &keys().done(), "after"]).await;
        let notice = tokio::time::timeout(SOON, notices.on_message().next()).await;
        let announced: String = notice.unwrap().unwrap().get_payload().unwrap();
        assert_eq!(announced, "after");
    }
    assert_eq!(redis.counts().await.1.done_again, 0);
    empty(&redis).await;
}
