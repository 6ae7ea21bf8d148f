//! Landings in caches that may be alive: what they may lose is covered by what was saved.

use std::fmt::Write as _;

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Landing, Obstacle, Occasion};
use crate::dialect::DIALECTS;
use crate::plan::Planner;
use crate::prices::Prices;
use crate::simulation::Simulation;
use crate::simulation::prompt_cache::PromptCache;
use crate::simulation::turn::Turn;

const MODEL: &str = "claude-opus-4-6";
const WARM: Landing = Landing::Waits(Obstacle::Warm);
const INVALIDATED: Landing = Landing::Lands(Occasion::Invalidated);
const PAYS: Landing = Landing::Lands(Occasion::Pays);

/// A session whose beginning went past the proxy, as Claude Code sends it.
struct Session {
    simulation: Simulation,
    messages: Vec<Value>,
    model: &'static str,
    tools: &'static str,
    /// What was paid, and what would have been paid directly, in dollars.
    paid: f64,
    direct: f64,
}

/// Some source text that no form makes shorter, but for its line numbers.
fn file(name: usize, lines: usize) -> String {
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
    fn resumed(lines: usize, reads: usize) -> Self {
        let planner = Planner::new(1000);
        let mut session = Self {
            simulation: Simulation::new(DIALECTS[0], planner, PromptCache::default()),
            messages: vec![json!({"role": "user", "content": "Find out why."})],
            model: MODEL,
            tools: "first",
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
    fn read(&mut self, text: &str) {
        let id = format!("toolu_{}", self.messages.len());
        let call = json!({"type": "tool_use", "id": id, "name": "Read", "input": {"file_path": "/srv/a.rs"}});
        let result = json!({"type": "tool_result", "tool_use_id": id, "content": text});
        self.messages
            .push(json!({"role": "assistant", "content": [call]}));
        self.messages
            .push(json!({"role": "user", "content": [result]}));
    }

    /// The next request, after so many seconds, whose job is done before the one after it.
    fn request(&mut self, seconds: u64) -> Turn {
        self.simulation.now_ms += seconds * 1000;
        let mut messages = self.messages.clone();
        let last = messages.last_mut().unwrap();
        last["content"][0]["cache_control"] = json!({"type": "ephemeral"});
        let tools = json!([{"name": self.tools, "description": "Reads. ".repeat(200)}]);
        let body = json!({"model": self.model, "tools": tools, "messages": messages});
        let turn = self.simulation.turn(&Bytes::from(body.to_string()));
        self.simulation.run_jobs();
        let rates = Prices::built_in().of(self.model).rates;
        self.paid += rates.cost(turn.usage);
        self.direct += rates.cost(turn.direct_usage);
        turn
    }

    /// One more step of the model's, and the request with its result.
    fn step(&mut self, seconds: u64) -> Option<Landing> {
        self.read("ok");
        self.request(seconds).landing
    }
}

#[test]
fn where_the_client_changes_what_the_cache_depends_on_a_large_saving_lands() {
    for (model, tools) in [
        ("claude-opus-4-6", "second"),
        ("claude-sonnet-4-5", "first"),
    ] {
        let mut session = Session::resumed(400, 6);
        assert_eq!(session.request(0).landing, None);
        assert_eq!(session.step(5), Some(WARM));
        (session.model, session.tools) = (model, tools);
        assert_eq!(session.step(5), Some(INVALIDATED));
        assert!(session.paid < session.direct);
        // It goes back while the originals are alive there.
        (session.model, session.tools) = (MODEL, "first");
        assert_eq!(session.step(5), None);
        assert!(session.paid < session.direct);
    }
}

#[test]
fn a_small_saving_waits_because_the_client_may_go_back() {
    let mut session = Session::resumed(2000, 1);
    session.request(0);
    session.tools = "second";
    assert_eq!(session.step(5), Some(WARM));
    // The originals that the first tools had cached are gone, those of the second are alive.
    assert_eq!(session.step(200), Some(WARM));
    session.tools = "third";
    assert_eq!(session.step(200), Some(WARM));
    assert_eq!(session.step(400), Some(Landing::Lands(Occasion::Expired)));
}

#[test]
fn it_lands_in_a_warm_cache_where_the_conversation_has_saved_what_that_costs() {
    let mut session = Session::resumed(400, 6);
    session.request(0);
    let mut landed = None;
    for step in 0..20 {
        assert_eq!(landed, None);
        // The same text once more: almost nothing of it goes out.
        session.read(&file(0, 400));
        let landing = session.request(5).landing;
        landed = (landing == Some(PAYS)).then_some(step);
        assert!(session.paid <= session.direct);
        if landed.is_some() {
            break;
        }
        assert_eq!(landing, Some(WARM));
    }
    assert!(landed.is_some_and(|step| step > 0), "{landed:?}");
}

#[test]
fn where_another_branch_goes_on_from_the_prefix_it_waits() {
    let mut session = Session::resumed(400, 6);
    session.request(0);
    let common = session.messages.clone();
    session.step(5);
    session.messages = common;
    session.read("another branch");
    session.request(5);
    session.tools = "second";
    assert_eq!(session.step(5), Some(WARM));
}
