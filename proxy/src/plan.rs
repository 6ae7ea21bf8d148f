//! What goes out for a body: scan it, recall what is known of it, leave it to a worker or choose the forms, splice them in, and note
//! all that.

use std::sync::Arc;

use bytes::Bytes;
use headroom_shared::clock::now_ms;
use http::HeaderMap;

use crate::choose::{Choosing, Chosen};
use crate::counts::Decision;
use crate::defer;
use crate::dialect::Provider;
use crate::landing;
use crate::ledger::Ledger;
use crate::memory::Known;
use crate::outgoing::Outgoing;
use crate::prefix_mismatch;
use crate::readable::Readable;
use crate::recovery::Recovery;
use crate::scan::{Scan, Scanned};
use crate::splice::Rope;
use crate::turn::Turn;
use crate::uncompressed::{self, Uncompressed};

/// What goes out for a body that was received with these headers; `None` where nothing is to be done about it.
pub(crate) async fn plan(turn: &Turn, headers: &HeaderMap, received: &Bytes) -> Option<Outgoing> {
    let (app, min_tokens) = (&turn.app, turn.app.rules.min_tokens);
    let mut readable = Readable::of(turn, headers, received).await?;
    // Whether a model that binds its thinking may think here is known only when all is scanned.
    let enough = |scan: &Scan| !scan.facts.binds_thinking && defer::is_large(scan, min_tokens);
    let scan = match readable.scan_enough(turn, &enough)? {
        Scanned::Whole(scan) => scan,
        Scanned::Begun(begun) => {
            if app.memory.is_new(&begun, &mut readable.budget).await {
                return Some(defer::cold_start(turn, received, readable));
            }
            readable.scan(turn)?
        }
    };
    let known = recall(turn, &mut readable, &scan).await;
    if defer::is_due(&scan, &known, min_tokens) {
        return Some(defer::cold_start(turn, received, readable));
    }
    if known.frozen == 0 && defer::is_large(&scan, min_tokens) && landing::binds(&scan) {
        tracing::info!(
            model = scan.model,
            "a cold start is not deferred: thinking is bound to what a result would change, so it could never land"
        );
    }
    let now = now_ms();
    let body = readable.body.clone();
    let (chosen, ledger) = choose(turn, readable, &scan, &known, now).await?;
    let may_be_refused = turn.dialect.provider() == Provider::Anthropic && landing::is_bound(&scan);
    let asks_to_drop = known.lost && may_be_refused;
    let drop_block = asks_to_drop.then(|| prefix_mismatch::drop_block(&body));
    let mut outgoing = match drop_block.flatten() {
        Some(drop_block) => Outgoing::dropping_thinking(Rope::splice(&body, [drop_block])),
        None => with_forms(received, &body, &scan, chosen),
    };
    if let Some(waiting) = &known.waiting
        && known.sure
        && !waiting.record.bound
        && app.offers.again(waiting, now)
    {
        defer::push(turn, &body, &scan, waiting.prefix);
    }
    let lost = known.lost;
    let on_its_way = ledger.goes_out(&scan, known);
    if may_be_refused && !lost {
        outgoing.recovery = Some(Recovery::new(body, on_its_way));
    } else {
        outgoing.heard = Some(Box::new(|usage| on_its_way.answered(usage)));
    }
    Some(outgoing)
}

/// What goes out for a body that asks for its conversation in fewer words: the forms that were sent before, and no new ones. Its answer
/// takes the place of what it holds.
pub(crate) async fn compaction(
    turn: &Turn,
    headers: &HeaderMap,
    received: &Bytes,
) -> Option<Outgoing> {
    let mut readable = Readable::of(turn, headers, received).await?;
    let scan = readable.scan(turn)?;
    let known = recall(turn, &mut readable, &scan).await;
    let choosing = Choosing {
        app: &turn.app,
        body: &readable.body,
        scan: &scan,
        known: &known,
        budget: readable.budget,
    };
    let outgoing = with_forms(received, &readable.body, &scan, choosing.recorded());
    if let Some(ledger) = observed(turn, &scan, &known, now_ms()) {
        drop(ledger.goes_out(&scan, known));
    }
    Some(outgoing)
}

/// A body with these forms in it.
fn with_forms(received: &Bytes, body: &Bytes, scan: &Scan, chosen: Chosen) -> Outgoing {
    if chosen.is_empty() {
        return Outgoing::as_received(received, Decision::Forwarded);
    }
    let spans = chosen
        .into_iter()
        .map(|(index, text)| (scan.blocks[index].span.clone(), text));
    Outgoing::spliced(body, Rope::splice(body, spans))
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
    if let Some(ledger) = observed(&turn, &scan, &known, now_ms()) {
        drop(ledger.goes_out(&scan, known));
    }
}

/// The records of a request that has none of its own; `None` for a request without messages.
fn observed(turn: &Turn, scan: &Scan, known: &Known, now_ms: u64) -> Option<Ledger> {
    let memory = &turn.app.memory;
    if !known.sure {
        memory.goes_out_unsure(scan, now_ms);
    }
    Ledger::observing(memory.clone(), scan, known, now_ms)
}

async fn recall(turn: &Turn, readable: &mut Readable, scan: &Scan) -> Known {
    let app = &turn.app;
    if landing::binds(scan) {
        app.memory.extend(&mut readable.budget);
    }
    let known = app.memory.recall(scan, &mut readable.budget).await;
    if !known.sure && app.memory.store().evicts().is_none() {
        app.counts.store_misses.inc();
    }
    known
}

/// The forms that go out in a request, and its records; `None` for a request without messages.
async fn choose(
    turn: &Turn,
    readable: Readable,
    scan: &Arc<Scan>,
    known: &Known,
    now_ms: u64,
) -> Option<(Chosen, Ledger)> {
    let mut choosing = Choosing {
        app: &turn.app,
        body: &readable.body,
        scan,
        known,
        budget: readable.budget,
    };
    if !known.sure {
        // There may be more than is known here, so nothing new is chosen, and no record tells a shorter story.
        let ledger = observed(turn, scan, known, now_ms)?;
        uncompressed::report(
            &turn.app,
            choosing.body,
            scan,
            &choosing.not_entered(Uncompressed::StoreLate),
        );
        return Some((choosing.recorded(), ledger));
    }
    let mut ledger = Ledger::open(turn.app.memory.clone(), scan, known, now_ms)?;
    if known.lost {
        let left = choosing.not_entered(Uncompressed::ConversationLost);
        uncompressed::report(&turn.app, choosing.body, scan, &left);
        return Some((Vec::new(), ledger));
    }
    let (chosen, left) = choosing.all(&mut ledger, now_ms).await;
    uncompressed::report(&turn.app, choosing.body, scan, &left);
    Some((chosen, ledger))
}
