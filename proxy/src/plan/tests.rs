//! Whole sessions through the planner, without a server.

use std::path::Path;

use bytes::Bytes;
use headroom_shared::contract::id::DigestKey;
use serde_json::{Value, json};

use super::Planner;
use super::history_tests::forms_of_turns;
use crate::dialect::{DIALECTS, Dialect};
use crate::plan::known_prefix::KnownPrefix;
use crate::plan::skip_reason::SkipReason;
use crate::scan;
use crate::simulation::Simulation;
use crate::simulation::check::Checker;
use crate::simulation::prompt_cache::PromptCache;

const MINUTE_MS: u64 = 60_000;
/// Each turn checks all blocks again: the longest recorded session has 430.
const MOST_TURNS: usize = 60;

/// A session: its dialect, what its bodies hold beside the messages, and the messages before each turn.
struct Session {
    dialect: &'static dyn Dialect,
    fixed: Value,
    messages: Vec<Value>,
    turns: Vec<usize>,
}

impl Session {
    fn body(&self, messages: usize) -> Bytes {
        let member = String::from_utf8(self.dialect.messages_member().to_vec()).unwrap();
        let mut body = self.fixed.clone();
        body[member] = json!(self.messages[..messages]);
        Bytes::from(body.to_string())
    }
}

/// What a session came to.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    bytes: usize,
    sent: usize,
    entered: usize,
    landed: usize,
    jobs: usize,
}

/// A session of this project's own making: reads, a search, JSON, a re-read.
fn made_up(messages: usize) -> Session {
    let file = |seed: usize| -> String {
        let line = |n: usize| {
            format!(
                "{n:6}→    let value_{n} = compute_{seed}({}, &state);\n",
                n * 7919
            )
        };
        (1..200).map(line).collect()
    };
    let rows: Vec<Value> = (0..60)
        .map(|n| json!({"identifier": n, "name": format!("row {}", n * n), "state": "open"}))
        .collect();
    let outputs = [
        file(1),
        serde_json::to_string_pretty(&rows).unwrap(),
        file(2),
        file(1),
    ];
    let mut session = Session {
        dialect: DIALECTS[0],
        fixed: json!({"model": "claude-opus-4-6", "max_tokens": 9}),
        messages: vec![json!({"role": "user", "content": "Find out why."})],
        turns: vec![1],
    };
    for n in 0..messages {
        let id = format!("t{n}");
        let output = &outputs[n % outputs.len()];
        session.messages.push(json!({"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "Read", "input": {"file_path": format!("/srv/{n}.rs")}}]}));
        session.messages.push(json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": output}]}));
        session.turns.push(session.messages.len());
    }
    session
}

/// The recorded sessions beside the checkout.
fn recorded() -> Vec<Session> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/sessions");
    let files = std::fs::read_dir(folder).expect("recorded sessions in ../shared/corpus/sessions");
    files
        .filter_map(|file| read(&file.unwrap().path()))
        .collect()
}

fn read(file: &Path) -> Option<Session> {
    let text = std::fs::read_to_string(file).unwrap();
    let mut lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let meta = lines.next()?;
    let dialect = DIALECTS
        .into_iter()
        .find(|dialect| meta["format"] == dialect.name())?;
    let mut session = Session {
        dialect,
        fixed: json!({"model": "claude-opus-4-6"}),
        messages: Vec::new(),
        turns: Vec::new(),
    };
    for line in lines {
        match line["k"].as_str() {
            Some("msg") => session.messages.push(line["m"].clone()),
            Some("turn") => session.turns.push(session.messages.len()),
            // What follows a compaction is another conversation.
            _ => break,
        }
    }
    Some(session)
}

/// A simulation of this session before a provider that caches nothing, and says so.
fn simulation(session: &Session, planner: Planner) -> Simulation {
    let mut cache = PromptCache::default();
    cache.turn_off();
    Simulation::new(session.dialect, planner, cache)
}

fn play(session: &Session, planner: Planner, from: usize) -> Tally {
    let mut simulation = simulation(session, planner);
    let (mut checker, mut tally) = (Checker::default(), Tally::default());
    for turn in session.turns[from..].iter().take(MOST_TURNS) {
        let body = session.body(*turn);
        simulation.now_ms += MINUTE_MS;
        let turn = simulation.turn(&body);
        checker.check(&body, &turn).unwrap();
        tally.bytes += turn.bytes_in;
        tally.sent += turn.sent.len();
        tally.entered += turn.entered;
        tally.landed += turn.landed;
        tally.jobs += simulation.run_jobs();
    }
    tally
}

const NEVER: Planner = Planner::new(u64::MAX);
const SOON: Planner = Planner::new(2000);

#[test]
fn a_session_is_compressed_as_it_grows() {
    let tally = play(&made_up(12), NEVER, 0);
    assert_eq!(
        (tally.entered, tally.landed, tally.jobs),
        (12, 0, 0),
        "{tally:?}"
    );
    assert!(tally.sent * 2 < tally.bytes, "{tally:?}");
}

#[test]
fn a_resumed_session_is_deferred_and_lands_where_nothing_is_cached() {
    let tally = play(&made_up(12), SOON, 6);
    assert_eq!((tally.jobs, tally.landed), (1, 6), "{tally:?}");
    assert_eq!(tally.entered, 6, "{tally:?}");
}

#[test]
fn a_plan_that_could_not_be_stored_sends_nothing_new() {
    let session = made_up(1);
    let body = session.body(3);
    let scan = scan::scan(&body, session.dialect, &DigestKey::from_bytes([7; 32])).unwrap();
    let known = KnownPrefix::of_records(&scan, |_| None);
    let simulation = simulation(&session, NEVER);
    let plan = simulation.plan(&body, &scan, &known).unwrap();
    assert!(!plan.entries().is_empty());
    let settled = plan.roll_back(SkipReason::StoreLate);
    assert!(settled.forms.is_empty() && settled.stored.is_empty());
    assert_eq!(settled.skipped.len(), 1);
    assert!(
        settled
            .record_updates
            .records
            .iter()
            .all(|(_, record)| record.forms.is_empty())
    );
}

#[test]
#[ignore = "needs the recorded sessions beside the checkout: scripts/test runs it where they are"]
fn forms_of_recorded_sessions_do_not_depend_on_what_is_cached() {
    for session in recorded() {
        let turns = session.turns.iter().take(MOST_TURNS);
        let bodies: Vec<Bytes> = turns.map(|turn| session.body(*turn)).collect();
        let cached = forms_of_turns(session.dialect, &bodies, true);
        assert_eq!(cached, forms_of_turns(session.dialect, &bodies, false));
    }
}

#[test]
#[ignore = "needs the recorded sessions beside the checkout: scripts/test runs it where they are"]
fn recorded_sessions_keep_their_forms() {
    let (mut bytes, mut sent) = (0, 0);
    for session in recorded() {
        let tally = play(&session, NEVER, 0);
        (bytes, sent) = (bytes + tally.bytes, sent + tally.sent);
        play(&session, SOON, session.turns.len() / 2);
    }
    assert!(sent * 10 < bytes * 9, "{sent} of {bytes} bytes");
}
