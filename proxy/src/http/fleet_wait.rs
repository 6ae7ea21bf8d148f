//! Lets a request wait, before it is sent for the first time, until the workers have compressed its new blocks: `HEADROOM_FLEET_WAIT_MS`.
//!
//! The blocks are pushed as several jobs in one round trip. What they leave in the store is read again and again, with growing pauses, until
//! all is there or the time is over. That takes no connection of its own, and no notice can get lost. Jobs that are not back by then are
//! withdrawn.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headroom_shared::contract::job::Envelope;
use headroom_shared::queue::Enqueued;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::http::context::RequestContext;
use crate::http::scannable_body::beside_other_tasks;
use crate::metrics::fleet::AwaitedBlock;
use crate::plan::fleet::{self, FleetOutcome, Part};
use crate::plan::known_prefix::KnownPrefix;
use crate::plan::skip_reason::{CompressResult, SkipReason};
use crate::records::Records;
use crate::scan::Scan;

/// The shortest and the longest pause between two reads; between them it is a quarter of the time that has passed.
const PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(50));

/// What was made of blocks, by their positions in the scan.
type Results = BTreeMap<usize, CompressResult>;

/// A request's body, and what was found in it.
type Body<'a> = (&'a Bytes, &'a Arc<Scan>);

/// What the workers have made in time of a cold start's blocks, late ones included; `None` where they have made no form.
pub(super) async fn of_cold_start(
    context: &RequestContext,
    body: Body<'_>,
    known: &KnownPrefix,
) -> Option<Results> {
    if context.app.rules.fleet_wait.is_zero() {
        return None;
    }
    let parts = fleet::parts_of_cold_start(body.1, known);
    let results = ask(context, body, parts).await;
    results.values().any(Result::is_ok).then_some(results)
}

/// Adds what the workers have made in time of the blocks for which the entry budget was too short.
pub(super) async fn of_rest(
    context: &RequestContext,
    body: Body<'_>,
    known: &KnownPrefix,
    results: &mut Results,
) {
    if !context.app.rules.fleet_wait.is_zero() {
        let parts = fleet::parts_of_rest(body.1, known, results);
        results.extend(ask(context, body, parts).await);
    }
}

/// Whether a request that has the blocks for it may wait for the workers now, or else what becomes of it; `None` where no request may.
pub(super) fn may_wait(context: &RequestContext) -> Option<Result<(), FleetOutcome>> {
    let wait = context.app.rules.fleet_wait;
    (!wait.is_zero()).then(|| fleet::may_wait(context.app.jobs.fleet.capacity(), wait))
}

/// Has the workers compress these parts, and gives what they have made in time of each block; nothing where they were not asked.
async fn ask(context: &RequestContext, body: Body<'_>, parts: Vec<Part>) -> Results {
    if parts.is_empty() {
        return Results::new();
    }
    let began = Instant::now();
    let (counts, scan) = (&context.app.counts.fleet, body.1);
    let deadline = began + context.app.rules.fleet_wait;
    let mut awaited = match push(context, body, parts, deadline).await {
        Ok(awaited) => awaited,
        Err(outcome) => {
            counts.request(outcome);
            if outcome == FleetOutcome::Failed {
                counts.waited(began.elapsed());
            }
            let outcome = outcome.name();
            tracing::debug!(outcome, "new blocks do not wait for the workers");
            return Results::new();
        }
    };
    let mut results = Results::new();
    awaited
        .receive(&context.app.records, scan, deadline, &mut results)
        .await;
    let compressed = results.values().filter(|result| result.is_ok()).count();
    let came_back = results.len();
    let late = awaited.jobs.iter().flat_map(|(part, _)| &part.blocks);
    let dropped = awaited.dropped.iter().flat_map(|part| &part.blocks);
    let (late, dropped): (Vec<usize>, Vec<usize>) =
        (late.copied().collect(), dropped.copied().collect());
    for (block, count) in [
        (AwaitedBlock::Compressed, compressed),
        (AwaitedBlock::Uncompressed, came_back - compressed),
        (AwaitedBlock::Late, late.len()),
        (AwaitedBlock::Dropped, dropped.len()),
    ] {
        counts.blocks(block, count);
    }
    let missing = late.into_iter().chain(dropped);
    results.extend(missing.map(|index| (index, Err(SkipReason::FleetLate))));
    let outcome = if results.len() == came_back {
        FleetOutcome::InTime
    } else {
        FleetOutcome::Late
    };
    counts.request(outcome);
    counts.waited(began.elapsed());
    tracing::debug!(
        outcome = outcome.name(),
        blocks.compressed = compressed,
        blocks.came_back = came_back,
        blocks.awaited = results.len(),
        "new blocks have waited for the workers"
    );
    results
}

/// Pushes the jobs of these parts.
///
/// # Errors
/// What became of the request, where it does not wait for them.
async fn push(
    context: &RequestContext,
    (body, scan): Body<'_>,
    parts: Vec<Part>,
    deadline: Instant,
) -> Result<AwaitedJobs, FleetOutcome> {
    let app = &context.app;
    fleet::may_wait(app.jobs.fleet.capacity(), app.rules.fleet_wait)?;
    let bytes = parts.iter().map(|part| part.bytes).sum();
    let built = beside_other_tasks(bytes, || {
        app.jobs.build_parts((body, scan), parts, &context.origin())
    });
    let built = built.ok_or(FleetOutcome::Busy)?;
    let mut awaited = AwaitedJobs::new(context.clone(), built.parts);
    let pushed = timeout_at(deadline, app.jobs.queue.enqueue_all(&built.jobs)).await;
    match pushed {
        Ok(Ok(outcomes)) => awaited.drop_all_but_queued(&outcomes),
        Ok(Err(error)) => {
            tracing::debug!(%error, "could not push the jobs of new blocks");
            return Err(FleetOutcome::Failed);
        }
        Err(_) => return Err(FleetOutcome::Failed),
    }
    if awaited.jobs.is_empty() {
        return Err(FleetOutcome::Busy);
    }
    Ok(awaited)
}

/// Jobs that a request waits for. When it waits no longer, or is given up, those that are not back are withdrawn.
struct AwaitedJobs {
    context: RequestContext,
    jobs: Vec<(Part, Envelope)>,
    /// The parts for whose jobs there was no room.
    dropped: Vec<Part>,
}

impl AwaitedJobs {
    fn new(context: RequestContext, jobs: Vec<(Part, Envelope)>) -> Self {
        for (_, job) in &jobs {
            context.app.jobs.fleet.begin_wait(job.bytes);
        }
        Self {
            context,
            jobs,
            dropped: Vec::new(),
        }
    }

    /// Waits no longer for jobs that the queue has not taken.
    fn drop_all_but_queued(&mut self, outcomes: &[Enqueued]) {
        let mut outcomes = outcomes.iter();
        for (part, job) in std::mem::take(&mut self.jobs) {
            match outcomes.next() {
                Some(Enqueued::Queued | Enqueued::Coalesced) => self.jobs.push((part, job)),
                Some(Enqueued::DroppedFull | Enqueued::DroppedForMemory) | None => {
                    self.context.app.jobs.fleet.end_wait(job.bytes);
                    self.dropped.push(part);
                }
            }
        }
    }

    /// Reads what workers have made until all is back or the time is over: then once more, within one budget for the store.
    async fn receive(
        &mut self,
        records: &Records,
        scan: &Scan,
        deadline: Instant,
        results: &mut Results,
    ) {
        let began = Instant::now();
        loop {
            let is_over = Instant::now() >= deadline;
            let read = self.read(records, scan, results);
            if is_over {
                read.await;
                return;
            }
            let _ = timeout_at(deadline, read).await;
            if self.jobs.is_empty() {
                return;
            }
            let pause = (began.elapsed() / 4).clamp(PAUSES.0, PAUSES.1);
            sleep_until(deadline.min(Instant::now() + pause)).await;
        }
    }

    /// Takes what is back, as far as one budget for the store allows.
    async fn read(&mut self, records: &Records, scan: &Scan, results: &mut Results) {
        let mut budget = records.budget();
        let prefixes: Vec<_> = self.jobs.iter().map(|(_, job)| job.prefix).collect();
        for (prefix, made) in records.results_of_parts(&prefixes, &mut budget).await {
            let forms = made.blocks.iter().map(|made| (made.form, made.block));
            let (texts, has_answered) = records.forms(forms, &mut budget).await;
            if !has_answered {
                return;
            }
            let position = self.jobs.iter().position(|(_, job)| job.prefix == prefix);
            let part = position.map(|position| &self.jobs[position].0);
            let of_part = part.and_then(|part| fleet::results(scan, part, &made, &texts));
            if let (Some(position), Some(of_part)) = (position, of_part) {
                results.extend(of_part);
                let (_, job) = self.jobs.swap_remove(position);
                self.context.app.jobs.fleet.end_wait(job.bytes);
            }
        }
    }
}

impl Drop for AwaitedJobs {
    fn drop(&mut self) {
        let late = std::mem::take(&mut self.jobs);
        if late.is_empty() {
            return;
        }
        let app = self.context.app.clone();
        for (_, job) in &late {
            app.jobs.fleet.end_wait(job.bytes);
        }
        self.context.spawn_in_background(async move {
            for (_, job) in late {
                if let Err(error) = app.jobs.queue.withdraw(&job).await {
                    tracing::debug!(job.id = job.id, %error, "could not withdraw a job that nobody waits for any more: it is done for nothing");
                }
            }
        });
    }
}
