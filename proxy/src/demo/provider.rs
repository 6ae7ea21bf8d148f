//! The provider's side: answers as a provider of Anthropic Messages streams, from a script, and keeps what it received.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::post;
use bytes::Bytes;
use futures_util::stream;
use headroom_shared::contract::model::Model;
use http::header;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::session::{Answer, MODEL};

/// A provider on a free port.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) address: SocketAddr,
    script: Arc<Mutex<Script>>,
}

#[derive(Debug, Default)]
struct Script {
    answer: Answer,
    received: Bytes,
}

impl Provider {
    /// Starts one that runs until `stop`.
    pub(super) async fn start(
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let script = Arc::new(Mutex::new(Script::default()));
        let router = Router::new()
            .route("/v1/messages", post(messages))
            .with_state(script.clone());
        let serve = axum::serve(listener, router).into_future();
        tasks.spawn(stop.run_until_cancelled_owned(serve));
        Ok(Self { address, script })
    }

    /// Sets what it answers from now on.
    pub(super) fn will_answer(&self, answer: Answer) {
        locked(&self.script).answer = answer;
    }

    /// The last body it received.
    pub(super) fn received(&self) -> Bytes {
        locked(&self.script).received.clone()
    }
}

async fn messages(State(script): State<Arc<Mutex<Script>>>, body: Bytes) -> impl IntoResponse {
    let tokens = Model::named(MODEL).tokens(body.len());
    let answer = {
        let mut script = locked(&script);
        script.received = body;
        script.answer.clone()
    };
    let events = events(&answer, tokens).into_iter().map(sse);
    let events = stream::iter(events.map(Ok::<_, Infallible>));
    (
        [(header::CONTENT_TYPE, "text/event-stream")],
        Body::from_stream(events),
    )
}

/// The events of an answer. Its usage says that nothing was read from the cache and nothing written to it.
fn events(answer: &Answer, input_tokens: u64) -> Vec<Value> {
    let usage = json!({
        "input_tokens": input_tokens, "output_tokens": 1,
        "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0,
    });
    let message = json!({
        "id": "msg_demo", "type": "message", "role": "assistant", "model": MODEL, "content": [], "usage": usage,
    });
    let mut events = vec![json!({"type": "message_start", "message": message})];
    let text = json!({"type": "text", "text": ""});
    let words = answer.says.split_inclusive(' ');
    let words = words.map(|word| json!({"type": "text_delta", "text": word}));
    events.extend(content(0, &text, words));
    let mut stop_reason = "end_turn";
    if let Some((id, name, input)) = &answer.call {
        let call = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
        let delta = json!({"type": "input_json_delta", "partial_json": input.to_string()});
        events.extend(content(1, &call, [delta].into_iter()));
        stop_reason = "tool_use";
    }
    let delta = json!({"stop_reason": stop_reason, "stop_sequence": null});
    events.push(json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 40}}));
    events.push(json!({"type": "message_stop"}));
    events
}

fn content(index: usize, start: &Value, deltas: impl Iterator<Item = Value>) -> Vec<Value> {
    let mut events =
        vec![json!({"type": "content_block_start", "index": index, "content_block": start})];
    events.extend(
        deltas.map(|delta| json!({"type": "content_block_delta", "index": index, "delta": delta})),
    );
    events.push(json!({"type": "content_block_stop", "index": index}));
    events
}

fn sse(event: Value) -> Bytes {
    let name = event["type"].as_str().unwrap_or_default();
    Bytes::from(format!("event: {name}\ndata: {event}\n\n"))
}

fn locked(script: &Mutex<Script>) -> MutexGuard<'_, Script> {
    script.lock().unwrap_or_else(PoisonError::into_inner)
}
