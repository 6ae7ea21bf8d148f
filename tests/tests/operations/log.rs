//! Nobody waits for whoever reads a program's log, and what the log lacks is counted.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, ErrorKind, PipeReader, PipeWriter, Write as _, pipe};
use std::process::Stdio;
use std::time::Duration;

use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::http::Call;
use headroom_tests::process::{Launch, Process};
use headroom_tests::provider::Provider;
use headroom_tests::redis_server::RedisServer;
use headroom_tests::wait;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use serde_json::Value;

use crate::metrics::sample;

const DROPPED: &str = "headroom_log_lines_dropped_total";
/// A program that ends waits for its log, but no longer than some seconds on an idle machine.
const AT_ONCE: Duration = Duration::from_secs(20);

/// A pipe that takes no byte more until somebody reads.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    let blocking = fcntl_getfl(&writer).unwrap();
    fcntl_setfl(&writer, blocking | OFlags::NONBLOCK).unwrap();
    loop {
        match writer.write(b"\n") {
            Ok(_) => {}
            Err(full) if full.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    fcntl_setfl(&writer, blocking).unwrap();
    (reader, writer)
}

/// A pipe that nobody reads any more.
fn closed_pipe() -> PipeWriter {
    pipe().unwrap().1
}

/// Sends a request, reads the whole answer, and gives the request's id.
async fn asked(proxy: &Process) -> String {
    let hi = Conversation::new(Dialect::Messages, "log").user("hi");
    let answer = wait::soon("an answer", hi.call().send(&proxy.addr())).await;
    assert_eq!(answer.status(), 200);
    let id = answer.header("x-headroom-request-id").to_owned();
    wait::soon("all of it", answer.bytes()).await;
    id
}

#[tokio::test]
async fn requests_do_not_wait_for_a_reader_that_has_stalled_and_it_finds_all_of_them() {
    let provider = Provider::start().await;
    let (reader, log) = full_pipe();
    let launch = Launch::proxy(&provider).set("HEADROOM_LOG_FORMAT", "json");
    let mut proxy = launch.start_writing_to(Stdio::null(), log).await;
    let mut ids = BTreeSet::new();
    for _ in 0..400 {
        ids.insert(asked(&proxy).await);
    }
    assert_eq!(sample(&proxy.addr(), DROPPED).await, 0.0);
    let lines = BufReader::new(reader).lines().map(Result::unwrap);
    let lines = lines.filter(|line| !line.is_empty());
    let lines = lines.map(|line| line.parse::<Value>().unwrap());
    let answered = lines.filter(|line| line["message"] == "answered");
    let logged = answered.map(|line| line["id"].as_str().unwrap().to_owned());
    let logged: BTreeSet<String> = logged.take(ids.len()).collect();
    assert_eq!(logged, ids);
    assert!(proxy.terminate(AT_ONCE).await.success());
}

#[tokio::test]
async fn lines_for_which_there_is_no_room_are_counted_and_hold_no_stop_up() {
    let provider = Provider::start().await;
    let (_reader, log) = pipe().unwrap();
    let launch = Launch::proxy(&provider).set("HEADROOM_LOG", "trace");
    let printed = log.try_clone().unwrap();
    let mut proxy = launch.start_writing_to(printed, log).await;
    wait::eventually("lines to be dropped", async || {
        for _ in 0..100 {
            asked(&proxy).await;
        }
        (sample(&proxy.addr(), DROPPED).await > 0.0).then_some(())
    })
    .await;
    let stats = Call::get("/stats").send(&proxy.addr()).await.json().await;
    assert!(stats["log_lines_dropped"].as_u64() > Some(0), "{stats}");
    assert!(proxy.terminate(AT_ONCE).await.success());
}

#[tokio::test]
async fn a_log_that_is_closed_takes_nothing_and_holds_nothing_up() {
    let provider = Provider::start().await;
    let launch = Launch::proxy(&provider);
    let mut proxy = launch.start_writing_to(Stdio::null(), closed_pipe()).await;
    let before = sample(&proxy.addr(), DROPPED).await;
    asked(&proxy).await;
    wait::eventually("the line to be counted", async || {
        (sample(&proxy.addr(), DROPPED).await > before).then_some(())
    })
    .await;
    assert!(proxy.terminate(AT_ONCE).await.success());
}

#[tokio::test]
async fn a_program_that_can_not_start_ends_although_nobody_reads_why() {
    let provider = Provider::start().await;
    let (_reader, full) = full_pipe();
    let launch = Launch::proxy(&provider);
    let _running = launch.start().await;
    for (launch, code) in [
        (launch.clone(), 1),
        (launch.set("HEADROOM_LOG_FORMAT", "none"), 2),
    ] {
        for log in [full.try_clone().unwrap(), closed_pipe()] {
            let mut proxy = launch.spawn_writing_to(Stdio::null(), log);
            let ended = proxy.ended(AT_ONCE).await;
            assert_eq!(ended.code(), Some(code));
        }
    }
}

#[tokio::test]
async fn a_worker_s_log_holds_nothing_up_either() {
    let redis = RedisServer::start().await;
    let (_reader, log) = full_pipe();
    let launch = Launch::worker(&redis.url());
    let mut worker = launch.start_writing_to(Stdio::null(), log).await;
    assert_eq!(sample(&worker.addr(), DROPPED).await, 0.0);
    assert!(worker.terminate(AT_ONCE).await.success());
    let (_reader, log) = full_pipe();
    let refused = launch.unset("HEADROOM_REDIS_URL");
    let mut refused = refused.spawn_writing_to(Stdio::null(), log);
    assert_eq!(refused.ended(AT_ONCE).await.code(), Some(2));
}
