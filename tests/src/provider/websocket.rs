//! The Responses API on a WebSocket: a request holds what is new since the response that it names.

use std::time::Instant;

use bytes::Bytes;
use hyper::{HeaderMap, Method};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::{Received, Shared, says, steps};
use crate::raw::Socket;
use crate::raw::frames::{event, unmasked};

/// What is left of a handshake for the requests on its connection.
#[derive(Debug)]
pub(super) struct Handshake {
    pub(super) target: String,
    pub(super) headers: HeaderMap,
}

/// What the provider knows of a connection's conversation.
#[derive(Debug, Default)]
struct History {
    /// The id of the last response.
    response: Option<String>,
    /// All that was said up to it.
    items: Vec<Value>,
}

impl History {
    /// The request with all that was said before it; `None` where it names a response that is not known here.
    fn whole(&self, mut request: Value) -> Option<Value> {
        let named = request["previous_response_id"].take();
        if named.is_null() {
            return Some(request);
        }
        if named.as_str() != self.response.as_deref() {
            return None;
        }
        let new = request["input"].as_array()?;
        request["input"] = self.items.iter().chain(new).cloned().collect();
        Some(request)
    }

    /// Notes a request, with all before it, and its response.
    fn note(&mut self, request: &Value, response: &Value) {
        self.response = response["id"].as_str().map(str::to_owned);
        let said = [&request["input"], &response["output"]].into_iter();
        let items = said.filter_map(Value::as_array).flatten();
        self.items = items.cloned().collect();
    }
}

/// Serves a connection until its end. The requests are received as bodies; each has the `x-test-id` of the handshake with its
/// number (from 0) behind it.
pub(super) async fn serve(mut socket: Socket, handshake: Handshake, shared: &Shared) {
    let mut history = History::default();
    let mut requests = 0..;
    while let Ok((header, payload)) = socket.try_frame().await {
        let answers = match header.opcode {
            OpCode::Data(Data::Text) => {
                let number = requests.next().unwrap_or_default();
                let events = answer(&handshake.received(number, payload), &mut history, shared);
                let events = events.iter().map(|it| event(it.to_string()));
                events.collect()
            }
            OpCode::Control(Control::Ping) => {
                vec![unmasked(OpCode::Control(Control::Pong), payload)]
            }
            OpCode::Control(Control::Close) => vec![unmasked(header.opcode, payload)],
            _ => Vec::new(),
        };
        let is_over = header.opcode == OpCode::Control(Control::Close);
        if socket.try_write(answers.concat()).await.is_err() || is_over {
            return;
        }
    }
}

impl Handshake {
    fn received(&self, number: usize, payload: Vec<u8>) -> Received {
        let mut headers = self.headers.clone();
        if let Some(id) = headers.get_mut("x-test-id") {
            let numbered = format!("{}/{number}", id.to_str().unwrap_or_default());
            *id = numbered.parse().expect("a header's value");
        }
        Received {
            method: Method::GET,
            target: self.target.clone(),
            headers,
            body: Bytes::from(payload),
            at: Instant::now(),
            over: CancellationToken::new(),
        }
    }
}

/// The events that answer a request.
fn answer(received: &Received, history: &mut History, shared: &Shared) -> Vec<Value> {
    let text = std::str::from_utf8(&received.body).unwrap_or_default();
    let request: Value = text.parse().unwrap_or_default();
    let warms_up = request["generate"] == json!(false);
    let whole = history.whole(request);
    let (says, usage) = {
        let mut state = shared.state.lock().expect("no panic");
        state.received.push(received.clone());
        let body = whole
            .as_ref()
            .map_or(Vec::new(), |it| it.to_string().into());
        let usage = state.cache.serve(&received.target, &body);
        (steps::next(&state.steps, &body), usage)
    };
    shared.arrived.notify_waiters();
    let Some(whole) = whole else {
        return vec![unknown_response()];
    };
    let mut events = says::responses_events(&whole, &says, usage);
    if warms_up {
        events.retain(|event| event.get("response").is_some());
        for event in &mut events {
            event["response"]["output"] = json!([]);
        }
    }
    if let Some(last) = events.last() {
        history.note(&whole, &last["response"]);
    }
    events
}

fn unknown_response() -> Value {
    json!({"type": "error", "status": 400, "error": {
        "type": "invalid_request_error", "code": "previous_response_not_found", "param": "previous_response_id",
        "message": "There is no such response on this connection."}})
}
