//! What stands in the queue's keys, good or bad, and how long.

use std::time::Duration;

use futures_util::StreamExt;
use headroom_shared::queue::{Finished, JobQueue, Timing, WorkQueue};
use headroom_tests::conversation::listing;
use headroom_tests::queue::SOON;
use headroom_tests::queue::jobs::{TEXT, job, json, prefix, result};
use headroom_tests::queue::over_redis::keys;
use headroom_tests::queue::watch::{claim, done, empty, finish, idle, offer, stored};
use headroom_tests::queue::workers::real;
use headroom_tests::redis_server::RedisServer;
use headroom_tests::wait::until;

fn beats() -> Timing {
    Timing {
        claim_wait: Duration::from_millis(200),
        stale_after: Duration::from_millis(100),
        ..Timing::default()
    }
}

#[tokio::test]
async fn what_is_no_job_is_buried_and_the_worker_lives() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let _worker = real(&redis, 1).spawn();
    idle(&redis).await;
    let (other_version, _) = job(1, TEXT);
    let other_version = serde_json::to_string(&other_version).unwrap();
    let bad: Vec<Vec<u8>> = vec![
        b"no json \xff\x00\"".to_vec(),
        b"{\"v\":1}".to_vec(),
        vec![b'['; 100_000],
        other_version.replace("{\"v\":1,", "{\"v\":2,").into_bytes(),
        Vec::new(),
    ];
    for element in &bad {
        let push = [b"LPUSH".as_slice(), b"headroom:jobs", element];
        let _: u64 = redis.command(&push).await;
    }
    offer(&producer, 9, TEXT).await;
    done(&producer, 1).await;
    let entries: Vec<String> = redis.command(&["LRANGE", "headroom:dead", "0", "-1"]).await;
    assert_eq!(entries.len(), bad.len());
    for entry in entries {
        let entry: serde_json::Value = serde_json::from_str(&entry).unwrap();
        assert!(entry["reason"].is_string() && entry["at"].is_u64() && entry["worker"].is_string());
    }
    empty(&redis).await;
}

#[tokio::test]
async fn the_dead_list_is_bounded() {
    let redis = RedisServer::start().await;
    let junk: Vec<String> = (0..1010).map(|number| format!("junk {number}")).collect();
    let mut push = vec!["LPUSH".to_owned(), "headroom:jobs".to_owned()];
    push.extend(junk);
    let _: u64 = redis.command(&push).await;
    let _worker = real(&redis, 1).spawn();
    until("all buried", SOON, async || {
        redis.counts().await.1.dead == 1010
    })
    .await;
    assert_eq!(redis.counts().await.0.dead, 1000);
    let newest: String = redis.command(&["LINDEX", "headroom:dead", "0"]).await;
    assert!(newest.contains("junk 1009"), "{newest}");
}

#[tokio::test]
async fn what_a_job_leaves_has_a_life_and_is_announced() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let client = redis::Client::open(redis.url()).unwrap();
    let mut notices = client.get_async_pubsub().await.unwrap();
    notices.subscribe(keys().done()).await.unwrap();
    let (envelope, payload) = job(1, TEXT);
    producer.enqueue(&envelope, json(&payload)).await.unwrap();
    let hour = 3_600_000;
    for key in [keys().payload(&envelope.id), keys().pending(prefix(1))] {
        let life: i64 = redis.command(&["PTTL", &key]).await;
        assert!((1..=hour).contains(&life), "{key}: {life}");
    }
    let _worker = real(&redis, 1).spawn();
    let notice = tokio::time::timeout(SOON, notices.on_message().next()).await;
    let announced: String = notice.unwrap().unwrap().get_payload().unwrap();
    assert_eq!(announced, prefix(1).to_string());
    let made = result(&payload);
    let forms = made.forms.iter().map(|form| keys().form(form.id));
    for key in forms.chain([keys().compressed(prefix(1))]) {
        let life: i64 = redis.command(&["PTTL", &key]).await;
        // The program's own retention: a week.
        assert!((hour..=168 * hour).contains(&life), "{key}: {life}");
    }
    for key in ["headroom:stats", "headroom:workers", "headroom:worker-info"] {
        let life: i64 = redis.command(&["PTTL", key]).await;
        assert_eq!(life, -1, "{key}");
    }
    empty(&redis).await;
}

#[tokio::test]
async fn a_result_lives_no_longer_than_its_record_while_the_request_may_be_refused() {
    let large = listing(1, 300_000);
    let half = 3_600_000 / 2;
    for text in [TEXT, &large] {
        let redis = RedisServer::start().await;
        let producer = redis.producer(10);
        let worker = redis.worker(beats());
        worker.register().await.unwrap();
        for (record_life, is_full) in [("60000", false), ("3000000", true)] {
            let record = keys().sent(prefix(1));
            let set = ["SET", &record, "{}", "PX", record_life];
            let () = redis.command(&set).await;
            offer(&producer, 1, text).await;
            let job = claim(&*worker).await;
            let made = result(&job.payload);
            finish(&*worker, &job, &made).await;
            let forms = made.forms.iter().map(|form| keys().form(form.id));
            for key in forms.chain([keys().compressed(prefix(1))]) {
                let life: i64 = redis.command(&["PTTL", &key]).await;
                assert!(life > 0 && (life > half) == is_full, "{key}: {life}");
            }
        }
    }
}

#[tokio::test]
async fn a_job_whose_payload_is_gone_or_malformed_is_buried() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let gone = keys().payload(&offer(&producer, 1, TEXT).await.id);
    let malformed = keys().payload(&offer(&producer, 2, TEXT).await.id);
    let _: () = redis.command(&["DEL", &gone]).await;
    let _: () = redis.command(&["SET", &malformed, "{\"secret-text"]).await;
    let _worker = real(&redis, 1).spawn();
    until("buried", SOON, async || redis.counts().await.0.dead == 2).await;
    let entries: Vec<String> = redis.command(&["LRANGE", "headroom:dead", "0", "-1"]).await;
    assert!(entries[1].contains("its payload is gone"), "{entries:?}");
    assert!(entries[0].contains("not a payload"), "{entries:?}");
    assert!(!entries[0].contains("secret"), "{entries:?}");
}

#[tokio::test]
async fn a_job_whose_payload_is_gone_but_whose_result_is_there_is_done() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let worker = redis.worker(beats());
    worker.register().await.unwrap();
    let older = offer(&producer, 1, TEXT).await;
    let held = claim(&*worker).await;
    offer(&producer, 1, TEXT).await;
    let newer = claim(&*worker).await;
    finish(&*worker, &newer, &result(&newer.payload)).await;
    assert_eq!(held.envelope.id, older.id);
    let _: () = redis.command(&["DEL", &keys().payload(&older.id)]).await;
    worker.deregister().await.unwrap();
    worker.register().await.unwrap();
    assert_eq!(redis.counts().await.0.waiting, 1);
    let element = worker.claim().await.unwrap().unwrap();
    assert!(worker.load(&element).await.unwrap().is_none());
    let (depth, totals) = redis.counts().await;
    assert_eq!((depth.active, depth.dead, totals.done), (0, 0, 2));
    empty(&redis).await;
}

#[tokio::test]
async fn a_pause_stops_claims_and_keeps_jobs() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let _worker = real(&redis, 1).spawn();
    idle(&redis).await;
    // The worker waits already: what comes to it now goes back.
    let _: () = redis.command(&["SET", "headroom:paused", "1"]).await;
    offer(&producer, 1, TEXT).await;
    until("given back", SOON, async || {
        let (depth, _) = redis.counts().await;
        let clients: String = redis.command(&["CLIENT", "LIST"]).await;
        depth.waiting == 1 && !clients.contains("flags=b")
    })
    .await;
    assert_eq!(redis.counts().await.1.done, 0);
    let _: () = redis.command(&["DEL", "headroom:paused"]).await;
    done(&producer, 1).await;
}

#[tokio::test]
async fn a_dead_workers_list_is_looked_into_for_long_and_whatever_the_clock_does() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let (gone, reaper) = (redis.worker(beats()), redis.worker(beats()));
    gone.register().await.unwrap();
    until("dead", SOON, async || {
        reaper.reap().await.unwrap();
        let score: f64 = redis
            .command(&["ZSCORE", "headroom:workers", gone.id()])
            .await;
        score > 0.0
    })
    .await;
    // A move that comes late.
    offer(&producer, 1, TEXT).await;
    let active = keys().active(gone.id());
    let late = ["LMOVE", "headroom:jobs", &active, "RIGHT", "LEFT"];
    let _: String = redis.command(&late).await;
    until("reaped", SOON, async || {
        reaper.reap().await.unwrap().reaped == 1
    })
    .await;
    // The clock is put back, so the last heartbeat is in the future.
    let _: String = redis.command(&late).await;
    let future = ["ZADD", "headroom:workers", "99999999999999", gone.id()];
    let _: u64 = redis.command(&future).await;
    until("reaped", SOON, async || {
        reaper.reap().await.unwrap().reaped == 1
    })
    .await;
    // After long it is forgotten, and its list before it.
    let _: String = redis.command(&late).await;
    let past = ["ZADD", "headroom:workers", "1", gone.id()];
    let _: u64 = redis.command(&past).await;
    reaper.reap().await.unwrap();
    let left: Vec<String> = redis.command(&["KEYS", "headroom:worker*"]).await;
    assert!(left.is_empty(), "{left:?}");
    // Three deaths.
    assert_eq!(redis.counts().await.0.dead, 1);
}

#[tokio::test]
async fn a_full_redis_takes_results_and_heartbeats_all_the_same() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let worker = redis.worker(beats());
    worker.register().await.unwrap();
    offer(&producer, 1, TEXT).await;
    let claimed = claim(&*worker).await;
    let _: () = redis.command(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let (envelope, payload) = job(2, TEXT);
    let refused = producer
        .enqueue(&envelope, json(&payload))
        .await
        .unwrap_err();
    assert!(refused.is_passing(), "{refused}");
    worker.heartbeat().await.unwrap();
    let finished = finish(&*worker, &claimed, &result(&claimed.payload)).await;
    assert_eq!(finished, Finished::Done);
    assert!(stored(&redis, 1).await.is_some());
    assert!(worker.claim().await.unwrap_err().is_passing());
    let _: () = redis.command(&["CONFIG", "SET", "maxmemory", "0"]).await;
    offer(&producer, 2, TEXT).await;
    claim(&*worker).await;
    // A dead worker's job is saved even from a full Redis.
    let _: () = redis.command(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let other = redis.worker(beats());
    until("reaped", SOON, async || {
        other.reap().await.unwrap().reaped == 1
    })
    .await;
}
