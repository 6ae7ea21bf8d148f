//! A Redis that evicts keys when it is full: nothing new counts on it, what it still has is kept to, and everything goes on by itself when
//! it evicts no more.
#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use headroom_tests::client::Client;
use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::http::{Call, is_deferred};
use headroom_tests::process::Launch;
use headroom_tests::redis_server::RedisServer;
use headroom_tests::stage::Stage;
use headroom_tests::wait;

fn patient(launch: Launch) -> Launch {
    launch
        .set("HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS", 10_000)
        .patient()
        .alive_is_enough()
}

async fn set_policy(redis: &RedisServer, policy: &str) {
    let set = ["CONFIG", "SET", "maxmemory-policy", policy];
    let _: () = redis.command(&set).await;
}

/// Waits until the program at `addr` has this status at `/readyz`, and gives what it says there.
async fn ready(addr: &str, status: u16) -> String {
    let said = wait::eventually("the program to notice", || async {
        let answer = Call::get("/readyz").send(addr).await;
        (answer.status() == status).then_some(answer)
    });
    let said = said.await.bytes().await;
    String::from_utf8(said.to_vec()).expect("a text")
}

fn short(dialect: Dialect, id: &str) -> Client {
    Client::new(Conversation::new(dialect, id).user("Read.").reads(1, 9000))
}

fn long(id: &str) -> Client {
    let conversation = Conversation::new(Dialect::Messages, id).user("Read.");
    let conversation = (0..4).fold(conversation, |it, seed| it.reads(seed, 20_000));
    Client::uncached(conversation.assistant("Done.").user("Go on."))
}

#[tokio::test]
async fn from_the_start_nothing_is_stored_or_compressed() {
    for policy in ["volatile-lru", "allkeys-lfu"] {
        let redis = RedisServer::persistent().await;
        set_policy(&redis, policy).await;
        let mut stage = Stage::over(redis, patient).await;
        let reason = ready(&stage.addr(), 503).await;
        let told = [policy, "to noeviction", "forwarded uncompressed"];
        assert!(told.iter().all(|part| reason.contains(part)), "{reason}");
        let mut clients: Vec<Client> = Dialect::ALL
            .into_iter()
            .map(|dialect| short(dialect, "evicting"))
            .chain([long("evicting-long")])
            .collect();
        for client in &mut clients {
            let turn = client.turn(&stage).await;
            assert_eq!(turn.decision, "forwarded");
            assert_eq!(turn.got, turn.sent.bytes);
        }
        let keys: Vec<String> = stage.redis().command(&["KEYS", "*"]).await;
        assert!(keys.is_empty(), "{keys:?}");
        let warned =
            format!("WARN headroom_shared::redis::eviction: Redis has maxmemory-policy {policy}");
        let log = stage.proxy().logged(&warned, 2).await;
        assert_eq!(log.matches(&warned).count(), 2, "{log}");

        set_policy(stage.redis(), "noeviction").await;
        ready(&stage.addr(), 200).await;
        for client in clients.iter_mut().take(Dialect::ALL.len()) {
            // What went out in the original stays so; what is new is compressed.
            client.grow(|it| it.reads(2, 9000));
            assert_eq!(client.turn(&stage).await.decision, "compressed");
            assert_eq!(client.forms.entered, 1);
        }
        let mut new = long("no-longer-evicting");
        assert!(is_deferred(&new.turn(&stage).await.decision));
    }
}

#[tokio::test]
async fn while_it_runs_what_was_sent_keeps_its_form_and_nothing_new_gets_one() {
    let mut stage = Stage::with_redis(patient).await;
    let mut clients = Dialect::ALL.map(|dialect| short(dialect, "changed"));
    for client in &mut clients {
        assert_eq!(client.turn(&stage).await.decision, "compressed");
    }
    set_policy(stage.redis(), "volatile-lru").await;
    ready(&stage.addr(), 503).await;
    let before: Vec<String> = stage.redis().command(&["KEYS", "*"]).await;
    for seed in 2..4 {
        for client in &mut clients {
            client.grow(|it| it.reads(seed, 9000));
            assert_eq!(client.turn(&stage).await.decision, "compressed");
            assert_eq!(client.forms.entered, 1);
        }
        // The next time nothing is left in the process: what goes out is what Redis still has.
        stage.proxy().kill();
        stage.proxy().start_again().await;
        ready(&stage.addr(), 503).await;
    }
    let after: Vec<String> = stage.redis().command(&["KEYS", "*"]).await;
    assert_eq!(before.len(), after.len(), "{before:?} {after:?}");

    set_policy(stage.redis(), "noeviction").await;
    ready(&stage.addr(), 200).await;
    for client in &mut clients {
        client.grow(|it| it.reads(4, 9000));
        assert_eq!(client.turn(&stage).await.decision, "compressed");
        assert_eq!((client.forms.entered, client.forms.landed), (2, 0));
    }
    // Each of the two links asks in its own time.
    let again = "Redis no longer evicts keys: compression goes on";
    stage.proxy().logged(again, 2).await;
    let log = stage.proxy().whole_log().await;
    assert_eq!(log.matches(again).count(), 2, "{log}");
}

#[tokio::test]
async fn a_server_that_comes_back_is_asked_anew() {
    let mut stage = Stage::with_redis(patient).await;
    set_policy(stage.redis(), "volatile-lru").await;
    ready(&stage.addr(), 503).await;
    let redis = stage.redis.as_mut().expect("a Redis");
    redis.kill();
    // It starts with what its configuration says.
    redis.start_again().await;
    ready(&stage.addr(), 200).await;
    let mut client = short(Dialect::Chat, "back");
    assert_eq!(client.turn(&stage).await.decision, "compressed");
}

#[tokio::test]
async fn a_worker_claims_nothing_until_it_evicts_no_more() {
    let redis = RedisServer::persistent().await;
    let worker = Launch::worker(&redis.url()).start().await;
    set_policy(&redis, "volatile-lru").await;
    let reason = ready(&worker.addr(), 503).await;
    assert!(reason.contains("maxmemory-policy volatile-lru"), "{reason}");
    let _: u64 = redis.command(&["LPUSH", "headroom:jobs", "no job"]).await;
    for _ in 0..2 {
        let heard = heartbeat(&redis).await;
        wait::eventually("another heartbeat", || async {
            (heartbeat(&redis).await != heard).then_some(())
        })
        .await;
    }
    let lengths = async || -> (u64, u64) {
        let length = async |key: &str| redis.command(&["LLEN", key]).await;
        (length("headroom:jobs").await, length("headroom:dead").await)
    };
    assert_eq!(lengths().await, (1, 0));

    set_policy(&redis, "noeviction").await;
    ready(&worker.addr(), 200).await;
    wait::eventually("what is no job to be buried", || async {
        (lengths().await == (0, 1)).then_some(())
    })
    .await;
}

/// When a worker was last heard of.
async fn heartbeat(redis: &RedisServer) -> Vec<String> {
    let range = ["ZRANGE", "headroom:workers", "0", "-1", "WITHSCORES"];
    redis.command(&range).await
}
