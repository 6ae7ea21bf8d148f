//! Runs a job and does with it what its end asks for, again and again while the queue is away.

use std::future::Future;
use std::time::{Duration, Instant};

use headroom_shared::prefix::JobResult;
use headroom_shared::queue::{Claimed, Element, Finished, Job, Retried};
use headroom_shared::store::StoreError;
use std::sync::Arc;
use tokio::sync::SemaphorePermit;

use crate::backoff::Backoff;
use crate::metrics::Outcome;
use crate::state::Shared;
use crate::threads::Ran;
use crate::work::Failure;

/// How long a job that has to run alone waits before it asks again for the thread of a claim that waits.
const ASK_AGAIN: Duration = Duration::from_millis(100);

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
    match persist(shared, "take", || shared.queue.take(element)).await? {
        Ok(Some(Claimed::Job(job))) => work(shared, &job).await,
        Ok(Some(Claimed::Unusable { element, reason })) => {
            bury(shared, &element, &reason).await;
            None
        }
        Ok(None) => None,
        Err(error) => {
            bury(
                shared,
                element,
                &format!("it could not be taken up: {error}"),
            )
            .await;
            None
        }
    }
}

/// Runs a job to its end, or until the grace for a stop is over.
async fn work(shared: &Shared, job: &Arc<Job>) -> Option<Element> {
    let _alone = match job.crashes {
        0 => None,
        _ => Some(alone(shared, job).await?),
    };
    let since = Instant::now();
    let _busy = shared.metrics.busy();
    let ran = tokio::select! {
        ran = shared.threads.run(Arc::clone(job)) => ran,
        () = shared.give_up.cancelled() => return None,
    };
    match ran {
        Ok(Ran::Made(result)) => return finish(shared, job, &result, since.elapsed()).await,
        Ok(Ran::Failed(Failure::Passing(reason))) => retry(shared, job, &reason).await,
        Ok(Ran::Failed(Failure::Lasting(reason))) => bury(shared, &job.element, &reason).await,
        Ok(Ran::Panicked(place)) => {
            let place = place.map_or_else(String::new, |place| format!(" at {place}"));
            bury(shared, &job.element, &format!("its work panicked{place}")).await;
        }
        Err(_) => bury(shared, &job.element, "its thread ended").await,
    }
    None
}

/// Makes room for a job that may be what killed a worker: while it runs, this process holds no other, so that it can harm no
/// neighbour and blame none. Where another such job has that right, it goes back to the queue.
async fn alone<'a>(
    shared: &'a Shared,
    job: &Job,
) -> Option<(SemaphorePermit<'a>, SemaphorePermit<'a>)> {
    let Ok(alone) = shared.alone.try_acquire() else {
        persist(shared, "release", || shared.queue.release(&job.element)).await;
        return None;
    };
    // The claim that waits for an element has a thread for it: it has to come back for that.
    let ask_for_it = async {
        loop {
            shared.queue.interrupt().await;
            tokio::time::sleep(ASK_AGAIN).await;
        }
    };
    tokio::select! {
        biased;
        () = shared.stop.cancelled() => None,
        others = shared.permits.acquire_many(shared.count - 1) => others.ok().map(|others| (alone, others)),
        () = ask_for_it => None,
    }
}

async fn finish(shared: &Shared, job: &Job, result: &JobResult, took: Duration) -> Option<Element> {
    let finish = || {
        shared
            .queue
            .finish(job, result, !shared.stop.is_cancelled())
    };
    match persist(shared, "finish", finish).await? {
        Ok((finished, next)) => {
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
            next
        }
        Err(error) => {
            let reason = format!("its result could not be stored: {error}");
            bury(shared, &job.element, &reason).await;
            None
        }
    }
}

async fn retry(shared: &Shared, job: &Job, reason: &str) {
    let retried = persist(shared, "retry", || shared.queue.retry(job, reason)).await;
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
    match persist(shared, "bury", || shared.queue.bury(element, reason)).await {
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

/// Repeats a step while it fails for passing reasons; nothing when the grace for a stop ends it.
async fn persist<T, F: Future<Output = Result<T, StoreError>>>(
    shared: &Shared,
    step: &'static str,
    attempt: impl Fn() -> F,
) -> Option<Result<T, StoreError>> {
    let mut backoff = Backoff::new();
    loop {
        match attempt().await {
            Ok(value) => {
                shared.status.works(step);
                return Some(Ok(value));
            }
            Err(error) if error.is_passing() => shared.status.failed(step, &error),
            Err(error) => return Some(Err(error)),
        }
        if !backoff.wait(&shared.give_up).await {
            return None;
        }
    }
}
