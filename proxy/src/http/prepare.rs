//! Performs the plan of a request up to the moment in which it goes out: reads its body and what is known of it, has new blocks
//! compressed, stores what must be stored before, and notes the rest.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use headroom_shared::runtime::clock::now_ms;
use http::HeaderMap;
use tokio::sync::mpsc;

use crate::app::App;
use crate::dialect::Provider;
use crate::dialect::prefix_mismatch;
use crate::http::exchange::Turn;
use crate::http::outgoing::Outgoing;
use crate::http::readable::Readable;
use crate::http::recovery::Recovery;
use crate::http::report::report;
use crate::jobs::cold_start;
use crate::metrics::Decision;
use crate::plan::first_send::{self, Outcome, Undecided};
use crate::plan::splice::Rope;
use crate::plan::uncompressed::Uncompressed;
use crate::plan::{Forms, Plan, Request, Settled, landing};
use crate::records::sent_turn::SentTurn;
use crate::records::{Budget, Known};
use crate::scan::{Scan, Scanned};

/// What goes out for a body that was received with these headers; `None` where nothing is to be done about it.
pub(crate) async fn prepare(
    turn: &Turn,
    headers: &HeaderMap,
    received: &Bytes,
) -> Option<Outgoing> {
    let (app, planner) = (&turn.app, turn.app.rules.planner);
    let mut readable = Readable::of(turn, headers, received).await?;
    let scan = match readable.scan_enough(turn, &|scan| planner.knows_enough(scan))? {
        Scanned::Whole(scan) => scan,
        Scanned::Begun(begun) => {
            if app.records.is_new(&begun, &mut readable.budget).await {
                return Some(cold_start::cold_start(turn, received, readable));
            }
            readable.scan(turn)?
        }
    };
    let known = recall(turn, &mut readable, &scan).await;
    if planner.defers(&scan, &known) {
        return Some(cold_start::cold_start(turn, received, readable));
    }
    if planner.is_cold_start(&scan, &known) && landing::binds(&scan) {
        tracing::info!(
            model = scan.model,
            "a cold start is not deferred: thinking is bound to what a result would change, so it could never land"
        );
    }
    let now_ms = now_ms();
    let body = readable.body.clone();
    let request = Request {
        scan: &scan,
        known: &known,
        now_ms,
    };
    let plan = plan(app, request, (&body, &scan), &mut readable.budget).await?;
    let settled = settle(app, plan, &mut readable.budget).await;
    report(app, &body, &scan, &settled.left);
    let may_be_refused = turn.dialect.provider() == Provider::Anthropic && landing::is_bound(&scan);
    let asks_to_drop = known.lost && may_be_refused;
    let drop_block = asks_to_drop.then(|| prefix_mismatch::drop_block(&body));
    let mut outgoing = match drop_block.flatten() {
        Some(drop_block) => Outgoing::dropping_thinking(Rope::splice(&body, [drop_block])),
        None => with_forms(received, &body, &scan, &settled.forms),
    };
    if let Some(prefix) = app.offers.due(&known, now_ms) {
        cold_start::push(turn, &body, &scan, prefix);
    }
    let lost = known.lost;
    let sent = SentTurn::of(&app.records, settled, &scan, known);
    if may_be_refused && !lost {
        outgoing.recovery = Some(Recovery::new(body, sent));
    } else {
        outgoing.heard = Some(Box::new(|usage| sent.answered(usage)));
    }
    Some(outgoing)
}

/// What goes out for a body that asks for its conversation in fewer words: the forms that were sent before, and no new ones. Its answer
/// takes the place of what it holds.
pub(crate) async fn prepare_compaction(
    turn: &Turn,
    headers: &HeaderMap,
    received: &Bytes,
) -> Option<Outgoing> {
    let mut readable = Readable::of(turn, headers, received).await?;
    let scan = readable.scan(turn)?;
    let known = recall(turn, &mut readable, &scan).await;
    let settled = observed(turn, &scan, &known)?;
    let outgoing = with_forms(received, &readable.body, &scan, &settled.forms);
    drop(SentTurn::of(&turn.app.records, settled, &scan, known));
    Some(outgoing)
}

/// Notes that a request goes out in the original whatever was sent before: the provider's cache of its prefix may be warm.
pub(crate) async fn observe(turn: Turn, headers: HeaderMap, received: Bytes) {
    let Some(mut readable) = Readable::of(&turn, &headers, &received).await else {
        return;
    };
    let Some(scan) = readable.scan(&turn) else {
        return;
    };
    let known = recall(&turn, &mut readable, &scan).await;
    if let Some(settled) = observed(&turn, &scan, &known) {
        drop(SentTurn::of(&turn.app.records, settled, &scan, known));
    }
}

/// The plan of a request that gets no new form, settled; `None` for a request without messages.
fn observed(turn: &Turn, scan: &Scan, known: &Known) -> Option<Settled> {
    let request = Request {
        scan,
        known,
        now_ms: now_ms(),
    };
    let plan = turn.app.rules.planner.plan_recorded(request)?;
    Some(plan.stored())
}

/// A body with these forms in it.
fn with_forms(received: &Bytes, body: &Bytes, scan: &Scan, forms: &Forms) -> Outgoing {
    match Rope::with_forms(body, scan, forms) {
        Some(rope) => Outgoing::spliced(body, rope),
        None => Outgoing::as_received(received, Decision::Forwarded),
    }
}

/// What is known of a request's prefix.
async fn recall(turn: &Turn, readable: &mut Readable, scan: &Scan) -> Known {
    let app = &turn.app;
    if landing::may_bind(scan) {
        app.records.extend(&mut readable.budget);
    }
    let known = app.records.recall(scan, &mut readable.budget).await;
    if !known.sure && app.records.store().evicts().is_none() {
        app.counts.store_misses.inc();
    }
    app.counts.forms_missing.inc_by(known.missing_texts());
    known
}

/// Reads what the plan of a request needs, has its new blocks compressed, and plans it; `None` for a request without messages.
async fn plan(
    app: &App,
    request: Request<'_>,
    (body, scan): (&Bytes, &Arc<Scan>),
    budget: &mut Budget,
) -> Option<Plan> {
    let planner = app.rules.planner;
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
    let undecided = planner.undecided(request, moved);
    let outcomes = outcomes(app, body, scan, undecided).await;
    planner.plan(request, &texts, outcomes)
}

/// Stores what must be in the store before a request goes out.
async fn settle(app: &App, plan: Plan, budget: &mut Budget) -> Settled {
    if plan.entries.is_empty() {
        return plan.stored();
    }
    match app.records.write(&plan.entries, budget).await {
        Ok(()) => {
            if plan.landed > 0 {
                app.counts.landed.inc();
                tracing::info!(blocks = plan.landed, "a compressed prefix landed");
            }
            plan.stored()
        }
        Err(error) => {
            tracing::debug!(%error, "could not store new forms in time: the originals go out");
            app.counts.store_misses.inc();
            plan.not_stored()
        }
    }
}

/// What becomes of each of these blocks, as far as the entry budget lasts. What is not told by then goes on and is given up at its
/// next block.
async fn outcomes(
    app: &App,
    body: &Bytes,
    scan: &Arc<Scan>,
    undecided: Undecided,
) -> BTreeMap<usize, Outcome> {
    let blocks: Vec<usize> = undecided.blocks(scan).collect();
    let all = |reason| blocks.iter().map(|index| (*index, Err(reason))).collect();
    let budget = app.rules.entry_budget;
    let mut outcomes: BTreeMap<usize, Outcome> = all(Uncompressed::EntryBudget);
    if blocks.is_empty() || budget.is_zero() {
        return outcomes;
    }
    let deadline = Instant::now() + budget;
    let (tell, mut told) = mpsc::unbounded_channel();
    let (body, scan) = (body.clone(), scan.clone());
    let work = tokio::task::spawn_blocking(move || {
        let tell = |index, outcome| match tell.send((index, outcome)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        };
        first_send::decide(&body, &scan, &undecided, deadline, tell);
    });
    let received = async {
        while let Some((index, outcome)) = told.recv().await {
            outcomes.insert(index, outcome);
        }
        work.await
    };
    if let Ok(Err(_)) = tokio::time::timeout_at(deadline.into(), received).await {
        // The error is not shown: a panic's message may quote a prompt.
        tracing::warn!("a compressor failed on new blocks: the originals go out");
        return all(Uncompressed::Failed);
    }
    outcomes
}
