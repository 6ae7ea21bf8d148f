//! Which entries a request holds: those that its first entry follows, one by one up to where a history begins.
//!
//! Entries of one response count as one unit, at the place of the first of them: the client writes a block as an entry, and a result may
//! follow any of them.

use std::collections::{HashMap, HashSet};

/// How many entries may stand between a compaction and what its kept messages follow.
const MAX_ANCHOR_STEPS: usize = 16;

/// The entries with content of a conversation, and what each follows.
#[derive(Debug, Default)]
pub(super) struct Chain {
    nodes: Vec<Node>,
    /// Entries by their ids: the last one with content up to each of them.
    by_uuid: HashMap<Box<str>, Option<usize>>,
    /// The entry that was added last, likewise.
    last: Option<usize>,
    /// Kept messages that follow an entry that is yet to come, by the id of that.
    awaited: HashMap<Box<str>, usize>,
}

#[derive(Debug)]
struct Node {
    unit: usize,
    previous: Option<usize>,
}

/// What an entry follows, as it says itself.
#[derive(Debug, Clone, Copy)]
pub(super) enum Follows<'a> {
    /// Nothing: a history begins.
    Nothing,
    /// The entry with this id.
    Entry(&'a str),
    /// It does not say: the one before it in the file.
    Last,
}

impl Chain {
    /// Whether there is an entry with this id.
    pub(super) fn has(&self, uuid: &str) -> bool {
        self.by_uuid.contains_key(uuid)
    }

    /// The last entry with content before one that follows this. One that follows an entry that is not there (its line is broken, or in
    /// another file) counts as following the one before it in the file.
    pub(super) fn previous(&self, follows: Follows<'_>) -> Option<usize> {
        match follows {
            Follows::Nothing => None,
            Follows::Entry(parent) => *self.by_uuid.get(parent).unwrap_or(&self.last),
            Follows::Last => self.last,
        }
    }

    /// Adds an entry behind `previous`: to a unit if it has content.
    pub(super) fn add(
        &mut self,
        uuid: Option<Box<str>>,
        previous: Option<usize>,
        unit: Option<usize>,
    ) {
        let node = unit.map(|unit| {
            self.nodes.push(Node { unit, previous });
            self.nodes.len() - 1
        });
        self.last = node.or(previous);
        if let Some(uuid) = uuid {
            if let Some(kept) = self.awaited.remove(&uuid) {
                self.follow(kept, self.last);
            }
            self.by_uuid.insert(uuid, self.last);
        }
    }

    /// The unit of an entry.
    pub(super) fn unit(&self, node: usize) -> usize {
        self.nodes[node].unit
    }

    /// From now on the entry `kept` follows `anchor`, which may be yet to come.
    pub(super) fn keep(&mut self, kept: &str, anchor: Box<str>) {
        let Some(Some(kept)) = self.by_uuid.get(kept).copied() else {
            return;
        };
        match self.by_uuid.get(&anchor) {
            Some(node) => self.follow(kept, *node),
            None => {
                self.awaited.insert(anchor, kept);
            }
        }
    }

    /// Only close behind the begin of a history, as a compaction leaves it: so no entry can come to follow itself.
    fn follow(&mut self, kept: usize, anchor: Option<usize>) {
        let mut at = anchor;
        for _ in 0..MAX_ANCHOR_STEPS {
            match at {
                None => {
                    self.nodes[kept].previous = anchor;
                    return;
                }
                Some(node) if node == kept => return,
                Some(node) => at = self.nodes[node].previous,
            }
        }
    }

    /// The units from `node` back up to the first that is `known`: that one, and the others in their order in the conversation.
    pub(super) fn units_since(
        &self,
        node: Option<usize>,
        known: impl Fn(usize) -> bool,
    ) -> (Option<usize>, Vec<usize>) {
        let mut units = Vec::new();
        let mut at = node;
        let mut met = None;
        while let Some(node) = at {
            let node = &self.nodes[node];
            if known(node.unit) {
                met = Some(node.unit);
                break;
            }
            units.push(node.unit);
            at = node.previous;
        }
        units.reverse();
        let mut placed = HashSet::new();
        units.retain(|unit| placed.insert(*unit));
        (met, units)
    }
}
