//! Good answers, shaped as each provider shapes them, whole or streamed.

use headroom_shared::contract::usage::Usage;
use hyper::Response;
use serde_json::{Value, json};

use super::Received;
use super::answer::{Body, head, whole};

/// What the model says.
#[derive(Debug)]
pub enum Says {
    /// The text `ok`.
    Ok,
    /// A call of this tool with this input. A text instead of an object is the input of a custom tool (Responses alone).
    Call(Tool, Value),
}

/// A tool, as a request offers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// The group of tools that it is called in, if any (Responses alone).
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl From<&str> for Tool {
    fn from(name: &str) -> Self {
        Self {
            namespace: None,
            name: name.to_owned(),
        }
    }
}

/// A good answer to a request.
pub(super) fn well(received: &Received, says: &Says, usage: Usage) -> Response<Body> {
    let text = std::str::from_utf8(&received.body).unwrap_or_default();
    let body: Value = text.parse().unwrap_or_default();
    let answer = Answer::to(&body, says, usage);
    let (events, object) = match received.path() {
        "/v1/messages" => answer.messages(),
        "/v1/chat/completions" => answer.chat(),
        "/v1/responses" => {
            let (events, object) = answer.responses();
            (events.iter().map(named).collect(), object)
        }
        "/v1/messages/count_tokens" => (String::new(), json!({"input_tokens": text.len() / 3})),
        "/v1/models" => (String::new(), models()),
        path => (String::new(), json!({ "path": path })),
    };
    let (kind, bytes) = if body["stream"] == json!(true) && !events.is_empty() {
        ("text/event-stream", events)
    } else {
        ("application/json", object.to_string())
    };
    let headers = [
        ("content-type", kind),
        ("request-id", "req_test"),
        ("x-request-id", "req_test"),
    ];
    head(200, &headers).map(|()| whole(bytes.into()))
}

/// The events of a good answer to a request in the Responses API.
pub(super) fn responses_events(body: &Value, says: &Says, usage: Usage) -> Vec<Value> {
    Answer::to(body, says, usage).responses().0
}

/// Whether the model thinks, and the client wants to see what it thought.
fn thinks(body: &Value) -> bool {
    let encrypted = body["include"].as_array().into_iter().flatten();
    matches!(
        body["thinking"]["type"].as_str(),
        Some("enabled" | "adaptive")
    ) || encrypted
        .into_iter()
        .any(|wanted| wanted == "reasoning.encrypted_content")
}

/// A number that no other answer of the conversation has: how long it was.
fn number(body: &Value) -> usize {
    let messages = body["messages"].as_array().or(body["input"].as_array());
    messages.map_or(0, Vec::len)
}

/// The models of both providers, each with what either says of one.
fn models() -> Value {
    let model = |id: &str, kind: &str| {
        json!({"id": id, "type": "model", "object": "model", "created": 1_790_000_000,
               "created_at": "2026-09-21T00:00:00Z", "display_name": id, "owned_by": kind})
    };
    let data = [
        model("claude-test", "anthropic"),
        model("gpt-test", "openai"),
    ];
    json!({"object": "list", "data": data, "has_more": false,
           "first_id": "claude-test", "last_id": "gpt-test"})
}

/// A stream delivers a text in pieces.
fn halves(text: &str) -> [&str; 2] {
    let middle = text.char_indices().nth(text.chars().count() / 2);
    text.split_at(middle.map_or(0, |(at, _)| at)).into()
}

fn named(data: &Value) -> String {
    let name = data["type"].as_str().expect("an event with a type");
    format!("event: {name}\ndata: {data}\n\n")
}

struct Answer<'a> {
    model: &'a Value,
    /// Tells its ids from those of the conversation's other answers.
    number: usize,
    says: &'a Says,
    usage: Usage,
    thinks: bool,
}

impl<'a> Answer<'a> {
    fn to(body: &'a Value, says: &'a Says, usage: Usage) -> Self {
        Self {
            model: &body["model"],
            number: number(body),
            says,
            usage,
            thinks: thinks(body),
        }
    }

    fn id(&self, kind: &str) -> String {
        format!("{kind}_{}", self.number)
    }

    fn messages(&self) -> (String, Value) {
        let usage = json!({
            "input_tokens": self.usage.fresh(),
            "cache_read_input_tokens": self.usage.read,
            "cache_creation_input_tokens": self.usage.written,
            "cache_creation": {
                "ephemeral_5m_input_tokens": self.usage.written - self.usage.written_hour,
                "ephemeral_1h_input_tokens": self.usage.written_hour,
            },
            "output_tokens": 1,
        });
        let message = |content: Value, stop: Value, usage: &Value| {
            json!({"id": self.id("msg"), "type": "message", "role": "assistant", "model": self.model,
                   "content": content, "stop_reason": stop, "stop_sequence": null, "usage": usage})
        };
        let mut blocks = Vec::new();
        if self.thinks {
            blocks.push(thinking_block());
        }
        let (block, stop) = self.content_block();
        blocks.push(block);
        let whole: Vec<&Value> = blocks.iter().map(|block| &block.whole).collect();
        let object = message(json!(whole), json!(stop), &usage);
        let begin = message(json!([]), Value::Null, &usage);
        let mut events = vec![
            json!({"type": "message_start", "message": begin}),
            json!({"type": "ping"}),
        ];
        for (index, block) in blocks.into_iter().enumerate() {
            events.push(json!({"type": "content_block_start", "index": index, "content_block": block.begun}));
            let deltas = block.deltas.into_iter();
            events.extend(deltas.map(
                |delta| json!({"type": "content_block_delta", "index": index, "delta": delta}),
            ));
            events.push(json!({"type": "content_block_stop", "index": index}));
        }
        events.extend([
            json!({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": null},
                   "usage": {"output_tokens": 2}}),
            json!({"type": "message_stop"}),
        ]);
        (events.iter().map(named).collect(), object)
    }

    /// What it says as a block of a message, and why the message ends there.
    fn content_block(&self) -> (ContentBlock, &'static str) {
        match self.says {
            Says::Ok => {
                let block = |text: &str| json!({"type": "text", "text": text});
                let said = ContentBlock {
                    begun: block(""),
                    whole: block("ok"),
                    deltas: halves("ok").map(|text| json!({"type": "text_delta", "text": text})),
                };
                (said, "end_turn")
            }
            Says::Call(tool, input) => {
                let block = |input: &Value| json!({"type": "tool_use", "id": self.id("call"), "name": tool.name, "input": input});
                let call = ContentBlock {
                    begun: block(&json!({})),
                    whole: block(input),
                    deltas: halves(&input.to_string())
                        .map(|json| json!({"type": "input_json_delta", "partial_json": json})),
                };
                (call, "tool_use")
            }
        }
    }

    fn chat(&self) -> (String, Value) {
        let usage = json!({
            "prompt_tokens": self.usage.input,
            "completion_tokens": 1,
            "total_tokens": self.usage.input + 1,
            "prompt_tokens_details": {"cached_tokens": self.usage.read, "cache_write_tokens": self.usage.written},
        });
        let (message, deltas, stop) = match self.says {
            Says::Ok => {
                let message = json!({"role": "assistant", "content": "ok"});
                let deltas = halves("ok").map(|text| json!({"content": text}));
                (message, deltas, "stop")
            }
            Says::Call(tool, input) => {
                let input = input.to_string();
                let call = json!({"id": self.id("call"), "type": "function",
                                  "function": {"name": tool.name, "arguments": input}});
                let message = json!({"role": "assistant", "content": null, "tool_calls": [call]});
                let [first, second] = halves(&input);
                let begin = json!({"index": 0, "id": self.id("call"), "type": "function",
                                   "function": {"name": tool.name, "arguments": first}});
                let go_on = json!({"index": 0, "function": {"arguments": second}});
                (
                    message,
                    [begin, go_on].map(|call| json!({"tool_calls": [call]})),
                    "tool_calls",
                )
            }
        };
        let chunk = |choices: Value, usage: &Value| {
            let data = json!({"id": "c1", "object": "chat.completion.chunk", "created": 1_790_000_000,
                              "model": self.model, "choices": choices, "usage": usage});
            format!("data: {data}\n\n")
        };
        let choice = |delta: Value, stop: Value| {
            let choice = json!({"index": 0, "delta": delta, "finish_reason": stop});
            chunk(json!([choice]), &Value::Null)
        };
        let [first, second] = deltas.map(|delta| choice(delta, Value::Null));
        let events = [
            choice(json!({"role": "assistant"}), Value::Null),
            first,
            second,
            choice(json!({}), json!(stop)),
            chunk(json!([]), &usage),
            "data: [DONE]\n\n".to_owned(),
        ];
        let object = json!({"id": "c1", "object": "chat.completion", "created": 1_790_000_000,
            "model": self.model, "usage": usage,
            "choices": [{"index": 0, "message": message, "finish_reason": stop}]});
        (events.concat(), object)
    }

    fn responses(&self) -> (Vec<Value>, Value) {
        let usage = json!({
            "input_tokens": self.usage.input,
            "input_tokens_details": {"cached_tokens": self.usage.read, "cache_write_tokens": self.usage.written},
            "output_tokens": 1,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": self.usage.input + 1,
        });
        let response = |status: &str, output: &Value, usage: &Value| {
            json!({"id": self.id("resp"), "object": "response", "created_at": 1_790_000_000, "model": self.model,
                   "status": status, "output": output, "usage": usage, "error": null,
                   "parallel_tool_calls": false, "tool_choice": "auto", "tools": []})
        };
        let (item, within) = match self.says {
            Says::Ok => self.said_item(),
            Says::Call(tool, Value::String(input)) => self.custom_call_item(&tool.name, input),
            Says::Call(tool, input) => self.call_item(tool, &input.to_string()),
        };
        let reasoning = self.thinks.then(|| self.reasoning_item());
        let output: Vec<&Value> = reasoning.iter().chain([&item]).collect();
        let object = response("completed", &json!(output), &usage);
        let begun = response("in_progress", &json!([]), &Value::Null);
        let mut events = vec![
            json!({"type": "response.created", "response": begun}),
            json!({"type": "response.in_progress", "response": begun}),
        ];
        let index = output.len() - 1;
        events.extend(reasoning.iter().map(
            |item| json!({"type": "response.output_item.done", "output_index": 0, "item": item}),
        ));
        events.extend(within.into_iter().map(|mut event| {
            event["output_index"] = json!(index);
            event
        }));
        events.extend([
            json!({"type": "response.output_item.done", "output_index": index, "item": item}),
            json!({"type": "response.completed", "response": object}),
        ]);
        for (number, event) in events.iter_mut().enumerate() {
            event["sequence_number"] = json!(number);
        }
        (events, object)
    }

    fn custom_call_item(&self, name: &str, input: &str) -> (Value, Vec<Value>) {
        let item = |status: &str, input: &str| {
            json!({"type": "custom_tool_call", "id": self.id("ctc"), "call_id": self.id("call"), "name": name,
                   "input": input, "status": status})
        };
        let added = json!({"type": "response.output_item.added", "item": item("in_progress", "")});
        (item("completed", input), vec![added])
    }

    fn call_item(&self, tool: &Tool, input: &str) -> (Value, Vec<Value>) {
        let name = &tool.name;
        let item = |status: &str, input: &str| {
            let mut item = json!({"type": "function_call", "id": self.id("fc"), "call_id": self.id("call"), "name": name,
                                  "arguments": input, "status": status});
            if let Some(namespace) = &tool.namespace {
                item["namespace"] = json!(namespace);
            }
            item
        };
        let added = json!({"type": "response.output_item.added", "output_index": 0,
                           "item": item("in_progress", "")});
        let mut events = vec![added];
        events.extend(halves(input).map(|delta| {
            json!({"type": "response.function_call_arguments.delta", "item_id": self.id("fc"),
                   "output_index": 0, "delta": delta})
        }));
        events.push(
            json!({"type": "response.function_call_arguments.done", "item_id": self.id("fc"),
                           "output_index": 0, "name": name, "arguments": input}),
        );
        (item("completed", input), events)
    }

    /// What the model thought, to be sent back as it is.
    fn reasoning_item(&self) -> Value {
        json!({"type": "reasoning", "id": self.id("rs"), "summary": [], "encrypted_content": SIGNATURE})
    }

    fn said_item(&self) -> (Value, Vec<Value>) {
        let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": []});
        let item = |status: &str, content: Value| json!({"type": "message", "id": self.id("msg"), "role": "assistant", "status": status, "content": content});
        let place = |kind: &str, name: &str, value: Value| {
            let mut event = json!({"type": kind, "item_id": self.id("msg"), "output_index": 0, "content_index": 0});
            event[name] = value;
            event
        };
        let mut events = vec![
            json!({"type": "response.output_item.added", "output_index": 0,
                   "item": item("in_progress", json!([]))}),
            place("response.content_part.added", "part", part("")),
        ];
        for delta in halves("ok") {
            let mut event = place("response.output_text.delta", "delta", json!(delta));
            event["logprobs"] = json!([]);
            events.push(event);
        }
        let mut done = place("response.output_text.done", "text", json!("ok"));
        done["logprobs"] = json!([]);
        events.push(done);
        events.push(place("response.content_part.done", "part", part("ok")));
        (item("completed", json!([part("ok")])), events)
    }
}

/// A block of a message, streamed.
struct ContentBlock {
    begun: Value,
    whole: Value,
    deltas: [Value; 2],
}

const THOUGHT: &str = "The next step is clear.";
/// The text is any: nobody but a provider can read it.
const SIGNATURE: &str = "c2lnbmF0dXJl";

fn thinking_block() -> ContentBlock {
    let block = |thought: &str, signature: &str| json!({"type": "thinking", "thinking": thought, "signature": signature});
    ContentBlock {
        begun: block("", ""),
        whole: block(THOUGHT, SIGNATURE),
        deltas: [
            json!({"type": "thinking_delta", "thinking": THOUGHT}),
            json!({"type": "signature_delta", "signature": SIGNATURE}),
        ],
    }
}
