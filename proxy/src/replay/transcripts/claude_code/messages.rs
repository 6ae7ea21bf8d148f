//! The messages that the entries of a request make, as the client sends them: roles alternate, and results stand first in the message after
//! the calls that they answer.

use std::collections::{HashMap, HashSet};

use serde_json::json;

use super::entry::{Block, Kind};

/// What was sent or answered as one: an entry of the client's side, or all entries of a response.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) is_user: bool,
    pub(super) blocks: Vec<Block>,
    pub(super) at_ms: Option<u64>,
    /// Where it stands among the units of the conversation as it is, if it does.
    pub(super) place: Option<usize>,
    /// Of a response: the event of its request.
    pub(super) request: Option<usize>,
}

/// All units of a conversation, those left behind included.
#[derive(Debug, Default)]
pub(super) struct Units {
    pub(super) all: Vec<Unit>,
    /// Where the first result of each call is: its unit, and its place there.
    results: HashMap<Box<str>, (usize, usize)>,
    /// The calls in each unit.
    calls: HashSet<(usize, Box<str>)>,
}

/// A message.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) is_user: bool,
    /// The first of its units, by its place.
    pub(super) first: usize,
    pub(super) json: Box<str>,
}

/// A message that is not written yet.
struct Draft<'a> {
    is_user: bool,
    first: usize,
    parts: Vec<Part<'a>>,
}

#[derive(Clone, Copy)]
enum Part<'a> {
    Block(&'a Block),
    /// The transcript holds no result of the call with this id. The provider refuses a call without one.
    NoResult(&'a str),
}

impl Units {
    /// Adds a unit.
    pub(super) fn add(&mut self, is_user: bool, at_ms: Option<u64>) -> usize {
        self.all.push(Unit {
            is_user,
            blocks: Vec::new(),
            at_ms,
            place: None,
            request: None,
        });
        self.all.len() - 1
    }

    /// Adds blocks to a unit, without calls that it has: a copy of an entry may stand under another id.
    pub(super) fn extend(&mut self, unit: usize, blocks: Vec<Block>) {
        for block in blocks {
            let at = (unit, self.all[unit].blocks.len());
            if let Kind::ToolResult(call) = &block.kind {
                self.results.entry(call.clone()).or_insert(at);
            }
            if let Kind::ToolUse(call) = &block.kind
                && !self.calls.insert((unit, call.clone()))
            {
                continue;
            }
            self.all[unit].blocks.push(block);
        }
    }

    /// The calls of tools in these units.
    pub(super) fn calls<'a>(&'a self, units: &'a [usize]) -> impl Iterator<Item = &'a str> {
        self.blocks(units)
            .filter_map(|(_, block)| match &block.kind {
                Kind::ToolUse(id) => Some(&**id),
                _ => None,
            })
    }

    /// When the last of the client's units at the end of `path` was there, those with results that it leaves out included.
    pub(super) fn last_user_ms(&self, path: &[usize]) -> Option<u64> {
        let is_user = |unit: &&usize| self.all[**unit].is_user;
        let tail = path.iter().rev().take_while(is_user).count();
        let (before, tail) = path.split_at(path.len() - tail);
        let calls = self.calls(before.last().map_or(&[], std::slice::from_ref));
        let results = calls.filter_map(|call| self.results.get(call).map(|(unit, _)| unit));
        let units = tail.iter().chain(results);
        units.filter_map(|unit| self.all[*unit].at_ms).max()
    }

    /// The messages of the units of `path` from a place on, the one before which calls these tools.
    pub(super) fn messages<'a>(
        &'a self,
        path: &'a [usize],
        mut from: usize,
        mut calls: Vec<&'a str>,
    ) -> Vec<Message> {
        let begins = from == 0;
        let mut drafts: Vec<Draft<'_>> = Vec::new();
        for group in path[from..].chunk_by(|a, b| self.all[*a].is_user == self.all[*b].is_user) {
            let is_user = self.all[group[0]].is_user;
            if is_user {
                let parts = self.answered(&std::mem::take(&mut calls), group);
                draft(&mut drafts, true, from, parts);
            } else if !begins || !drafts.is_empty() {
                // What would stand first answers something that the transcript does not hold: a conversation begins with the user.
                calls.extend(self.calls(group));
                let parts = self.blocks(group).map(|(_, block)| Part::Block(block));
                draft(&mut drafts, false, from, parts.collect());
            }
            from += group.len();
        }
        if !calls.is_empty() {
            let parts = self.answered(&calls, &[]);
            draft(&mut drafts, true, from, parts);
        }
        drafts.into_iter().map(Draft::write).collect()
    }

    fn blocks<'a>(
        &'a self,
        units: &'a [usize],
    ) -> impl Iterator<Item = ((usize, usize), &'a Block)> {
        units.iter().flat_map(|unit| {
            let blocks = self.all[*unit].blocks.iter().enumerate();
            blocks.map(|(at, block)| ((*unit, at), block))
        })
    }

    /// What a message of these units says: a result of each of the calls before it, wherever it is, and all that is no result.
    fn answered<'a>(&'a self, calls: &[&'a str], units: &'a [usize]) -> Vec<Part<'a>> {
        let found = calls.iter().map(|call| (call, self.results.get(*call)));
        let (mut results, mut missing) = (Vec::new(), Vec::new());
        for (call, at) in found {
            match at {
                Some(at) => results.push(*at),
                None => missing.push(Part::NoResult(call)),
            }
        }
        results.sort_unstable();
        results.dedup();
        let results = results.into_iter();
        let results = results.map(|(unit, at)| Part::Block(&self.all[unit].blocks[at]));
        let others = self.blocks(units);
        let others = others.filter(|(_, block)| !matches!(block.kind, Kind::ToolResult(_)));
        let others = others.map(|(_, block)| Part::Block(block));
        results.chain(missing).chain(others).collect()
    }
}

/// Adds parts to the drafts: to the last one where it is of the same role.
fn draft<'a>(drafts: &mut Vec<Draft<'a>>, is_user: bool, first: usize, parts: Vec<Part<'a>>) {
    if parts.is_empty() {
        return;
    }
    match drafts.last_mut() {
        Some(last) if last.is_user == is_user => last.parts.extend(parts),
        _ => drafts.push(Draft {
            is_user,
            first,
            parts,
        }),
    }
}

impl Draft<'_> {
    fn write(self) -> Message {
        let role = if self.is_user { "user" } else { "assistant" };
        let bytes: usize = self.parts.iter().map(|part| part.len() + 1).sum();
        let mut json = String::with_capacity(bytes + 48);
        json.push_str("{\"role\":\"");
        json.push_str(role);
        json.push_str("\",\"content\":");
        if let [
            Part::Block(Block {
                kind: Kind::Plain,
                json: text,
            }),
        ] = &*self.parts
        {
            json.push_str(text);
        } else {
            for (at, part) in self.parts.iter().enumerate() {
                json.push(if at == 0 { '[' } else { ',' });
                part.write(&mut json);
            }
            json.push(']');
        }
        json.push('}');
        Message {
            is_user: self.is_user,
            first: self.first,
            json: json.into(),
        }
    }
}

impl Part<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Block(block) => block.json.len() + 24,
            Self::NoResult(call) => call.len() + 96,
        }
    }

    fn write(&self, json: &mut String) {
        match self {
            Self::Block(block) if block.kind == Kind::Plain => {
                json.push_str("{\"type\":\"text\",\"text\":");
                json.push_str(&block.json);
                json.push('}');
            }
            Self::Block(block) => json.push_str(&block.json),
            Self::NoResult(call) => {
                let result = json!({
                    "type": "tool_result",
                    "tool_use_id": call,
                    "content": "No result was kept.",
                    "is_error": true,
                });
                json.push_str(&result.to_string());
            }
        }
    }
}
