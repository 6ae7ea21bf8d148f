//! Streams pass piece by piece as they arrive, and end where either side ends them.
#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::http::{Answer, Call};
use headroom_tests::provider::{Gate, Reply};
use headroom_tests::stage::Stage;
use headroom_tests::wait;
use tokio::task::JoinSet;

const SSE: [(&str, &str); 2] = [
    ("content-type", "text/event-stream"),
    ("cache-control", "no-cache"),
];

fn calls() -> Vec<Call> {
    let talk = |dialect| Conversation::new(dialect, "stream").user("hi").call();
    let mut calls: Vec<Call> = Dialect::ALL.into_iter().map(talk).collect();
    calls.push(Call::get("/v1/responses/resp_1?stream=true"));
    calls
}

/// A stream of which one piece has arrived.
async fn begun(stage: &Stage, call: &Call) -> (Gate, Answer) {
    let (gate, reply) = Reply::gated(200, &SSE);
    stage.provider.script(reply);
    let mut answer = stage.send(call).await;
    gate.send("data: 1\n\n").await;
    answer.chunk().await.expect("a piece");
    (gate, answer)
}

#[tokio::test]
async fn each_piece_arrives_before_the_next_is_sent() {
    let stage = Stage::embedded(|launch| launch).await;
    for call in calls() {
        let (gate, reply) = Reply::gated(200, &SSE);
        stage.provider.script(reply);
        let mut answer = stage.send(&call).await;
        assert_eq!(answer.header("content-type"), "text/event-stream");
        let events = [
            "event: message_start\ndata: {}\n\n",
            "event: ping\ndata: {\"type\":\"ping\"}\n\n",
            ": comment\n\n",
            "data: half an ev",
            "ent\n\n",
        ];
        for event in events {
            gate.send(event).await;
            assert_eq!(answer.chunk().await.unwrap(), event);
        }
        drop(gate);
        assert_eq!(answer.chunk().await, None);
    }
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_provider_s_work() {
    let stage = Stage::embedded(|launch| launch).await;
    for call in calls() {
        let (gate, answer) = begun(&stage, &call).await;
        drop(answer);
        gate.gone().await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_too() {
    let stage = Stage::embedded(|launch| launch).await;
    for call in calls() {
        stage.provider.script(Reply::Hang);
        let addr = stage.addr();
        let mut waiting = JoinSet::new();
        waiting.spawn(async move { call.try_send(&addr).await.is_ok() });
        let received = stage.provider.next().await;
        drop(waiting);
        wait::soon("the provider to be let go", received.over.cancelled()).await;
    }
}

#[tokio::test]
async fn a_stream_that_breaks_does_not_look_finished() {
    let stage = Stage::embedded(|launch| launch).await;
    for call in calls() {
        let (gate, answer) = begun(&stage, &call).await;
        gate.break_off().await;
        assert!(answer.try_bytes().await.is_err());
    }
}

#[tokio::test]
async fn a_proxy_told_to_stop_lets_streams_end_and_says_that_it_drains() {
    let mut stage = Stage::embedded(|launch| launch).await;
    let (gate, mut answer) = begun(&stage, &calls()[0]).await;
    stage.proxy().signal("TERM");
    let ready = Call::get("/readyz");
    // A connection that was made just before the stop, and has asked nothing yet, is closed by it.
    let addr = stage.addr();
    wait::until("readyz to say so", wait::DEADLINE, async || {
        ready
            .try_send(&addr)
            .await
            .is_ok_and(|answer| answer.status() == 503)
    })
    .await;
    let said = ready.send(&stage.addr()).await.json().await;
    assert_eq!(said["status"], "draining");
    gate.send("data: 2\n\n").await;
    assert_eq!(answer.chunk().await.unwrap(), "data: 2\n\n");
    drop(gate);
    assert_eq!(answer.chunk().await, None);
    assert!(stage.proxy().ended(wait::DEADLINE).await.success());
}
