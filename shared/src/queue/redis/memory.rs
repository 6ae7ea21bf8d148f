//! How full Redis is: when it is nearly full, the rest of its memory is not spent on large jobs.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::cmd;

use super::requirements::query_if_allowed;
use crate::redis::RedisPool;
use crate::redis::eviction::memory;
use crate::store::StoreError;

/// How old a reading may be that is still used.
const MAX_AGE: Duration = Duration::from_secs(1);

/// The last reading: when, and whether the usage was above the limit.
#[derive(Debug, Default)]
pub(super) struct MemoryUsage(Mutex<Option<(Instant, bool)>>);

impl MemoryUsage {
    /// Whether Redis has used at least so many percent of its `maxmemory`. False where it has none, or this user may not read it.
    pub(super) async fn is_above(
        &self,
        pool: &RedisPool,
        percent: u64,
    ) -> Result<bool, StoreError> {
        if let Some((at, high)) = *self.last()
            && at.elapsed() < MAX_AGE
        {
            return Ok(high);
        }
        let info: Option<String> = query_if_allowed(pool, cmd("INFO").arg("memory")).await?;
        let (used, max) = info.as_deref().and_then(memory).unwrap_or((0, 0));
        let high = max > 0 && used.saturating_mul(100) >= max.saturating_mul(percent);
        let before = self.last().replace((Instant::now(), high));
        let was_high = before.is_some_and(|(_, high)| high);
        if high && !was_high {
            tracing::warn!(
                redis.used_bytes = used,
                redis.maxmemory_bytes = max,
                "Redis is {percent} % full: large jobs are dropped until it has room; give it more maxmemory or shorten HEADROOM_RETENTION_HOURS"
            );
        } else if was_high && !high {
            tracing::info!(
                redis.used_bytes = used,
                redis.maxmemory_bytes = max,
                "Redis has room again"
            );
        }
        Ok(high)
    }

    fn last(&self) -> MutexGuard<'_, Option<(Instant, bool)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
