//! Settles which forms of a plan go out: where the body was encoded it is encoded again, and new forms are stored.
//!
//! A body that can't be encoded again in time goes out as it came if all its forms are new: nothing of it was sent otherwise, and nothing is
//! stored yet. Where a form was sent before or lands, it goes out as plain text with its forms. A block that was sent in a form must stay in
//! it, or the provider's cache of all that follows is lost; and a landing waits for a moment that may not come again.

use std::ops::Range;

use bytes::Bytes;

use crate::app::App;
use crate::http::context::RequestContext;
use crate::http::outgoing::Outgoing;
use crate::http::scannable_body::ScannableBody;
use crate::http::wire_body::WireBody;
use crate::metrics::TextBytes;
use crate::metrics::uncompressed::Uncompressed;
use crate::plan::first_send::first_new_block;
use crate::plan::known_prefix::KnownPrefix;
use crate::plan::skip_reason::{SkipReason, SkippedBlocks};
use crate::plan::splice::Rope;
use crate::plan::{FinalPlan, Forms, Plan};
use crate::records::Budget;
use crate::scan::Scan;

/// The plan with the forms that go out, and their body if it was made already.
pub(super) async fn settle(
    context: &RequestContext,
    plan: Plan,
    body: &mut ScannableBody,
    (scan, known): (&Scan, &KnownPrefix),
) -> (FinalPlan, Option<WireBody>) {
    let _span = context.part("store write");
    let app = &context.app;
    if body.coding.is_none() {
        return (store_new_forms(app, plan, &mut body.budget).await, None);
    }
    let forms = plan.forms();
    let text = Rope::with_forms(&body.bytes, scan, &forms);
    let wire = text.map(|text| WireBody::of_text(app, text, body.coding));
    let lost_encoding = wire.as_ref().is_some_and(|wire| wire.lost_encoding);
    if lost_encoding && plan.has_only_new_forms(first_new_block(scan, known)) {
        return (plan.roll_back(SkipReason::EntryBudget), None);
    }
    let plan = store_new_forms(app, plan, &mut body.budget).await;
    let wire = wire.filter(|_| plan.forms == forms);
    (plan, wire)
}

/// The outgoing request with these forms in its body, which is `wire` if that was made already.
pub(super) fn with_forms(
    app: &App,
    received: &Bytes,
    body: &ScannableBody,
    (scan, forms, wire): (&Scan, &Forms, Option<WireBody>),
    skipped: &SkippedBlocks,
) -> Outgoing {
    let Some(text) = Rope::with_forms(&body.bytes, scan, forms) else {
        let why = why_uncompressed(scan, skipped);
        return Outgoing::with_unchanged_text(received, body, why);
    };
    let bytes = text_bytes(body, &text);
    let wire = wire.unwrap_or_else(|| WireBody::of_text(app, text, body.coding));
    Outgoing {
        family: body.family,
        ..Outgoing::spliced(wire, bytes)
    }
}

/// Why a request has no forms of which these blocks are new.
fn why_uncompressed(scan: &Scan, skipped: &SkippedBlocks) -> Uncompressed {
    let bytes = |(index, _): &&(usize, SkipReason)| scan.blocks[*index].span.len();
    match skipped.iter().max_by_key(bytes) {
        Some((_, reason)) => Uncompressed::Skipped(*reason),
        None if scan.blocks.is_empty() => Uncompressed::NoBlocks,
        None => Uncompressed::SentBefore,
    }
}

/// The outgoing request without forms that asks the provider to drop thinking: `drop_block` replaces a span of its body.
pub(super) fn dropping_thinking(
    app: &App,
    body: &ScannableBody,
    drop_block: (Range<usize>, Bytes),
) -> Outgoing {
    let text = Rope::splice(&body.bytes, [drop_block]);
    let bytes = text_bytes(body, &text);
    let wire = WireBody::of_text(app, text, body.coding);
    Outgoing {
        family: body.family,
        ..Outgoing::dropping_thinking(wire, bytes)
    }
}

/// The lengths of a body's text, of which this goes out.
fn text_bytes(body: &ScannableBody, text: &Rope) -> TextBytes {
    TextBytes {
        received: body.bytes.len(),
        sent: text.len(),
    }
}

/// Stores what must be in the store before a request goes out.
async fn store_new_forms(app: &App, plan: Plan, budget: &mut Budget) -> FinalPlan {
    let entries = plan.entries();
    if entries.is_empty() {
        return plan.commit(&entries);
    }
    match app.records.write(&entries, budget).await {
        Ok(()) => plan.commit(&entries),
        Err(error) => {
            tracing::debug!(%error, "could not store new forms in time: the originals go out");
            app.counts.store_misses.inc();
            plan.roll_back(SkipReason::StoreLate)
        }
    }
}
