//! Room for a job that may be what killed a worker: while it runs, this process holds no other, so that it can harm no
//! neighbour and blame none.

use std::time::Duration;

use tokio::sync::SemaphorePermit;

use crate::state::Shared;

/// How long it waits before it asks again for the thread of a claim that waits.
const INTERRUPT_INTERVAL: Duration = Duration::from_millis(100);

/// The right to run alone, and then the threads of all others.
#[derive(Debug)]
pub(crate) struct Isolation<'a> {
    _right: SemaphorePermit<'a>,
    _others: SemaphorePermit<'a>,
}

/// Whether a job runs alone or waits for that: then no thread takes another one along.
pub(crate) fn is_requested(shared: &Shared) -> bool {
    shared.isolation.available_permits() == 0
}

/// The right to run alone; nothing where another job has it.
pub(crate) fn try_reserve(shared: &Shared) -> Option<SemaphorePermit<'_>> {
    shared.isolation.try_acquire().ok()
}

/// Waits until no other job is held; nothing when told to stop.
pub(crate) async fn acquire<'a>(
    shared: &'a Shared,
    right: SemaphorePermit<'a>,
) -> Option<Isolation<'a>> {
    // The claim that waits for an element has a thread for it: it has to come back for that.
    let ask_for_it = async {
        loop {
            shared.queue.interrupt().await;
            tokio::time::sleep(INTERRUPT_INTERVAL).await;
        }
    };
    let others = tokio::select! {
        biased;
        () = shared.stop.cancelled() => None,
        others = shared.permits.acquire_many(shared.count - 1) => others.ok(),
        () = ask_for_it => None,
    };
    others.map(|others| Isolation {
        _right: right,
        _others: others,
    })
}
