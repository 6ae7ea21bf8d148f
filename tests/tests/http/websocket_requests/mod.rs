//! Requests on a `WebSocket`: compressed as over HTTP, and all that stands around them as it came.
#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod outcomes;

use headroom_shared::compress::{Earlier, expand};
use headroom_tests::http::Call;
use headroom_tests::process::{Launch, Process};
use headroom_tests::raw::frames::{event, fragments, masked, text};
use headroom_tests::raw::{Message, Socket, Sockets};
use headroom_tests::wait;
use serde_json::{Value, json};
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

const ASK: &str = "GET /v1/responses HTTP/1.1\r\nhost: proxy\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nauthorization: Bearer t\r\n";
const AGREE: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

struct Stage {
    provider: Sockets,
    proxy: Process,
}

impl Stage {
    async fn start(set: impl FnOnce(Launch) -> Launch) -> Self {
        let provider = Sockets::listen().await;
        let launch = Launch::proxy_to(&provider.url()).patient();
        let proxy = set(launch).start().await;
        Self { provider, proxy }
    }

    /// A client and a provider that have agreed, with more headers of each; and the handshake that the provider got.
    async fn agreed_with(&self, asks: &str, agrees: &str) -> (Socket, Socket, Message) {
        let mut client = Socket::connect(&self.proxy.addr()).await;
        client.write(format!("{ASK}{asks}\r\n")).await;
        let mut upstream = self.provider.next().await;
        let asked = upstream.head().await.expect("the handshake");
        upstream.write(format!("{AGREE}{agrees}\r\n")).await;
        assert_eq!(client.head().await.expect("an answer").status(), 101);
        (client, upstream, asked)
    }

    async fn agreed(&self) -> (Socket, Socket) {
        let (client, upstream, _) = self.agreed_with("", "").await;
        (client, upstream)
    }

    async fn stats(&self) -> Value {
        Call::get("/stats")
            .send(&self.proxy.addr())
            .await
            .json()
            .await
    }
}

/// A search's output that has a form.
fn output(seed: usize) -> String {
    let line =
        |n| format!("src/module_{seed}/handlers/request.rs:{n}:    let value = compute({n});\n");
    (100..180).map(line).collect()
}

fn call(id: usize) -> [Value; 2] {
    let arguments = format!("{{\"cmd\":\"rg -n value src/module_{id}\"}}");
    [
        json!({"type": "function_call", "call_id": format!("c{id}"), "name": "shell", "arguments": arguments}),
        json!({"type": "function_call_output", "call_id": format!("c{id}"), "output": output(id)}),
    ]
}

/// A conversation with so many calls.
fn input(calls: usize) -> Vec<Value> {
    let mut input = vec![json!({"type": "message", "role": "user", "content": "Look."})];
    input.extend((0..calls).flat_map(call));
    input
}

fn request(input: &[Value]) -> String {
    json!({"type": "response.create", "model": "gpt-6.1-sol", "instructions": "Help.", "store": false, "stream": true, "input": input})
        .to_string()
}

/// The next message that the provider gets, which is in one frame.
async fn got(upstream: &mut Socket) -> Value {
    let (header, payload) = upstream.frame().await;
    assert!(
        header.is_final && header.opcode == OpCode::Data(Data::Text),
        "{header:?}"
    );
    serde_json::from_slice(&payload).expect("JSON")
}

fn outputs(request: &Value) -> Vec<String> {
    let items = request["input"].as_array().expect("an input");
    let outputs = items.iter().filter_map(|item| item["output"].as_str());
    outputs.map(str::to_owned).collect()
}

/// Sends all that a client may send but requests, and sees it arrive to the byte; the same from the provider.
async fn assert_others_pass(client: &mut Socket, upstream: &mut Socket) {
    let large = format!(
        r#"{{"type":"other","text":"{}"}}"#,
        "response.create ".repeat(20_000)
    );
    for bytes in [
        text(r#"{"type":"response.cancel"}"#),
        text(r#"{"type":"response.create","input":[{"broken"#),
        text(r#"{"type":"response.create","input":7}"#),
        text(r#"{"type":"response.create","type":"response.create","input":[]}"#),
        text("response.create"),
        text(""),
        text(large),
        masked(OpCode::Data(Data::Binary), request(&input(1)), true),
        masked(OpCode::Control(Control::Ping), "ping", true),
        masked(OpCode::Control(Control::Pong), "", true),
    ] {
        client.write(&bytes).await;
        assert!(upstream.take(bytes.len()).await == bytes, "other bytes");
    }
    for bytes in [
        event(r#"{"type":"unknown"}"#),
        event("no JSON"),
        vec![0x89, 1, 7],
        vec![0x82, 2, 1, 2],
    ] {
        upstream.write(&bytes).await;
        assert_eq!(client.take(bytes.len()).await, bytes);
    }
}

#[tokio::test]
async fn a_request_is_compressed_and_its_form_stays() {
    let stage = Stage::start(|launch| launch).await;
    let (mut client, mut upstream, asked) = stage.agreed_with("", "").await;
    assert_eq!(asked.header("sec-websocket-extensions"), [""; 0]);
    assert_others_pass(&mut client, &mut upstream).await;
    let mut sent: Vec<String> = Vec::new();
    for calls in 1..4 {
        client.write(text(request(&input(calls)))).await;
        let request_sent = got(&mut upstream).await;
        assert_eq!(request_sent["type"], "response.create");
        let now = outputs(&request_sent);
        assert_eq!(now[..sent.len()], sent, "a form has changed");
        assert!(
            now[calls - 1].len() < output(calls - 1).len(),
            "{}",
            now[calls - 1]
        );
        sent = now;
        for answer in [
            r#"{"type":"response.created"}"#,
            r#"{"type":"response.completed","response":{"usage":{"input_tokens":900,"input_tokens_details":{"cached_tokens":0}}}}"#,
        ] {
            upstream.write(event(answer)).await;
            client.take(event(answer).len()).await;
        }
    }
    assert_eq!(
        expand(&sent[0], &Earlier::default()).expect("a form"),
        output(0)
    );
    assert_others_pass(&mut client, &mut upstream).await;
    let stats = stage.stats().await;
    // Two more were requests to which there is nothing to do, or that are in no dialect.
    assert_eq!(stats["requests"]["compressed"], 3, "{stats}");
    // The same conversation over HTTP goes on with the same forms.
    let body = request(&input(4));
    let http = Call::post("/v1/responses", body);
    let addr = stage.proxy.addr();
    let provide = async {
        let mut upstream = stage.provider.next().await;
        let asked = upstream.message().await.expect("a request");
        upstream
            .write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
            .await;
        serde_json::from_slice::<Value>(&asked.body).expect("JSON")
    };
    let (_, over_http) = tokio::join!(http.send(&addr), provide);
    assert_eq!(outputs(&over_http)[..3], sent);
    // Both sides' close frames pass with their codes.
    let close = masked(OpCode::Control(Control::Close), [3, 232, b'o', b'k'], true);
    client.write(&close).await;
    assert_eq!(upstream.take(close.len()).await, close);
    upstream.write([0x88, 2, 3, 232]).await;
    upstream.end_writing().await;
    assert_eq!(client.rest().await, (vec![0x88, 2, 3, 232], true));
}

#[tokio::test]
async fn fragments_are_one_message() {
    let stage = Stage::start(|launch| launch).await;
    let (mut client, mut upstream) = stage.agreed().await;
    let whole = request(&input(1));
    let (one, rest) = whole.as_bytes().split_at(3);
    let (two, three) = rest.split_at(1000);
    let (frames, pings) = fragments(&[one, two, b"", three]);
    for piece in frames.chunks(700) {
        client.write(piece).await;
    }
    assert_eq!(upstream.take(pings.len()).await, pings);
    let sent = outputs(&got(&mut upstream).await);
    assert_eq!(
        expand(&sent[0], &Earlier::default()).expect("a form"),
        output(0)
    );
    // One that gets no form keeps its frames.
    let (frames, pings) = fragments(&[b"{\"type\":", b"\"response.create\",\"input\":[]}"]);
    client.write(&frames).await;
    let first = frames.len() - pings.len();
    let all = upstream.take(frames.len()).await;
    assert_eq!(all[..pings.len()], pings);
    assert_eq!(all.len() - pings.len(), first);
    // One whose rest does not come is passed on as far as it came.
    let (frames, _) = fragments(&[b"{\"type\":", b"\"response.create\""]);
    let begun = &frames[..10];
    client.write(begun).await;
    client.end_writing().await;
    assert_eq!(upstream.rest().await, (begun.to_vec(), true));
}

#[tokio::test]
async fn with_a_stored_history_only_the_new_items_count() {
    let stage = Stage::start(|launch| launch).await;
    let (mut client, mut upstream) = stage.agreed().await;
    client.write(text(request(&input(1)))).await;
    got(&mut upstream).await;
    // The same output once more: a reference would lead to a block that is not in this request.
    let [_, mut again] = call(0);
    again["call_id"] = json!("c9");
    let next = json!({"type": "response.create", "model": "gpt-6.1-sol", "previous_response_id": "r1", "input": [again]});
    client.write(text(next.to_string())).await;
    let sent = got(&mut upstream).await;
    assert_eq!(sent["previous_response_id"], "r1");
    let form = &outputs(&sent)[0];
    assert!(form.len() < output(0).len());
    assert_eq!(
        expand(form, &Earlier::default()).expect("a form by itself"),
        output(0)
    );
}

#[tokio::test]
async fn what_is_too_large_passes_unread() {
    let stage = Stage::start(|launch| launch.set("HEADROOM_MAX_BODY_BYTES", 20_000)).await;
    let (mut client, mut upstream) = stage.agreed().await;
    let whole = request(&input(8));
    let (frames, pings) = fragments(&[&whole.as_bytes()[..15_000], &whole.as_bytes()[15_000..]]);
    for bytes in [text(&whole), text(&whole[..30_000])] {
        client.write(&bytes).await;
        assert!(upstream.take(bytes.len()).await == bytes, "other bytes");
    }
    // A ping overtakes what is gathered before the limit is passed.
    client.write(&frames).await;
    let all = upstream.take(frames.len()).await;
    assert_eq!(all[..pings.len()], pings);
    let first = frames.len()
        - masked(
            OpCode::Data(Data::Continue),
            &whole.as_bytes()[15_000..],
            true,
        )
        .len();
    assert!(all[pings.len()..first] == frames[..first - pings.len()]);
    assert!(all[first..] == frames[first..]);
    // What follows is read again.
    client.write(text(request(&input(1)))).await;
    assert!(outputs(&got(&mut upstream).await)[0].len() < output(0).len());
    // 40 MB do not stay here.
    let huge = text(vec![b'x'; 40 << 20]);
    let (_, came) = tokio::join!(client.write(&huge), upstream.take(huge.len()));
    assert!(came == huge, "other bytes");
}

#[tokio::test]
async fn what_can_not_be_read_is_relayed() {
    let stage = Stage::start(|launch| launch).await;
    let bytes = text(request(&input(1)));
    // An extension that nobody asked for.
    let agrees = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    let (mut client, mut upstream, _) = stage.agreed_with("", agrees).await;
    client.write(&bytes).await;
    assert!(upstream.take(bytes.len()).await == bytes, "other bytes");
    // A frame that an extension would have changed; no frame at all.
    let (mut client, mut upstream) = stage.agreed().await;
    let mut changed = bytes.clone();
    changed[0] |= 0x40;
    for bytes in [changed, [&[0x83, 0x80][..], &bytes].concat(), bytes] {
        client.write(&bytes).await;
        assert!(upstream.take(bytes.len()).await == bytes, "other bytes");
    }
}

#[tokio::test]
async fn a_bypassed_connection_is_untouched() {
    let stage = Stage::start(|launch| launch).await;
    let (mut client, mut upstream, _) = stage.agreed_with("x-headroom-bypass: 1\r\n", "").await;
    let bytes = text(request(&input(1)));
    client.write(&bytes).await;
    assert!(upstream.take(bytes.len()).await == bytes, "other bytes");
    assert_eq!(stage.stats().await["requests"]["bypassed"], 1);
}

#[tokio::test]
async fn websockets_are_refused_where_that_is_set() {
    let stage = Stage::start(|launch| launch.set("HEADROOM_WEBSOCKET", "refuse")).await;
    let mut client = Socket::connect(&stage.proxy.addr()).await;
    client.write(format!("{ASK}\r\n")).await;
    let answer = client.message().await.expect("an answer");
    assert_eq!(answer.status(), 426);
    let told = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(told.contains("HEADROOM_WEBSOCKET"), "{told}");
    // The connection goes on.
    client.write("GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(client.message().await.expect("an answer").status(), 200);
}

#[tokio::test]
async fn a_message_that_stalls_is_passed_on_as_far_as_it_came() {
    let stage = Stage::start(|launch| launch.set("HEADROOM_BODY_TIMEOUT_SECONDS", 1)).await;
    let (mut client, mut upstream) = stage.agreed().await;
    let bytes = text(request(&input(1)));
    client.write(&bytes[..1000]).await;
    let begun = wait::soon("what came", upstream.take(1000)).await;
    assert!(begun == bytes[..1000], "other bytes");
    client.write(&bytes[1000..]).await;
    assert!(
        upstream.take(bytes.len() - 1000).await == bytes[1000..],
        "other bytes"
    );
}
