//! A body that can be looked into.

use std::sync::Arc;

use bytes::Bytes;
use headroom_shared::clock::now_ms;
use headroom_shared::id::DigestKey;
use http::HeaderMap;
use tracing::Instrument;

use crate::http::encoding;
use crate::memory::Budget;
use crate::scan::{Scan, Scanned, Unlike, scan_again, scan_enough};
use crate::turn::Turn;
use crate::uncompressed;

/// A body, and what it takes to find out what is known of it.
#[derive(Debug)]
pub(crate) struct Readable {
    /// The body without its content encoding.
    pub(crate) body: Bytes,
    /// By which its prefixes are named.
    key: DigestKey,
    /// What is left of the request's time for the store.
    pub(crate) budget: Budget,
}

impl Readable {
    /// The body of a request as it was received; `None` where it can't be looked into, or need not be.
    pub(crate) async fn of(turn: &Turn, headers: &HeaderMap, received: &Bytes) -> Option<Self> {
        let app = &turn.app;
        if !app.rules.compress {
            return None;
        }
        let body = encoding::decoded(received, headers, app.rules.max_body_bytes)?;
        let mut budget = app.memory.budget();
        let Some(key) = app.digest_key(headers, &mut budget).await else {
            app.memory.goes_out_nameless(now_ms());
            app.counts.store_misses.inc();
            let counting = turn.clone();
            let counted = async move { uncompressed::report_unread(&counting, &body) };
            app.tasks.spawn_on(counted.in_current_span(), &app.off_path);
            return None;
        };
        Some(Self { body, key, budget })
    }

    /// Scans all of it; `None` where it is not what the dialect says.
    pub(crate) fn scan(&self, turn: &Turn) -> Option<Arc<Scan>> {
        let scans = &turn.app.scans;
        understood(turn, scan_again(&self.body, turn.dialect, &self.key, scans))
    }

    /// Scans it as far as [`scan_enough`] does; `None` where it is not what the dialect says.
    pub(crate) fn scan_enough(
        &self,
        turn: &Turn,
        enough: &dyn Fn(&Scan) -> bool,
    ) -> Option<Scanned> {
        let scans = &turn.app.scans;
        let scanned = scan_enough(&self.body, turn.dialect, &self.key, scans, enough);
        understood(turn, scanned)
    }
}

fn understood<T>(turn: &Turn, scanned: Result<T, Unlike>) -> Option<T> {
    if scanned.is_err() {
        let dialect = turn.dialect.name();
        tracing::debug!(
            dialect,
            "the body is not what the dialect says: it goes out as it came"
        );
    }
    scanned.ok()
}
