//! Compresses a request's new blocks within its entry budget, and what there was no time for when it has gone out.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::app::App;
use crate::plan::entry_budget::entry_budget;
use crate::plan::first_send::{BlocksToCompress, compress_blocks};
use crate::plan::history::remember;
use crate::plan::history_cache::Index;
use crate::plan::skip_reason::{CompressResult, SkipReason};
use crate::scan::Scan;

/// How long the blocks of a request may be indexed for the conversation's next one, when it has gone out.
const INDEX_TIME: Duration = Duration::from_millis(250);
/// How long forms may be made then of those of its blocks for which there was no time before.
const MAKE_TIME: Duration = Duration::from_secs(2);

/// Compresses these blocks as far as the entry budget lasts, but for those whose forms were made after an earlier request. A block that is
/// being compressed when it ends is given up, and those after it are not begun: their forms are made when the request has gone out. Gives
/// the results, and what is left of the budget.
pub(super) async fn compress_within_budget(
    app: &Arc<App>,
    body: &Bytes,
    scan: &Arc<Scan>,
    mut to_compress: BlocksToCompress,
) -> (BTreeMap<usize, CompressResult>, Duration) {
    let blocks: Vec<usize> = to_compress.positions().collect();
    let all = |reason| blocks.iter().map(|index| (*index, Err(reason))).collect();
    let new_bytes = blocks
        .iter()
        .map(|index| scan.blocks[*index].span.len())
        .sum();
    let budget = entry_budget(app.rules.entry_budget, new_bytes);
    let mut results: BTreeMap<usize, CompressResult> = all(SkipReason::EntryBudget);
    if blocks.is_empty() || budget.is_zero() {
        return (results, budget);
    }
    let made = app.made_forms.find((body, scan), &to_compress);
    app.counts.made_before.inc_by(made.len() as u64);
    to_compress.new.retain(|index| !made.contains_key(index));
    let mut missing = blocks.len() - made.len();
    results.extend(made.into_iter().map(|(index, form)| (index, Ok(form))));
    let began = Instant::now();
    let deadline = began + budget;
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let (shared, body, scan) = (app.clone(), body.clone(), scan.clone());
    tokio::task::spawn_blocking(move || {
        let mut is_left_over: BTreeSet<usize> = to_compress.new.iter().copied().collect();
        let in_time = &mut is_left_over;
        let on_result = move |index, result| {
            let is_made = result != Err(SkipReason::EntryBudget);
            if sender.send((index, result)).is_err() {
                return ControlFlow::Break(());
            }
            if is_made {
                in_time.remove(&index);
            }
            ControlFlow::Continue(())
        };
        let cache = &shared.history_cache;
        let index = compress_blocks((&body, &scan), &to_compress, cache, deadline, on_result);
        let left_over = BlocksToCompress {
            new: is_left_over.into_iter().collect(),
            moved: BTreeMap::new(),
            tiers: to_compress.tiers,
            whole_kinds: to_compress.whole_kinds,
        };
        finish_in_background(&shared, body, scan, (index, left_over));
    });
    let received = async {
        while let Some((index, result)) = receiver.recv().await {
            results.insert(index, result);
            missing -= 1;
        }
    };
    let in_time = tokio::time::timeout_at(deadline.into(), received).await;
    app.counts.times.entry(began.elapsed());
    if in_time.is_ok() && missing > 0 {
        // What it was is not shown: a panic's message may quote a prompt.
        tracing::warn!("a compressor failed on new blocks: the originals go out");
        results = all(SkipReason::Failed);
    }
    let left = deadline.saturating_duration_since(Instant::now());
    (results, left)
}

/// Indexes what is left of a request's blocks for the conversation's next request, and makes the forms of those that are `left_over` for the
/// next time that their texts come, in the time that requests leave over. Where too many bodies wait for that, the index is kept as it is, and
/// no form is made.
fn finish_in_background(
    app: &Arc<App>,
    body: Bytes,
    scan: Arc<Scan>,
    (index, left_over): (Index, BlocksToCompress),
) {
    let Some(memory) = app.index_limit.reserve(body.len()) else {
        app.history_cache.keep(&scan, index);
        return;
    };
    let app = app.clone();
    app.background.clone().spawn(async move {
        let caches = app.clone();
        let work = move || {
            let (request, histories) = ((&body, &*scan), &caches.history_cache);
            remember(request, index, histories, Instant::now() + INDEX_TIME);
            if !left_over.new.is_empty() {
                let until = Instant::now() + MAKE_TIME;
                caches
                    .made_forms
                    .make(request, &left_over, histories, until);
            }
            drop(memory);
            Some(())
        };
        app.index_limit.run(work).await
    });
}
