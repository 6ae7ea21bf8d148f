//! Says at short intervals that this worker lives.

use std::sync::Arc;

use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use crate::state::Shared;

pub(crate) async fn run(shared: Arc<Shared>, end: CancellationToken) {
    let beat = shared.timing.heartbeat_interval;
    let mut beats = interval_at(Instant::now() + beat, beat);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while end.run_until_cancelled(beats.tick()).await.is_some() {
        match shared.queue.heartbeat().await {
            Ok(found) => {
                shared.status.works("heartbeat");
                if found > 0 {
                    tracing::warn!(
                        jobs.found = found,
                        "found jobs whose claim was never answered: works on them"
                    );
                    shared.queue.interrupt().await;
                }
            }
            Err(error) => shared.status.failed("heartbeat", &error),
        }
    }
}
