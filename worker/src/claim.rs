//! The one loop that takes jobs. It takes a free thread first, so that this process never holds more than it can run.

use std::sync::Arc;

use headroom_shared::queue::{Claimed, Job};
use tokio::sync::OwnedSemaphorePermit;

use crate::backoff::Backoff;
use crate::pool::Shared;
use crate::settle;

pub(crate) async fn run(shared: Arc<Shared>) {
    let mut backoff = Backoff::new();
    while let Some(thread) = permits(&shared, 1).await {
        match shared.queue.claim().await {
            Ok(claimed) => {
                shared.status.works("claim");
                backoff.reset();
                if let Some(claimed) = claimed {
                    begin(&shared, claimed, thread).await;
                }
            }
            Err(error) => {
                shared.status.failed("claim", &error);
                backoff.wait(&shared.stop).await;
            }
        }
    }
}

/// Waits for free threads; none when told to stop.
async fn permits(shared: &Shared, count: u32) -> Option<OwnedSemaphorePermit> {
    let permits = Arc::clone(&shared.permits).acquire_many_owned(count);
    // Biased: a stop wins over a free thread.
    tokio::select! {
        biased;
        () = shared.stop.cancelled() => None,
        permits = permits => permits.ok(),
    }
}

/// Begins with what was claimed, unless a stop came: then the queue gets it back when this worker leaves.
async fn begin(shared: &Arc<Shared>, claimed: Claimed, mut thread: OwnedSemaphorePermit) {
    if shared.stop.is_cancelled() {
        return;
    }
    let job: Arc<Job> = match claimed {
        Claimed::Job(job) => job,
        Claimed::Unusable { element, reason } => {
            settle::bury(shared, &element, &reason).await;
            return;
        }
    };
    if job.crashes > 0 && shared.count > 1 {
        // It may be what killed a worker: alone, it can harm no neighbour and blame none.
        let Some(others) = permits(shared, shared.count - 1).await else {
            return;
        };
        thread.merge(others);
    }
    let shared = Arc::clone(shared);
    let jobs = shared.jobs.clone();
    jobs.spawn(async move {
        settle::run(&shared, &job).await;
        drop(thread);
    });
}
