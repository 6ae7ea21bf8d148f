//! Waiting for something to become true, with a limit.

use std::future::Future;
use std::time::{Duration, Instant};

/// Longer than anything takes on a loaded machine: for what must come and has no limit of its own.
pub const DEADLINE: Duration = Duration::from_secs(30);
const STEP: Duration = Duration::from_millis(10);

/// Asks `condition` again and again until it holds.
///
/// # Panics
/// When it does not hold before `limit` has passed; `what` says what was waited for.
pub async fn until<F>(what: &str, limit: Duration, mut condition: impl FnMut() -> F)
where
    F: Future<Output = bool>,
{
    let holds = within(limit, || {
        let holds = condition();
        async { holds.await.then_some(()) }
    });
    assert!(
        holds.await.is_some(),
        "waited {limit:?} in vain until {what}"
    );
}

/// Asks `probe` again and again until it gives a value.
///
/// # Panics
/// When it gives none before [`DEADLINE`]; `what` says what was waited for.
pub async fn eventually<T, F>(what: &str, probe: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    match within(DEADLINE, probe).await {
        Some(value) => value,
        None => panic!("waited {DEADLINE:?} in vain for {what}"),
    }
}

/// Asks `probe` again and again until it gives a value or `limit` has passed.
pub async fn within<T, F>(limit: Duration, mut probe: impl FnMut() -> F) -> Option<T>
where
    F: Future<Output = Option<T>>,
{
    let begun = Instant::now();
    loop {
        if let Some(value) = probe().await {
            return Some(value);
        }
        if begun.elapsed() > limit {
            return None;
        }
        tokio::time::sleep(STEP).await;
    }
}

/// Lets `future` finish.
///
/// # Panics
/// When it has not finished before [`DEADLINE`].
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {DEADLINE:?} in vain for {what}"),
    }
}
