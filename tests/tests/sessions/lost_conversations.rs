//! What the store forgot, and the provider holds thinking to: the refused request is sent once more, with such thinking dropped.
#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use bytes::Bytes;
use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::http::{Answer, Call};
use headroom_tests::process::Launch;
use headroom_tests::provider::Reply;
use headroom_tests::stage::Stage;
use headroom_tests::wait;

/// What Anthropic's documentation says that such an answer looks like.
const REFUSAL: &str = r#"{"type":"error","error":{"type":"invalid_request_error","message":"messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to a different conversation. Remove the block, or set `thinking.block_binding.prefix_mismatch_behavior` to \"drop_block\"."},"request_id":"req_1"}"#;
const THINKS: &str = r#""thinking":{"type":"adaptive"},"max_tokens""#;
const DROPS: &str = r#""thinking":{"block_binding":{"prefix_mismatch_behavior":"drop_block"},"type":"adaptive"},"max_tokens""#;
const BETA: &str = "thinking-binding-controls-2026-08-01";

fn patient(launch: Launch) -> Launch {
    launch.patient()
}

fn refusal() -> Reply {
    Reply::fixed(400, &[("content-type", "application/json")], REFUSAL)
}

/// A session on a model that binds its thinking, with a block that is sent compressed.
fn begun() -> Conversation {
    let mut conversation = Conversation::new(Dialect::Messages, "lost").user("Read.");
    "claude-opus-5-5".clone_into(&mut conversation.model);
    conversation.reads(1, 9000)
}

/// The same, as a client sends it that asks for thinking.
fn body(conversation: &Conversation) -> String {
    let body = String::from_utf8(conversation.body().bytes).expect("text");
    let body = body.replacen(r#""max_tokens""#, THINKS, 1);
    assert!(body.contains(THINKS));
    body
}

fn call(body: &str) -> Call {
    let call = Call::post(Dialect::Messages.path(), body.to_owned());
    call.header("anthropic-version", "2023-06-01")
        .header("anthropic-beta", "some-beta-2026-01-01")
        .header("x-api-key", "test-key")
}

/// Sends the session's first turn, which is compressed, and gives it with thinking behind that.
async fn second_turn(stage: &Stage) -> Conversation {
    let conversation = begun();
    let (decision, _) = stage.exchange(&call(&body(&conversation))).await;
    assert_eq!(decision, "compressed");
    conversation.thinking("Hm.").reads(2, 9000)
}

async fn sent(stage: &Stage, body: &str) -> Answer {
    stage.send(&call(body)).await
}

async fn lost(stage: &Stage) -> u64 {
    let stats = stage.stats().await;
    stats["conversations_lost"].as_u64().expect("a count")
}

/// Whether the store has a record that says so.
async fn is_stored_as_lost(stage: &Stage) -> bool {
    let sent: Vec<String> = stage.redis().command(&["KEYS", "headroom:sent:*"]).await;
    for key in sent {
        let record: String = stage.redis().command(&["GET", &key]).await;
        if record.contains(r#""lost":true"#) {
            return true;
        }
    }
    false
}

#[tokio::test]
async fn a_refused_request_is_sent_once_more_and_its_conversation_goes_on_in_the_original() {
    for restarted in [false, true] {
        let mut stage = Stage::with_redis(patient).await;
        let conversation = second_turn(&stage).await;
        let () = stage.redis().command(&["FLUSHALL"]).await;
        if restarted {
            stage.proxy().kill();
            stage.proxy().start_again().await;
        }
        let first = body(&conversation);
        stage.provider.script(refusal());
        let answer = sent(&stage, &first).await;
        assert_eq!(
            (answer.status(), answer.decision().as_str()),
            (200, "forwarded")
        );
        assert_eq!(answer.header("x-headroom-bytes-saved"), "0");
        assert!(
            String::from_utf8(answer.bytes().await.to_vec())
                .unwrap()
                .contains("message_stop")
        );
        let refused = stage.provider.next().await;
        assert!(refused.body.len() < first.len(), "it had a form");
        assert_eq!(refused.header("anthropic-beta"), ["some-beta-2026-01-01"]);
        let taken = stage.provider.next().await;
        assert_eq!(taken.body, first.replacen(THINKS, DROPS, 1));
        let betas = format!("some-beta-2026-01-01,{BETA}");
        assert_eq!(taken.header("anthropic-beta"), [betas.as_str()]);

        // From then on it is sent so at once, on this replica and on every other that has the deployment's secret.
        let conversation = conversation.thinking("Hm.").reads(3, 9000);
        let later = body(&conversation);
        for other in [false, restarted] {
            if other {
                wait::until("the store to know", wait::DEADLINE, async || {
                    is_stored_as_lost(&stage).await
                })
                .await;
                stage.proxy().kill();
                stage.proxy().start_again().await;
            }
            let (decision, got) = stage.exchange(&call(&later)).await;
            assert_eq!(decision, "forwarded");
            assert_eq!(got, later.replacen(THINKS, DROPS, 1));
            if !other {
                assert_eq!(lost(&stage).await, 1);
                let reasons = stage.stats().await;
                assert_eq!(reasons["blocks_uncompressed"]["conversation_lost"], 1);
                let log = stage.proxy().logged("its conversation goes on", 1).await;
                // That the store was emptied is a warning, too, once the proxy has noticed it.
                let of_store = |line: &&str| !line.contains("deployment_secret: ");
                let warnings = log.lines().filter(|line| line.contains("WARN"));
                assert_eq!(warnings.filter(of_store).count(), 1);
            }
        }
        assert_eq!(stage.provider.untaken(), 0);

        // What follows a compaction is another conversation.
        let compacted = Conversation::new(Dialect::Messages, "lost").user("The summary.");
        let compacted = compacted.assistant("Yes.").reads(4, 9000);
        let (decision, _) = stage.exchange(&call(&body(&compacted))).await;
        assert_eq!(decision, "compressed");
    }
}

#[tokio::test]
async fn another_refusal_is_the_client_s() {
    let stage = Stage::with_redis(patient).await;
    let conversation = second_turn(&stage).await;
    let body = body(&conversation);
    let tampered = REFUSAL.replacen("The block is bound to a different conversation.", "", 1);
    let long = format!("{REFUSAL}{}", " ".repeat(64 << 10));
    for (status, said) in [
        (400, tampered.as_str()),
        (400, &long),
        (403, REFUSAL),
        (400, ""),
    ] {
        let headers = [
            ("content-type", "application/json"),
            ("request-id", "req_1"),
        ];
        stage.provider.script(Reply::fixed(status, &headers, said));
        let answer = sent(&stage, &body).await;
        assert_eq!(answer.status(), status);
        assert_eq!(answer.header("request-id"), "req_1");
        assert_eq!(answer.bytes().await, said);
        let _ = stage.provider.next().await;
        assert_eq!(stage.provider.untaken(), 0, "{status}");
    }
    // The conversation goes on as it was.
    let (decision, _) = stage.exchange(&call(&body)).await;
    assert_eq!((decision.as_str(), lost(&stage).await), ("compressed", 0));
}

#[tokio::test]
async fn what_can_not_ask_for_dropping_is_not_sent_again() {
    let stage = Stage::with_redis(patient).await;
    let conversation = second_turn(&stage).await;
    let asking = body(&conversation);
    let strict = DROPS.replacen("drop_block", "error", 1);
    let disabled = THINKS.replacen("adaptive", "disabled", 1);
    let free = asking.replacen("claude-opus-5-5", "claude-opus-4-6", 1);
    for body in [
        asking.replacen(THINKS, &strict, 1),
        asking.replacen(THINKS, &disabled, 1),
        free,
    ] {
        stage.provider.script(refusal());
        let answer = sent(&stage, &body).await;
        assert_eq!(answer.status(), 400);
        assert_eq!(answer.bytes().await, REFUSAL);
        let _ = stage.provider.next().await;
    }
    stage.provider.script(refusal());
    let answer = stage
        .send(&call(&asking).header("x-headroom-bypass", "1"))
        .await;
    assert_eq!(answer.status(), 400);
    let _ = stage.provider.next().await;
    assert_eq!((stage.provider.untaken(), lost(&stage).await), (0, 0));
}

#[tokio::test]
async fn a_second_refusal_is_passed_on() {
    let stage = Stage::with_redis(patient).await;
    let conversation = second_turn(&stage).await;
    let body = body(&conversation);
    let other = REFUSAL.replacen("req_1", "req_2", 1);
    stage.provider.script(refusal());
    stage
        .provider
        .script(Reply::fixed(400, &[], other.as_str()));
    let answer = sent(&stage, &body).await;
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.bytes().await, other);
    for _ in 0..2 {
        let _ = stage.provider.next().await;
    }
    assert_eq!((stage.provider.untaken(), lost(&stage).await), (0, 0));
}

#[tokio::test]
async fn refusals_are_read_and_bodies_are_spliced_within_their_encodings() {
    let stage = Stage::with_redis(patient).await;
    let conversation = second_turn(&stage).await;
    let plain = body(&conversation);
    let packed = |text: &str| Bytes::from(zstd::encode_all(text.as_bytes(), 0).unwrap());
    let headers = [
        ("content-type", "application/json"),
        ("content-encoding", "zstd"),
    ];
    stage
        .provider
        .script(Reply::fixed(400, &headers, packed(REFUSAL)));
    let call = Call::post(Dialect::Messages.path(), packed(&plain));
    let call = call
        .header("x-api-key", "test-key")
        .header("content-encoding", "zstd");
    for expected in [2, 1] {
        let answer = stage.send(&call).await;
        assert_eq!(answer.status(), 200);
        answer.bytes().await;
        for _ in 1..expected {
            let _ = stage.provider.next().await;
        }
        let taken = stage.provider.next().await;
        let text = zstd::decode_all(&taken.body[..]).unwrap();
        assert_eq!(text, plain.replacen(THINKS, DROPS, 1).as_bytes());
        assert_eq!(taken.header("content-encoding"), ["zstd"]);
        assert_eq!(taken.header("anthropic-beta"), [BETA]);
    }
}

#[tokio::test]
async fn another_replica_with_forms_of_its_own_hears_that_they_are_lost() {
    let stage = Stage::with_redis(patient).await;
    let other = Launch::proxy(&stage.provider).set("HEADROOM_REDIS_URL", stage.redis().url());
    let other = patient(other).start().await;
    let conversation = begun();
    let first = call(&body(&conversation));
    for addr in [other.addr(), stage.addr()] {
        let answer = first.send(&addr).await;
        assert_eq!(answer.decision(), "compressed");
        answer.bytes().await;
        let _ = stage.provider.next().await;
    }
    let conversation = conversation.thinking("Hm.").reads(2, 9000);
    stage.provider.script(refusal());
    assert_eq!(sent(&stage, &body(&conversation)).await.status(), 200);
    for _ in 0..2 {
        let _ = stage.provider.next().await;
    }
    wait::until("the store to know", wait::DEADLINE, async || {
        is_stored_as_lost(&stage).await
    })
    .await;
    let later = body(&conversation.thinking("Hm.").reads(3, 9000));
    let answer = call(&later).send(&other.addr()).await;
    assert_eq!(answer.decision(), "forwarded");
    let got = stage.provider.next().await;
    assert_eq!(got.body, later.replacen(THINKS, DROPS, 1));
}

#[tokio::test]
async fn a_refusal_that_breaks_off_is_none() {
    let stage = Stage::with_redis(patient).await;
    let body = body(&second_turn(&stage).await);
    let (gate, reply) = Reply::gated(400, &[("content-type", "application/json")]);
    stage.provider.script(reply);
    let call = call(&body);
    let client = async {
        let answer = stage.send(&call).await;
        assert_eq!(answer.status(), 400);
        assert!(answer.try_bytes().await.is_err());
    };
    let provider = async {
        gate.send(REFUSAL).await;
        gate.break_off().await;
    };
    tokio::join!(client, provider);
    let _ = stage.provider.next().await;
    assert_eq!((stage.provider.untaken(), lost(&stage).await), (0, 0));
}
