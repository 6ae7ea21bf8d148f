//! A client that edits one old result, to save room, keeps the forms of all others: its provider's cache ends at the edit anyway, but what
//! goes out must not grow.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use headroom_tests::conversation::{Dialect, listing};
use headroom_tests::http::Call;
use headroom_tests::process::Launch;
use headroom_tests::redis_server::RedisServer;
use headroom_tests::stage::Stage;
use serde_json::{Value, json};

const CLEARED: &str = "[Old tool result content cleared]";

fn patient(launch: Launch) -> Launch {
    launch.patient()
}

/// The messages of a session that reads these texts one after the other.
fn session(id: &str, texts: &[String]) -> Vec<Value> {
    let mut messages = vec![json!({"role": "user", "content": format!("Read {id}.")})];
    for (n, text) in texts.iter().enumerate() {
        let call = format!("t{n}");
        messages.push(json!({"role": "assistant", "content": [{"type": "tool_use", "id": call, "name": "Read", "input": {"n": n}}]}));
        messages.push(json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": call, "content": text}]}));
    }
    messages
}

fn reads(count: usize) -> Vec<String> {
    (0..count).map(|seed| listing(seed, 12_000)).collect()
}

async fn post(stage: &Stage, messages: &[Value]) -> Vec<Value> {
    let body =
        json!({"model": "claude-opus-5-5", "messages": messages, "thinking": {"type": "adaptive"}});
    let (_, got) = stage
        .exchange(&Call::post(Dialect::Messages.path(), body.to_string()))
        .await;
    let got: Value = serde_json::from_slice(&got).unwrap();
    got["messages"].as_array().unwrap().clone()
}

/// Sends the session turn by turn, and gives its last turn as it was sent.
async fn play(stage: &Stage, messages: &[Value]) -> Vec<Value> {
    let mut sent = Vec::new();
    for end in (1..=messages.len()).step_by(2) {
        sent = post(stage, &messages[..end]).await;
    }
    sent
}

fn clear(messages: &mut [Value], read: usize) {
    messages[2 * read + 2]["content"][0]["content"] = json!(CLEARED);
}

fn grow(messages: &mut Vec<Value>) {
    messages.push(json!({"role": "assistant", "content": "Well."}));
    messages.push(json!({"role": "user", "content": "Go on."}));
}

/// Sends a session to `first`, clears its second read of six, and goes on at `second`: every other read keeps its form.
async fn keeps_the_other_forms(id: &str, first: &Stage, second: &Stage) {
    let mut messages = session(id, &reads(6));
    let before = play(first, &messages).await;
    clear(&mut messages, 1);
    grow(&mut messages);
    let after = post(second, &messages).await;
    for (at, message) in before.iter().enumerate() {
        if at != 4 {
            assert_eq!(message, &after[at], "message {at}");
        }
        let replaced = message != &messages[at];
        assert_eq!(
            replaced && at != 4,
            at >= 2 && at % 2 == 0 && at != 4,
            "message {at}"
        );
    }
    assert_eq!(after[4], messages[4]);
    // And so it stays.
    grow(&mut messages);
    assert_eq!(post(first, &messages).await[..after.len()], after);
}

#[tokio::test]
async fn the_other_forms_stay_in_one_process() {
    let stage = Stage::embedded(patient).await;
    keeps_the_other_forms("embedded", &stage, &stage).await;
}

#[tokio::test]
async fn the_other_forms_stay_on_another_replica() {
    let first = Stage::with_redis(patient).await;
    let second = Stage::at(&first.redis().url(), patient).await;
    keeps_the_other_forms("replicas", &first, &second).await;
}

#[tokio::test]
async fn the_other_forms_stay_after_a_restart() {
    let mut stage = Stage::embedded(patient).await;
    let mut messages = session("restart", &reads(3));
    let before = play(&stage, &messages).await;
    stage
        .proxy()
        .terminate(std::time::Duration::from_secs(30))
        .await;
    stage.proxy().start_again().await;
    clear(&mut messages, 0);
    grow(&mut messages);
    let after = post(&stage, &messages).await;
    assert_eq!(after[3..before.len()], before[3..]);
}

#[tokio::test]
async fn a_reference_to_what_was_cleared_gives_way() {
    let stage = Stage::with_redis(patient).await;
    let texts = [listing(0, 12_000), listing(1, 12_000), listing(0, 12_000)];
    let mut messages = session("references", &texts);
    let before = play(&stage, &messages).await;
    let text = |messages: &[Value]| {
        messages[6]["content"][0]["content"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(text(&before).contains("[headroom: the same text, word for word, as "));
    clear(&mut messages, 0);
    grow(&mut messages);
    let after = post(&stage, &messages).await;
    assert!(
        !text(&after).contains("of this conversation"),
        "{}",
        text(&after)
    );
    assert!(
        text(&after).len() < texts[2].len(),
        "it has a form of its own"
    );
    assert_eq!(after[4], before[4]);
}

#[tokio::test]
async fn what_was_never_sent_compressed_stays_as_it_is() {
    let redis = RedisServer::persistent().await;
    let stage = Stage::over(redis, patient).await;
    // The session went on elsewhere for a while, without a proxy.
    let messages = session("elsewhere", &reads(4));
    play(&stage, &messages[..3]).await;
    let mut later = messages.clone();
    grow(&mut later);
    let sent = post(&stage, &later).await;
    assert_eq!(sent[4..], later[4..]);
}

#[tokio::test]
async fn a_text_that_is_read_twice_is_known_by_which_of_them_it_is() {
    let stage = Stage::with_redis(patient).await;
    let texts = [listing(0, 12_000), listing(1, 12_000), listing(0, 12_000)];
    // The second read of the text went out elsewhere, without a proxy.
    let messages = session("twice", &texts);
    play(&stage, &messages[..5]).await;
    let mut later = messages.clone();
    grow(&mut later);
    let sent = post(&stage, &later).await;
    assert_eq!(sent[5..], later[5..]);
}
