//! Executes the plan of a request up to the moment at which it goes out: scans its body, looks up what is known of its prefix, compresses
//! new blocks, stores what must be stored before, and keeps the records.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use headroom_shared::contract::id::PrefixId;
use headroom_shared::runtime::clock::now_ms;
use http::HeaderMap;

use crate::app::App;
use crate::dialect::{Provider, prefix_mismatch};
use crate::http::cold_start;
use crate::http::compress_new::compress_within_budget;
use crate::http::context::RequestContext;
use crate::http::fleet_wait;
use crate::http::later_job::{Refusal, enqueue_again, enqueue_refresh, enqueue_tail};
use crate::http::outgoing::Outgoing;
use crate::http::report::{report_landing, report_not_deferred, report_skipped};
use crate::http::scannable_body::ScannableBody;
use crate::http::settle_plan::{dropping_thinking, settle, with_forms};
use crate::http::thinking_retry::ThinkingRetry;
use crate::metrics::uncompressed::Uncompressed;
use crate::plan::entry_budget::left_for_store;
use crate::plan::known_prefix::KnownPrefix;
use crate::plan::landing;
use crate::plan::skip_reason::{CompressResult, SkippedBlocks};
use crate::plan::{FinalPlan, Plan, Planner, Request};
use crate::records::Budget;
use crate::records::sent_request::SentRequest;
use crate::retrieval::ledger::LedgerEntry;
use crate::scan::{Scan, ScanProgress};
use crate::usage::{Outcome, OutcomeCallback};

/// What goes out for a request for the conversation's next message.
///
/// # Errors
/// Why the body is to go out as it came.
pub(super) async fn turn(
    context: &RequestContext,
    headers: &HeaderMap,
    received: &Bytes,
) -> Result<Outgoing, Uncompressed> {
    let (app, planner) = (&context.app, context.planner());
    let mut body = ScannableBody::new(context, headers, received).await?;
    let Some(scan) = scan_unless_new(context, &mut body).await? else {
        return Ok(cold_start::forward(context, received, body));
    };
    let known = look_up(context, &mut body, &scan).await;
    let mut of_fleet = None;
    if planner.defers(&scan, &known) {
        of_fleet = fleet_wait::of_cold_start(context, (&body.bytes, &scan), &known).await;
        if of_fleet.is_none() {
            return Ok(cold_start::forward(context, received, body));
        }
    }
    let now_ms = now_ms();
    let request = planner.request((&body.bytes, &scan), &known, (app.billing.prices(), now_ms));
    let read = (&body.bytes, &scan);
    let budget = (of_fleet, &mut body.budget);
    let plan = plan(context, (planner, request), read, budget).await;
    let plan = plan.ok_or(Uncompressed::NoBlocks)?;
    let (mut plan, wire) = settle(context, plan, &mut body, (&scan, &known)).await;
    let (reason, ledger) = report(app, &body.bytes, (&scan, &known), &plan);
    requeue_if_overdue(context, (&body.bytes, &scan), (&known, now_ms));
    let may_be_refused =
        context.dialect.provider() == Provider::Anthropic && landing::is_bound(&scan);
    let drop_block = (known.lost && may_be_refused)
        .then(|| prefix_mismatch::drop_block(&body.bytes))
        .flatten();
    let forms = drop_block.as_ref().map_or(&plan.forms[..], |_| &[]);
    let bill = context.open_bill(
        (&scan, &known),
        (forms, &body.bytes),
        (plan.landing, now_ms),
    );
    let mut outgoing = match drop_block {
        Some(drop_block) => dropping_thinking(app, &body, drop_block),
        None => {
            let forms = (&*scan, &plan.forms, wire);
            with_forms(app, received, &body, forms, &plan.skipped)
        }
    };
    (outgoing.reason, outgoing.landed) = (reason, plan.landed_prefix);
    let may_retry = may_be_refused && !known.lost;
    let later = (plan.refresh, std::mem::take(&mut plan.tail));
    let before = known.chain.first().map(|(prefix, _)| *prefix);
    app.records.enqueue_originals(&body.bytes, &scan, &known);
    let observation = context.observe(&scan, &known, now_ms);
    let sent = SentRequest::new(&app.records, plan, &scan, known, bill)
        .with_ledger(ledger)
        .with_observation(observation);
    if may_retry {
        outgoing.retry = Some(ThinkingRetry::new(body.bytes, body.coding, sent));
    } else {
        let job = enqueue_later(context, (&body.bytes, &scan), later, before);
        outgoing.on_outcome = Some(note_outcome(sent, job));
    }
    Ok(outgoing)
}

/// Counts and logs what was decided. Gives what became of what was left to workers, in a word, and what the request adds to the ledger.
fn report(
    app: &App,
    body: &[u8],
    (scan, known): (&Scan, &KnownPrefix),
    plan: &FinalPlan,
) -> (Option<&'static str>, LedgerEntry) {
    report_skipped(app, body, scan, &plan.skipped);
    let shortened = &plan.shortened;
    let ledger = app.ledger.entry((body, scan), known, shortened, now_ms());
    let reason = if app.rules.planner.can_never_land(scan, known) {
        report_not_deferred(app, scan)
    } else {
        report_landing(app, plan)
    };
    (reason, ledger)
}

/// Pushes the job of a request whose prefix is to be compressed anew, or of its new blocks alone: there is one of them at most. It goes on from
/// the prefix `before`.
fn enqueue_later(
    context: &RequestContext,
    request: (&Bytes, &Arc<Scan>),
    (refresh, tail): (Option<PrefixId>, Vec<usize>),
    before: Option<PrefixId>,
) -> Option<Refusal> {
    match refresh {
        Some(prefix) => enqueue_refresh(context, request, prefix),
        None => enqueue_tail(context, request, tail, before?),
    }
}

/// Whom to tell the outcome of a request with perhaps a job that is withdrawn where it is refused.
fn note_outcome(sent: SentRequest, job: Option<Refusal>) -> OutcomeCallback {
    Box::new(|outcome| {
        if let (Outcome::Refused, Some(job)) = (&outcome, job) {
            job.tell();
        }
        sent.note_outcome(outcome);
    })
}

/// What goes out for a request that asks for the conversation in fewer words: the forms that were sent before, and no new ones, because its
/// response replaces what the request holds.
pub(super) async fn compaction(
    context: &RequestContext,
    headers: &HeaderMap,
    received: &Bytes,
) -> Result<Outgoing, Uncompressed> {
    let mut body = ScannableBody::new(context, headers, received).await?;
    let (scan, known, mut plan) = plan_recorded_forms(context, &mut body).await?;
    let (app, forms) = (&context.app, std::mem::take(&mut plan.forms));
    let text = (&forms[..], &body.bytes);
    let bill = context.open_bill((&scan, &known), text, (None, now_ms()));
    app.records.enqueue_originals(&body.bytes, &scan, &known);
    drop(SentRequest::new(&app.records, plan, &scan, known, None));
    let forms = (&*scan, &forms, None);
    let mut outgoing = with_forms(app, received, &body, forms, &SkippedBlocks::new());
    outgoing.on_outcome = Some(Box::new(|outcome| {
        if let Outcome::Ended(Some(usage)) = outcome {
            bill.close(usage);
        }
    }));
    Ok(outgoing)
}

/// What goes out for a request that asks how many tokens the conversation is: the forms that were sent before, so that the count is that of
/// what the provider bills. Nothing new is chosen, and nothing is recorded, because the provider caches nothing of it.
pub(super) async fn count(
    context: &RequestContext,
    headers: &HeaderMap,
    received: &Bytes,
) -> Result<Outgoing, Uncompressed> {
    let mut body = ScannableBody::new(context, headers, received).await?;
    let (scan, _, plan) = plan_recorded_forms(context, &mut body).await?;
    let app = &context.app;
    let forms = (&*scan, &plan.forms, None);
    let skipped = SkippedBlocks::new();
    Ok(with_forms(app, received, &body, forms, &skipped))
}

/// Records a request that goes out in the original whatever was sent before: the provider's cache of its prefix may be warm from now on.
pub(super) async fn record_bypassed(context: RequestContext, headers: HeaderMap, received: Bytes) {
    let Ok(mut body) = ScannableBody::new(&context, &headers, &received).await else {
        return;
    };
    if let Ok((scan, known, plan)) = plan_recorded_forms(&context, &mut body).await {
        let records = &context.app.records;
        drop(SentRequest::new(records, plan, &scan, known, None));
    }
}

/// The plan of a request that gets no new form, with its scan and what is known of its prefix.
async fn plan_recorded_forms(
    context: &RequestContext,
    body: &mut ScannableBody,
) -> Result<(Arc<Scan>, KnownPrefix, FinalPlan), Uncompressed> {
    let app = &context.app;
    let planner = context.planner();
    let scan = body.scan(context)?;
    let known = look_up(context, body, &scan).await;
    let request = planner.request(
        (&body.bytes, &scan),
        &known,
        (app.billing.prices(), now_ms()),
    );
    let plan = planner.plan_recorded_forms(request);
    let plan = plan.ok_or(Uncompressed::NoBlocks)?.commit(&[]);
    Ok((scan, known, plan))
}

/// Scans a request, and stops where it turns out to be a cold start that waits for nothing: then there is no scan.
///
/// # Errors
/// When the body is not in the dialect.
async fn scan_unless_new(
    context: &RequestContext,
    body: &mut ScannableBody,
) -> Result<Option<Arc<Scan>>, Uncompressed> {
    let planner = context.app.rules.planner;
    let may_wait = fleet_wait::may_wait(context);
    let stop_when = |scan: &Scan| may_wait != Some(Ok(())) && planner.may_defer(scan);
    let beginning = match body.scan_until(context, &stop_when)? {
        ScanProgress::Whole(scan) => return Ok(Some(scan)),
        ScanProgress::Partial(beginning) => beginning,
    };
    let records = &context.app.records;
    let is_new = records.is_new_conversation(&beginning, &mut body.budget);
    if !is_new.await {
        return Ok(Some(body.scan(context)?));
    }
    if let Some(Err(outcome)) = may_wait {
        context.app.counts.fleet.request(outcome);
    }
    Ok(None)
}

/// What is known of a request's prefix.
async fn look_up(context: &RequestContext, body: &mut ScannableBody, scan: &Scan) -> KnownPrefix {
    let app = &context.app;
    let mut span = context.part("store read");
    if landing::may_bind(scan) {
        app.records.extend(&mut body.budget);
    }
    let mut known = app.records.look_up(scan, &mut body.budget).await;
    known.limit_to(context.tier_of(scan));
    if !known.complete && app.records.store().evicts().is_none() {
        app.counts.store_misses.inc();
    }
    app.counts.forms_missing.inc_by(known.missing_texts());
    span.set("headroom.store.answered", known.complete);
    known
}

/// Reads what the plan of a request needs, compresses its new blocks or has the workers do that, and plans it; `None` for a request without
/// messages. Of a cold start that has waited for the workers it plans what they have made.
async fn plan(
    context: &RequestContext,
    (planner, request): (Planner, Request<'_>),
    (body, scan): (&Bytes, &Arc<Scan>),
    (of_fleet, budget): (Option<BTreeMap<usize, CompressResult>>, &mut Budget),
) -> Option<Plan> {
    let app = &context.app;
    if let Some(results) = of_fleet {
        let planner = planner.never_deferring();
        return planner.plan(request, &HashMap::new(), results);
    }
    let needs = planner.needs(request);
    let (texts, _) = app.records.forms(needs.landing.into_iter(), budget).await;
    let moved = if needs.moved.is_empty() {
        BTreeMap::new()
    } else {
        let records = &app.records;
        records
            .forms_sent_elsewhere(scan, needs.moved, budget)
            .await
    };
    let to_compress = planner.blocks_to_compress(request, moved);
    let span = context.part("compress");
    let (mut results, left) = compress_within_budget(app, body, scan, to_compress).await;
    drop(span);
    budget.add_for_write(left_for_store(left));
    fleet_wait::of_rest(context, (body, scan), request.known, &mut results).await;
    planner.plan(request.sent_at(now_ms()), &texts, results)
}

/// Pushes the job of a deferred prefix again where it seems lost.
fn requeue_if_overdue(
    context: &RequestContext,
    request: (&Bytes, &Arc<Scan>),
    (known, now_ms): (&KnownPrefix, u64),
) {
    let tier = context.tier_of(request.1);
    let overdue = &context.app.jobs.overdue;
    if let Some(deferred) = overdue.to_requeue(known, tier, now_ms) {
        enqueue_again(context, request, deferred);
    }
}
