//! Runs a job and does with it what its end asks for, again and again while the queue is away.

use std::future::Future;
use std::time::{Duration, Instant};

use headroom_shared::prefix::JobResult;
use headroom_shared::queue::{Element, Finished, Job, Retried};
use headroom_shared::store::StoreError;
use std::sync::Arc;

use crate::backoff::Backoff;
use crate::metrics::Outcome;
use crate::state::Shared;
use crate::threads::Ran;
use crate::work::Failure;

/// How often a result is offered to a queue that does not take it, before its job is put off: a queue that takes everything
/// else may never take this one, and must not cost a thread for ever. With the waits between them about three seconds.
const OFFERS: usize = 6;

/// Runs a job to its end, or until the grace for a stop is over.
pub(crate) async fn run(shared: &Shared, job: &Arc<Job>) {
    let since = Instant::now();
    let _busy = shared.metrics.busy();
    let ran = tokio::select! {
        ran = shared.threads.run(Arc::clone(job)) => ran,
        () = shared.give_up.cancelled() => return,
    };
    match ran {
        Ok(Ran::Made(result)) => finish(shared, job, &result, since.elapsed()).await,
        Ok(Ran::Failed(Failure::Passing(reason))) => retry(shared, job, &reason).await,
        Ok(Ran::Failed(Failure::Lasting(reason))) => bury(shared, &job.element, &reason).await,
        Ok(Ran::Panicked(place)) => {
            let place = place.map_or_else(String::new, |place| format!(" at {place}"));
            bury(shared, &job.element, &format!("its work panicked{place}")).await;
        }
        Err(_) => bury(shared, &job.element, "its thread ended").await,
    }
}

async fn finish(shared: &Shared, job: &Job, result: &JobResult, took: Duration) {
    let finished = persist(shared, "finish", OFFERS, || {
        shared.queue.finish(job, result)
    })
    .await;
    match finished {
        Some(Ok(finished)) => {
            let outcome = match finished {
                Finished::Done => Outcome::Done,
                Finished::DoneAgain => Outcome::DoneAgain,
            };
            let blocks = result.compressed.blocks.iter();
            let saved: u64 = blocks
                .map(|block| block.from_bytes.saturating_sub(block.to_bytes))
                .sum();
            shared.metrics.ended(outcome);
            shared.metrics.made(took, saved);
            tracing::info!(
                job.id = job.envelope.id,
                job.prefix = %job.envelope.prefix,
                job.trace = job.envelope.trace,
                job.blocks = job.payload.blocks.len(),
                job.forms = result.forms.len(),
                job.saved_bytes = saved,
                job.took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                job.again = finished == Finished::DoneAgain,
                "job done"
            );
        }
        Some(Err(error)) => {
            let reason = format!("its result could not be stored: {error}");
            if error.is_passing() {
                retry(shared, job, &reason).await;
                shared.status.works("finish");
            } else {
                bury(shared, &job.element, &reason).await;
            }
        }
        None => {}
    }
}

async fn retry(shared: &Shared, job: &Job, reason: &str) {
    let retried = persist(shared, "retry", usize::MAX, || {
        shared.queue.retry(job, reason)
    })
    .await;
    let (outcome, became) = match retried {
        Some(Ok(Retried::Later(_))) => (Outcome::Retried, "it is tried again later"),
        Some(Ok(Retried::Buried)) => (Outcome::Buried, "it had no attempt left and was buried"),
        Some(Ok(Retried::NotHeld)) => (Outcome::Lost, "another worker has it by now"),
        Some(Err(error)) => {
            tracing::error!(job.id = job.envelope.id, error.message = %error, "a failed job could not be put off");
            return;
        }
        None => return,
    };
    shared.metrics.ended(outcome);
    tracing::warn!(
        job.id = job.envelope.id,
        job.reason = reason,
        "job failed: {became}"
    );
}

/// Buries an element that no attempt can help.
pub(crate) async fn bury(shared: &Shared, element: &Element, reason: &str) {
    match persist(shared, "bury", usize::MAX, || {
        shared.queue.bury(element, reason)
    })
    .await
    {
        Some(Ok(())) => {
            shared.metrics.ended(Outcome::Buried);
            tracing::warn!(job.reason = reason, "job buried");
        }
        Some(Err(error)) => {
            tracing::error!(job.reason = reason, error.message = %error, "a job could not be buried");
        }
        None => {}
    }
}

/// Repeats a step while it fails for passing reasons, at most so many times in all; nothing when the grace for a stop ends it.
async fn persist<T, F: Future<Output = Result<T, StoreError>>>(
    shared: &Shared,
    step: &'static str,
    most: usize,
    attempt: impl Fn() -> F,
) -> Option<Result<T, StoreError>> {
    let mut backoff = Backoff::new();
    let mut attempts = 0;
    loop {
        attempts += 1;
        match attempt().await {
            Ok(value) => {
                shared.status.works(step);
                return Some(Ok(value));
            }
            Err(error) if error.is_passing() && attempts < most => {
                shared.status.failed(step, &error);
            }
            Err(error) => return Some(Err(error)),
        }
        if !backoff.wait(&shared.give_up).await {
            return None;
        }
    }
}
