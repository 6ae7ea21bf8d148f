//! The jobs of conversations that go on: the one of a cold start that seems lost, the one of a prefix that is compressed anew, and the one of
//! large new blocks alone.

use std::sync::Arc;

use bytes::Bytes;
use headroom_shared::contract::id::PrefixId;
use headroom_shared::runtime::clock::now_ms;
use tokio::sync::oneshot;

use crate::http::context::RequestContext;
use crate::jobs::{JobSource, Tail};
use crate::plan::known_prefix::DeferredPrefix;
use crate::plan::landing;
use crate::scan::Scan;

/// Pushes, in the background, the job of a request's first messages again, which were left to a worker.
pub(super) fn enqueue_again(
    context: &RequestContext,
    request: (&Bytes, &Arc<Scan>),
    deferred: &DeferredPrefix,
) {
    let (body, _) = request;
    if let (Some(permit), _) = context.app.jobs.reserve(body.len()) {
        // A cold start is the first request of its conversation.
        let is_refresh = deferred.record.start > 0;
        let source = job_source(context, request, deferred.prefix, is_refresh);
        let app = context.app.clone();
        context.spawn_in_background(async move { _ = app.jobs.enqueue(permit, source).await });
    }
}

/// Pushes, in the background, the job that compresses a request's prefix anew. It is withdrawn if the provider refuses the request, which is
/// to be told to what this gives; `None` where too many jobs wait to be built, or the conversation has had one a short time ago.
pub(super) fn enqueue_refresh(
    context: &RequestContext,
    request: (&Bytes, &Arc<Scan>),
    prefix: PrefixId,
) -> Option<Refusal> {
    let overdue = &context.app.jobs.overdue;
    if !overdue.may_refresh(request.1.opening()?, now_ms()) {
        return None;
    }
    enqueue(context, request, || {
        job_source(context, request, prefix, true)
    })
}

/// Pushes likewise the job that compresses new blocks of a request alone, which goes on from the prefix `before`. `None` too where another
/// request that goes on from there has had one a short time ago.
pub(super) fn enqueue_tail(
    context: &RequestContext,
    request: (&Bytes, &Arc<Scan>),
    blocks: Vec<usize>,
    before: PrefixId,
) -> Option<Refusal> {
    if blocks.is_empty() {
        return None;
    }
    let (now_ms, prefix) = (now_ms(), request.1.full_prefix()?);
    if !context.app.jobs.overdue.may_push_tail(before, now_ms) {
        return None;
    }
    let tail = Tail {
        blocks,
        useful_until_ms: landing::tail_useful_until_ms(now_ms),
    };
    enqueue(context, request, || JobSource {
        tail: Some(tail),
        ..job_source(context, request, prefix, false)
    })
}

/// Builds and pushes a job in the background, which is withdrawn where what this gives is told that the request was refused.
fn enqueue(
    context: &RequestContext,
    (body, _): (&Bytes, &Arc<Scan>),
    source: impl FnOnce() -> JobSource,
) -> Option<Refusal> {
    let (permit, _) = context.app.jobs.reserve(body.len());
    let (permit, source) = (permit?, source());
    let app = context.app.clone();
    let (refusal, refused) = oneshot::channel();
    context.spawn_in_background(async move {
        let job = app.jobs.enqueue(permit, source).await;
        if let (Some(job), Ok(())) = (job, refused.await) {
            app.jobs.withdraw(&job).await;
        }
    });
    Some(Refusal(refusal))
}

/// Where to tell that the provider has refused a request.
#[derive(Debug)]
pub(super) struct Refusal(oneshot::Sender<()>);

impl Refusal {
    /// Tells it.
    pub(super) fn tell(self) {
        // Nobody listens where there is no job.
        let _ = self.0.send(());
    }
}

/// What the job of a request's messages is built from, up to the one that `prefix` ends with.
pub(super) fn job_source(
    context: &RequestContext,
    (body, scan): (&Bytes, &Arc<Scan>),
    prefix: PrefixId,
    is_refresh: bool,
) -> JobSource {
    let planner = context.planner();
    JobSource {
        body: body.clone(),
        scan: scan.clone(),
        prefix,
        tier: planner.tier_of(scan),
        whole_kinds: planner.whole_kinds,
        origin: context.origin(),
        is_refresh,
        tail: None,
    }
}
