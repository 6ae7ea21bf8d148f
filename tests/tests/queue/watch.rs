//! `headroom-worker queue status --watch`, without a terminal, and the operator's steps beside working workers.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::ExitStatus;

use headroom_shared::queue::{AdminQueue as _, DropError};
use headroom_shared::queue::{JobQueue, Timing, WorkQueue};
use headroom_tests::process::signal;
use headroom_tests::queue::hand::queue_at;
use headroom_tests::queue::jobs::TEXT;
use headroom_tests::queue::running::Running;
use headroom_tests::queue::watch::{claim, done, empty, offer};
use headroom_tests::queue::workers::real;
use headroom_tests::redis_server::RedisServer;
use headroom_tests::wait::soon;
use headroom_worker::process;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

/// A watch, and what it prints.
struct Watch {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watch {
    fn start(redis: &RedisServer, words: &str) -> Self {
        let words = format!("status --watch {words}");
        let mut child = queue_at(&redis.url(), &words).spawn_to_read();
        let out = child.stdout.take().unwrap();
        let lines = BufReader::new(out).lines();
        Self { child, lines }
    }

    async fn line(&mut self) -> String {
        let line = soon("a line", self.lines.next_line()).await;
        line.unwrap().unwrap()
    }

    /// The first line from now on of which this is true.
    async fn until(&mut self, is: impl Fn(&Value) -> bool) -> Value {
        let found = async {
            loop {
                let line: Value = serde_json::from_str(&self.line().await).unwrap();
                if is(&line) {
                    return line;
                }
            }
        };
        soon("a line of which this is true", found).await
    }

    async fn ended(&mut self) -> ExitStatus {
        soon("the watch to end", self.child.wait()).await.unwrap()
    }
}

#[tokio::test]
async fn a_watch_sees_a_queue_become_empty_and_ends_when_it_is_told_to() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    for number in 1..=6 {
        offer(&producer, number, TEXT).await;
    }
    let mut watch = Watch::start(&redis, "--json");
    let first = watch.until(|_| true).await;
    assert_eq!(
        (&first["waiting"], &first["eta_s"]),
        (&6.into(), &Value::Null)
    );
    assert_eq!(first["per_second"], Value::Null);
    let _worker = real(&redis, 1).spawn();
    let last = watch.until(|line| line["totals"]["done"] == 6).await;
    assert_eq!(last["eta_s"], 0);
    assert!(last["per_second"].as_f64().unwrap() > 0.0, "{last}");
    assert_eq!(last["workers"][0]["alive"], true);
    signal(watch.child.id().unwrap(), "INT");
    assert_eq!(watch.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_watch_outlives_its_redis() {
    let mut redis = RedisServer::absent();
    let mut watch = Watch::start(&redis, "--json");
    let is_away = |line: &Value| line["error"].is_string();
    watch.until(is_away).await;
    redis.start_again().await;
    watch.until(|line| line["waiting"] == 0).await;
    redis.kill();
    let away = watch.until(is_away).await;
    assert!(
        away["error"]
            .as_str()
            .unwrap()
            .contains("read the queue's state"),
        "{away}"
    );
    redis.start_again().await;
    watch.until(|line| line["waiting"] == 0).await;
    signal(watch.child.id().unwrap(), "TERM");
    assert_eq!(watch.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_watch_without_a_terminal_prints_plain_blocks_until_nobody_reads_them() {
    let redis = RedisServer::start().await;
    let mut watch = Watch::start(&redis, "");
    let mut blocks = 0;
    while blocks < 2 {
        let line = watch.line().await;
        assert!(!line.contains('\u{1b}'), "{line:?}");
        blocks += usize::from(line.starts_with("queue headroom at"));
    }
    let Watch { mut child, lines } = watch;
    drop(lines);
    let ended = soon("the watch to end", child.wait()).await.unwrap();
    assert_eq!(ended.code(), Some(0));
}

#[tokio::test]
async fn two_operators_replay_each_buried_job_once_beside_a_worker() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(100);
    let worker = redis.worker(Timing::default());
    worker.register().await.unwrap();
    for number in 1..=40 {
        offer(&producer, number, TEXT).await;
        let held = claim(&*worker).await;
        worker.dead_letter(&held.element, "x").await.unwrap();
    }
    worker.deregister().await.unwrap();
    let _worker = real(&redis, 2).spawn();
    let (one, other) = (redis.operator(), redis.operator());
    let (one, other) = tokio::join!(one.replay_all(), other.replay_all());
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one.replayed.len() + other.replayed.len(), 40);
    assert!(one.refused.is_empty() && other.refused.is_empty());
    done(&producer, 40).await;
    let (depth, totals) = redis.counts().await;
    assert_eq!((depth.dead, totals.done, totals.done_again), (0, 40, 0));
    empty(&redis).await;
}

#[tokio::test]
async fn each_job_is_either_dropped_or_done() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(100);
    let mut jobs = Vec::new();
    for number in 1..=60 {
        jobs.push(offer(&producer, number, TEXT).await);
    }
    let timing = Timing::default();
    let running = Running::start(
        redis.worker(timing.clone()),
        "2",
        timing,
        process::handler(),
    );
    let operator = redis.operator();
    let mut dropped = 0;
    // The newest first: the worker comes from the other end.
    for job in jobs.iter().rev() {
        match operator.drop_job(&job.id).await {
            Ok(_) => dropped += 1,
            Err(DropError::Unknown(_) | DropError::Active { .. }) => {}
            Err(kept) => panic!("{kept}"),
        }
    }
    assert!(dropped > 0);
    done(&producer, 60 - dropped).await;
    let (depth, totals) = producer.counts().await.unwrap();
    assert_eq!((depth.waiting, totals.done), (0, 60 - dropped));
    running.stop().await;
    empty(&redis).await;
}
