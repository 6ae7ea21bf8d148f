//! `headroom-worker queue`: what an operator sees and does, by the real program.

use std::time::{Duration, Instant};

use headroom_shared::queue::WorkQueue;
use headroom_tests::process::Launch;
use headroom_tests::queue::hand::{Ended, queue_at, registered};
use headroom_tests::queue::jobs::{TEXT, prefix};
use headroom_tests::queue::watch::{claim, done, idle, offer};
use headroom_tests::queue::workers::real;
use headroom_tests::redis_server::RedisServer;
use serde_json::{Value, json};

#[tokio::test]
async fn an_empty_queue_is_told_in_text_and_json() {
    let redis = RedisServer::start().await;
    for (words, text, is) in [
        ("list", "no job waits", json!({"jobs": [], "more": 0})),
        ("dead", "no job is buried", json!({"dead": [], "more": 0})),
        (
            "replay --all",
            "no job was replayed",
            json!({"replayed": [], "refused": []}),
        ),
        (
            "resume",
            "it was not paused",
            json!({"paused": false, "was_paused": false}),
        ),
    ] {
        assert!(redis.queue_text(words).await.contains(text), "{words}");
        assert_eq!(redis.queue_json(words).await, is, "{words}");
    }
    let status = redis.queue_json("status").await;
    assert_eq!(
        (&status["namespace"], &status["waiting"], &status["workers"]),
        (&json!("headroom"), &json!(0), &json!([]))
    );
    assert_eq!(
        (&status["oldest_ms"], &status["paused"]),
        (&Value::Null, &Value::Null)
    );
    let text = redis.queue_text("status").await;
    assert!(text.contains("no workers: nothing is claimed"), "{text}");
    let left: Vec<String> = redis.command(&["KEYS", "*"]).await;
    assert!(left.is_empty(), "looking leaves nothing behind: {left:?}");
}

#[tokio::test]
async fn status_tells_how_much_is_where_and_who_works() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let bytes = offer(&producer, 1, TEXT).await.bytes + offer(&producer, 2, TEXT).await.bytes;
    registered(&redis).await;
    redis.dead_worker("gone:7:x").await;
    let _: () = redis.command(&["SET", "headroom:paused", "1"]).await;
    let status = redis.queue_json("status").await;
    assert_eq!(
        (&status["waiting"], &status["queued_bytes"]),
        (&json!(2), &json!(bytes))
    );
    assert!(status["oldest_ms"].as_u64().unwrap() < 30_000);
    assert_eq!(status["totals"]["enqueued"], 2);
    assert_eq!(status["paused"], json!({"by": null, "since_ms": null}));
    assert!(
        status.get("per_second").is_none(),
        "one reading has no pace"
    );
    let workers = status["workers"].as_array().unwrap();
    let of = |alive: bool| {
        workers
            .iter()
            .find(|worker| worker["alive"] == alive)
            .unwrap()
    };
    assert_eq!(
        (&of(true)["threads"], &of(true)["holds"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(
        (&of(false)["id"], &of(false)["host"]),
        (&json!("gone:7:x"), &json!("gone"))
    );
    let text = redis.queue_text("status").await;
    for part in ["waiting", "oldest", "paused   yes", "alive", "stale"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test]
async fn list_shows_each_job_where_it_is() {
    let redis = RedisServer::start().await;
    let worker = registered(&redis).await;
    let producer = redis.producer(10);
    let active = offer(&producer, 1, TEXT).await;
    claim(&*worker).await;
    let delayed = offer(&producer, 2, TEXT).await;
    let held = claim(&*worker).await;
    worker.retry(&held, "passing").await.unwrap();
    let next = offer(&producer, 3, TEXT).await;
    let last = offer(&producer, 4, TEXT).await;
    let _: u64 = redis
        .command(&["LPUSH", "headroom:jobs", "\u{1b}[2Jsecret"])
        .await;
    let listed = redis.queue_json("list").await;
    let jobs = listed["jobs"].as_array().unwrap();
    let shown: Vec<_> = jobs
        .iter()
        .map(|job| (job["state"].as_str().unwrap(), job["id"].as_str()))
        .collect();
    assert_eq!(
        shown,
        [
            ("waiting", Some(next.id.as_str())),
            ("waiting", Some(&last.id)),
            ("waiting", None),
            ("active", Some(&active.id)),
            ("delayed", Some(&delayed.id)),
        ]
    );
    assert_eq!(
        (&jobs[0]["prefix"], &jobs[0]["trace"]),
        (&json!(prefix(3)), &json!("trace"))
    );
    assert_eq!(
        jobs[2]["unreadable"],
        "not an envelope: no JSON at line 1 column 1"
    );
    assert_eq!(jobs[3]["worker"], worker.id());
    assert!((1..=30_000).contains(&jobs[4]["due_in_ms"].as_u64().unwrap()));
    let text = redis.queue_text("list").await;
    assert_eq!(text.lines().count(), 6, "{text}");
    assert!(
        text.contains(&delayed.id) && text.contains("due in"),
        "{text}"
    );
    assert!(
        !text.contains('\u{1b}') && !text.contains("secret"),
        "{text}"
    );
    // At most one of each state: two of those that wait are left out.
    let text = redis.queue_text("list --limit 1").await;
    assert!(
        text.contains("… and 2 more") && text.contains(&next.id),
        "{text}"
    );
    assert_eq!(redis.queue_json("list --limit 1").await["more"], 2);
}

#[tokio::test]
async fn a_pause_holds_until_it_is_ended_and_says_whose_it_is() {
    let redis = RedisServer::start().await;
    let _worker = real(&redis, 1).spawn();
    idle(&redis).await;
    let text = redis.queue_text("pause").await;
    assert!(text.starts_with("paused: workers end"), "{text}");
    let note: String = redis.command(&["GET", "headroom:paused"]).await;
    let note: Value = serde_json::from_str(&note).unwrap();
    assert!(note["by"].is_string() && note["at"].as_u64().unwrap() > 1_500_000_000_000);
    let producer = redis.producer(10);
    offer(&producer, 1, TEXT).await;
    let again = redis.queue_json("pause").await;
    assert_eq!(again, json!({"paused": true, "was_paused": true}));
    let status = redis.queue_json("status").await;
    assert_eq!(status["paused"]["by"], note["by"]);
    assert_eq!(redis.counts().await.1.done, 0);
    let text = redis.queue_text("resume").await;
    assert!(text.contains("workers claim jobs again"), "{text}");
    done(&producer, 1).await;
}

#[tokio::test]
async fn what_is_asked_for_wrongly_is_one_line_and_code_2() {
    let redis = RedisServer::absent();
    for words in [
        "",
        "stop",
        "replay",
        "replay x --all",
        "drop",
        "status --limit 3",
        "list --limit 0",
        "list --limit many",
        "status --redis-url http://me:hunter2@x",
        "status --namespace a*b",
    ] {
        let ended = redis.queue(words).await;
        let line = ended.one_line(2);
        assert!(
            line.starts_with("error: ") && !line.contains("hunter2"),
            "{line}"
        );
    }
    let unset = Launch::worker("").unset("HEADROOM_REDIS_URL");
    let ended: Ended = unset.args(&["queue", "status"]).run().await.into();
    assert!(
        ended
            .one_line(2)
            .contains("HEADROOM_REDIS_URL (or --redis-url) is not set")
    );
}

#[tokio::test]
async fn redis_and_namespace_may_be_named_before_and_behind_the_step() {
    let redis = RedisServer::start().await;
    let elsewhere = RedisServer::absent().url();
    let url = redis.url();
    let _: () = redis.command(&["SET", "other:paused", "1"]).await;
    for words in [
        [
            "--redis-url",
            &url,
            "--namespace",
            "other",
            "queue",
            "status",
            "--json",
        ],
        [
            "queue",
            "status",
            "--json",
            "--redis-url",
            &url,
            "--namespace",
            "other",
        ],
        [
            "queue",
            "--redis-url",
            &url,
            "--json",
            "--namespace",
            "other",
            "status",
        ],
    ] {
        let ended: Ended = Launch::worker(&elsewhere).args(&words).run().await.into();
        let status: Value = serde_json::from_str(&ended.out).unwrap();
        assert_eq!(status["namespace"], "other");
        assert!(status["paused"].is_object(), "{status}");
    }
}

#[tokio::test]
async fn a_redis_that_is_away_or_silent_is_one_line_and_code_1() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("redis://me:hunter2@{}", silent.local_addr().unwrap());
    let absent = RedisServer::absent().url();
    for (url, step) in [
        (&absent, "status"),
        (&absent, "replay --all"),
        (&absent, "drop x"),
        (&silent, "list"),
    ] {
        let began = Instant::now();
        let ended: Ended = queue_at(url, step).run().await.into();
        let line = ended.one_line(1);
        assert!(
            line.starts_with("headroom-worker: error: Redis at 127.0.0.1:"),
            "{line}"
        );
        assert!(!line.contains("hunter2"), "{line}");
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{:?}",
            began.elapsed()
        );
    }
}
