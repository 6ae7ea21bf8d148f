//! A job of a conversation whose client offers the retrieval tool, done with a model.

use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::process::Launch;
use headroom_tests::retrieval::{retrieve, tools};
use headroom_tests::shortened::shortened;
use headroom_tests::stage::Stage;
use headroom_tests::tiny_model::Output;
use serde_json::json;

use crate::{tiny, with_runtime};

/// What a person says at length: no line twice, and none like the one before.
pub(crate) fn report() -> String {
    const THINGS: [&str; 16] = [
        "engine", "ship", "harbour", "pump", "valve", "captain", "morning", "cold", "fuel",
        "rudder", "hull", "deck", "anchor", "cable", "storm", "crew",
    ];
    const DEEDS: [&str; 8] = [
        "stopped", "held", "broke", "turned", "raised", "missed", "found", "left",
    ];
    let line = |n: usize| {
        let thing = |of: usize| THINGS[n * of % 101 % THINGS.len()];
        let deed = DEEDS[n * 31 % 97 % DEEDS.len()];
        format!(
            "perhaps the {} of the {} {deed} the {} of the {}\n",
            thing(7),
            thing(13),
            thing(29),
            thing(53)
        )
    };
    (1..=400).map(line).collect()
}

#[tokio::test]
#[ignore = "needs ONNX Runtime: scripts/model"]
async fn words_are_left_out_of_prose_and_can_be_fetched() {
    let dir = tiny(Output::FinalScores);
    let stage = Stage::embedded(|launch: Launch| {
        with_runtime(launch.patient())
            .set("HEADROOM_MODEL", dir.path().display())
            .set("HEADROOM_MODEL_KEEP_RATE", 0)
            .set("HEADROOM_TIER", "recoverable")
            .set("HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS", 1000)
    })
    .await;
    stage.provider.cache(|cache| cache.turn_off());
    let mut conversation = Conversation::new(Dialect::Messages, "prose").unmarked();
    conversation.tools = tools(Dialect::Messages);
    let mut conversation = conversation.user(&report());
    stage.exchange(&conversation.call()).await;
    stage.until_done(1).await;
    let mut landed = None;
    for step in 0..5 {
        conversation = conversation
            .assistant("Understood.")
            .user(&format!("Go on with step {step}."));
        let (_, got) = stage.exchange(&conversation.call()).await;
        landed = landed.or_else(|| shortened(&got));
    }
    let (text, original) = landed.unwrap();
    assert!(text.contains("unimportant words are left out"), "{text}");
    for word in ["perhaps", "the", "of"] {
        assert!(
            !text
                .lines()
                .skip(2)
                .any(|line| line.split(' ').any(|it| it == word)),
            "{text}"
        );
    }
    let id = original.to_string();
    assert_eq!(
        retrieve(&stage, &json!({"id": id})).await,
        (report(), false)
    );
}
