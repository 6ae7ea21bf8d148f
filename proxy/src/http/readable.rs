//! A body that can be looked into.

use std::sync::Arc;

use bytes::Bytes;
use headroom_shared::contract::id::DigestKey;
use headroom_shared::runtime::clock::now_ms;
use http::HeaderMap;
use tracing::Instrument;

use crate::http::encoding;
use crate::http::exchange::Turn;
use crate::http::report::report;
use crate::plan::landing;
use crate::plan::uncompressed::{Uncompressed, new_blocks};
use crate::records::Budget;
use crate::scan::{self, NotInDialect, Scan, Scanned, scan_again, scan_enough};

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
        let mut budget = app.records.budget();
        let mut key = app.digest_key(headers, &mut budget).await;
        // Only where there is no answer: it takes a scan more.
        if key.is_none() && scan_unnamed(turn, &body).is_some_and(|scan| landing::may_bind(&scan)) {
            app.records.extend(&mut budget);
            key = app.digest_key(headers, &mut budget).await;
        }
        let Some(key) = key else {
            app.records.note_unnamed_request(now_ms());
            app.counts.store_misses.inc();
            report_unnamed(turn.clone(), body);
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

/// A scan whose prefixes have no names: it takes no secret.
fn scan_unnamed(turn: &Turn, body: &[u8]) -> Option<Scan> {
    let nameless = DigestKey::from_bytes([0; 32]);
    scan::scan(body, turn.dialect, &nameless).ok()
}

/// Counts, off its path, the new blocks of a request that goes out while the store has not even given the deployment's secret.
fn report_unnamed(turn: Turn, body: Bytes) {
    let (tasks, background) = (turn.app.tasks.clone(), turn.app.background.clone());
    let counted = async move {
        if let Some(scan) = scan_unnamed(&turn, &body) {
            let left = new_blocks(&scan, 0, Uncompressed::StoreLate);
            report(&turn.app, &body, &scan, &left);
        }
    };
    tasks.spawn_on(counted.in_current_span(), &background);
}

fn understood<T>(turn: &Turn, scanned: Result<T, NotInDialect>) -> Option<T> {
    if scanned.is_err() {
        let dialect = turn.dialect.name();
        tracing::debug!(
            dialect,
            "the body is not what the dialect says: it goes out as it came"
        );
    }
    scanned.ok()
}
