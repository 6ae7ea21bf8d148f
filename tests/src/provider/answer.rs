//! Answers: scripted ones, and good ones in the request's dialect.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::Response;
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::DropGuard;

use super::Received;
use super::cache::Usage;
use crate::wait;

/// Why a gated answer's body ends early.
#[derive(Debug)]
pub struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken by the test")
    }
}

impl std::error::Error for Broken {}

pub(super) type Body = UnsyncBoxBody<Bytes, Broken>;

/// How one request is answered.
#[derive(Debug)]
pub enum Reply {
    /// Well, in its dialect, streamed if it asks for that, with the usage that the cache model says.
    Auto,
    /// With this.
    Fixed(Response<Vec<u8>>),
    /// With this head at once and the pieces of the body when the test sends them.
    Gated(Response<mpsc::Receiver<Result<Bytes, Broken>>>),
    /// Never.
    Hang,
    /// By closing the connection.
    HangUp,
}

impl Reply {
    /// An answer of this status with these headers and this body.
    ///
    /// # Panics
    /// When a header is none.
    #[must_use]
    pub fn fixed(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        Self::Fixed(head(status, headers).map(|()| body.into()))
    }

    /// An answer whose body the test sends piece by piece through the gate.
    ///
    /// # Panics
    /// When a header is none.
    #[must_use]
    pub fn gated(status: u16, headers: &[(&str, &str)]) -> (Gate, Self) {
        let (sender, receiver) = mpsc::channel(1);
        let reply = Self::Gated(head(status, headers).map(|()| receiver));
        (Gate { sender }, reply)
    }
}

fn head(status: u16, headers: &[(&str, &str)]) -> Response<()> {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(()).expect("a head")
}

/// The test's end of a gated answer. Dropping it ends the body properly.
#[derive(Debug)]
pub struct Gate {
    sender: mpsc::Sender<Result<Bytes, Broken>>,
}

impl Gate {
    /// Lets a piece of the body go.
    ///
    /// # Panics
    /// When the other side has gone.
    pub async fn send(&self, piece: impl Into<Bytes>) {
        let sent = self.sender.send(Ok(piece.into()));
        wait::soon("room for a piece", sent)
            .await
            .expect("the other side is there");
    }

    /// Breaks the connection in the middle of the body.
    pub async fn break_off(self) {
        let _ = self.sender.send(Err(Broken)).await;
    }

    /// Waits until the other side has gone.
    ///
    /// # Panics
    /// When it stays.
    pub async fn gone(&self) {
        wait::soon("the other side to go", self.sender.closed()).await;
    }
}

pub(super) fn whole(bytes: Bytes) -> Body {
    Full::new(bytes)
        .map_err(|never: Infallible| match never {})
        .boxed_unsync()
}

pub(super) fn gated(pieces: mpsc::Receiver<Result<Bytes, Broken>>, guard: DropGuard) -> Body {
    let pieces = stream::unfold((pieces, guard), |(mut pieces, guard)| async move {
        let piece = pieces.recv().await?;
        let frame = piece.map(Frame::data);
        Some((frame, (pieces, guard)))
    });
    StreamBody::new(pieces).boxed_unsync()
}

/// A good answer in the request's dialect.
pub(super) fn well(received: &Received, usage: Usage) -> Response<Body> {
    let text = std::str::from_utf8(&received.body).unwrap_or_default();
    let body: Value = text.parse().unwrap_or_default();
    let streamed = body["stream"] == json!(true);
    let path = received.target.split('?').next().unwrap_or_default();
    let (events, object) = match path {
        "/v1/messages" => messages(usage),
        "/v1/chat/completions" => chat(usage),
        "/v1/responses" => responses(usage),
        path => (String::new(), json!({ "path": path })),
    };
    let (kind, bytes) = if streamed && !events.is_empty() {
        ("text/event-stream", events)
    } else {
        ("application/json", object.to_string())
    };
    head(200, &[("content-type", kind), ("request-id", "req_test")]).map(|()| whole(bytes.into()))
}

fn event(name: &str, data: &Value) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

fn messages(usage: Usage) -> (String, Value) {
    let usage = json!({
        "input_tokens": usage.fresh,
        "cache_read_input_tokens": usage.read,
        "cache_creation_input_tokens": usage.written,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.written - usage.written_long,
            "ephemeral_1h_input_tokens": usage.written_long,
        },
        "output_tokens": 1,
    });
    let message = |content: Value| {
        json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "test",
               "content": content, "stop_reason": null, "stop_sequence": null, "usage": usage})
    };
    let events = [
        event(
            "message_start",
            &json!({"type": "message_start", "message": message(json!([]))}),
        ),
        event("ping", &json!({"type": "ping"})),
        event(
            "content_block_start",
            &json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        ),
        event(
            "content_block_delta",
            &json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ok"}}),
        ),
        event(
            "content_block_stop",
            &json!({"type": "content_block_stop", "index": 0}),
        ),
        event(
            "message_delta",
            &json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}}),
        ),
        event("message_stop", &json!({"type": "message_stop"})),
    ];
    (
        events.concat(),
        message(json!([{"type": "text", "text": "ok"}])),
    )
}

fn chat(usage: Usage) -> (String, Value) {
    let usage = json!({
        "prompt_tokens": usage.total(),
        "completion_tokens": 1,
        "total_tokens": usage.total() + 1,
        "prompt_tokens_details": {"cached_tokens": usage.read},
    });
    let chunk = |choices: Value, usage: &Value| {
        let data = json!({"id": "c1", "object": "chat.completion.chunk", "choices": choices, "usage": usage});
        format!("data: {data}\n\n")
    };
    let events = [
        chunk(
            json!([{"index": 0, "delta": {"role": "assistant", "content": "ok"}}]),
            &Value::Null,
        ),
        chunk(
            json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]),
            &Value::Null,
        ),
        chunk(json!([]), &usage),
        "data: [DONE]\n\n".to_owned(),
    ];
    let object = json!({"id": "c1", "object": "chat.completion", "usage": usage,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}]});
    (events.concat(), object)
}

fn responses(usage: Usage) -> (String, Value) {
    let usage = json!({
        "input_tokens": usage.total(),
        "input_tokens_details": {"cached_tokens": usage.read},
        "output_tokens": 1,
        "total_tokens": usage.total() + 1,
    });
    let output = json!([{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "ok"}]}]);
    let object = json!({"id": "resp_1", "object": "response", "status": "completed", "output": output, "usage": usage});
    let events = [
        event(
            "response.created",
            &json!({"type": "response.created", "response": {"id": "resp_1"}}),
        ),
        event(
            "response.output_text.delta",
            &json!({"type": "response.output_text.delta", "delta": "ok"}),
        ),
        event(
            "response.completed",
            &json!({"type": "response.completed", "response": object}),
        ),
    ];
    (events.concat(), object)
}
