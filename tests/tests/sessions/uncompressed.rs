//! Blocks that go out in the original when they are sent first are counted by reason, and logged one by one at `debug`.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use headroom_tests::client::Client;
use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::http::Call;
use headroom_tests::process::Launch;
use headroom_tests::provider::Reply;
use headroom_tests::stage::Stage;
use headroom_tests::wait;
use serde_json::{Value, json};

fn patient(launch: Launch) -> Launch {
    launch
        .set("HEADROOM_LOG", "info,headroom_proxy=debug")
        .set("HEADROOM_LOG_FORMAT", "json")
        .patient()
}

/// The counts that are not 0.
async fn counts(stage: &Stage) -> Value {
    let stats = stage.stats().await;
    let counts = stats["blocks_uncompressed"].as_object();
    let counted = counts.into_iter().flatten();
    counted
        .filter(|(_, count)| **count != 0)
        .map(|(name, count)| (name.clone(), count.clone()))
        .collect()
}

fn session(dialect: Dialect, id: &str) -> Conversation {
    Conversation::new(dialect, id).user("Read it.")
}

/// Some 4 kB of text that no compressor makes smaller.
fn noise(seed: usize) -> String {
    let word = |n: usize| format!("{:x} ", n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    (seed * 1000..).map(word).take(240).collect()
}

#[tokio::test]
async fn what_has_no_form_or_too_small_a_one() {
    let mut stage = Stage::embedded(patient).await;
    let mut client = Client::new(session(Dialect::Messages, "floor"));
    let input = json!({"command": "run"});
    client.grow(|it| it.tool("Bash", &input, &noise(1)));
    client.turn(&stage).await;
    assert_eq!(counts(&stage).await, json!({"no_gain": 1}));
    let some = format!(
        "{}{}",
        noise(2),
        "\nthe very same line again, and again".repeat(6)
    );
    client.grow(|it| it.tool("Bash", &input, &some));
    client.turn(&stage).await;
    assert_eq!(counts(&stage).await, json!({"no_gain": 1, "floor": 1}));
    // What was sent once is not counted again.
    client.grow(|it| it.assistant("Well.").user("Go on."));
    client.turn(&stage).await;
    assert_eq!(counts(&stage).await, json!({"no_gain": 1, "floor": 1}));
    let message = "a new block goes out in the original";
    let log = stage.proxy().logged(message, 2).await;
    let lines: Vec<Value> = log
        .lines()
        .filter(|line| line.contains(message))
        .filter_map(|line| line.parse().ok())
        .collect();
    let told: Vec<_> = lines
        .iter()
        .map(|line| (&line["reason"], &line["block.tool"]))
        .collect();
    assert_eq!(
        told,
        [
            (&json!("no_gain"), &json!("Bash")),
            (&json!("floor"), &json!("Bash"))
        ]
    );
    assert!(!log.contains("very same line"), "a text is in the log");
    let metrics = stage.send(&Call::get("/metrics")).await.bytes().await;
    let metrics = String::from_utf8_lossy(&metrics).into_owned();
    let count = r#"headroom_blocks_uncompressed_total{reason="floor"} 1"#;
    assert!(metrics.contains(count), "{metrics}");
}

#[tokio::test]
async fn what_there_was_no_time_for() {
    let stage = Stage::embedded(|it| patient(it).set("HEADROOM_ENTRY_BUDGET_MS", 0)).await;
    let mut client = Client::new(session(Dialect::Chat, "budget"));
    client.grow(|it| it.reads(1, 20_000));
    assert_eq!(client.turn(&stage).await.decision, "forwarded");
    assert_eq!(counts(&stage).await, json!({"entry_budget": 1}));
}

/// With so little time that a block of [`TOO_LARGE`] bytes is never begun before its request goes out.
fn hasty(launch: Launch) -> Launch {
    patient(launch).set("HEADROOM_ENTRY_BUDGET_MS", 1)
}

const TOO_LARGE: usize = 40_000;
const UNAUTHORIZED: u16 = 401;

/// Has other conversations read the same, until one goes out with a form.
async fn until_made(stage: &Stage, dialect: Dialect) {
    let others = AtomicUsize::new(0);
    wait::eventually("the form to be made", || async {
        let number = others.fetch_add(1, Ordering::Relaxed);
        let other = Conversation::new(dialect, "other").user(&format!("Read {number}."));
        let mut other = Client::new(other.reads(1, TOO_LARGE));
        let decision = other.turn(stage).await.decision;
        (decision == "compressed").then_some(())
    })
    .await;
    assert_eq!(made_before(stage).await, 1);
}

async fn made_before(stage: &Stage) -> u64 {
    let stats = stage.stats().await;
    stats["forms_made_before"].as_u64().unwrap_or_default()
}

#[tokio::test]
async fn what_there_was_no_time_for_is_compressed_when_a_refused_request_is_sent_again() {
    for dialect in Dialect::ALL {
        let stage = Stage::with_redis(hasty).await;
        let mut client = Client::new(session(dialect, "again").reads(1, TOO_LARGE));
        stage.provider.script(Reply::fixed(UNAUTHORIZED, &[], "{}"));
        let (decision, _) = stage.exchange(&client.conversation.call()).await;
        assert_eq!(decision, "forwarded");
        assert_eq!(counts(&stage).await, json!({"entry_budget": 1}));
        let none = BTreeSet::new();
        stage.redis().until_request_keys_are(&none).await;
        until_made(&stage, dialect).await;
        assert_eq!(client.turn(&stage).await.decision, "compressed");
        assert_eq!(made_before(&stage).await, 2);
        // The conversation goes on in that form.
        client.grow(|it| it.assistant("Well.").user("Go on."));
        client.turn(&stage).await;
        assert_eq!(client.forms.entered, 1);
        let metrics = stage.send(&Call::get("/metrics")).await.bytes().await;
        let metrics = String::from_utf8_lossy(&metrics).into_owned();
        let count = "headroom_forms_made_before_total 2";
        assert!(metrics.contains(count), "{metrics}");
    }
}

#[tokio::test]
async fn what_there_was_no_time_for_is_compressed_in_another_branch_and_stays_as_it_is_in_its_own()
{
    for dialect in Dialect::ALL {
        let stage = Stage::embedded(hasty).await;
        let mut first = Client::new(session(dialect, "branch").reads(1, TOO_LARGE));
        assert_eq!(first.turn(&stage).await.decision, "forwarded");
        until_made(&stage, dialect).await;
        let fork = session(dialect, "branch").assistant("Or rather so.");
        let mut fork = Client::new(fork.reads(1, TOO_LARGE));
        assert_eq!(fork.turn(&stage).await.decision, "compressed");
        assert_eq!(made_before(&stage).await, 2);
        first.grow(|it| it.assistant("Well.").user("Go on."));
        assert_eq!(first.turn(&stage).await.decision, "forwarded");
        assert_eq!((first.forms.entered, fork.forms.entered), (0, 1));
    }
}

#[tokio::test]
async fn what_a_late_store_kept_from_being_compressed() {
    let stage = Stage::with_redis(|it| patient(it).set("HEADROOM_STORE_BUDGET_MS", 100)).await;
    let mut client = Client::new(session(Dialect::Responses, "late"));
    client.grow(|it| it.reads(1, 20_000));
    assert_eq!(client.turn(&stage).await.decision, "compressed");
    stage.redis().pause();
    client.grow(|it| it.reads(2, 20_000));
    client.turn(&stage).await;
    stage.redis().resume();
    assert_eq!(counts(&stage).await, json!({"store_late": 1}));
}

#[tokio::test]
async fn what_may_have_been_sent_before() {
    let stage = Stage::embedded(patient).await;
    let conversation = session(Dialect::Messages, "unsure")
        .reads(1, 20_000)
        .assistant("Found it.")
        .user("Go on.");
    assert_eq!(
        Client::new(conversation).turn(&stage).await.decision,
        "forwarded"
    );
    assert_eq!(counts(&stage).await, json!({"unsure": 1}));
}

#[tokio::test]
async fn what_may_not_refer_to_what_stands_before_it() {
    let stage = Stage::embedded(patient).await;
    let text = noise(3);
    let result = |id: &str| json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": text}]});
    let body = json!({
        "model": "claude-sonnet-4-5",
        "messages": [result("t1"), result("t2")],
        "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]},
    });
    let call = Call::post(Dialect::Messages.path(), body.to_string());
    assert_eq!(stage.exchange(&call).await.0, "forwarded");
    assert_eq!(counts(&stage).await, json!({"references_off": 2}));
}
