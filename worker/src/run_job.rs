//! Does what was claimed: takes it up, runs its job, and does with it what its end asks for, again and again while the queue
//! is away.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use headroom_shared::contract::prefix::JobResult;
use headroom_shared::queue::{Element, Finished, Job, Loaded, Retried};
use headroom_shared::store::StoreError;

use crate::handler::Failure;
use crate::isolation;
use crate::metrics::Outcome;
use crate::retry::Backoff;
use crate::state::Shared;
use crate::threads::JobOutcome;

/// How often a result is offered before its job is put off: a queue that takes everything else may never take this one, and
/// it must not cost a thread for ever. With the waits between them about three seconds.
const MAX_FINISH_ATTEMPTS: usize = 6;
/// Any number of attempts.
const UNLIMITED: usize = usize::MAX;

/// Does what was claimed, and what comes with its end, until nothing waits. What is left at a stop the queue gets back.
pub(crate) async fn run(shared: &Shared, claimed: Element) {
    let mut next = Some(claimed);
    while let Some(element) = next
        && !shared.stop.is_cancelled()
    {
        next = one(shared, &element).await;
    }
}

/// Does one element; the next one, if it came with this one's end.
async fn one(shared: &Shared, element: &Element) -> Option<Element> {
    let take = || shared.queue.load(element);
    match retry_while_unavailable(shared, "take", UNLIMITED, take).await? {
        Ok(Some(Loaded::Job(job))) if job.crashes == 0 => work(shared, &job).await,
        Ok(Some(Loaded::Job(job))) => match isolation::try_reserve(shared) {
            Some(right) => {
                let _alone = isolation::acquire(shared, right).await?;
                work(shared, &job).await
            }
            None => {
                let release = || shared.queue.release(element);
                let _ = retry_while_unavailable(shared, "release", UNLIMITED, release).await;
                None
            }
        },
        Ok(Some(Loaded::Unusable { element, reason })) => {
            bury(shared, &element, &reason).await;
            None
        }
        Ok(None) => None,
        Err(error) => {
            let reason = format!("it could not be taken up: {error}");
            bury(shared, element, &reason).await;
            None
        }
    }
}

/// Runs a job to its end, or until the grace for a stop is over.
async fn work(shared: &Shared, job: &Arc<Job>) -> Option<Element> {
    let since = Instant::now();
    let _busy = shared.metrics.busy();
    let ran = tokio::select! {
        ran = shared.threads.run(Arc::clone(job)) => ran,
        () = shared.grace_over.cancelled() => return None,
    };
    match ran {
        Ok(JobOutcome::Completed(result)) => {
            return finish(shared, job, &result, since.elapsed()).await;
        }
        Ok(JobOutcome::Failed(Failure::Transient(reason))) => retry(shared, job, &reason).await,
        Ok(JobOutcome::Failed(Failure::Permanent(reason))) => {
            bury(shared, &job.element, &reason).await
        }
        Ok(JobOutcome::Panicked(place)) => {
            let place = place.map_or_else(String::new, |place| format!(" at {place}"));
            bury(shared, &job.element, &format!("its work panicked{place}")).await;
        }
        Err(_) => bury(shared, &job.element, "its thread ended").await,
    }
    None
}

async fn finish(shared: &Shared, job: &Job, result: &JobResult, took: Duration) -> Option<Element> {
    let finish = || {
        let and_claim = !shared.stop.is_cancelled() && !isolation::is_requested(shared);
        shared.queue.finish(job, result, and_claim)
    };
    loop {
        match retry_while_unavailable(shared, "finish", MAX_FINISH_ATTEMPTS, finish).await? {
            Ok((finished, next)) => {
                done(shared, job, result, took, finished);
                return next;
            }
            Err(error) => {
                let reason = format!("its result could not be stored: {error}");
                if !error.may_heal() {
                    bury(shared, &job.element, &reason).await;
                    return None;
                }
                // A queue that is away does not take this either: then the result is offered again.
                let retry = || shared.queue.retry(job, &reason);
                if let Ok(retried) =
                    retry_while_unavailable(shared, "finish", MAX_FINISH_ATTEMPTS, retry).await?
                {
                    put_off(shared, job, &reason, retried);
                    return None;
                }
            }
        }
    }
}

fn done(shared: &Shared, job: &Job, result: &JobResult, took: Duration, finished: Finished) {
    let blocks = result.compressed.blocks.iter();
    let saved: u64 = blocks
        .map(|block| block.from_bytes.saturating_sub(block.to_bytes))
        .sum();
    shared.metrics.ended(match finished {
        Finished::Done => Outcome::Done,
        Finished::DoneAgain => Outcome::DoneAgain,
    });
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

async fn retry(shared: &Shared, job: &Job, reason: &str) {
    let retry = || shared.queue.retry(job, reason);
    match retry_while_unavailable(shared, "retry", UNLIMITED, retry).await {
        Some(Ok(retried)) => put_off(shared, job, reason, retried),
        Some(Err(error)) => {
            tracing::error!(job.id = job.envelope.id, error.message = %error, "a failed job could not be put off");
        }
        None => {}
    }
}

fn put_off(shared: &Shared, job: &Job, reason: &str, retried: Retried) {
    let (outcome, became) = match retried {
        Retried::Later(_) => (Outcome::Retried, "it is tried again later"),
        Retried::DeadLettered => (
            Outcome::DeadLettered,
            "it had no attempt left and was buried",
        ),
        Retried::NotHeld => {
            shared.metrics.ended(Outcome::Lost);
            tracing::info!(
                job.id = job.envelope.id,
                "another worker has this job by now"
            );
            return;
        }
    };
    shared.metrics.ended(outcome);
    tracing::warn!(
        job.id = job.envelope.id,
        job.reason = reason,
        "job failed: {became}"
    );
}

/// Buries an element that no attempt can help.
async fn bury(shared: &Shared, element: &Element, reason: &str) {
    let bury = || shared.queue.dead_letter(element, reason);
    match retry_while_unavailable(shared, "bury", UNLIMITED, bury).await {
        Some(Ok(())) => {
            shared.metrics.ended(Outcome::DeadLettered);
            tracing::warn!(job.reason = reason, "job buried");
        }
        Some(Err(error)) => {
            tracing::error!(job.reason = reason, error.message = %error, "a job could not be buried");
        }
        None => {}
    }
}

/// Repeats a step while it fails for reasons that may heal, at most so many times in all; nothing when the grace for a stop ends it.
async fn retry_while_unavailable<T, F: Future<Output = Result<T, StoreError>>>(
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
            Err(error) if error.may_heal() && attempts < most => {
                shared.status.failed(step, &error);
            }
            Err(error) => return Some(Err(error)),
        }
        if !backoff.wait(&shared.grace_over).await {
            return None;
        }
    }
}
