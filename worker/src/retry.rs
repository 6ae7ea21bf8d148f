//! Repeats what failed because Redis is away, with growing delays. Their jitter keeps workers from retrying at the same moment.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio_util::sync::CancellationToken;

use crate::status::Status;

/// The delays between attempts, without end: from 75 ms to 2.5 s, to each of which jitter adds up to as much again.
pub(crate) fn delays() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(75))
        .with_max_delay(Duration::from_millis(2500))
        .without_max_times()
        .with_jitter()
        .build()
}

/// Makes attempts until one succeeds, or fails with an error that is not `retryable`. Each outcome is noted in `status` under `step`.
/// `None` if `cancel` ends the delay between two attempts; an attempt itself is never cancelled.
pub(crate) async fn retry<T, E: Display, F: Future<Output = Result<T, E>>>(
    status: &Status,
    step: &'static str,
    cancel: &CancellationToken,
    mut retryable: impl FnMut(&E) -> bool,
    attempt: impl Fn() -> F,
) -> Option<Result<T, E>> {
    let mut delays = delays();
    loop {
        match attempt().await {
            Ok(value) => {
                status.works(step);
                return Some(Ok(value));
            }
            Err(error) if retryable(&error) => status.failed(step, &error),
            Err(error) => return Some(Err(error)),
        }
        let delay = delays.next().unwrap_or_default();
        cancel
            .run_until_cancelled(tokio::time::sleep(delay))
            .await?;
    }
}
