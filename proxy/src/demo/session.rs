//! The session: what an agent that repairs a rounding error in a shop's code sends, turn by turn.

use bytes::Bytes;
use headroom_shared::contract::model::Model;
use serde_json::{Value, json};

use super::tools;

/// A model that binds no thinking, so that what was sent before may change.
const MODEL: &str = "claude-opus-4-6";

const TOOL_RESULT: &str = r#""type":"tool_result""#;

/// How many tool calls the session has behind it when it is resumed.
const OPENING: usize = 13;

const TASK: &str = "Totals of orders with a coupon are off by one cent since the last release. Find out why and repair it.";
/// By which a client asks the provider to cache all up to here.
const CACHE_MARKER: &str = r#","cache_control":{"type":"ephemeral"}"#;

/// One tool call of the agent, with what the tool gave.
#[derive(Debug)]
pub(super) struct Step {
    says: &'static str,
    tool: &'static str,
    input: Value,
    output: String,
}

/// The whole session.
#[derive(Debug)]
pub(super) struct Session(Vec<Step>);

impl Session {
    pub(super) fn new() -> Self {
        let mut steps = opening();
        steps.extend(rest());
        Self(steps)
    }

    /// How many requests the agent sends: one when it resumes, and one after every further tool call.
    pub(super) fn turns(&self) -> usize {
        self.0.len() - OPENING + 1
    }

    /// Tokens of the first request's messages, as the proxy estimates them.
    pub(super) fn tokens(&self) -> u64 {
        Model::named(MODEL).tokens(self.messages(1, "").len())
    }

    /// The request of a turn, counted from 1. A client that `marks` what is to be cached has a marker on its system prompt and one on
    /// its last message, as Claude Code does: the latter moves with every turn.
    pub(super) fn body(&self, turn: usize, marks: bool) -> Bytes {
        let marker = if marks { CACHE_MARKER } else { "" };
        let tools: Vec<Value> = ["Bash", "Grep", "Read"]
            .map(|name| json!({"name": name, "input_schema": {"type": "object"}}))
            .into();
        let tools = Value::from(tools);
        let messages = self.messages(turn, marker);
        Bytes::from(format!(
            r#"{{"model":"{MODEL}","max_tokens":8192,"stream":true,"system":[{{"type":"text","text":"You are a coding agent."{marker}}}],"tools":{tools},"messages":[{messages}]}}"#
        ))
    }

    /// The messages of a turn, separated by commas; the last one has this marker.
    fn messages(&self, turn: usize, marker: &str) -> String {
        let mut messages = json!({"role": "user", "content": TASK}).to_string();
        let mut last = 0;
        for (index, step) in self.0.iter().take(OPENING + turn - 1).enumerate() {
            let id = format!("toolu_demo{index:04}");
            let call =
                json!({"type": "tool_use", "id": id, "name": step.tool, "input": step.input});
            let text = json!({"type": "text", "text": step.says});
            let message = json!({"role": "assistant", "content": [text, call]});
            messages += &format!(",{message},");
            last = messages.len();
            let result = json!({"type": "tool_result", "tool_use_id": id, "content": step.output});
            messages += &json!({"role": "user", "content": [result]}).to_string();
        }
        let marked = format!("{TOOL_RESULT}{marker}");
        let end = messages.split_off(last);
        messages + &end.replacen(TOOL_RESULT, &marked, 1)
    }
}

/// What went out for a body as far as the end of its messages, without cache markers: to a provider they are no part of what is cached.
pub(super) fn sent_messages(sent: &[u8]) -> String {
    let sent = String::from_utf8_lossy(sent).replace(CACHE_MARKER, "");
    sent.strip_suffix("]}").unwrap_or(&sent).to_owned()
}

fn opening() -> Vec<Step> {
    vec![
        search("Where are amounts rounded?", "round_cents", 90),
        read("The coupons first.", "coupon", 44),
        read("Now the orders.", "order", 52),
        test("What do the tests say?", "pricing", 160),
        fetch("What do real orders look like?", "orders", 90),
        read("Invoices take their totals from here.", "invoice", 40),
        read("And refunds.", "refund", 40),
        search("Who else applies coupons?", "apply_coupon", 80),
        read("The basket does it by itself.", "basket", 40),
        test("Is the basket tested?", "basket", 120),
        fetch("The coupons of these orders.", "coupons", 80),
        read("Shipping costs are part of the total.", "shipment", 36),
        read("Once more the orders.", "order", 52),
    ]
}

fn rest() -> Vec<Step> {
    vec![
        read("The payment compares totals.", "payment", 24),
        search("Every caller of the total.", "order_total", 50),
        test("The tests after the first change.", "pricing", 110),
        command(
            "The change so far.",
            "git diff --stat",
            " src/orders.rs | 4 ++--\n 1 file changed, 2 insertions(+), 2 deletions(-)\n",
        ),
        fetch("The totals of the orders now.", "totals", 60),
        read("The coupons as they stand.", "coupon", 44),
        read("And the customers' statements.", "customer", 22),
        test("All tests.", "shop", 180),
    ]
}

fn read(says: &'static str, entity: &str, functions: usize) -> Step {
    Step {
        says,
        tool: "Read",
        input: json!({"file_path": format!("src/{entity}s.rs")}),
        output: tools::source(entity, functions),
    }
}

fn search(says: &'static str, pattern: &str, hits: usize) -> Step {
    Step {
        says,
        tool: "Grep",
        input: json!({"pattern": pattern, "path": "src", "output_mode": "content"}),
        output: tools::hits(pattern, hits),
    }
}

fn test(says: &'static str, suite: &str, cases: usize) -> Step {
    command(
        says,
        &format!("cargo test {suite}"),
        &tools::test_log(suite, cases),
    )
}

fn fetch(says: &'static str, what: &str, records: usize) -> Step {
    command(
        says,
        &format!("curl -s localhost:8080/{what}"),
        &tools::records(what, records),
    )
}

fn command(says: &'static str, command: &str, output: &str) -> Step {
    Step {
        says,
        tool: "Bash",
        input: json!({"command": command}),
        output: output.to_owned(),
    }
}
