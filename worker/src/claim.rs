//! The one loop that waits for jobs. It takes a free thread first, so that this process never holds more than it can run; a
//! thread that ends a job takes the next one along by itself ([`run_job`]).

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use crate::retry::Backoff;
use crate::run_job;
use crate::state::Shared;

pub(crate) async fn run(shared: Arc<Shared>) {
    let mut backoff = Backoff::new();
    while let Some(thread) = free_thread(&shared).await {
        match shared.queue.claim().await {
            Ok(claimed) => {
                shared.status.works("claim");
                backoff.reset();
                if let Some(element) = claimed {
                    let (jobs, shared) = (shared.jobs.clone(), Arc::clone(&shared));
                    jobs.spawn(async move {
                        run_job::run(&shared, element).await;
                        drop(thread);
                    });
                }
            }
            Err(error) => {
                shared.status.failed("claim", &error);
                backoff.wait(&shared.stop).await;
            }
        }
    }
}

/// Waits for a free thread; none when told to stop.
async fn free_thread(shared: &Shared) -> Option<OwnedSemaphorePermit> {
    let thread = Arc::clone(&shared.permits).acquire_owned();
    // Biased: a stop wins over a free thread.
    tokio::select! {
        biased;
        () = shared.stop.cancelled() => None,
        thread = thread => thread.ok(),
    }
}
