//! Steps on the queue, each repeated while the queue is away.

use std::future::Future;

use headroom_shared::queue::Element;
use headroom_shared::store::StoreError;

use crate::metrics::Outcome;
use crate::retry;
use crate::state::State;

/// Moves an element that no further attempt can help to the dead-letter list.
pub(crate) async fn dead_letter(state: &State, element: &Element, reason: &str) {
    let dead_letter = || state.queue.dead_letter(element, reason);
    match repeat(state, "bury", dead_letter).await {
        Some(Ok(())) => {
            state.metrics.ended(Outcome::DeadLettered);
            tracing::warn!(job.reason = reason, "job buried");
        }
        Some(Err(error)) => {
            tracing::error!(job.reason = reason, error.message = %error, "a job could not be buried");
        }
        None => {}
    }
}

/// Repeats a step while the queue is away; nothing when the grace for a stop is over.
pub(crate) async fn repeat<T, F: Future<Output = Result<T, StoreError>>>(
    state: &State,
    step: &'static str,
    attempt: impl Fn() -> F,
) -> Option<Result<T, StoreError>> {
    repeat_at_most(state, step, usize::MAX, attempt).await
}

/// The same, with so many attempts at most.
pub(crate) async fn repeat_at_most<T, F: Future<Output = Result<T, StoreError>>>(
    state: &State,
    step: &'static str,
    max_attempts: usize,
    attempt: impl Fn() -> F,
) -> Option<Result<T, StoreError>> {
    let mut attempts = 0;
    let retryable = |error: &StoreError| {
        attempts += 1;
        error.may_heal() && attempts < max_attempts
    };
    retry::retry(&state.status, step, &state.grace_over, retryable, attempt).await
}
