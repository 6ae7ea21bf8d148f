//! What this process has sent in the original while the store could not say what it had been sent as before. No record tells
//! of it, because a record that knows too little would hide the true one.

use std::sync::atomic::{AtomicU64, Ordering};

use headroom_shared::contract::id::PrefixId;
use quick_cache::sync::Cache;

use crate::scan::Scan;

/// How many prefixes are remembered.
const PREFIXES: usize = 4096;

/// What went out so.
#[derive(Debug)]
pub(super) struct Unsure {
    prefixes: Cache<PrefixId, u64>,
    /// When the last request went out whose prefix had no name yet, because the deployment's secret was not known.
    unnamed_ms: AtomicU64,
}

/// The longest prefix of a request that went out so.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SentUnsure {
    /// Its messages.
    pub(crate) messages: usize,
    /// When the provider may last have cached some of the request so: milliseconds since 1970; 0 is never.
    pub(crate) at_ms: u64,
}

impl Unsure {
    pub(super) fn new() -> Self {
        Self {
            prefixes: Cache::new(PREFIXES),
            unnamed_ms: AtomicU64::new(0),
        }
    }

    pub(super) fn note(&self, scan: &Scan, now_ms: u64) {
        if let Some(whole) = scan.whole() {
            self.prefixes.insert(whole, now_ms);
        }
    }

    pub(super) fn note_unnamed(&self, now_ms: u64) {
        self.unnamed_ms.fetch_max(now_ms, Ordering::Relaxed);
    }

    pub(super) fn sent(&self, scan: &Scan) -> SentUnsure {
        if self.prefixes.is_empty() {
            return SentUnsure {
                messages: 0,
                at_ms: self.unnamed_ms.load(Ordering::Relaxed),
            };
        }
        let sent = |message: usize| self.prefixes.get(&scan.messages[message].boundary);
        let last = (0..scan.messages.len())
            .rev()
            .find_map(|message| Some((message + 1, sent(message)?)));
        let (messages, at_ms) = last.unwrap_or_default();
        SentUnsure {
            messages,
            at_ms: at_ms.max(self.unnamed_ms.load(Ordering::Relaxed)),
        }
    }
}
