//! How many commands each step of the queue sends, as Redis sees them: a step that the goals give one round trip sends one.

use std::time::Duration;

use futures_util::StreamExt;
use headroom_shared::contract::job::{Envelope, Payload};
use headroom_shared::queue::{JobQueue, Timing};
use headroom_tests::queue::jobs::{TEXT, job, json, refresh};
use headroom_tests::queue::running::Running;
use headroom_tests::queue::watch::{done, idle};
use headroom_tests::redis_server::RedisServer;
use headroom_worker::process;

/// What Redis was sent while `run` ran, without what scripts do and without what only watches.
async fn sent(redis: &RedisServer, run: impl AsyncFnOnce()) -> Vec<String> {
    let client = redis::Client::open(redis.url()).unwrap();
    let mut monitor = client.get_async_monitor().await.unwrap();
    run().await;
    let _: String = redis.command(&["ECHO", "that is all"]).await;
    let mut commands = monitor.on_message::<String>();
    let mut sent = Vec::new();
    while let Some(line) = commands.next().await {
        if line.contains("that is all") {
            break;
        }
        // 1339518083.107412 [0 127.0.0.1:60866] "EVALSHA" "…
        let (source, command) = line.split_once("] \"").unwrap();
        let name = command.split('"').next().unwrap().to_uppercase();
        let watches = [
            "PING", "CLIENT", "LLEN", "ZCARD", "HGETALL", "ZRANGE", "TIME", "INFO",
        ];
        if !source.ends_with("lua") && !watches.contains(&name.as_str()) {
            sent.push(name);
        }
    }
    sent
}

#[tokio::test]
async fn an_offer_is_one_command() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(100);
    let offer = async |number| {
        let (envelope, payload) = job(number, TEXT);
        producer.enqueue(&envelope, json(&payload)).await.unwrap();
    };
    // The first one loads the script.
    offer(0).await;
    let sent = sent(&redis, async || {
        for number in 1..=20 {
            offer(number).await;
        }
    })
    .await;
    assert_eq!(sent, ["EVALSHA"; 20]);
}

#[tokio::test]
async fn a_job_that_comes_with_the_end_of_another_is_two_round_trips() {
    is_two_round_trips_with_the_end_of_another(Timing::default(), job).await;
}

#[tokio::test]
async fn a_refresh_that_comes_with_the_end_of_another_is_two_round_trips() {
    let timing = Timing {
        claim_wait: Duration::from_millis(200),
        ..Timing::default()
    };
    is_two_round_trips_with_the_end_of_another(timing, refresh).await;
}

async fn is_two_round_trips_with_the_end_of_another(
    timing: Timing,
    make: fn(u8, &str) -> (Envelope, Payload),
) {
    const JOBS: u8 = 20;
    let redis = RedisServer::start().await;
    let producer = redis.producer(100);
    let worker = redis.worker(timing.clone());
    let work = std::sync::Arc::new(|job: &headroom_shared::queue::Job, deadline| {
        process::process(&job.payload, deadline)
    });
    let running = Running::start(worker, "1", timing, work);
    idle(&redis).await;
    let (envelope, payload) = make(0, TEXT);
    // This one loads the scripts.
    producer.enqueue(&envelope, json(&payload)).await.unwrap();
    done(&producer, 1).await;
    let _: () = redis.command(&["SET", "headroom:paused", "1"]).await;
    for number in 1..=JOBS {
        let (envelope, payload) = make(number, TEXT);
        producer.enqueue(&envelope, json(&payload)).await.unwrap();
    }
    let sent = sent(&redis, async || {
        let _: u64 = redis.command(&["DEL", "headroom:paused"]).await;
        done(&producer, u64::from(JOBS) + 1).await;
    })
    .await;
    let count = |name: &str| sent.iter().filter(|sent| *sent == name).count();
    // Taking it up, its payload in the same round trip, and ending it; now and then a heartbeat or a look for the dead.
    let jobs = usize::from(JOBS);
    assert_eq!(count("MGET"), jobs, "{sent:?}");
    assert!(count("EVALSHA") <= 2 * jobs + 4, "{sent:?}");
    assert!(count("BLMOVE") <= 3, "{sent:?}");
    running.stop().await;
}
