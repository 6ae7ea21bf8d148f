//! Results of another program's version that wait in the store when the proxy comes to use them.

use headroom_tests::client::Client;
use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::http::is_deferred;
use headroom_tests::process::Launch;
use headroom_tests::stage::Stage;
use serde_json::{Value, json};

fn patient(launch: Launch) -> Launch {
    launch
        .set("HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS", 5000)
        .set("HEADROOM_STORE_BUDGET_MS", 5000)
        .set("HEADROOM_ENTRY_BUDGET_MS", 0)
}

/// A stage where one job is done and has not landed, and its agent.
async fn done_and_waiting() -> (Stage, Client) {
    let mut stage = Stage::with_redis(patient).await;
    stage.provider.cache(|cache| cache.turn_off());
    let conversation = Conversation::new(Dialect::Messages, "versions").user("Read.");
    let conversation = (0..4).fold(conversation, |it, seed| it.reads(seed, 20_000));
    let mut client = Client::uncached(conversation.assistant("Done.").user("Go on."));
    assert!(is_deferred(&client.turn(&stage).await.decision));
    stage.start_worker().await;
    stage.until_done(1).await;
    (stage, client)
}

/// The name of the one compressed prefix, and what stands there.
async fn compressed(stage: &Stage) -> (String, Value) {
    let names: Vec<String> = stage
        .redis()
        .command(&["KEYS", "headroom:compressed:*"])
        .await;
    let json: String = stage.redis().command(&["GET", &names[0]]).await;
    (names.concat(), json.parse().unwrap())
}

async fn write(stage: &Stage, name: &str, value: &Value) {
    let _: () = stage
        .redis()
        .command(&["SET", name, &value.to_string()])
        .await;
}

#[tokio::test]
async fn a_result_of_another_layout_is_passed_over_until_there_is_a_better_one() {
    let (mut stage, mut client) = done_and_waiting().await;
    let (name, good) = compressed(&stage).await;
    let mut other = good.clone();
    other["v"] = json!(2);
    let mut without = good.clone();
    without["blocks"] = json!({});
    for bad in [other, without, json!(7), json!([])] {
        write(&stage, &name, &bad).await;
        for step in 0..2 {
            client.grow(|it| it.assistant("Yes.").user(&format!("Go on {step}.")));
            let turn = client.turn(&stage).await;
            assert_eq!(turn.decision, "forwarded", "{bad}");
        }
    }
    let passed_over = "passed over a compressed prefix";
    stage.proxy().logged(passed_over, 1).await;
    write(&stage, &name, &good).await;
    client.until_compressed(&stage).await;
}

/// Its forms say themselves how to read them, so it matters to nobody which compressors made them.
#[tokio::test]
async fn a_result_of_other_compressors_lands() {
    let (stage, mut client) = done_and_waiting().await;
    let (name, mut later) = compressed(&stage).await;
    later["compressor"] = json!(later["compressor"].as_u64().unwrap() + 1);
    later["later"] = json!("a field of a later program");
    write(&stage, &name, &later).await;
    client.until_compressed(&stage).await;
}
