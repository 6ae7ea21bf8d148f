//! Isolation of a job that may have killed a worker: while it runs, this process holds no other job. If the process dies, no other job is
//! lost, and it is clear which one was the cause.

use std::time::Duration;

use tokio::sync::SemaphorePermit;

use crate::state::State;

/// How long to wait before the claim that waits is interrupted again.
const INTERRUPT_INTERVAL: Duration = Duration::from_millis(100);

/// The permit to run in isolation, and those of all other threads.
#[derive(Debug)]
pub(crate) struct Isolation<'a> {
    _permit: SemaphorePermit<'a>,
    _other_threads: SemaphorePermit<'a>,
}

/// Whether a job runs in isolation or waits for that: then no other thread claims another job.
pub(crate) fn is_requested(state: &State) -> bool {
    state.isolation.available_permits() == 0
}

/// The permit to run in isolation; nothing where another job has it.
pub(crate) fn try_reserve(state: &State) -> Option<SemaphorePermit<'_>> {
    state.isolation.try_acquire().ok()
}

/// Waits until no other job is held; nothing when the pool stops.
pub(crate) async fn acquire<'a>(
    state: &'a State,
    permit: SemaphorePermit<'a>,
) -> Option<Isolation<'a>> {
    // The claim that waits has the permit of a thread: it has to return to give that back.
    let interrupt_claim = async {
        loop {
            state.queue.interrupt_claim().await;
            tokio::time::sleep(INTERRUPT_INTERVAL).await;
        }
    };
    let other_threads = tokio::select! {
        biased;
        () = state.stop.cancelled() => None,
        threads = state.free_threads.acquire_many(state.thread_count - 1) => threads.ok(),
        () = interrupt_claim => None,
    };
    other_threads.map(|other_threads| Isolation {
        _permit: permit,
        _other_threads: other_threads,
    })
}
