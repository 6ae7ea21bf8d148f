//! Tests of the index of earlier blocks that is kept from request to request.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use bytes::Bytes;
use headroom_shared::contract::id::DigestKey;
use headroom_shared::contract::tier::Tier;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::Planner;
use super::first_send::{BlocksToCompress, compress_blocks};
use super::history::remember;
use super::history_cache::HistoryCache;
use crate::dialect::DIALECTS;
use crate::plan::Forms;
use crate::scan::{self, Scan};
use crate::simulation::Simulation;
use crate::simulation::prompt_cache::PromptCache;

const AMPLE: Duration = Duration::from_secs(600);

/// The forms in which each of these bodies goes out, with the cache of indexes as it is or without one.
pub(super) fn forms_of_turns(
    dialect: &'static dyn crate::dialect::Dialect,
    bodies: &[Bytes],
    is_cached: bool,
) -> Vec<Forms> {
    let mut cache = PromptCache::default();
    cache.turn_off();
    let planner = Planner::new(u64::MAX);
    let mut simulation = Simulation::new(dialect, planner, cache);
    if !is_cached {
        simulation.histories = HistoryCache::with_capacity(0);
    }
    let turns = bodies.iter();
    turns.map(|body| simulation.turn(body).forms).collect()
}

/// What comes next in a session.
#[derive(Debug, Clone)]
enum Step {
    /// Results of tools, in one message.
    Results(Vec<Output>),
    /// The client goes back by so many messages and goes on from there.
    Back(usize),
    /// The provider drops what stands before.
    Compaction,
}

/// A part of one of a few files, so that later ones repeat lines of earlier ones.
#[derive(Debug, Clone)]
struct Output {
    file: usize,
    from: usize,
    lines: usize,
    is_numbered: bool,
}

impl Output {
    fn text(&self) -> String {
        let file = self.file;
        let line = |n: usize| {
            let text = format!("let value_{n} = compute_{file}({}, &state);", n * 7919);
            if self.is_numbered {
                format!("{n:6}→    {text}\n")
            } else {
                format!("    {text}\n")
            }
        };
        (self.from..self.from + self.lines).map(line).collect()
    }
}

fn step() -> impl Strategy<Value = Step> {
    let output = (0..3_usize, 1..60_usize, 8..60_usize, any::<bool>());
    let output = output.prop_map(|(file, from, lines, is_numbered)| Output {
        file,
        from,
        lines,
        is_numbered,
    });
    prop_oneof![
        8 => prop::collection::vec(output, 1..4).prop_map(Step::Results),
        2 => (1..7_usize).prop_map(Step::Back),
        1 => Just(Step::Compaction),
    ]
}

fn result(id: &str, text: &str) -> Value {
    json!({"type": "tool_result", "tool_use_id": id, "content": text})
}

fn call(id: &str, path: &str) -> Value {
    json!({"type": "tool_use", "id": id, "name": "Read", "input": {"file_path": path}})
}

fn body(messages: &[Value]) -> Bytes {
    let body = json!({"model": "claude-opus-4-6", "max_tokens": 9, "messages": messages});
    Bytes::from(body.to_string())
}

/// The body after each step.
fn bodies(steps: &[Step]) -> Vec<Bytes> {
    let mut messages = vec![json!({"role": "user", "content": "Find out why."})];
    let mut bodies = Vec::new();
    for (turn, step) in steps.iter().enumerate() {
        match step {
            Step::Back(count) => {
                let kept = messages.len().saturating_sub(2 * count).max(1);
                messages.truncate(kept);
                continue;
            }
            Step::Compaction => {
                let part = json!({"type": "compaction", "content": "It was about a file."});
                messages.push(json!({"role": "assistant", "content": [part]}));
                messages.push(json!({"role": "user", "content": "Go on."}));
            }
            Step::Results(outputs) => {
                let id = |n| format!("t{turn}-{n}");
                let calls = outputs.iter().enumerate();
                let calls: Vec<Value> = calls
                    .clone()
                    .map(|(n, output)| call(&id(n), &format!("/srv/{}.rs", output.file)))
                    .collect();
                let results = outputs.iter().enumerate();
                let results: Vec<Value> = results
                    .map(|(n, output)| result(&id(n), &output.text()))
                    .collect();
                messages.push(json!({"role": "assistant", "content": calls}));
                messages.push(json!({"role": "user", "content": results}));
            }
        }
        bodies.push(body(&messages));
    }
    bodies
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn forms_do_not_depend_on_what_is_cached(steps in prop::collection::vec(step(), 1..14)) {
        let bodies = bodies(&steps);
        let cached = forms_of_turns(DIALECTS[0], &bodies, true);
        prop_assert_eq!(cached, forms_of_turns(DIALECTS[0], &bodies, false));
    }
}

fn scanned(body: &Bytes) -> Scan {
    scan::scan(body, DIALECTS[0], &DigestKey::from_bytes([7; 32])).unwrap()
}

/// A session with so many results, whose first ones are of this kind and whose last ones are of another.
fn session(kinds: &[(usize, usize)]) -> Bytes {
    let outputs = kinds.iter().flat_map(|(file, count)| vec![*file; *count]);
    let results = outputs.enumerate().map(|(turn, file)| {
        Step::Results(vec![Output {
            file,
            from: 1 + turn,
            lines: 30,
            is_numbered: false,
        }])
    });
    bodies(&results.collect::<Vec<_>>()).pop().unwrap()
}

/// Sends a request whose last block is new, and has its index remembered for so long.
fn send(body: &Bytes, cache: &HistoryCache, index_time: Duration) {
    let scan = scanned(body);
    let last = BlocksToCompress::new_from(scan.blocks.len() - 1, &scan);
    let deadline = Instant::now() + AMPLE;
    let go_on = |_, _| ControlFlow::Continue(());
    let index = compress_blocks((body, &scan), &last, cache, deadline, go_on);
    remember((body, &scan), index, cache, Instant::now() + index_time);
}

/// How many blocks of a request are found in the cache.
fn found(body: &Bytes, cache: &HistoryCache) -> usize {
    let scan = scanned(body);
    let index = cache.find(&scan, scan.blocks.len(), Tier::Lossless);
    index.map_or(0, |index| index.next())
}

#[test]
fn a_conversation_goes_on_with_its_index() {
    let cache = HistoryCache::new();
    send(&session(&[(0, 5)]), &cache, AMPLE);
    assert_eq!(found(&session(&[(0, 9)]), &cache), 5);
    assert_eq!(found(&session(&[(0, 3)]), &cache), 3);
    assert_eq!(found(&session(&[(0, 4), (1, 3)]), &cache), 4);
    assert_eq!(found(&session(&[(1, 5)]), &cache), 0);
}

#[test]
fn a_block_that_is_new_has_only_those_before_it_in_its_index() {
    let cache = HistoryCache::new();
    let body = session(&[(0, 5)]);
    send(&body, &cache, AMPLE);
    let scan = scanned(&body);
    let index = cache.find(&scan, 2, Tier::Lossless).unwrap();
    assert_eq!((index.next(), index.earlier().len()), (2, 2));
}

#[test]
fn two_that_branch_go_on_by_themselves() {
    let cache = HistoryCache::new();
    send(&session(&[(0, 5)]), &cache, AMPLE);
    let branches = [[(0, 5), (1, 3)], [(0, 5), (2, 3)]];
    for branch in &branches {
        send(&session(branch), &cache, AMPLE);
        assert_eq!(found(&session(branch), &cache), 8);
    }
    assert_eq!(found(&session(&branches[0]), &cache), 5);
}

#[test]
fn what_there_was_no_time_for_is_not_remembered() {
    let cache = HistoryCache::new();
    send(&session(&[(0, 5)]), &cache, Duration::ZERO);
    assert_eq!(found(&session(&[(0, 5)]), &cache), 4);
    send(&session(&[(0, 5)]), &cache, AMPLE);
    assert_eq!(found(&session(&[(0, 5)]), &cache), 5);
}

#[test]
fn an_index_that_is_too_large_is_not_kept() {
    let cache = HistoryCache::with_capacity(20_000);
    send(&session(&[(0, 2)]), &cache, AMPLE);
    assert_eq!(found(&session(&[(0, 2)]), &cache), 2);
    send(&session(&[(1, 40)]), &cache, AMPLE);
    assert_eq!(found(&session(&[(1, 40)]), &cache), 0);
}
