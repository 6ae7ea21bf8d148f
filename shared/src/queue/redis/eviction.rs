//! Refuses a Redis that may evict the queue's own keys when its memory is full.

use std::collections::HashMap;

use deadpool_redis::Pool;

use super::connect::get;
use crate::store::StoreError;

/// Why a Redis can't hold the queue.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// It evicts any key when its memory is full.
    #[error(
        "Redis has maxmemory-policy {policy}: when its memory is full it would evict waiting jobs and records of what was \
         sent, silently. Set maxmemory-policy to noeviction or volatile-lru"
    )]
    Evicting {
        /// Its policy.
        policy: String,
    },
    /// It can't be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Refuses a Redis with a policy of `allkeys-…`. Where neither CONFIG nor INFO is allowed, it warns and goes on.
///
/// # Errors
/// When the policy is such a one, or Redis can't be reached.
pub async fn refuse_eviction(pool: &Pool) -> Result<(), Unfit> {
    match policy(pool).await? {
        Some(policy) if policy.starts_with("allkeys") => Err(Unfit::Evicting { policy }),
        Some(_) => Ok(()),
        None => {
            tracing::warn!(
                "Redis does not tell its maxmemory-policy: see to it that it is not allkeys-…"
            );
            Ok(())
        }
    }
}

async fn policy(pool: &Pool) -> Result<Option<String>, StoreError> {
    const WHAT: &str = "look up Redis's maxmemory-policy";
    let mut connection = get(pool, WHAT).await?;
    let config: Result<HashMap<String, String>, _> = redis::cmd("CONFIG")
        .arg("GET")
        .arg("maxmemory-policy")
        .query_async(&mut connection)
        .await;
    match config {
        Ok(mut answer) if !answer.is_empty() => return Ok(answer.remove("maxmemory-policy")),
        // A server that refuses the command has answered all the same; one that is loading or away has not.
        Err(error) if !refused(&error) => return Err(StoreError::redis(WHAT, error)),
        _ => {}
    }
    let info: Result<String, _> = redis::cmd("INFO")
        .arg("memory")
        .query_async(&mut connection)
        .await;
    match info {
        Ok(info) => Ok(info
            .lines()
            .find_map(|line| line.strip_prefix("maxmemory_policy:"))
            .map(str::to_owned)),
        Err(error) if refused(&error) => Ok(None),
        Err(error) => Err(StoreError::redis(WHAT, error)),
    }
}

/// Whether the server does not let this user give the command, or does not know it.
fn refused(error: &redis::RedisError) -> bool {
    matches!(error.code(), Some("NOPERM" | "ERR"))
}
