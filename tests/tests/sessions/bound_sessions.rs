//! Where thinking is bound to what was sent, a wrong form breaks the session: there the store is waited for.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use std::time::{Duration, Instant};

use headroom_tests::client::Client;
use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::process::{Launch, Process};
use headroom_tests::provider::Provider;
use headroom_tests::redis_server::RedisServer;
use headroom_tests::stage::Stage;
use headroom_tests::tcp_proxy::{Line, TcpProxy};

/// How long such a request may wait here.
const BOUND: Duration = Duration::from_secs(10);

/// A session on this model, as far as a first replica with much time has sent it: two compressed blocks, and thinking behind them.
async fn session(stage: &Stage, model: &str) -> Client {
    let conversation = Conversation::new(Dialect::Messages, model).user("Read.");
    let mut client = Client::new(conversation.reads(1, 9000));
    model.clone_into(&mut client.conversation.model);
    assert_eq!(client.turn(stage).await.decision, "compressed");
    client.grow(|it| it.thinking("Hm.").reads(2, 9000));
    assert_eq!(client.turn(stage).await.decision, "compressed");
    assert_eq!(client.forms.entered, 2);
    client.grow(|it| it.thinking("Hm.").user("Go on."));
    client
}

async fn first_replica() -> Stage {
    Stage::with_redis(|it| {
        it.set("HEADROOM_STORE_BUDGET_MS", 5000)
            .set("HEADROOM_ENTRY_BUDGET_MS", 5000)
    })
    .await
}

/// Another replica, which has not much time and knows nothing yet.
async fn replica(provider: &Provider, url: &str, bound: Duration) -> Process {
    let launch = Launch::proxy(provider)
        .set("HEADROOM_REDIS_URL", url)
        .set("HEADROOM_BOUND_STORE_BUDGET_MS", bound.as_millis());
    launch.start().await
}

/// Sends the session as it is now through a replica; how long it took to the provider.
async fn turn(client: &mut Client, stage: &Stage, replica: &Process) -> Duration {
    let turn = client.send(&replica.addr(), &stage.provider).await;
    let turn = turn.expect("an answer");
    if let Err(error) = client.check(&turn) {
        panic!("{error}");
    }
    turn.way
}

async fn pause(redis: &RedisServer, ms: u64) {
    let () = redis
        .command(&["CLIENT", "PAUSE", &ms.to_string(), "ALL"])
        .await;
}

#[tokio::test]
async fn a_paused_store_is_waited_for_by_a_replica_that_does_not_know_the_session() {
    let stage = first_replica().await;
    let mut client = session(&stage, "claude-opus-5-5").await;
    let mut other = replica(&stage.provider, &stage.redis().url(), BOUND).await;
    for _ in 0..2 {
        // At first it does not even know the deployment's secret.
        pause(stage.redis(), 300).await;
        turn(&mut client, &stage, &other).await;
        other.kill();
        other.start_again().await;
    }
    // This one knows the secret, and not the session.
    turn(
        &mut session(&stage, "claude-fable-5-1").await,
        &stage,
        &other,
    )
    .await;
    pause(stage.redis(), 300).await;
    turn(&mut client, &stage, &other).await;
    assert_eq!(client.forms.originals, 0);
}

#[tokio::test]
async fn a_read_goes_on_over_the_next_connection() {
    let stage = first_replica().await;
    let mut client = session(&stage, "claude-opus-5-5").await;
    for bad in [Line::Cut, Line::HalfOpen] {
        let line = TcpProxy::start(stage.redis().port()).await;
        let url = format!("redis://127.0.0.1:{}", line.port());
        let other = replica(&stage.provider, &url, BOUND).await;
        line.set_open(bad);
        turn(&mut client, &stage, &other).await;
        let mut second = session(&stage, "claude-fable-5-1").await;
        line.set_open(bad);
        turn(&mut second, &stage, &other).await;
    }
}

#[tokio::test]
async fn a_store_that_is_down_is_waited_for_until_the_budget_ends() {
    let mut stage = first_replica().await;
    let mut client = session(&stage, "claude-opus-5-5").await;
    let url = stage.redis().url();
    let bound = Duration::from_millis(400);
    let patient = replica(&stage.provider, &url, BOUND).await;
    let other = replica(&stage.provider, &url, bound).await;
    stage.redis.as_mut().unwrap().kill();
    client.allowed.originals = true;
    let way = turn(&mut client, &stage, &other).await;
    assert!(way > bound * 3 / 4 && way < BOUND, "{way:?}");
    assert_eq!(client.forms.originals, 2);

    client.allowed.originals = false;
    let Stage {
        redis, provider, ..
    } = &mut stage;
    let addr = patient.addr();
    let sent = client.send(&addr, provider);
    let (turn, ()) = tokio::join!(sent, redis.as_mut().unwrap().start_again());
    client.check(&turn.unwrap()).unwrap();
}

#[tokio::test]
async fn nothing_else_waits_longer_than_ever() {
    let stage = first_replica().await;
    let other = replica(&stage.provider, &stage.redis().url(), BOUND).await;
    let mut free = session(&stage, "claude-opus-4-6").await;
    free.allowed.originals = true;
    // On a model that binds, but without a block that could have been compressed.
    let mut small = Client::new(Conversation::new(Dialect::Messages, "small").user("Go on."));
    "claude-opus-5-5".clone_into(&mut small.conversation.model);
    small.grow(|it| it.thinking("Hm.").user("Go on."));
    stage.redis().pause();
    for client in [&mut free, &mut small] {
        let began = Instant::now();
        turn(client, &stage, &other).await;
        assert!(began.elapsed() < BOUND / 2, "{:?}", began.elapsed());
    }
    stage.redis().resume();
}
