//! A request's body, decoded and with the key by which its prefixes are named: ready to be scanned.

use std::sync::Arc;

use bytes::Bytes;
use headroom_shared::contract::id::DigestKey;
use headroom_shared::runtime::clock::now_ms;
use http::{HeaderMap, header};

use crate::content_encoding::{Coding, decoded};
use crate::http::context::RequestContext;
use crate::http::report::report_skipped;
use crate::metrics::model_family::ModelFamily;
use crate::metrics::uncompressed::Uncompressed;
use crate::plan::landing;
use crate::plan::skip_reason::{SkipReason, skip_new_blocks};
use crate::records::Budget;
use crate::scan::{NotInDialect, Scan, ScanProgress, scan, scan_until, scan_with_cache};

/// The body, and what it takes to look up what is known of it.
#[derive(Debug)]
pub(crate) struct ScannableBody {
    /// The body without its content encoding.
    pub(crate) bytes: Bytes,
    /// The encoding that it was received in, if any.
    pub(crate) coding: Option<Coding>,
    /// The key of the digests that name its prefixes.
    key: DigestKey,
    /// What remains of the request's time for the store.
    pub(crate) budget: Budget,
    /// The family of the model that it names, as far as it was scanned.
    pub(crate) family: ModelFamily,
}

impl ScannableBody {
    /// The body of a request as it was received.
    ///
    /// # Errors
    /// Why it can't be scanned, or need not be.
    pub(crate) async fn new(
        context: &RequestContext,
        headers: &HeaderMap,
        received: &Bytes,
    ) -> Result<Self, Uncompressed> {
        let app = &context.app;
        if !app.rules.compress {
            return Err(Uncompressed::Off);
        }
        let limits = (app.rules.max_body_bytes, &app.memory);
        let (bytes, coding) = if headers.contains_key(header::CONTENT_ENCODING) {
            let decode = || decoded(received, headers, limits);
            let decoded = beside_other_tasks(received.len(), decode);
            let bytes = decoded.ok_or(Uncompressed::Encoding)?;
            let coding = Coding::of(headers).filter(|coding| *coding != Coding::Identity);
            (bytes, coding)
        } else {
            (received.clone(), None)
        };
        let separation = &app.rules.separation;
        let scope = if separation.is_by_account() {
            beside_other_tasks(bytes.len(), || separation.scope(headers, &bytes))
        } else {
            separation.scope(headers, &bytes)
        };
        let mut budget = app.records.budget();
        let mut key = app.digest_key(scope.as_ref(), &mut budget).await;
        // Only if there is no key yet: this costs one more scan.
        if key.is_none()
            && scan_without_key(context, &bytes).is_some_and(|scan| landing::may_bind(&scan))
        {
            app.records.extend(&mut budget);
            key = app.digest_key(scope.as_ref(), &mut budget).await;
        }
        let Some(key) = key else {
            app.records.note_unnamed(now_ms());
            app.counts.store_misses.inc();
            report_without_key(context.clone(), bytes);
            return Err(Uncompressed::NoSecret);
        };
        Ok(Self {
            bytes,
            coding,
            key,
            budget,
            family: ModelFamily::Other,
        })
    }

    /// Scans all of it.
    ///
    /// # Errors
    /// When it is not in the dialect.
    pub(crate) fn scan(&mut self, context: &RequestContext) -> Result<Arc<Scan>, Uncompressed> {
        let cache = &context.app.scan_cache;
        let scan = || scan_with_cache(&self.bytes, context.dialect, &self.key, cache);
        let scan = in_dialect(context, beside_other_tasks(self.bytes.len(), scan))?;
        self.family = ModelFamily::of(&scan.model);
        Ok(scan)
    }

    /// Scans it as far as [`scan_until`] does.
    ///
    /// # Errors
    /// When it is not in the dialect.
    pub(crate) fn scan_until(
        &mut self,
        context: &RequestContext,
        stop_when: &dyn Fn(&Scan) -> bool,
    ) -> Result<ScanProgress, Uncompressed> {
        let cache = &context.app.scan_cache;
        let scan = || scan_until(&self.bytes, context.dialect, &self.key, cache, stop_when);
        let progress = in_dialect(context, beside_other_tasks(self.bytes.len(), scan))?;
        self.family = ModelFamily::of(match &progress {
            ScanProgress::Whole(scan) => &scan.model,
            ScanProgress::Partial(beginning) => &beginning.model,
        });
        Ok(progress)
    }
}

/// A body of more bytes keeps a thread of the runtime busy for so long that other requests would notice.
const MAX_BYTES_ON_RUNTIME: usize = 256 << 10;

/// Does something that takes time in proportion to a body of so many bytes. Where that is large, other tasks of this thread go on elsewhere
/// meanwhile.
pub(super) fn beside_other_tasks<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    if bytes > MAX_BYTES_ON_RUNTIME {
        tokio::task::block_in_place(work)
    } else {
        work()
    }
}

/// A scan whose prefix ids mean nothing, because the deployment's secret is not known.
fn scan_without_key(context: &RequestContext, body: &[u8]) -> Option<Scan> {
    scan(body, context.dialect, &DigestKey::from_bytes([0; 32])).ok()
}

/// Counts, in the background, the new blocks of a request that goes out while the deployment's secret is not known.
fn report_without_key(context: RequestContext, body: Bytes) {
    let report = {
        let context = context.clone();
        async move {
            if let Some(scan) = scan_without_key(&context, &body) {
                let skipped = skip_new_blocks(&scan, 0, SkipReason::StoreLate);
                report_skipped(&context.app, &body, &scan, &skipped);
            }
        }
    };
    context.spawn_in_background(report);
}

/// The scan, unless the body is not in the dialect, which is logged.
fn in_dialect<T>(
    context: &RequestContext,
    scan: Result<T, NotInDialect>,
) -> Result<T, Uncompressed> {
    if scan.is_err() {
        let dialect = context.dialect.name();
        tracing::debug!(
            dialect,
            "the body is not what the dialect says: it goes out as it came"
        );
    }
    scan.map_err(|_| Uncompressed::NotInDialect)
}
