//! Texts that are sent shortened where the agent can fetch them again, and what it gets then.

use headroom_shared::compress::shorten::original_of;
use headroom_shared::compress::{Earlier, Prepared, Source};
use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::process::Launch;
use headroom_tests::provider::Reply;
use headroom_tests::retrieval::{TOOL, retrieve, tools};
use headroom_tests::shortened::{shortened, test_run, texts};
use headroom_tests::stage::Stage;
use headroom_tests::wait;
use serde_json::{Value, json};

/// A conversation in which a test run has just ended; its client offers the retrieval tool.
fn conversation(dialect: Dialect) -> Conversation {
    let mut conversation = Conversation::new(dialect, &format!("recoverable-{dialect:?}"));
    conversation.tools = tools(dialect);
    let input = json!({"command": "cargo test"});
    conversation
        .user("Find out why it fails.")
        .tool("Bash", &input, &test_run())
}

fn recoverable(launch: Launch) -> Launch {
    launch.patient().set("HEADROOM_TIER", "recoverable")
}

#[tokio::test]
async fn a_long_output_is_shortened_and_can_be_fetched_in_every_dialect() {
    let stage = Stage::embedded(recoverable).await;
    for dialect in Dialect::ALL {
        let conversation = conversation(dialect);
        let (decision, got) = stage.exchange(&conversation.call()).await;
        assert_eq!(decision, "compressed", "{dialect:?}");
        let (text, original) = shortened(&got).unwrap();
        let (run, input) = (test_run(), json!({"command": "cargo test"}).to_string());
        let block = Source {
            text: &run,
            tool: Some("Bash"),
            input: Some(&input),
        };
        let block = Prepared::of(block).with_original(original);
        assert!(block.gives_back(&text, &Earlier::default()), "{text}");
        for shown in [
            "module_237",
            "panicked at src/parse.rs:41:9",
            "399 passed; 1 failed",
        ] {
            assert!(text.contains(shown), "{shown}: {text}");
        }
        assert!(text.len() < test_run().len() / 4, "{text}");
        let id = original.to_string();
        assert_eq!(
            retrieve(&stage, &json!({"id": id})).await,
            (test_run(), false)
        );
        let (part, _) = retrieve(&stage, &json!({"id": id, "lines": "240-240"})).await;
        assert!(
            part.contains("module_237::reads_what_it_wrote ... FAILED"),
            "{part}"
        );
    }
}

#[tokio::test]
async fn a_shortened_text_stays_and_can_be_fetched_after_a_restart() {
    let mut stage = Stage::embedded(recoverable).await;
    let conversation = conversation(Dialect::Messages);
    let (_, first) = stage.exchange(&conversation.call()).await;
    let first = shortened(&first).unwrap();
    stage.proxy().kill();
    stage.proxy().start_again().await;
    let conversation = conversation.assistant("One fails.").user("Which?");
    let (_, later) = stage.exchange(&conversation.call()).await;
    assert_eq!(shortened(&later), Some(first.clone()));
    let id = first.1.to_string();
    assert_eq!(
        retrieve(&stage, &json!({"id": id})).await,
        (test_run(), false)
    );
}

#[tokio::test]
async fn what_was_fetched_goes_out_as_it_is() {
    let stage = Stage::embedded(recoverable).await;
    let conversation = conversation(Dialect::Messages);
    let (_, got) = stage.exchange(&conversation.call()).await;
    let (_, original) = shortened(&got).unwrap();
    let input = json!({"id": original.to_string()});
    let conversation = conversation.tool(TOOL, &input, &test_run());
    let (_, got) = stage.exchange(&conversation.call()).await;
    assert!(texts(&got).contains(&test_run()));
}

#[tokio::test]
async fn what_is_fetched_again_and_again_is_not_shortened_any_more() {
    let stage = Stage::embedded(recoverable).await;
    let mut conversation = Conversation::new(Dialect::Messages, "fetching");
    conversation.tools = tools(Dialect::Messages);
    let mut are_shortened = Vec::new();
    for at in 0..3 {
        let output = test_run().replace("parse", &format!("part{at}"));
        let input = json!({"command": format!("cargo test -p part{at}")});
        conversation = conversation.tool("Bash", &input, &output);
        let (_, got) = stage.exchange(&conversation.call()).await;
        let is_output = |text: &String| text.contains(&format!("part{at}::module_237"));
        let sent = texts(&got).into_iter().find(is_output).unwrap();
        let original = original_of(&sent);
        are_shortened.push(original.is_some());
        if let Some(original) = original {
            let input = json!({"id": original.to_string()});
            conversation = conversation.tool(TOOL, &input, &output);
            stage.exchange(&conversation.call()).await;
        }
    }
    assert_eq!(are_shortened, [true, true, false]);
    // Counted when the response has ended.
    let has_both = |stats: &Value| stats["shortened"]["messages"]["retrievals"] == 2;
    let stats = stage.until("both are counted", has_both).await;
    let of_kind = &stats["shortened"]["messages"];
    assert!(of_kind["saved_tokens"].as_u64() > Some(1000), "{of_kind}");
    assert!(
        of_kind["retrieval_cost_tokens"].as_u64() > Some(1000),
        "{of_kind}"
    );
}

#[tokio::test]
async fn a_retrieval_counts_once_although_its_request_is_refused_first() {
    let stage = Stage::embedded(recoverable).await;
    let conversation = conversation(Dialect::Messages);
    let (_, got) = stage.exchange(&conversation.call()).await;
    let (_, original) = shortened(&got).unwrap();
    let input = json!({"id": original.to_string()});
    let conversation = conversation.tool(TOOL, &input, &test_run());
    let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":""}}"#;
    for _ in 0..2 {
        stage.provider.script(Reply::fixed(529, &[], overloaded));
        stage.exchange(&conversation.call()).await;
    }
    stage.exchange(&conversation.call()).await;
    // Another one's is counted after these.
    let mut other = Conversation::new(Dialect::Messages, "another");
    other.tools = tools(Dialect::Messages);
    let other = other.tool("Bash", &json!({"command": "make"}), &test_run());
    let (_, got) = stage.exchange(&other.call()).await;
    let input = json!({"id": shortened(&got).unwrap().1.to_string()});
    let other = other.tool(TOOL, &input, &test_run());
    stage.exchange(&other.call()).await;
    let retrievals = |stats: &Value| stats["shortened"]["messages"]["retrievals"].as_u64();
    let is_counted = |stats: &Value| retrievals(stats) >= Some(2);
    let stats = stage.until("both are counted", is_counted).await;
    assert_eq!(retrievals(&stats), Some(2));
}

#[tokio::test]
async fn a_page_that_was_fetched_goes_out_as_its_text() {
    let stage = Stage::embedded(recoverable).await;
    let paragraph = |n: usize| {
        format!("<div class=\"block\"><p data-n=\"{n}\">Paragraph <b>{n}</b> of it.</p></div>\n")
    };
    let paragraphs: String = (0..100).map(paragraph).collect();
    let page = format!(
        "<!DOCTYPE html>\n<html><head><script>let a = 1 < 2;</script></head>\n<body>{paragraphs}</body></html>\n"
    );
    for (at, (tool, input, is_text)) in [
        (
            "Bash",
            json!({"command": "curl -s https://example.com/"}),
            true,
        ),
        ("WebFetch", json!({"url": "https://example.com/"}), true),
        ("Bash", json!({"command": "cat page.html"}), false),
    ]
    .into_iter()
    .enumerate()
    {
        let mut conversation = Conversation::new(Dialect::Messages, &format!("page-{at}"));
        conversation.tools = tools(Dialect::Messages);
        let conversation = conversation.tool(tool, &input, &page);
        let (_, got) = stage.exchange(&conversation.call()).await;
        let Some((text, original)) = shortened(&got) else {
            assert!(!is_text, "{input}");
            continue;
        };
        assert!(is_text, "{input}");
        assert!(
            text.contains("Paragraph 57 of it.\n\nParagraph 58 of it."),
            "{text}"
        );
        assert!(!text.contains('<'), "{text}");
        let asked = json!({"id": original.to_string(), "pattern": "data-n=\"57\""});
        let (found, _) = retrieve(&stage, &asked).await;
        assert!(found.contains("60:<div class"), "{found}");
    }
}

#[tokio::test]
async fn nothing_is_left_out_where_the_client_does_not_offer_the_tool_or_asks_for_all() {
    let stage = Stage::embedded(recoverable).await;
    let mut without = conversation(Dialect::Messages);
    without.tools = json!([{"name": "Bash", "description": "Not the headroom_retrieve tool."}]);
    let (decision, got) = stage.exchange(&without.call()).await;
    assert_eq!((decision.as_str(), shortened(&got)), ("compressed", None));
    let mut asks_for_all = conversation(Dialect::Messages);
    asks_for_all.id.push_str("-lossless");
    let call = asks_for_all.call().header("x-headroom-tier", "lossless");
    let (_, got) = stage.exchange(&call).await;
    assert_eq!(shortened(&got), None);
    let unclear = conversation(Dialect::Chat).call();
    let unclear = unclear.header("x-headroom-tier", "lossy");
    let (_, got) = stage.exchange(&unclear).await;
    assert_eq!(shortened(&got), None);
}

#[tokio::test]
async fn one_request_may_ask_for_it_where_nothing_is_set() {
    let stage = Stage::embedded(Launch::patient).await;
    let call = conversation(Dialect::Messages).call();
    let (_, got) = stage
        .exchange(&call.header("x-headroom-tier", "recoverable"))
        .await;
    assert!(shortened(&got).is_some());
}

#[tokio::test]
async fn with_redis_the_original_is_there_under_its_name() {
    let stage = Stage::with_redis(recoverable).await;
    let (_, got) = stage
        .exchange(&conversation(Dialect::Responses).call())
        .await;
    let (_, original) = shortened(&got).unwrap();
    let key = format!("headroom:original:{original}");
    let exists: i64 = stage.redis().command(&["EXISTS", &key]).await;
    assert_eq!(exists, 1);
    let id = original.to_string();
    assert_eq!(
        retrieve(&stage, &json!({"id": id})).await,
        (test_run(), false)
    );
}

/// Waits until the tool returns this original again.
async fn until_it_can_be_fetched(stage: &Stage, id: &str) {
    wait::eventually("the original to be there again", async || {
        let fetched = retrieve(stage, &json!({"id": id})).await;
        (fetched == (test_run(), false)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_original_that_is_gone_comes_back_with_the_next_turn() {
    let mut stage = Stage::with_redis(recoverable).await;
    let mut conversation = conversation(Dialect::Messages);
    let (_, got) = stage.exchange(&conversation.call()).await;
    let (form, original) = shortened(&got).unwrap();
    let id = original.to_string();
    let key = format!("headroom:original:{id}");
    stage.until_settled(1).await;

    // One entry is deleted, and a proxy that knows nothing yet goes on.
    let deleted: i64 = stage.redis().command(&["DEL", &key]).await;
    assert_eq!(deleted, 1);
    stage.proxy().kill();
    stage.proxy().start_again().await;
    conversation = conversation.assistant("One fails.").user("Which?");
    let (_, got) = stage.exchange(&conversation.call()).await;
    assert_eq!(shortened(&got), Some((form.clone(), original)));
    until_it_can_be_fetched(&stage, &id).await;
    stage.until_settled(2).await;

    // Redis loses all, and the proxy writes back what it knows.
    let () = stage.redis().command(&["FLUSHALL"]).await;
    stage.proxy().logged("was written back", 1).await;
    conversation = conversation.assistant("Number 237.").user("Why?");
    let (_, got) = stage.exchange(&conversation.call()).await;
    assert_eq!(shortened(&got), Some((form, original)));
    until_it_can_be_fetched(&stage, &id).await;
}
