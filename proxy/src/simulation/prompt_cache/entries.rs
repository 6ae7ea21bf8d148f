//! What a cache holds.

use std::collections::HashMap;

use foldhash::fast::RandomState;

/// The moment of a request, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// When it began.
    pub(super) now: u64,
    /// When its response begins.
    pub(super) answered: u64,
}

/// A prefix that can be read.
#[derive(Debug, Clone, Copy)]
struct Entry {
    readable_from: u64,
    until: u64,
    life: u64,
}

/// The entries, by what names their prefix.
#[derive(Debug, Default, Clone)]
pub(super) struct Entries(HashMap<u64, Entry, RandomState>);

impl Entries {
    /// Whether a request can read this prefix.
    pub(super) fn is_readable(&self, prefix: u64, at: Moment) -> bool {
        let entry = self.0.get(&prefix);
        entry.is_some_and(|entry| (entry.readable_from..entry.until).contains(&at.now))
    }

    /// Lets an entry that is alive begin its life again, for as long as it was written for; writes one for `life` milliseconds otherwise.
    pub(super) fn keep(&mut self, prefix: u64, at: Moment, life: u64) {
        let new = Entry {
            readable_from: at.answered,
            until: at.now + life,
            life,
        };
        let entry = self.0.entry(prefix).or_insert(new);
        if entry.until > at.now {
            entry.readable_from = entry.readable_from.min(at.answered);
            entry.until = at.now + entry.life;
        } else {
            *entry = new;
        }
    }
}
