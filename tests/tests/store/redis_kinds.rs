//! The pair over Redis as users run it, and what it refuses.
#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use headroom_tests::client::Client;
use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::http::{Call, is_deferred};
use headroom_tests::process::Launch;
use headroom_tests::provider::Provider;
use headroom_tests::queue::hand::{Ended, queue_at};
use headroom_tests::redis_kinds::{Cluster, Sentinel, Tls};
use headroom_tests::redis_server::RedisServer;
use headroom_tests::stage::Stage;
use headroom_tests::wait;

/// It holds the line by which an operator makes a Redis user for this.
const OPERATIONS: &str = include_str!("../../../docs/operations.md");

fn small(launch: Launch) -> Launch {
    launch
        .set("HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS", 5000)
        .patient()
}

/// A cold start, its job, and the turn that lands.
async fn whole_way(stage: &Stage, name: &str, jobs: u64) {
    let conversation =
        Conversation::new(Dialect::Messages, name).user(&format!("Find the bug {name}."));
    let conversation = (0..4).fold(conversation, |it, seed| it.reads(seed, 20_000));
    let mut client = Client::uncached(conversation.assistant("Found it.").user("Fix it."));
    assert!(is_deferred(&client.turn(stage).await.decision));
    stage.until_done(jobs).await;
    client.until_compressed(stage).await;
}

async fn ready(stage: &Stage) {
    wait::eventually("the proxy to be ready", || async {
        let answer = Call::get("/readyz").try_send(&stage.addr()).await.ok()?;
        (answer.status() == 200).then_some(())
    })
    .await;
}

async fn over(url: &str) -> Stage {
    let stage = Stage::at(url, small).await;
    stage.provider.cache(|cache| cache.turn_off());
    stage
}

#[tokio::test]
async fn over_tls_with_a_ca_of_its_own() {
    let redis = Tls::start(false).await;
    let stage = over(&redis.url()).await;
    whole_way(&stage, "tls", 1).await;
}

#[tokio::test]
async fn over_tls_with_certificates_on_both_sides() {
    let redis = Tls::start(true).await;
    let stage = over(&redis.mutual_url()).await;
    whole_way(&stage, "mutual", 1).await;
}

#[tokio::test]
async fn a_certificate_of_an_unknown_ca_is_not_trusted() {
    let redis = Tls::start(false).await;
    let worker = Launch::worker(&redis.bare_url())
        .alive_is_enough()
        .start()
        .await;
    wait::eventually("the reason", || async {
        let answer = Call::get("/readyz").try_send(&worker.addr()).await.ok()?;
        let status = answer.status();
        let reason = String::from_utf8_lossy(&answer.bytes().await).into_owned();
        (status == 503 && reason.contains("UnknownIssuer")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn behind_a_sentinel_and_through_a_failover() {
    let mut redis = Sentinel::start().await;
    let stage = over(&redis.url()).await;
    whole_way(&stage, "before", 1).await;
    redis.primary.kill();
    redis.failed_over().await;
    ready(&stage).await;
    let worker = stage.worker.as_ref().expect("it was started");
    wait::eventually("the worker to be ready", || async {
        let answer = Call::get("/readyz").try_send(&worker.addr()).await.ok()?;
        (answer.status() == 200).then_some(())
    })
    .await;
    whole_way(&stage, "after", 2).await;
}

#[tokio::test]
async fn over_a_cluster_whose_slot_moves() {
    let cluster = Cluster::start().await;
    let stage = over(&cluster.url()).await;
    whole_way(&stage, "before", 1).await;
    let before = cluster.sizes().await;
    let holding = |sizes: &[u64]| sizes.iter().filter(|&&size| size > 0).count();
    assert_eq!(holding(&before), 1, "all keys are in one slot: {before:?}");
    cluster.move_slot("{headroom}").await;
    let after = cluster.sizes().await;
    assert!(
        holding(&after) == 1 && after != before,
        "{before:?} {after:?}"
    );
    // A small request finds out that the slot has moved, and goes out all the same.
    let mut other = Client::uncached(Conversation::new(Dialect::Messages, "other").user("Hello."));
    other.turn(&stage).await;
    ready(&stage).await;
    whole_way(&stage, "after", 2).await;
}

/// The line for a Redis user of our own.
fn acl_line() -> Vec<&'static str> {
    let line = OPERATIONS
        .lines()
        .find(|line| line.trim_start().starts_with("ACL SETUSER headroom"));
    line.expect("docs/operations.md has the line")
        .split_whitespace()
        .collect()
}

#[tokio::test]
async fn a_user_limited_to_our_keys_and_channel_is_enough() {
    let redis = RedisServer::start().await;
    let _: String = redis.command(&acl_line()).await;
    let url = redis.url_as("headroom:CHANGE-ME");
    let mut stage = over(&url).await;
    whole_way(&stage, "acl", 1).await;
    for words in ["status", "list", "dead", "pause", "resume", "replay --all"] {
        let ended: Ended = queue_at(&url, words).run().await.into();
        assert_eq!(ended.code, Some(0), "{words}: {ended:?}");
    }
    let worker = stage.worker.as_mut().expect("it is there");
    assert!(worker.terminate(wait::DEADLINE).await.success());
    let refused: Vec<redis::Value> = redis.command(&["ACL", "LOG"]).await;
    assert!(refused.is_empty(), "{refused:?}");
    let client = redis::Client::open(url).expect("a URL");
    let mut connection = client
        .get_multiplexed_async_connection()
        .await
        .expect("it may log in");
    for foreign in [
        &["GET", "other"][..],
        &["FLUSHALL"],
        &["CONFIG", "SET", "maxmemory", "1"],
        &["KEYS", "*"],
    ] {
        let said: Result<redis::Value, _> = redis::cmd(foreign[0])
            .arg(&foreign[1..])
            .query_async(&mut connection)
            .await;
        assert_eq!(
            said.expect_err("refused").code(),
            Some("NOPERM"),
            "{foreign:?}"
        );
    }
}

#[tokio::test]
async fn the_same_user_is_enough_in_a_cluster() {
    let cluster = Cluster::start().await;
    cluster.tell_all(&acl_line()).await;
    let url = cluster
        .url()
        .replace("cluster://", "cluster://headroom:CHANGE-ME@");
    let stage = over(&url).await;
    whole_way(&stage, "acl", 1).await;
    let (refused, nobody) = (["ACL", "LOG"], redis::Value::Array(vec![]));
    for node in cluster.nodes() {
        let log: redis::Value = node.command(&refused).await;
        assert_eq!(log, nobody);
    }
}

#[tokio::test]
async fn what_is_not_supported_is_refused_in_one_line() {
    let (plain, sentinel, cluster) = (
        RedisServer::start().await,
        Sentinel::start().await,
        Cluster::start().await,
    );
    let provider = Provider::start().await;
    let (host, node) = (
        plain.url().replace("redis://", ""),
        cluster.nodes()[0].url(),
    );
    for (url, says) in [
        (node.clone(), "redis-cluster://host:port"),
        (
            sentinel.own_url(),
            "redis-sentinel://host:port/?master=NAME",
        ),
        (format!("redis-cluster://{host}"), "it is no cluster's node"),
        (
            format!("redis-sentinel://{host}/?master=mymaster"),
            "it is no sentinel",
        ),
        (
            sentinel.url().replace("mymaster", "other"),
            "no master of this name",
        ),
        (plain.url_as("me:hunter2"), "Password authentication failed"),
    ] {
        for launch in [
            Launch::worker(&url),
            Launch::proxy(&provider).set("HEADROOM_REDIS_URL", &url),
        ] {
            let output = launch.set("HEADROOM_LOG", "error").run().await;
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{url}: {said}");
            assert!(
                said.contains(says) && said.trim().lines().count() == 1,
                "{url}: {said}"
            );
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
    let look = Launch::worker(&node).args(&["queue", "status"]).run().await;
    let said = String::from_utf8_lossy(&look.stderr).into_owned();
    assert!(said.contains("redis-cluster://host:port"), "{said}");
}
