//! Runs claimed jobs: loads a job, runs it on a thread, then acknowledges it, retries it later, or moves it to the dead-letter list. Each of
//! these steps is repeated while the queue is away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use headroom_shared::compress::Deadline;
use headroom_shared::contract::prefix::JobResult;
use headroom_shared::queue::{Element, Finished, Job, Loaded, Retried};
use headroom_shared::traces::{Kind, Span, SpanParent};

use crate::handler::Failure;
use crate::metrics::Outcome;
use crate::queue_step::{dead_letter, repeat, repeat_at_most};
use crate::state::State;
use crate::threads::JobOutcome;
use crate::{isolation, stuck_job};

/// How often a result is written before its job is retried later: a queue that accepts everything else may never accept this result, which
/// must not block a thread for ever. With the delays between them about three seconds.
const MAX_FINISH_ATTEMPTS: usize = 6;

/// Runs a claimed job, and those that are claimed with its acknowledgement, until none waits. At a stop, jobs that are not done go back to
/// the queue.
pub(crate) async fn run(state: &State, claimed: Element) {
    let mut next = Some(claimed);
    while let Some(element) = next
        && !state.stop.is_cancelled()
    {
        next = run_one(state, &element).await;
    }
}

/// Runs the job of one element. Returns the next element, if one was claimed with the acknowledgement.
async fn run_one(state: &State, element: &Element) -> Option<Element> {
    match repeat(state, "take", || state.queue.load(element)).await? {
        Ok(Some(Loaded::Job(job))) if job.crashes == 0 => return run_loaded(state, &job).await,
        Ok(Some(Loaded::Job(job))) => match isolation::try_reserve(state) {
            Some(permit) => {
                let _isolation = isolation::acquire(state, permit).await?;
                return run_loaded(state, &job).await;
            }
            None => {
                let _ = repeat(state, "release", || state.queue.release(element)).await;
            }
        },
        Ok(Some(Loaded::Unusable { element, reason })) => {
            dead_letter(state, &element, &reason).await;
        }
        Ok(None) => {}
        Err(error) => {
            let reason = format!("it could not be taken up: {error}");
            dead_letter(state, element, &reason).await;
        }
    }
    None
}

/// The span of a job, below that in which it was pushed.
fn span(job: &Job) -> Span {
    let parent = SpanParent::of_headers(job.envelope.traceparent.as_deref(), None);
    let mut span = Span::begin("job", Kind::Consumer, &parent);
    if span.is_recording() {
        span.set("headroom.job.id", job.envelope.id.clone());
        span.set("headroom.job.prefix", job.envelope.prefix.to_string());
        span.set("headroom.job.refresh", job.envelope.refresh);
        let blocks = i64::try_from(job.payload.blocks.len()).unwrap_or(i64::MAX);
        span.set("headroom.job.blocks", blocks);
    }
    span
}

/// Runs a job to its end, or until the grace for a stop is over.
async fn run_loaded(state: &State, job: &Arc<Job>) -> Option<Element> {
    let mut span = span(job);
    let started = Instant::now();
    let _busy = state.metrics.busy();
    let timeout = state.time_limit.timeout;
    let mut running = state.threads.run(Arc::clone(job), Deadline::after(timeout));
    let outcome = tokio::select! {
        outcome = &mut running.outcome => outcome,
        () = state.grace_over.cancelled() => return None,
        () = tokio::time::sleep(timeout + state.timing.stuck_after) => {
            stuck_job::stuck(state, job, &running).await;
            return None;
        }
    };
    match &outcome {
        Ok(JobOutcome::Completed(result)) => {
            let forms = i64::try_from(result.forms.len()).unwrap_or(i64::MAX);
            span.set("headroom.job.forms", forms);
        }
        Ok(JobOutcome::Failed(Failure::OutOfTime)) => span.fail("it took too long"),
        Ok(JobOutcome::Failed(Failure::Transient(_))) => span.fail("it is tried again later"),
        Ok(JobOutcome::Failed(Failure::Permanent(_)) | JobOutcome::Panicked(_)) | Err(_) => {
            span.fail("it can't be done");
        }
    }
    match outcome {
        Ok(JobOutcome::Completed(result)) => {
            return finish(state, job, &result, started.elapsed()).await;
        }
        Ok(JobOutcome::Failed(Failure::Transient(reason))) => {
            retry_later(state, job, &reason).await;
        }
        Ok(JobOutcome::Failed(Failure::OutOfTime)) => stuck_job::timed_out(state, job).await,
        Ok(JobOutcome::Failed(Failure::Permanent(reason))) => {
            dead_letter(state, &job.element, &reason).await;
        }
        Ok(JobOutcome::Panicked(place)) => {
            let place = place.map_or_else(String::new, |place| format!(" at {place}"));
            dead_letter(state, &job.element, &format!("its work panicked{place}")).await;
        }
        Err(_) => dead_letter(state, &job.element, "its thread ended").await,
    }
    None
}

async fn finish(state: &State, job: &Job, result: &JobResult, took: Duration) -> Option<Element> {
    let finish = || {
        let and_claim = !state.stop.is_cancelled() && !isolation::is_requested(state);
        state.queue.finish(job, result, and_claim)
    };
    loop {
        match repeat_at_most(state, "finish", MAX_FINISH_ATTEMPTS, finish).await? {
            Ok((finished, next)) => {
                record_finished(state, job, result, took, finished);
                return next;
            }
            Err(error) => {
                let reason = format!("its result could not be stored: {error}");
                if !error.may_heal() {
                    dead_letter(state, &job.element, &reason).await;
                    return None;
                }
                // A queue that is away does not accept this either: then the result is written again.
                let retry = || state.queue.retry(job, &reason);
                let retried = repeat_at_most(state, "finish", MAX_FINISH_ATTEMPTS, retry).await?;
                if let Ok(retried) = retried {
                    record_retried(state, job, &reason, retried);
                    return None;
                }
            }
        }
    }
}

fn record_finished(
    state: &State,
    job: &Job,
    result: &JobResult,
    took: Duration,
    finished: Finished,
) {
    let blocks = result.compressed.blocks.iter();
    let saved: u64 = blocks
        .map(|block| block.from_bytes.saturating_sub(block.to_bytes))
        .sum();
    state.metrics.ended(match finished {
        Finished::Done => Outcome::Done,
        Finished::DoneAgain => Outcome::DoneAgain,
    });
    state.metrics.completed(took, saved);
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

async fn retry_later(state: &State, job: &Job, reason: &str) {
    match repeat(state, "retry", || state.queue.retry(job, reason)).await {
        Some(Ok(retried)) => record_retried(state, job, reason, retried),
        Some(Err(error)) => {
            tracing::error!(job.id = job.envelope.id, error.message = %error, "a failed job could not be put off");
        }
        None => {}
    }
}

fn record_retried(state: &State, job: &Job, reason: &str, retried: Retried) {
    let (outcome, consequence) = match retried {
        Retried::Later(_) => (Outcome::Retried, "it is tried again later"),
        Retried::DeadLettered => (
            Outcome::DeadLettered,
            "it had no attempt left and was buried",
        ),
        Retried::NotHeld => {
            state.metrics.ended(Outcome::Lost);
            tracing::info!(
                job.id = job.envelope.id,
                "another worker has this job by now"
            );
            return;
        }
    };
    state.metrics.ended(outcome);
    tracing::warn!(
        job.id = job.envelope.id,
        job.reason = reason,
        "job failed: {consequence}"
    );
}
