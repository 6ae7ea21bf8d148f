//! The compose file as it stands: a cold start through the published port, its job, the compressed turn; then three workers,
//! and what may happen to containers.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod containers;
mod faults;

use std::collections::BTreeMap;
use std::time::Instant;

use headroom_tests::client::Client;
use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::http::Call;
use headroom_tests::ports::free_port;
use headroom_tests::provider::Provider;
use headroom_tests::stage::Stage;
use headroom_tests::wait;

use self::containers::{Compose, host_seen_from_containers};
use self::faults::Load;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a Docker engine: ./scripts/compose-test runs it"]
async fn every_job_is_done_whatever_happens_to_containers() {
    let host = host_seen_from_containers();
    let provider = Provider::start_on(&host).await;
    provider.cache(|cache| cache.turn_off());
    let port = free_port();
    let compose = Compose::new(BTreeMap::from([
        ("HEADROOM_PORT", port.to_string()),
        (
            "HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS",
            "5000".to_owned(),
        ),
        ("ANTHROPIC_TARGET_API_URL", provider.url()),
        ("OPENAI_TARGET_API_URL", provider.url()),
    ]));
    compose.show("up --detach --build --scale worker=2");

    let addr = format!("127.0.0.1:{port}");
    wait::eventually("the proxy to be ready", || async {
        let answer = Call::get("/readyz").try_send(&addr).await.ok()?;
        (answer.status() == 200).then_some(())
    })
    .await;
    everything_is_as_the_file_says(&compose, &addr).await;
    let stage = Stage::elsewhere(&addr, provider);
    a_cold_start_is_compressed(&compose, &stage).await;

    compose.show("up --detach --no-recreate --scale worker=3");
    compose.all_are_healthy(5).await;
    let mut load = Load::after(1, &compose, &stage);
    load.a_container_is_killed_in_mid_job().await;
    load.a_container_is_cut_off_and_returns().await;
    load.redis_is_restarted().await;
    load.nothing_is_left().await;

    compose.show("stop");
    compose.all_ended_by_themselves(5);
}

async fn a_cold_start_is_compressed(compose: &Compose, stage: &Stage) {
    let began = Instant::now();
    let conversation = Conversation::new(Dialect::Messages, "compose").user("Find the bug.");
    let conversation = (0..4).fold(conversation, |it, seed| it.reads(seed, 20_000));
    let mut client = Client::uncached(conversation.assistant("Found it.").user("Fix it."));
    // Where the store has not answered within its budget, as on a loaded machine, nobody knows that it is new.
    while !headroom_tests::http::is_deferred(&client.turn(stage).await.decision) {
        assert!(began.elapsed() < wait::DEADLINE, "it is never deferred");
    }
    stage.until_done(1).await;
    assert_eq!(compose.redis("llen headroom:jobs"), "0");
    assert_eq!(compose.redis("hget headroom:stats done"), "1");
    let turn = client.until_compressed(stage).await;
    assert!(turn.got.len() < turn.sent.bytes.len() * 9 / 10);
}

async fn everything_is_as_the_file_says(compose: &Compose, addr: &str) {
    assert_eq!(
        compose.run("port proxy 8787"),
        addr,
        "published on this machine alone"
    );
    compose.all_are_healthy(4).await;
    for service in ["proxy", "worker"] {
        assert_ne!(
            compose.run(&format!("exec -T {service} id -u")),
            "0",
            "{service} runs as root"
        );
    }
    assert_eq!(compose.redis("zcard headroom:workers"), "2");
    assert!(
        compose
            .redis("config get maxmemory-policy")
            .contains("noeviction")
    );
    assert!(compose.redis("config get appendfsync").contains("everysec"));
}
