//! Reaps at intervals: moves jobs of dead workers, and jobs whose next attempt is due, back to the queue. Every worker does it; no lock is
//! needed.

use std::sync::Arc;
use std::time::Duration;

use headroom_shared::queue::Reaped;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::state::State;

pub(crate) async fn run(state: Arc<State>, end: CancellationToken) {
    while end
        .run_until_cancelled(tokio::time::sleep(jittered(state.timing.reap_interval)))
        .await
        .is_some()
    {
        match state.queue.reap().await {
            Ok(Reaped {
                reaped,
                dead_lettered,
                ..
            }) => {
                state.status.works("reap");
                if reaped + dead_lettered > 0 {
                    tracing::warn!(
                        jobs.reaped = reaped,
                        jobs.buried = dead_lettered,
                        "took jobs back from dead workers"
                    );
                }
            }
            Err(error) => state.status.failed("reap", &error),
        }
    }
}

/// Up to a fifth less, at random, so that workers started together do not reap at the same moment.
fn jittered(time: Duration) -> Duration {
    let random = u32::from(Uuid::new_v4().as_bytes()[0]);
    time - time / 5 * random / 255
}
