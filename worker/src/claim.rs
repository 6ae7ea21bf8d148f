//! The claim loop. It waits for a free thread before it claims, so that this process never holds more jobs than it can run; a thread that
//! ends a job claims the next one with its acknowledgement ([`run_job`]).

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use crate::state::State;
use crate::{retry, run_job};

pub(crate) async fn run(state: Arc<State>) {
    let mut delays = retry::delays();
    while let Some(thread) = free_thread(&state).await {
        match state.queue.claim().await {
            Ok(claimed) => {
                state.status.works("claim");
                delays = retry::delays();
                if let Some(element) = claimed {
                    let (jobs, state) = (state.jobs.clone(), Arc::clone(&state));
                    jobs.spawn(async move {
                        run_job::run(&state, element).await;
                        drop(thread);
                    });
                }
            }
            Err(error) => {
                state.status.failed("claim", &error);
                let delay = delays.next().unwrap_or_default();
                let _ = state
                    .stop
                    .run_until_cancelled(tokio::time::sleep(delay))
                    .await;
            }
        }
    }
}

/// Waits for a free thread; none when the pool stops.
async fn free_thread(state: &State) -> Option<OwnedSemaphorePermit> {
    let thread = Arc::clone(&state.free_threads).acquire_owned();
    // Biased: a stop takes precedence over a free thread.
    tokio::select! {
        biased;
        () = state.stop.cancelled() => None,
        thread = thread => thread.ok(),
    }
}
