//! A long new text of a user goes out as it is; what a worker's model leaves of it lands in the next request.

use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::process::Launch;
use headroom_tests::retrieval::{retrieve, tools};
use headroom_tests::shortened::shortened;
use headroom_tests::stage::Stage;
use headroom_tests::tiny_model::Output;
use serde_json::json;

use crate::job::report;
use crate::{tiny, with_runtime};

/// What a person says at length, most of which is words that the model leaves out.
fn prose() -> String {
    report().replace(" of ", " of perhaps the of ")
}

/// A proxy that leaves nothing to a worker but large new texts, before workers with a Redis.
async fn stage() -> Stage {
    Stage::with_redis(|launch: Launch| {
        launch
            .patient()
            .set("HEADROOM_TIER", "recoverable")
            .set("HEADROOM_TAIL_TOKENS", 1000)
            .set("HEADROOM_REFRESH_TOKENS", 0)
    })
    .await
}

/// A conversation that has saved something: the same file was read several times.
async fn begun(stage: &Stage, id: &str) -> Conversation {
    let mut conversation = Conversation::new(Dialect::Messages, id);
    conversation.tools = tools(Dialect::Messages);
    let mut conversation = conversation.user("Find the bug.");
    for _ in 0..6 {
        conversation = conversation.reads(1, 20_000);
        stage.exchange(&conversation.call()).await;
    }
    conversation
}

#[tokio::test]
#[ignore = "needs ONNX Runtime: scripts/model"]
async fn a_long_new_text_lands_near_the_tail() {
    let (stage, dir) = (stage().await, tiny(Output::FinalScores));
    let launch = Launch::worker(&stage.redis().url())
        .set("HEADROOM_MODEL", dir.path().display())
        .set("HEADROOM_MODEL_KEEP_RATE", 0);
    let _worker = with_runtime(launch).start().await;
    stage
        .until("the proxy to know of the model", |stats| {
            stats["fleet"]["has_model"] == true
        })
        .await;
    let conversation = begun(&stage, "tail").await;
    let conversation = conversation.assistant("What next?").user(&prose());
    let (_, whole) = stage.exchange(&conversation.call()).await;
    assert_eq!(shortened(&whole), None);
    stage.until_done(1).await;
    let conversation = conversation.assistant("Understood.").user("Go on.");
    let answer = stage.send(&conversation.call()).await;
    assert_eq!(answer.header("x-headroom-reason"), "landed_tail");
    answer.bytes().await;
    let landed = stage.provider.next().await.body;
    let (text, original) = shortened(&landed).unwrap();
    assert!(text.contains("unimportant words are left out"), "{text}");
    let id = original.to_string();
    assert_eq!(retrieve(&stage, &json!({"id": id})).await, (prose(), false));
    let cost = &stage.stats().await["cost"];
    let usd = |name: &str| cost[name].as_f64().unwrap();
    assert!(usd("usd") < usd("shadow_usd"), "{cost}");
    // The form stays.
    let conversation = conversation.assistant("Done.").user("Thank you.");
    let (_, later) = stage.exchange(&conversation.call()).await;
    assert_eq!(shortened(&later), Some((text, original)));
}

#[tokio::test]
#[ignore = "needs the programs with the model: scripts/model"]
async fn where_no_worker_has_a_model_no_job_is_pushed_for_a_long_new_text() {
    let mut stage = stage().await;
    stage.start_worker().await;
    stage
        .until("the proxy to know of the worker", |stats| {
            stats["fleet"]["threads"] == 1
        })
        .await;
    let conversation = begun(&stage, "no model").await;
    let conversation = conversation.assistant("What next?").user(&prose());
    stage.exchange(&conversation.call()).await;
    let conversation = conversation.assistant("Understood.").user("Go on.");
    stage.exchange(&conversation.call()).await;
    let stats = stage
        .until("the jobs to be told", |stats| stats["jobs"].is_object())
        .await;
    assert_eq!(stats["jobs"]["enqueued"], 0, "{stats}");
}
