//! A Redis that answers, but slowly: every step takes its time, no request does.

use std::time::{Duration, Instant};

use headroom_shared::queue::Timing;
use headroom_tests::client::Client;
use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::http::is_deferred;
use headroom_tests::process::{Launch, Process};
use headroom_tests::provider::Provider;
use headroom_tests::queue::SOON;
use headroom_tests::queue::jobs::{TEXT, job, result};
use headroom_tests::queue::over_redis::worker_at;
use headroom_tests::queue::running::Running;
use headroom_tests::queue::watch::{done, empty, held, offer, stored};
use headroom_tests::queue::workers::Latch;
use headroom_tests::redis_server::RedisServer;
use headroom_tests::stage::Stage;
use headroom_tests::tcp_proxy::{Line, TcpProxy};
use headroom_tests::wait::{DEADLINE, until};
use headroom_worker::process;

use super::{ready, worker};

const JOBS: u8 = 5;

/// The URL of a Redis by way of this line.
fn through(line: &TcpProxy) -> String {
    format!("redis://127.0.0.1:{}", line.port())
}

async fn all_are_done_once(redis: &RedisServer) {
    until("all are done", DEADLINE, async || {
        redis.counts().await.1.done == u64::from(JOBS)
    })
    .await;
    for number in 1..=JOBS {
        let made = result(&job(number, TEXT).1).compressed;
        assert_eq!(stored(redis, number).await, Some(made));
    }
    let totals = redis.counts().await.1;
    assert_eq!((totals.reaped, totals.done_again, totals.dead), (0, 0, 0));
    empty(redis).await;
}

#[tokio::test]
async fn a_slow_or_trickling_redis_slows_jobs_and_neither_loses_nor_repeats_one() {
    for slow in [
        Line::Slow(Duration::from_millis(50)),
        Line::Trickle(Duration::from_millis(1)),
    ] {
        let redis = RedisServer::start().await;
        let line = TcpProxy::start(redis.port()).await;
        line.set(slow);
        let timing = Timing::default();
        let worker = worker_at(&through(&line), timing.clone());
        let running = Running::start(worker, "2", timing, process::handler());
        let producer = redis.producer(10);
        for number in 1..=JOBS {
            offer(&producer, number, TEXT).await;
        }
        all_are_done_once(&redis).await;
        running.stop().await;
    }
}

/// A worker process that reaches Redis by way of this line.
async fn worker_behind(line: &TcpProxy) -> Process {
    Launch::worker(&through(line))
        .program("scripted-worker")
        .set("SCRIPTED_QUICK", 1)
        .start()
        .await
}

#[tokio::test]
async fn a_worker_whose_line_is_too_slow_loses_its_job_to_another_and_comes_back() {
    // Slower than a heartbeat may be, slower than any answer is waited for, and one that takes everything and gives nothing.
    for bad in [
        Line::Slow(Duration::from_secs(1)),
        Line::Slow(Duration::from_secs(6)),
        Line::HalfOpen,
    ] {
        let redis = RedisServer::start().await;
        let producer = redis.producer(10);
        let line = TcpProxy::start(redis.port()).await;
        let mut far = worker_behind(&line).await;
        let latch = Latch::closed();
        offer(&producer, 1, &latch.job()).await;
        held(&producer, 1).await;
        until("in work", SOON, async || latch.is_waited_for()).await;
        line.set(bad);
        let mut near = worker(&redis, 1).await;
        until("the other has it", DEADLINE, async || {
            let (depth, totals) = redis.counts().await;
            totals.reaped > 0 && depth.active == 1
        })
        .await;
        latch.open();
        done(&producer, 1).await;
        let before = stored(&redis, 1).await;
        assert!(near.terminate(DEADLINE).await.success());
        line.set_open(Line::Cut);
        line.set(Line::Good);
        offer(&producer, 2, TEXT).await;
        until("it has come back", DEADLINE, async || {
            stored(&redis, 2).await.is_some()
        })
        .await;
        ready(&far, 200).await;
        assert_eq!(stored(&redis, 1).await, before, "{bad:?}");
        assert!(far.terminate(DEADLINE).await.success());
        let (depth, totals) = redis.counts().await;
        assert_eq!((depth.waiting, depth.active, totals.dead), (0, 0, 0));
    }
}

/// The proxy on its way to Redis by this line, with this budget for the store.
async fn proxy_behind(line: &TcpProxy, budget_ms: u64) -> (Process, Stage) {
    let provider = Provider::start().await;
    provider.cache(|cache| cache.turn_off());
    let proxy = Launch::proxy(&provider)
        .set("HEADROOM_REDIS_URL", through(line))
        .set("HEADROOM_STORE_BUDGET_MS", budget_ms)
        .set("HEADROOM_ENTRY_BUDGET_MS", 5000)
        .set("HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS", 5000)
        .start()
        .await;
    let stage = Stage::elsewhere(&proxy.addr(), provider);
    (proxy, stage)
}

fn cold_start(id: &str) -> Client {
    let conversation = Conversation::new(Dialect::Messages, id).user("Read.");
    let conversation = (0..4).fold(conversation, |it, seed| it.reads(seed, 20_000));
    Client::uncached(conversation.assistant("Done.").user("Go on."))
}

#[tokio::test]
async fn a_job_goes_its_whole_way_over_a_slow_line() {
    let redis = RedisServer::start().await;
    let line = TcpProxy::start(redis.port()).await;
    line.set(Line::Slow(Duration::from_millis(50)));
    let (_proxy, stage) = proxy_behind(&line, 5000).await;
    let _worker = worker_behind(&line).await;
    let mut client = cold_start("slow");
    assert!(is_deferred(&client.turn(&stage).await.decision));
    stage.until_done(1).await;
    client.until_compressed(&stage).await;
    empty(&redis).await;
}

#[tokio::test]
async fn no_request_waits_longer_for_a_slow_store_than_its_budget() {
    /// Of the store: there and back.
    const SLOW: Duration = Duration::from_secs(4);
    const BUDGET_MS: u64 = 100;
    let redis = RedisServer::start().await;
    let line = TcpProxy::start(redis.port()).await;
    let (proxy, stage) = proxy_behind(&line, BUDGET_MS).await;
    let small = |id: &str| {
        let conversation = Conversation::new(Dialect::Messages, id).user(id);
        Client::new(conversation.reads(1, 9000))
    };
    let mut known = small("known");
    known.turn(&stage).await;
    let (mut deferred, mut fresh) = (cold_start("deferred"), small("fresh"));
    deferred.turn(&stage).await;
    for slow in [Line::Slow(SLOW / 2), Line::Trickle(Duration::from_secs(1))] {
        line.set(slow);
        for turn in 0..4 {
            for client in [&mut known, &mut deferred, &mut fresh] {
                client.grow(|it| it.reads(10 + turn, 9000));
                let began = Instant::now();
                client.turn(&stage).await;
                let took = began.elapsed();
                assert!(took < SLOW / 3, "{took:?} over {slow:?}");
            }
        }
        let answers = || proxy.log().matches("Redis answers").count();
        let before = answers();
        line.set_open(Line::Cut);
        line.set(Line::Good);
        until("the proxy has found Redis again", DEADLINE, async || {
            answers() > before
        })
        .await;
        // Not only for its queue.
        ready(&proxy, 200).await;
    }
    // What went out in the meantime stays as it is, and what is new is compressed again, or a cold start by now.
    for client in [&mut known, &mut deferred, &mut fresh] {
        client.grow(|it| it.reads(99, 9000));
    }
    assert_eq!(known.turn(&stage).await.decision, "compressed");
    assert_eq!(known.forms.entered, 2);
    deferred.turn(&stage).await;
    assert!(is_deferred(&fresh.turn(&stage).await.decision));
}
