//! Waits for Redis, and refuses one that can't hold the queue.

use headroom_shared::queue::redis::{UnmetRequirement, check_requirements};
use headroom_shared::redis::RedisPool;
use tokio_util::sync::CancellationToken;

use crate::retry::Backoff;
use crate::status::Status;

/// Waits until Redis answers; false if told to stop before that.
pub(crate) async fn redis_is_up(
    pool: &RedisPool,
    status: &Status,
    stop: &CancellationToken,
) -> Result<bool, UnmetRequirement> {
    let mut backoff = Backoff::new();
    loop {
        let asked = stop.run_until_cancelled(check_requirements(pool)).await;
        match asked {
            None => return Ok(false),
            Some(Ok(())) => {
                status.works("connect");
                return Ok(true);
            }
            Some(Err(UnmetRequirement::Store(error))) if error.is_passing() => {
                status.failed("connect", &error)
            }
            Some(Err(unfit)) => return Err(unfit),
        }
        if !backoff.wait(stop).await {
            return Ok(false);
        }
    }
}
