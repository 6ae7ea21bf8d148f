//! `headroom-worker queue`: what it changes, by the real program.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use headroom_shared::contract::job::Envelope;
use headroom_shared::queue::WorkQueue;
use headroom_shared::queue::redis::RedisWorkQueue;
use headroom_tests::queue::hand::registered;
use headroom_tests::queue::jobs::{TEXT, job, prefix, result};
use headroom_tests::queue::over_redis::keys;
use headroom_tests::queue::watch::{claim, done, empty, offer, stored};
use headroom_tests::queue::workers::real;
use headroom_tests::redis_server::RedisServer;
use serde_json::{Value, json};

/// Buries the job with this number, which nobody but its envelope knows any more.
async fn bury(redis: &RedisServer, worker: &RedisWorkQueue, number: u8, reason: &str) -> Envelope {
    let envelope = offer(&redis.producer(10), number, TEXT).await;
    let held = claim(worker).await;
    worker.dead_letter(&held.element, reason).await.unwrap();
    envelope
}

#[tokio::test]
async fn a_buried_job_is_shown_replayed_and_done() {
    let redis = RedisServer::start().await;
    let worker = registered(&redis).await;
    let envelope = bury(&redis, &worker, 1, "its work panicked").await;
    for counters in ["headroom:crashes", "headroom:attempts"] {
        let _: u64 = redis.command(&["HSET", counters, &envelope.id, "2"]).await;
    }
    let _: bool = redis
        .command(&["EXPIRE", &keys().payload(&envelope.id), "9"])
        .await;
    let dead = &redis.queue_json("dead").await["dead"][0];
    assert_eq!(
        (&dead["id"], &dead["reason"], &dead["worker"]),
        (
            &json!(envelope.id),
            &json!("its work panicked"),
            &json!(worker.id())
        )
    );
    let text = redis.queue_text("dead").await;
    assert!(
        text.contains(&envelope.id) && text.contains("its work panicked"),
        "{text}"
    );

    let text = redis.queue_text(&format!("replay {}", envelope.id)).await;
    assert_eq!(text, format!("{} waits in the queue again\n", envelope.id));
    let element: String = redis.command(&["LINDEX", "headroom:jobs", "0"]).await;
    assert_eq!(
        element,
        serde_json::to_string(&envelope).unwrap(),
        "byte for byte"
    );
    let pending: String = redis.command(&["GET", &keys().pending(prefix(1))]).await;
    assert_eq!(pending, envelope.id);
    let life: u64 = redis.command(&["TTL", &keys().payload(&envelope.id)]).await;
    assert!(life > 3600, "it begins anew: {life}");
    let status = redis.queue_json("status").await;
    assert_eq!(
        (&status["waiting"], &status["dead"], &status["queued_bytes"]),
        (&json!(1), &json!(0), &json!(envelope.bytes))
    );
    worker.deregister().await.unwrap();

    let _worker = real(&redis, 1).spawn();
    done(&redis.producer(0), 1).await;
    let (_, payload) = job(1, TEXT);
    assert_eq!(
        stored(&redis, 1).await.unwrap(),
        result(&payload).compressed
    );
    empty(&redis).await;
    assert_eq!(redis.queue_json("status").await["queued_bytes"], 0);
}

#[tokio::test]
async fn all_are_replayed_oldest_first_but_those_that_cannot_be() {
    let redis = RedisServer::start().await;
    let worker = registered(&redis).await;
    let first = bury(&redis, &worker, 1, "x").await;
    let gone = bury(&redis, &worker, 2, "x").await;
    let _: u64 = redis.command(&["DEL", &keys().payload(&gone.id)]).await;
    let newer = serde_json::to_string(&gone)
        .unwrap()
        .replace("{\"v\":1,", "{\"v\":2,");
    for element in ["no json", "{\"v\":1}", &newer.replace(&gone.id, "newer")] {
        let _: u64 = redis.command(&["LPUSH", "headroom:jobs", element]).await;
        let element = worker.claim().await.unwrap().unwrap();
        worker
            .dead_letter(&element, "not an envelope")
            .await
            .unwrap();
    }
    let _: u64 = redis.command(&["LPUSH", "headroom:dead", "by hand"]).await;
    let last = bury(&redis, &worker, 3, "x").await;
    // Its prefix waits once more by now.
    let other = offer(&redis.producer(10), 3, TEXT).await;

    let refused = redis.queue(&format!("replay {} --json", gone.id)).await;
    let refused: Value = match refused.code {
        Some(1) => serde_json::from_str(&refused.out).unwrap(),
        _ => panic!("{refused:?}"),
    };
    assert_eq!(refused["refused"][0]["id"], gone.id);
    for (id, reason) in [
        (
            gone.id.as_str(),
            "its payload is gone: payloads live 24 hours",
        ),
        ("newer", "an envelope of version 2, this program reads 1"),
        (&other.id, "it is not buried: it waits in the queue"),
        ("nonsense", "no job has this id"),
    ] {
        let ended = redis.queue(&format!("replay {id}")).await;
        let line = ended.one_line(1);
        let says = format!("headroom-worker: error: job {id:?} can't be replayed: {reason}");
        assert!(line.starts_with(&says), "{line}");
    }

    let ended = redis.queue("replay --all --json").await;
    assert_eq!((ended.code, ended.err.as_str()), (Some(1), ""));
    let replayed: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(replayed["replayed"], json!([first.id, last.id]));
    assert_eq!(replayed["refused"].as_array().unwrap().len(), 5);
    let ended = redis.queue("replay --all").await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let says = "headroom-worker: error: 5 of 5 buried jobs can't be replayed";
    assert!(ended.err.starts_with(says), "{ended:?}");
    let text = ended.out;
    assert!(text.ends_with("no job was replayed\n"), "{text}");
    assert!(
        text.contains("(no id) stays buried: it holds no envelope"),
        "{text}"
    );
    assert_eq!(redis.queue_text("dead").await.lines().count(), 6);
    let pending: String = redis.command(&["GET", &keys().pending(prefix(3))]).await;
    assert_eq!(
        pending, other.id,
        "the one that waited before stays the one"
    );
}

#[tokio::test]
async fn drop_takes_a_job_out_wherever_it_is_but_in_work() {
    let redis = RedisServer::start().await;
    let worker = registered(&redis).await;
    let producer = redis.producer(10);
    let dead = bury(&redis, &worker, 1, "x").await;
    let active = offer(&producer, 2, TEXT).await;
    let held = claim(&*worker).await;
    let delayed = offer(&producer, 3, TEXT).await;
    worker
        .retry(&*claim(&*worker).await, "passing")
        .await
        .unwrap();
    let waiting = offer(&producer, 4, TEXT).await;
    for (envelope, was) in [
        (&dead, "dead"),
        (&delayed, "delayed"),
        (&waiting, "waiting"),
    ] {
        let dropped = redis.queue_json(&format!("drop {}", envelope.id)).await;
        assert_eq!(dropped, json!({"dropped": envelope.id, "was": was}));
        let ended = redis.queue(&format!("drop {}", envelope.id)).await;
        let line = ended.one_line(1);
        assert!(line.contains("no job has the id"), "{line}");
    }
    let ended = redis.queue(&format!("drop {}", active.id)).await;
    let line = ended.one_line(1);
    assert!(
        line.contains(&format!("worker {} works on job", worker.id())),
        "{line}"
    );
    let status = redis.queue_json("status").await;
    assert_eq!(
        (
            &status["waiting"],
            &status["active"],
            &status["delayed"],
            &status["dead"]
        ),
        (&json!(0), &json!(1), &json!(0), &json!(0))
    );
    let left: Vec<String> = redis.command(&["KEYS", "headroom:attempts"]).await;
    assert!(left.is_empty());
    worker
        .finish(&held, &result(&held.payload), false)
        .await
        .unwrap();
    empty(&redis).await;
    // Dropped prefixes may be pushed again, and their bytes count no more.
    let again = offer(&producer, 4, TEXT).await;
    let other = offer(&producer, 5, TEXT).await;
    let text = redis.queue_text(&format!("drop {}", again.id)).await;
    assert_eq!(
        text,
        format!("{} is dropped: it waited in the queue\n", again.id)
    );
    let status = redis.queue_json("status").await;
    assert_eq!(status["queued_bytes"], other.bytes);
}

#[tokio::test]
async fn a_full_redis_lets_its_operator_pause_replay_and_drop() {
    let redis = RedisServer::start().await;
    let worker = registered(&redis).await;
    let envelope = bury(&redis, &worker, 1, "x").await;
    let _: () = redis.command(&["CONFIG", "SET", "maxmemory", "1"]).await;
    redis.queue_text("pause").await;
    redis.queue_text("replay --all").await;
    let status = redis.queue_json("status").await;
    assert_eq!(
        (&status["waiting"], &status["dead"]),
        (&json!(1), &json!(0))
    );
    assert!(status["paused"].is_object());
    redis.queue_text(&format!("drop {}", envelope.id)).await;
    redis.queue_text("resume").await;
    empty(&redis).await;
}
