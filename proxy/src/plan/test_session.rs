//! A session as Claude Code sends it, for tests of what lands.

use std::fmt::Write as _;

use bytes::Bytes;
use serde_json::{Value, json};

use super::Planner;
use super::landing::Landing;
use crate::dialect::DIALECTS;
use crate::prices::Prices;
use crate::simulation::Simulation;
use crate::simulation::prompt_cache::PromptCache;
use crate::simulation::turn::Turn;

pub(super) const MODEL: &str = "claude-opus-4-6";

/// A session whose beginning went past the proxy, as Claude Code sends it.
pub(super) struct Session {
    pub(super) simulation: Simulation,
    pub(super) messages: Vec<Value>,
    pub(super) model: &'static str,
    pub(super) tools: &'static str,
    pub(super) thinking: Value,
    /// The cache marker.
    pub(super) marker: Value,
    /// Whether jobs are left to wait.
    pub(super) jobs_wait: bool,
    /// What was paid, and what would have been paid directly, in dollars.
    pub(super) paid: f64,
    pub(super) direct: f64,
}

/// Some source text that no form makes shorter, but for its line numbers.
pub(super) fn file(name: usize, lines: usize) -> String {
    let mut text = String::new();
    for line in 1..=lines {
        let word = (line * 7919 + name * 104_729) % 99_991;
        let _ = writeln!(
            text,
            "{line:>6}\u{2192}let v{word} = next({});",
            word * 31 % 9973
        );
    }
    text
}

impl Session {
    /// One that has read a file of so many lines this often.
    pub(super) fn resumed(planner: Planner, lines: usize, reads: usize) -> Self {
        let mut session = Self {
            simulation: Simulation::new(DIALECTS[0], planner, PromptCache::default()),
            messages: vec![json!({"role": "user", "content": "Find out why."})],
            model: MODEL,
            tools: "first",
            thinking: Value::Null,
            marker: json!({"type": "ephemeral"}),
            jobs_wait: false,
            paid: 0.0,
            direct: 0.0,
        };
        session.simulation.now_ms = 1_000_000_000;
        for _ in 0..reads {
            session.read(&file(0, lines));
        }
        session
    }

    /// The model reads a file.
    pub(super) fn read(&mut self, text: &str) {
        let id = format!("toolu_{}", self.messages.len());
        let call = json!({"type": "tool_use", "id": id, "name": "Read", "input": {"file_path": "/srv/a.rs"}});
        let result = json!({"type": "tool_result", "tool_use_id": id, "content": text});
        self.messages
            .push(json!({"role": "assistant", "content": [call]}));
        self.messages
            .push(json!({"role": "user", "content": [result]}));
    }

    /// The body of the next request.
    pub(super) fn body(&self) -> Bytes {
        let mut messages = self.messages.clone();
        let last = messages.last_mut().unwrap();
        if last["content"].is_array() && !self.marker.is_null() {
            last["content"][0]["cache_control"] = self.marker.clone();
        }
        let tools = json!([{"name": self.tools, "description": "Reads. ".repeat(200)}]);
        let mut body = json!({"model": self.model, "tools": tools, "messages": messages});
        if !self.thinking.is_null() {
            body["thinking"] = self.thinking.clone();
        }
        Bytes::from(body.to_string())
    }

    /// The next request, after so many seconds, whose job is done before the one after it, unless jobs are left to wait.
    pub(super) fn request(&mut self, seconds: u64) -> Turn {
        self.simulation.now_ms += seconds * 1000;
        let body = self.body();
        let turn = self.simulation.turn(&body);
        if !self.jobs_wait {
            self.simulation.run_jobs();
        }
        let rates = Prices::built_in().of(self.model).rates;
        self.paid += rates.cost(turn.usage);
        self.direct += rates.cost(turn.direct_usage);
        turn
    }

    /// One more step of the model's, and the request with its result.
    pub(super) fn step(&mut self, seconds: u64) -> Option<Landing> {
        self.step_turn(seconds).landing
    }

    /// The same with all that became of the request.
    pub(super) fn step_turn(&mut self, seconds: u64) -> Turn {
        self.read("ok");
        self.request(seconds)
    }
}
