//! Takes back what dead workers held, and jobs whose next attempt is due. Every worker does it; no lock is needed.

use std::sync::Arc;
use std::time::Duration;

use headroom_shared::queue::Reaped;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::state::Shared;

pub(crate) async fn run(shared: Arc<Shared>, end: CancellationToken) {
    while end
        .run_until_cancelled(tokio::time::sleep(jittered(shared.timing.reap_interval)))
        .await
        .is_some()
    {
        match shared.queue.reap().await {
            Ok(Reaped {
                reaped,
                dead_lettered,
                ..
            }) => {
                shared.status.works("reap");
                if reaped + dead_lettered > 0 {
                    tracing::warn!(
                        jobs.reaped = reaped,
                        jobs.buried = dead_lettered,
                        "took jobs back from dead workers"
                    );
                }
            }
            Err(error) => shared.status.failed("reap", &error),
        }
    }
}

/// Up to a fifth less, so that workers started together do not look together.
fn jittered(time: Duration) -> Duration {
    let random = u32::from(Uuid::new_v4().as_bytes()[0]);
    time - time / 5 * random / 255
}
