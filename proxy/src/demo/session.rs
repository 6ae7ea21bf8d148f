//! The session: what an agent that repairs a rounding error in a shop's code sends, turn by turn.

use bytes::Bytes;
use headroom_shared::contract::model::Model;
use serde_json::{Value, json};

use super::tools;

/// A model that binds no thinking, so that what was sent before may change.
pub(super) const MODEL: &str = "claude-opus-4-6";

/// How many tool calls the session has behind it when it is resumed.
const OPENING: usize = 13;

const TASK: &str = "Totals of orders with a coupon are off by one cent since the last release. Find out why and repair it.";
const LAST_WORDS: &str = "The total is now rounded once, after the coupon. All tests pass.";

/// One tool call of the agent, with what the tool gave.
#[derive(Debug)]
pub(super) struct Step {
    says: &'static str,
    pub(super) tool: &'static str,
    pub(super) input: Value,
    pub(super) output: String,
}

/// What the model answers in one turn.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    pub(super) says: &'static str,
    /// Id, name and input of the tool call.
    pub(super) call: Option<(String, &'static str, Value)>,
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

    pub(super) fn steps(&self) -> impl Iterator<Item = &Step> {
        self.0.iter()
    }

    /// Tokens of the first request's messages, as the proxy estimates them.
    pub(super) fn tokens(&self) -> u64 {
        Model::named(MODEL).tokens(self.messages(1).len())
    }

    /// The request of a turn, counted from 1. No cache marker is in it.
    pub(super) fn body(&self, turn: usize) -> Bytes {
        let tools: Vec<Value> = ["Bash", "Grep", "Read"]
            .map(|name| json!({"name": name, "input_schema": {"type": "object"}}))
            .into();
        let tools = Value::from(tools);
        let messages = self.messages(turn);
        Bytes::from(format!(
            r#"{{"model":"{MODEL}","max_tokens":8192,"stream":true,"system":"You are a coding agent.","tools":{tools},"messages":{messages}}}"#
        ))
    }

    /// What the model answers in a turn: the call whose output the next turn brings.
    pub(super) fn answer(&self, turn: usize) -> Answer {
        let next = OPENING + turn - 1;
        let Some(step) = self.0.get(next) else {
            return Answer {
                says: LAST_WORDS,
                call: None,
            };
        };
        Answer {
            says: step.says,
            call: Some((id(next), step.tool, step.input.clone())),
        }
    }

    fn messages(&self, turn: usize) -> String {
        let mut messages = vec![json!({"role": "user", "content": TASK})];
        for (index, step) in self.0.iter().take(OPENING + turn - 1).enumerate() {
            let id = id(index);
            let call =
                json!({"type": "tool_use", "id": id, "name": step.tool, "input": step.input});
            let text = json!({"type": "text", "text": step.says});
            messages.push(json!({"role": "assistant", "content": [text, call]}));
            let result = json!({"type": "tool_result", "tool_use_id": id, "content": step.output});
            messages.push(json!({"role": "user", "content": [result]}));
        }
        Value::from(messages).to_string()
    }
}

fn id(index: usize) -> String {
    format!("toolu_demo{index:04}")
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
