//! Waits for Redis at the start, and refuses one that can't hold the queue.

use headroom_shared::queue::redis::{UnmetRequirement, check_requirements};
use headroom_shared::redis::RedisPool;
use tokio_util::sync::CancellationToken;

use crate::retry::retry;
use crate::status::Status;

/// Waits until Redis responds; false if `stop` comes before that.
pub(crate) async fn redis_is_up(
    pool: &RedisPool,
    status: &Status,
    stop: &CancellationToken,
) -> Result<bool, UnmetRequirement> {
    let is_away = |unmet: &UnmetRequirement| matches!(unmet, UnmetRequirement::Store(error) if error.is_passing());
    let check = retry(status, "connect", stop, is_away, || {
        check_requirements(pool)
    });
    match stop.run_until_cancelled(check).await.flatten() {
        Some(checked) => checked.map(|()| true),
        None => Ok(false),
    }
}
