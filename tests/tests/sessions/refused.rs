//! What the provider refuses leaves nothing in the store or the queue, and takes nothing from others.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::Path;

use headroom_tests::client::Client;
use headroom_tests::conversation::{Conversation, Dialect, listing};
use headroom_tests::http::is_deferred;
use headroom_tests::process::Launch;
use headroom_tests::provider::Reply;
use headroom_tests::stage::Stage;
use headroom_tests::wait;
use serde_json::json;

const UNAUTHORIZED: u16 = 401;

/// A conversation with a block that is worth compressing, of so many bytes.
fn conversation(number: usize, bytes: usize) -> Conversation {
    Conversation::new(Dialect::ALL[number % 3], &format!("refused-{number}"))
        .user(&format!("List the folder {number}."))
        .tool(
            "Bash",
            &json!({"command": "ls -lR"}),
            &listing(number, bytes),
        )
}

/// A cold start that is left to a worker.
fn large(id: &str) -> Conversation {
    let conversation =
        Conversation::new(Dialect::Messages, id).user(&format!("Find the bug {id}."));
    (0..4).fold(conversation, |it, seed| it.reads(seed, 20_000))
}

fn refuse(stage: &Stage) {
    stage.provider.script(Reply::fixed(UNAUTHORIZED, &[], "{}"));
}

#[tokio::test]
async fn refused_requests_leave_nothing_in_redis() {
    let stage = Stage::with_redis(Launch::patient).await;
    let mut kept = Client::new(conversation(0, 6_000));
    kept.turn(&stage).await;
    let full = || stage.redis().settled_keys();
    let before = wait::eventually("what was accepted to have a full life", full).await;
    for number in 1..=150 {
        refuse(&stage);
        let (decision, _) = stage.exchange(&conversation(number, 6_000).call()).await;
        assert_eq!(decision, "compressed", "{number}");
    }
    stage.redis().until_request_keys_are(&before).await;
    // Nor does a refused turn of a conversation that goes on.
    kept.grow(|it| {
        it.tool(
            "Bash",
            &json!({"command": "ls -lR b"}),
            &listing(1_000, 6_000),
        )
    });
    refuse(&stage);
    let (decision, refused) = stage.exchange(&kept.conversation.call()).await;
    assert_eq!(decision, "compressed");
    stage.redis().until_request_keys_are(&before).await;
    // The same once more, accepted, in the same bytes.
    let again = kept.turn(&stage).await;
    assert_eq!(again.got, refused);
}

/// The bytes of the embedded store's file in a folder. The log beside it holds what was written in the last second, whatever becomes of it.
fn store_bytes(dir: &Path) -> u64 {
    let file = dir.join("headroom.redb");
    file.metadata().unwrap().len()
}

#[tokio::test]
async fn refused_requests_do_not_grow_the_embedded_file() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("data");
    let stage =
        Stage::embedded(|launch| launch.patient().set("HEADROOM_DATA_DIR", dir.display())).await;
    let mut kept = Client::new(conversation(0, 6_000));
    kept.turn(&stage).await;
    let refuse_each = async |numbers: RangeInclusive<usize>| {
        for number in numbers {
            refuse(&stage);
            let (decision, _) = stage.exchange(&conversation(number, 100_000).call()).await;
            assert_eq!(decision, "compressed", "{number}");
        }
    };
    // The file grows by whole steps until it has room for what is in it at one moment.
    refuse_each(1..=20).await;
    let before = store_bytes(&dir);
    refuse_each(21..=80).await;
    let grown = store_bytes(&dir).saturating_sub(before);
    assert!(grown <= 1 << 20, "{grown} bytes");
    kept.grow(|it| it.assistant("Well.").user("Go on."));
    kept.turn(&stage).await;
}

#[tokio::test]
async fn a_refused_cold_start_leaves_no_job_and_no_result() {
    let deferring = |launch: Launch| {
        let launch = launch.set("HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS", 5000);
        launch.patient()
    };
    let mut stage = Stage::with_redis(deferring).await;
    // While no worker runs: the job waits.
    refuse(&stage);
    assert!(is_deferred(&stage.exchange(&large("waits").call()).await.0));
    stage.redis().until_request_keys_are(&BTreeSet::new()).await;
    // The job is done before the provider refuses.
    stage.start_worker().await;
    let (signal, reply) = Reply::late(UNAUTHORIZED);
    stage.provider.script(reply);
    let refused = async {
        stage.until_done(1).await;
        signal.send(()).unwrap();
    };
    let call = large("late").call();
    tokio::join!(stage.exchange(&call), refused);
    stage.redis().until_request_keys_are(&BTreeSet::new()).await;
    // And one that is accepted stays, with a full life.
    let mut client = Client::uncached(large("accepted"));
    stage.provider.cache(|cache| cache.turn_off());
    client.turn(&stage).await;
    let result = || async {
        let kept = stage.redis().settled_keys().await?;
        let is_result = |key: &String| key.starts_with("headroom:compressed:");
        kept.iter().any(is_result).then_some(())
    };
    wait::eventually("a result with a full life", result).await;
    client.until_compressed(&stage).await;
}

#[tokio::test]
async fn what_an_accepted_request_uses_too_stays() {
    let stage = Stage::with_redis(Launch::patient).await;
    let call = conversation(7, 6_000).call();
    // Two requests with the same text are under way; one is refused before the other is accepted.
    let (first, reply) = Reply::late(UNAUTHORIZED);
    stage.provider.script(reply);
    let (second, reply) = Reply::late(200);
    stage.provider.script(reply);
    let both = async { tokio::join!(stage.send(&call), stage.send(&call)) };
    let answers = async {
        for _ in 0..2 {
            stage.provider.next().await;
        }
        first.send(()).unwrap();
        stage.redis().until_request_keys_are(&BTreeSet::new()).await;
        second.send(()).unwrap();
    };
    tokio::join!(both, answers);
    let full = || async {
        let kept = stage.redis().settled_keys().await?;
        let has = |kind| kept.iter().any(|key| key.starts_with(kind));
        (has("headroom:sent:") && has("headroom:form:")).then_some(())
    };
    wait::eventually("what the accepted one used to have a full life", full).await;
}
