//! A small request stays small, and many large ones leave room for others.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::io::Write as _;

use bytes::Bytes;
use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::http::Call;
use headroom_tests::process::{Launch, Process};
use headroom_tests::provider::Sink;
use headroom_tests::stage::Stage;
use tokio::task::JoinSet;

const MB: u64 = 1 << 20;
const MESSAGES: &str = "/v1/messages";

/// The most memory that a process ever had, in bytes.
fn peak(process: &Process) -> u64 {
    process.figure("VmHWM") << 10
}

/// The most memory that it had for a request that takes next to none, in bytes.
async fn peak_of_small(stage: &mut Stage) -> u64 {
    let small = Conversation::new(Dialect::Messages, "small").user("hello");
    stage.exchange(&small.call()).await;
    peak(stage.proxy())
}

/// A body of this many bytes, about, in which `unit` stands again and again.
fn repeated(open: &str, unit: &str, close: &str, bytes: usize) -> Bytes {
    let count = bytes / unit.len();
    let middle = unit.repeat(count);
    Bytes::from(format!("{open}{}{close}", middle.trim_end_matches(',')))
}

fn gzipped(body: &[u8]) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap().into()
}

/// Bodies that take far more memory to be read than they are long, each with what they are.
fn hostile() -> Vec<(&'static str, Bytes)> {
    let message = r#"{"messages":[{"role":"user","content":["#;
    let bytes = 4 << 20;
    let of = |open: &str, unit: &str, close: &str| repeated(open, unit, close, bytes);
    vec![
        ("parts that are no objects", of(message, "1,", "]}]}")),
        ("parts that are empty", of(message, "{},", "]}]}")),
        (
            "parts that are short texts",
            of(message, r#"{"type":"text","text":"a"},"#, "]}]}"),
        ),
        (
            "texts in one part",
            of(
                r#"{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":["#,
                r#"{"type":"text","text":"a"},"#,
                "]}]}]}",
            ),
        ),
        (
            "messages that are empty",
            of(r#"{"messages":["#, "{},", "]}"),
        ),
        (
            "short messages of either side",
            of(
                r#"{"messages":["#,
                r#"{"role":"user","content":"a"},{"role":"assistant","content":"b"},"#,
                "]}",
            ),
        ),
        (
            "members of one message",
            of(
                r#"{"messages":[{"role":"user","content":"a","#,
                r#""a":1,"#,
                "}]}",
            ),
        ),
        (
            "members of the body",
            of(r#"{"messages":[],"#, r#""a":1,"#, "}"),
        ),
        (
            "markers",
            of(
                r#"{"messages":[{"role":"user","content":"a","x":["#,
                r#"{"cache_control":1},"#,
                "]}]}",
            ),
        ),
        (
            "tool calls",
            of(
                r#"{"messages":[{"role":"assistant","content":["#,
                r#"{"type":"tool_use","id":"a","name":"b","input":{}},"#,
                "]}]}",
            ),
        ),
        ("arrays in arrays", of(message, "[", "")),
    ]
}

#[tokio::test]
async fn a_body_takes_a_few_times_its_size() {
    for (what, body) in hostile() {
        let mut stage = Stage::embedded(|launch| launch).await;
        let before = peak_of_small(&mut stage).await;
        let call = Call::post(MESSAGES, body.clone());
        let (decision, sent) = stage.exchange(&call).await;
        assert_eq!(
            (decision.as_str(), sent == body),
            ("forwarded", true),
            "{what}"
        );
        // Its own bytes, those of the buffers that it came and goes through, and what is made of it.
        let most = 4 * body.len() as u64 + 8 * MB;
        let taken = peak(stage.proxy()) - before;
        assert!(taken <= most, "{what}: {taken} of {} bytes", body.len());
    }
}

#[tokio::test]
async fn a_body_that_is_mostly_packing_is_not_unpacked() {
    let open = r#"{"messages":[{"role":"user","content":["#;
    let packed = gzipped(&repeated(open, "1,", "]}]}", 16 << 20));
    let mut stage = Stage::embedded(|launch| launch).await;
    let before = peak_of_small(&mut stage).await;
    for requests in 1..=3 {
        let call = Call::post(MESSAGES, packed.clone()).header("content-encoding", "gzip");
        let (decision, sent) = stage.exchange(&call).await;
        assert_eq!((decision.as_str(), sent), ("forwarded", packed.clone()));
        // Each may be decoded on another thread, whose memory is kept for its next one.
        let taken = peak(stage.proxy()) - before;
        assert!(taken <= requests * 8 * MB, "{taken} bytes for {requests}");
    }
}

#[tokio::test]
async fn what_is_remembered_of_many_bodies_is_bounded() {
    let mut stage = Stage::embedded(|launch| launch).await;
    for session in 0..30 {
        let open = format!(r#"{{"messages":[{{"role":"user","content":"session {session}"}},"#);
        let body = repeated(
            &open,
            r#"{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"b","input":{}}]},{"role":"user","content":"a"},"#,
            "]}",
            1 << 20,
        );
        stage.exchange(&Call::post(MESSAGES, body)).await;
    }
    let most = peak(stage.proxy());
    assert!(most <= 200 * MB, "{most} bytes");
}

#[tokio::test]
async fn many_large_bodies_leave_room_for_others() {
    let provider = Sink::start().await;
    let proxy = Launch::proxy_to(provider.url())
        .set("HEADROOM_MAX_MEMORY", "128MiB")
        .start()
        .await;
    let addr = proxy.addr();
    let large = Conversation::new(Dialect::Messages, "large").user(&"word ".repeat(12 << 20));
    let large = large.call();
    let mut clients = JoinSet::new();
    for _ in 0..200 {
        let (call, addr) = (large.clone(), addr.clone());
        clients.spawn(async move {
            let mut tries = 0;
            loop {
                // So many at once take longer than a request alone may take.
                let answer = call.try_send(&addr).await.unwrap();
                let status = answer.status();
                answer.bytes().await;
                match status {
                    200 => return tries,
                    503 => tries += 1,
                    other => panic!("{other}"),
                }
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
        });
    }
    let small = Conversation::new(Dialect::Messages, "small")
        .user("hello")
        .call();
    let mut served = 0;
    while clients.try_join_next().is_none() {
        let answer = small.send(&addr).await;
        assert_eq!(answer.status(), 200);
        answer.bytes().await;
        served += 1;
    }
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    assert!(served > 0);
    let most = peak(&proxy);
    assert!(most <= 512 * MB, "{most} bytes");
}
