//! Requests that wait for the workers before they are sent for the first time (`HEADROOM_FLEET_WAIT_MS`): what comes back in time goes out
//! compressed, the rest as it came, and every block keeps what it was sent in. The client checks that at every turn.

use headroom_tests::client::Client;
use headroom_tests::conversation::{Conversation, Dialect, listing};
use headroom_tests::http::is_deferred;
use headroom_tests::process::Launch;
use headroom_tests::redis_server::RedisServer;
use headroom_tests::stage::Stage;
use headroom_tests::tcp_proxy::{Line, TcpProxy};
use headroom_tests::wait;
use serde_json::{Value, json};

const WAIT: &str = "HEADROOM_FLEET_WAIT_MS";

fn deferring(launch: Launch) -> Launch {
    launch
        .set("HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS", 5000)
        .patient()
}

/// Waits longer than any machine takes.
fn waiting(launch: Launch) -> Launch {
    deferring(launch).set(WAIT, 30_000)
}

/// A first request with four large blocks.
fn first(dialect: Dialect, id: &str) -> Conversation {
    let conversation = Conversation::new(dialect, id).user(&format!("Read for {id}."));
    (0..4).fold(conversation, |it, seed| it.user(&listing(seed, 40_000)))
}

/// A proxy that waits so long over Redis, with a worker that it knows of.
async fn with_worker(wait_ms: u32) -> Stage {
    let mut stage = Stage::with_redis(|it| deferring(it).set(WAIT, wait_ms)).await;
    stage.start_worker().await;
    until_threads(&stage, 1).await;
    stage
}

async fn until_threads(stage: &Stage, threads: u64) {
    let knows = |stats: &Value| stats["fleet"]["threads"] == threads;
    stage.until("the proxy to know the workers", knows).await;
}

/// A small turn in which nothing is new but what the user says.
async fn next_turn(client: &mut Client, stage: &Stage) -> String {
    client.grow(|it| it.assistant("Yes.").user("Go on."));
    client.turn(stage).await.decision
}

/// That nothing is left of the jobs, and that what they made for one request alone is kept for an hour at most.
async fn nothing_is_left(stage: &Stage) {
    let is_empty = |stats: &Value| {
        let queue = &stats["queue"];
        ["waiting", "active", "delayed", "dead"]
            .iter()
            .all(|state| queue[state] == 0)
    };
    stage.until("the queue to be empty", is_empty).await;
    for pattern in ["headroom:job:*", "headroom:pending:*"] {
        let keys: Vec<String> = stage.redis().command(&["KEYS", pattern]).await;
        assert_eq!(keys, [""; 0], "{pattern}");
    }
}

#[tokio::test]
async fn a_first_request_goes_out_compressed_and_keeps_its_forms() {
    let mut stage = with_worker(30_000).await;
    for dialect in Dialect::ALL {
        let mut client = Client::new(first(dialect, &format!("fleet-{dialect:?}")));
        let turn = client.turn(&stage).await;
        assert_eq!(turn.decision, "compressed", "{dialect:?}");
        assert!(
            turn.got.len() < turn.sent.bytes.len() * 9 / 10,
            "{dialect:?}"
        );
        assert_eq!(client.forms.entered, 4, "{dialect:?}");
        assert_eq!(next_turn(&mut client, &stage).await, "compressed");
        stage.proxy().kill();
        stage.proxy().start_again().await;
        assert_eq!(next_turn(&mut client, &stage).await, "compressed");
        assert_eq!((client.forms.entered, client.forms.landed), (4, 0));
        until_threads(&stage, 1).await;
    }
    let results: Vec<String> = stage
        .redis()
        .command(&["KEYS", "headroom:compressed:*"])
        .await;
    assert_eq!(results.len(), 4 * Dialect::ALL.len(), "several jobs each");
    for result in results {
        let life: i64 = stage.redis().command(&["TTL", &result]).await;
        assert!((1..=3600).contains(&life), "{result} lives {life}");
    }
    nothing_is_left(&stage).await;
}

#[tokio::test]
async fn one_process_alone_waits_for_its_own_threads() {
    let mut stage = Stage::embedded(waiting).await;
    until_threads(&stage, 1).await;
    let mut client = Client::new(first(Dialect::Messages, "alone"));
    assert_eq!(client.turn(&stage).await.decision, "compressed");
    let stats = stage.stats().await;
    let fleet = &stats["fleet"];
    assert_eq!(fleet["requests"]["in_time"], 1, "{stats}");
    let blocks = json!({"compressed": 4, "uncompressed": 0, "late": 0, "dropped": 0});
    assert_eq!(fleet["blocks"], blocks, "{stats}");
    assert!(fleet["waited_ms"].as_u64() > Some(0), "{stats}");
    assert_eq!(stats["jobs"]["done"], 4, "{stats}");
    assert_eq!(next_turn(&mut client, &stage).await, "compressed");
    stage.proxy().kill();
    stage.proxy().start_again().await;
    assert_eq!(next_turn(&mut client, &stage).await, "compressed");
    assert_eq!(client.forms.entered, 4);
}

#[tokio::test]
async fn without_the_setting_nothing_waits() {
    let mut stage = Stage::with_redis(deferring).await;
    stage.start_worker().await;
    let mut client = Client::new(first(Dialect::Messages, "off"));
    let turn = client.turn(&stage).await;
    assert!(is_deferred(&turn.decision));
    assert_eq!(turn.got, turn.sent.bytes);
    stage.until_done(1).await;
    let stats = stage.stats().await;
    assert_eq!(stats["jobs"]["enqueued"], 1, "{stats}");
    let fleet = &stats["fleet"];
    let zero = |counts: &Value| counts.as_object().unwrap().values().all(|it| *it == 0);
    assert!(
        zero(&fleet["requests"]) && zero(&fleet["blocks"]),
        "{stats}"
    );
    assert_eq!(
        (&fleet["waited_ms"], &fleet["threads"]),
        (&json!(0), &json!(0))
    );
}

#[tokio::test]
async fn with_no_worker_that_claims_it_goes_out_at_once_as_it_came() {
    let mut stage = Stage::with_redis(waiting).await;
    for (count, id) in [(1, "no worker"), (2, "paused")] {
        let mut client = Client::new(first(Dialect::Messages, id));
        let turn = client.turn(&stage).await;
        assert!(is_deferred(&turn.decision), "{id}");
        assert_eq!(turn.got, turn.sent.bytes, "{id}");
        let waits = |stats: &Value| stats["queue"]["waiting"] == count;
        let stats = stage.until("the job of the whole prefix", waits).await;
        assert_eq!(stats["fleet"]["requests"]["no_worker"], count, "{stats}");
        assert_eq!(stats["fleet"]["waited_ms"], 0, "{stats}");
        assert_eq!(next_turn(&mut client, &stage).await, "forwarded");
        let _: () = stage
            .redis()
            .command(&["SET", "headroom:paused", "1"])
            .await;
        if stage.worker.is_none() {
            stage.start_worker().await;
        }
    }
    let _: () = stage.redis().command(&["DEL", "headroom:paused"]).await;
    stage.until_done(2).await;
}

#[tokio::test]
async fn past_its_time_it_goes_out_as_it_came_and_is_left_to_a_worker() {
    // A busy machine needs some of it to push the jobs.
    let stage = with_worker(2_000).await;
    let worker = stage.worker.as_ref().unwrap();
    worker.signal("STOP");
    let mut client = Client::new(first(Dialect::Messages, "stalled"));
    let turn = client.turn(&stage).await;
    assert!(is_deferred(&turn.decision));
    assert_eq!(turn.got, turn.sent.bytes);
    let is_withdrawn =
        |stats: &Value| stats["jobs"]["enqueued"] == 5 && stats["queue"]["waiting"] == 1;
    let stats = stage
        .until("its four jobs to give way to one", is_withdrawn)
        .await;
    worker.signal("CONT");
    let fleet = &stats["fleet"];
    assert_eq!(fleet["requests"]["late"], 1, "{stats}");
    assert_eq!(fleet["blocks"]["late"], 4, "{stats}");
    assert!(fleet["waited_ms"].as_u64() >= Some(2_000), "{stats}");
    let has_result = || async {
        let keys: Vec<String> = stage
            .redis()
            .command(&["KEYS", "headroom:compressed:*"])
            .await;
        (keys.len() == 1).then_some(())
    };
    wait::eventually("the result of the whole prefix alone", has_result).await;
    nothing_is_left(&stage).await;
    assert_eq!(next_turn(&mut client, &stage).await, "forwarded");
    assert_eq!((client.forms.entered, client.forms.landed), (0, 0));
}

#[tokio::test]
async fn a_request_that_is_given_up_leaves_no_job() {
    let stage = with_worker(30_000).await;
    let worker = stage.worker.as_ref().unwrap();
    worker.signal("STOP");
    let call = first(Dialect::Messages, "given up").call();
    let are_pushed = |stats: &Value| stats["jobs"]["enqueued"] == 4;
    tokio::select! {
        answer = stage.send(&call) => panic!("answered: {}", answer.decision()),
        _ = stage.until("its jobs to be pushed", are_pushed) => {}
    }
    let are_withdrawn = |stats: &Value| stats["queue"]["waiting"] == 0;
    stage.until("its jobs to be withdrawn", are_withdrawn).await;
    worker.signal("CONT");
    nothing_is_left(&stage).await;
    let results: Vec<String> = stage
        .redis()
        .command(&["KEYS", "headroom:compressed:*"])
        .await;
    assert_eq!(results, [""; 0]);
}

#[tokio::test]
async fn what_there_is_no_room_for_stays_as_it_came_beside_what_came_back() {
    let room = |it| waiting(it).set("HEADROOM_BACKGROUND_COMPRESSION_MAX_QUEUE", 1);
    let mut stage = Stage::with_redis(room).await;
    stage.start_worker().await;
    until_threads(&stage, 1).await;
    let mut client = Client::new(first(Dialect::Messages, "no room"));
    assert_eq!(client.turn(&stage).await.decision, "compressed");
    let stats = stage.stats().await;
    let blocks = &stats["fleet"]["blocks"];
    let [compressed, dropped] =
        ["compressed", "dropped"].map(|it| usize::try_from(blocks[it].as_u64().unwrap()).unwrap());
    assert!(compressed > 0 && dropped > 0, "{stats}");
    assert_eq!(compressed + dropped, 4, "{stats}");
    assert_eq!(client.forms.entered, compressed);
    assert_eq!(
        stats["blocks_uncompressed"]["fleet_late"], dropped,
        "{stats}"
    );
    assert_eq!(stats["fleet"]["requests"]["late"], 1, "{stats}");
    for _ in 0..2 {
        // No original changes, either: it may be cached.
        assert_eq!(next_turn(&mut client, &stage).await, "compressed");
        stage.proxy().kill();
        stage.proxy().start_again().await;
    }
    assert_eq!((client.forms.entered, client.forms.landed), (compressed, 0));
    nothing_is_left(&stage).await;
}

#[tokio::test]
async fn new_blocks_of_a_known_conversation_wait_for_what_the_proxy_had_no_time_for() {
    let no_time = |it| waiting(it).set("HEADROOM_ENTRY_BUDGET_MS", 0);
    let mut stage = Stage::with_redis(no_time).await;
    stage.start_worker().await;
    until_threads(&stage, 1).await;
    for (known, dialect) in (1..).zip(Dialect::ALL) {
        let conversation = Conversation::new(dialect, &format!("known-{dialect:?}"));
        let mut client = Client::new(conversation.user("Read it."));
        assert_eq!(client.turn(&stage).await.decision, "forwarded");
        client.grow(|it| it.reads(1, 90_000));
        assert_eq!(client.turn(&stage).await.decision, "compressed");
        // Little text is not worth a wait.
        client.grow(|it| it.reads(2, 9000));
        assert_eq!(client.turn(&stage).await.decision, "compressed");
        assert_eq!(client.forms.entered, 1, "{dialect:?}");
        let stats = stage.stats().await;
        assert_eq!(stats["fleet"]["blocks"]["compressed"], known, "{stats}");
        assert_eq!(stats["blocks_uncompressed"]["entry_budget"], known);
    }
}

#[tokio::test]
async fn what_may_be_cached_never_changes() {
    let stage = with_worker(30_000).await;
    for (id, last_bytes, entered) in [("mostly new", 90_000, 1), ("mostly old", 20_000, 0)] {
        let conversation = Conversation::new(Dialect::Messages, id)
            .user("Find the bug.")
            .reads(1, 40_000)
            .reads(2, last_bytes);
        let mut client = Client::new(conversation);
        let turn = client.turn(&stage).await;
        assert_eq!(turn.decision == "compressed", entered > 0, "{id}");
        assert_eq!(client.forms.entered, entered, "{id}");
        let old = &turn.sent.bytes[turn.sent.blocks[0].range.clone()];
        let found = turn.got.windows(old.len()).any(|bytes| bytes == old);
        assert!(found, "{id}: what may be cached has changed");
        next_turn(&mut client, &stage).await;
        assert_eq!((client.forms.entered, client.forms.landed), (entered, 0));
    }
}

#[tokio::test]
async fn no_wait_is_longer_than_its_time_whatever_becomes_of_redis() {
    const WAIT_MS: u64 = 1500;
    const STORE_MS: u64 = 500;
    let redis = RedisServer::start().await;
    for broken in [Line::HalfOpen, Line::Cut, Line::Mute] {
        let line = TcpProxy::start(redis.port()).await;
        let set = |it| {
            deferring(it)
                .set(WAIT, WAIT_MS)
                .set("HEADROOM_STORE_BUDGET_MS", STORE_MS)
        };
        let url = format!("redis://127.0.0.1:{}", line.port());
        let stage = Stage::at(&url, set).await;
        until_threads(&stage, 1).await;
        let worker = stage.worker.as_ref().unwrap();
        worker.signal("STOP");
        let mut client = Client::new(first(Dialect::Messages, &format!("{broken:?}")));
        let breaks = async {
            wait::eventually("its jobs to be pushed", || async {
                let jobs: u64 = redis.command(&["LLEN", "headroom:jobs"]).await;
                (jobs > 0).then_some(())
            })
            .await;
            line.set(broken);
        };
        let (turn, ()) = tokio::join!(client.turn(&stage), breaks);
        assert_eq!(turn.got, turn.sent.bytes, "{broken:?}");
        line.set(Line::Good);
        worker.signal("CONT");
        let stats = stage.stats().await;
        let requests = &stats["fleet"]["requests"];
        let ended = ["late", "failed"].map(|it| requests[it].as_u64().unwrap());
        assert_eq!(ended.iter().sum::<u64>(), 1, "{broken:?}: {stats}");
        let waited = stats["fleet"]["waited_ms"].as_u64().unwrap();
        // As much again for a busy machine.
        assert!(waited < 2 * (WAIT_MS + STORE_MS), "{broken:?}: {stats}");
        let _: () = redis.command(&["FLUSHALL"]).await;
    }
}
