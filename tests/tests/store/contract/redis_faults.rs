//! What may happen to a Redis and to the way there.

use futures_util::future::join_all;
use headroom_tests::tcp_proxy::{Line, TcpProxy};
use tokio::time::timeout;

use super::*;

const BUDGET: Duration = Duration::from_millis(20);

async fn returns(store: &RedisStore) {
    until("Redis is back", IN_TIME, async || {
        store.ping().await.is_ok()
    })
    .await;
}

/// Until calls fail at once instead of using up their budget.
async fn known_to_be_away(store: &RedisStore) {
    until("Redis counts as away", IN_TIME, async || {
        matches!(timeout(BUDGET, store.ping()).await, Ok(Err(_)))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_comes_late_is_found() {
    let mut server = RedisServer::absent();
    let store = redis_store(&server, WEEK);
    let error = store.digest_key().await.unwrap_err();
    assert!(error.is_passing(), "{error}");
    known_to_be_away(&store).await;
    server.start_again().await;
    returns(&store).await;
    store.digest_key().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_survives_a_crash_under_load() {
    let mut server = RedisServer::persistent().await;
    let store = Arc::new(redis_store(&server, WEEK));
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..4 {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            let mut written = Vec::new();
            loop {
                let name = format!("{writer}-{}", written.len());
                if store.write(&[record(&name, 1)]).await.is_err() {
                    return written;
                }
                written.push(sent(&name));
            }
        });
    }
    until("much is written", IN_TIME, async || {
        store
            .read(&[sent("0-200"), sent("3-200")])
            .await
            .unwrap()
            .iter()
            .all(Option::is_some)
    })
    .await;
    server.kill();
    let written = writers.join_all().await.concat();
    known_to_be_away(&store).await;
    server.start_again().await;
    returns(&store).await;
    let found = store.read(&written).await.unwrap();
    assert!(found.iter().all(Option::is_some));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_redis_costs_the_budget_then_nothing() {
    let server = RedisServer::start().await;
    let store = redis_store(&server, WEEK);
    store.write(&[record("a", 1)]).await.unwrap();
    server.pause();
    let started = Instant::now();
    assert!(timeout(BUDGET, store.read(&[sent("a")])).await.is_err());
    assert!(started.elapsed() < Duration::from_secs(1));
    known_to_be_away(&store).await;
    server.resume();
    returns(&store).await;
    assert!(read_one(&store, sent("a")).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_is_not_written_afterwards() {
    let server = RedisServer::start().await;
    let store = redis_store(&server, WEEK);
    store.write(&[record("a", 1)]).await.unwrap();
    assert!(read_one(&store, sent("b")).await.is_none());
    server.pause();
    let late = store.write_within(&[record("b", 1)], BUDGET).await;
    assert!(late.is_err());
    server.resume();
    returns(&store).await;
    assert!(read_one(&store, sent("b")).await.is_none());
    let in_time = store.write_within(&[record("b", 1)], IN_TIME).await;
    in_time.unwrap();
    assert!(read_one(&store, sent("b")).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_answered_in_time_is_not_written() {
    const SLOW: Duration = Duration::from_millis(700);
    let server = RedisServer::start().await;
    let line = TcpProxy::start(server.port()).await;
    let url = format!("redis://127.0.0.1:{}", line.port());
    let store = RedisStore::new(&url.parse().unwrap(), Keys::new("headroom"), WEEK);
    assert!(read_one(&store, sent("a")).await.is_none());
    line.set_open(Line::Slow(SLOW));
    // It arrives in time, and its answer would not.
    let within = SLOW * 3 / 2;
    let late = store.write_within(&[record("a", 1)], within).await;
    assert!(late.is_err());
    // What is written over the same line afterwards arrives afterwards.
    let after = store.write_within(&[record("b", 1)], IN_TIME).await;
    after.unwrap();
    let found = store.read(&[sent("a"), sent("b")]).await.unwrap();
    assert!(found[0].is_none() && found[1].is_some(), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_slow_answer_is_not_an_absence() {
    let server = RedisServer::start().await;
    let store = redis_store(&server, WEEK);
    store.ping().await.unwrap();
    server.pause();
    let stopped = Instant::now();
    while stopped.elapsed() < Duration::from_millis(700) {
        let answer = timeout(BUDGET, store.ping()).await;
        assert!(answer.is_err(), "it failed before its budget was spent");
    }
    server.resume();
    until("an answer", IN_TIME, async || {
        timeout(BUDGET, store.ping())
            .await
            .is_ok_and(|answer| answer.map(|_| true).unwrap())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn futures_given_up_leave_the_answers_in_order() {
    let server = RedisServer::start().await;
    let store = redis_store(&server, WEEK);
    let big = vec![b'x'; 1_000_000];
    store
        .write(&[entry(form("big"), 0, big), record("a", 1)])
        .await
        .unwrap();
    for micros in 0..200 {
        let budget = Duration::from_micros(micros * 10);
        let _ = timeout(budget, store.read(&[form("big")])).await;
        let found = read_one(&store, sent("a")).await;
        assert_eq!(found, Some(record("a", 1).value));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_connection_and_a_lost_script_mend_themselves() {
    let server = RedisServer::start().await;
    let store = redis_store(&server, WEEK);
    store.write(&[record("a", 1)]).await.unwrap();
    let _: redis::Value = server.command(&["SCRIPT", "FLUSH"]).await;
    store.write(&[record("a", 2)]).await.unwrap();
    let _: redis::Value = server.command(&["CLIENT", "KILL", "TYPE", "normal"]).await;
    returns(&store).await;
    assert_eq!(
        read_one(&store, sent("a")).await,
        Some(record("a", 2).value)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_redis_refuses_writes_and_serves_reads() {
    let server = RedisServer::start().await;
    let store = redis_store(&server, WEEK);
    store.write(&[record("a", 1)]).await.unwrap();
    let secret = store.digest_key().await.unwrap();
    let full = ["CONFIG", "SET", "maxmemory", "1"];
    let _: redis::Value = server.command(&full).await;
    let more = [entry(form("b"), 0, "more"), record("a", 2)];
    let error = store.write(&more).await.unwrap_err();
    assert!(error.to_string().contains("OOM"), "{error}");
    let found = store.read(&[sent("a"), form("b")]).await.unwrap();
    assert_eq!(found, [Some(record("a", 1).value), None]);
    store.touch(&[sent("a")]).await.unwrap();
    let again = store.digest_key().await.unwrap();
    assert_eq!(again.as_bytes(), secret.as_bytes());

    let _: redis::Value = server.command(&["CONFIG", "SET", "maxmemory", "0"]).await;
    store.write(&more).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_another_type_is_replaced() {
    let server = RedisServer::start().await;
    let store = redis_store(&server, WEEK);
    let name = Keys::new("headroom").entry(sent("a"));
    let _: redis::Value = server.command(&["LPUSH", &name, "x"]).await;
    assert!(read_one(&store, sent("a")).await.is_none());
    store.write(&[record("a", 0)]).await.unwrap();
    assert!(read_one(&store, sent("a")).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_secret_is_refused_and_not_shown() {
    let server = RedisServer::start().await;
    let store = redis_store(&server, WEEK);
    let name = Keys::new("headroom").secret();
    let _: redis::Value = server.command(&["SET", &name, "hunter2"]).await;
    let error = store.digest_key().await.unwrap_err().to_string();
    assert_eq!(
        error,
        "reading the deployment's secret: headroom:secret does not hold the 64 hexadecimal digits it should"
    );
    assert!(!format!("{store:?}").contains("hunter2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_whose_connection_is_cut_is_repeated() {
    let server = RedisServer::start().await;
    let line = TcpProxy::start(server.port()).await;
    let url = format!("redis://127.0.0.1:{}", line.port());
    let store = RedisStore::new(&url.parse().unwrap(), Keys::new("headroom"), WEEK);
    store.write(&[record("a", 1)]).await.unwrap();
    let before = server.calls_of("mget").await;
    line.set_open(Line::Mute);
    let cut = async {
        until("the read is under way", IN_TIME, async || {
            server.calls_of("mget").await > before
        })
        .await;
        line.set_open(Line::Cut);
    };
    let (found, ()) = tokio::join!(read_one(&store, sent("a")), cut);
    assert_eq!(found, Some(record("a", 1).value));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_all_killed_cost_no_call() {
    let server = RedisServer::start().await;
    let store = redis_store(&server, WEEK);
    store.write(&[record("a", 1)]).await.unwrap();
    for _ in 0..10 {
        let reads = join_all((0..8).map(|_| read_one(&store, sent("a"))));
        assert!(reads.await.iter().all(Option::is_some));
        let _: u64 = server.command(&["CLIENT", "KILL", "TYPE", "normal"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_away_calls_cost_next_to_nothing() {
    const CALLS: u32 = 1000;
    let mut server = RedisServer::persistent().await;
    let store = redis_store(&server, WEEK);
    store.write(&[record("a", 1)]).await.unwrap();
    server.kill();
    known_to_be_away(&store).await;
    let began = Instant::now();
    for _ in 0..CALLS {
        store.read(&[sent("a")]).await.unwrap_err();
    }
    let took = began.elapsed();
    assert!(took < CALLS * BUDGET / 10, "{took:?} for {CALLS} calls");
    server.start_again().await;
    returns(&store).await;
    assert!(read_one(&store, sent("a")).await.is_some());
}
