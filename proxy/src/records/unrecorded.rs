//! Requests that this process has sent while the store did not answer. They have no sent record, because a record that knows too little
//! would hide the true one.

use std::sync::atomic::{AtomicU64, Ordering};

use headroom_shared::contract::id::PrefixId;
use quick_cache::sync::Cache;

use crate::plan::known_prefix::Unrecorded;
use crate::scan::Scan;

/// How many prefixes are remembered.
const PREFIXES: usize = 4096;

/// The requests without a record.
#[derive(Debug)]
pub(super) struct UnrecordedRequests {
    /// When a request that is this prefix was last sent: milliseconds since 1970.
    prefixes: Cache<PrefixId, u64>,
    /// When a request was last sent that had no prefix id, because the deployment's secret was not known yet.
    unnamed_ms: AtomicU64,
}

impl UnrecordedRequests {
    pub(super) fn new() -> Self {
        Self {
            prefixes: Cache::new(PREFIXES),
            unnamed_ms: AtomicU64::new(0),
        }
    }

    pub(super) fn clear(&self) {
        self.prefixes.clear();
    }

    pub(super) fn note(&self, scan: &Scan, now_ms: u64) {
        if let Some(prefix) = scan.full_prefix() {
            self.prefixes.insert(prefix, now_ms);
        }
    }

    pub(super) fn note_unnamed(&self, now_ms: u64) {
        self.unnamed_ms.fetch_max(now_ms, Ordering::Relaxed);
    }

    /// The longest prefix of a request that was sent so.
    pub(super) fn longest(&self, scan: &Scan) -> Unrecorded {
        let sent_ms = |message: usize| self.prefixes.get(&scan.messages[message].boundary);
        let searched = if self.prefixes.is_empty() {
            0
        } else {
            scan.messages.len()
        };
        let last = (0..searched)
            .rev()
            .find_map(|message| Some((message + 1, sent_ms(message)?)));
        let (messages, at_ms) = last.unwrap_or_default();
        Unrecorded {
            messages,
            at_ms: at_ms.max(self.unnamed_ms.load(Ordering::Relaxed)),
        }
    }
}
