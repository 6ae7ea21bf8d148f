//! Sends this worker's heartbeat at short intervals, and picks up elements of claims whose reply was lost.

use std::sync::Arc;

use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use crate::state::State;

pub(crate) async fn run(state: Arc<State>, end: CancellationToken) {
    let interval = state.timing.heartbeat_interval;
    let mut beats = interval_at(Instant::now() + interval, interval);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while end.run_until_cancelled(beats.tick()).await.is_some() {
        match state.queue.heartbeat().await {
            Ok(found) => {
                state.status.works("heartbeat");
                if found > 0 {
                    tracing::warn!(
                        jobs.found = found,
                        "found jobs whose claim was never answered: works on them"
                    );
                    state.queue.interrupt_claim().await;
                }
            }
            Err(error) => state.status.failed("heartbeat", &error),
        }
    }
}
