//! Checks at the start whether a Redis can hold the queue: its version, topology and eviction policy.

use redis::{Cmd, FromRedisValue, cmd};

use crate::redis::eviction::{self, Eviction, info_field};
use crate::redis::{Evicts, RedisPool, Retry};
use crate::store::StoreError;

const OPERATION: &str = "ask Redis what it is";
/// The first version with all the commands that the queue needs: BLMOVE came last.
const MIN_VERSION: (u32, u32) = (6, 2);

/// Why a Redis can't hold the queue.
#[derive(Debug, thiserror::Error)]
pub enum UnmetRequirement {
    /// It evicts keys when its memory is full.
    #[error(transparent)]
    Eviction(#[from] Evicts),
    /// It lacks commands.
    #[error("Redis has version {version}, which has no BLMOVE: use 6.2 or newer, or any Valkey")]
    TooOld {
        /// Its version.
        version: String,
    },
    /// It is a sentinel or a node of a cluster, and the URL says it is a single server.
    #[error(
        "Redis runs as a {mode}, which redis:// is not for: set HEADROOM_REDIS_URL to redis-{mode}://host:port{more}"
    )]
    WrongTopology {
        /// Its mode: `cluster` or `sentinel`.
        mode: String,
        /// What else the URL needs.
        more: &'static str,
    },
    /// It can't be reached, or refuses this login.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Refuses a Redis that is too old, evicts keys, or is a cluster's node or a sentinel without the URL saying so. Where this user may not
/// read the settings, it warns and goes on.
///
/// # Errors
/// When a requirement is not met, or Redis can't be reached.
pub async fn check_requirements(pool: &RedisPool) -> Result<(), UnmetRequirement> {
    let server: Option<String> = query_if_allowed(pool, cmd("INFO").arg("server")).await?;
    if let Some(server) = &server {
        let version = info_field(server, "redis_version").unwrap_or_default();
        if is_too_old(version) {
            return Err(UnmetRequirement::TooOld {
                version: version.to_owned(),
            });
        }
        let mode = info_field(server, "redis_mode").unwrap_or_default();
        let more = match mode {
            "cluster" if !pool.url().is_cluster() => "",
            "sentinel" => "/?master=NAME",
            _ => return refuse_eviction(pool).await,
        };
        return Err(UnmetRequirement::WrongTopology {
            mode: mode.to_owned(),
            more,
        });
    }
    refuse_eviction(pool).await
}

async fn refuse_eviction(pool: &RedisPool) -> Result<(), UnmetRequirement> {
    let read = async |mut connection| eviction::read_policy(&mut connection).await;
    match pool.call(OPERATION, Retry::Once, read).await? {
        Eviction::Evicts(evicts) => Err(evicts.into()),
        Eviction::Never => Ok(()),
        Eviction::Unknown => {
            tracing::warn!(
                "Redis does not tell its maxmemory-policy: see to it that it is noeviction"
            );
            Ok(())
        }
    }
}

/// The reply to a command, or nothing where this user may not run it.
pub(super) async fn query_if_allowed<T: FromRedisValue + Send>(
    pool: &RedisPool,
    command: &Cmd,
) -> Result<Option<T>, StoreError> {
    let query = async |mut connection| eviction::query_if_allowed(&mut connection, command).await;
    pool.call(OPERATION, Retry::Once, query).await
}

fn is_too_old(version: &str) -> bool {
    let mut numbers = version.split('.').map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < MIN_VERSION,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_without_blmove_is_too_old() {
        for (version, old) in [
            ("5.0.14", true),
            ("6.0.16", true),
            ("6.2.0", false),
            ("7.0.15", false),
            ("10.1.0", false),
            ("", false),
        ] {
            assert_eq!(is_too_old(version), old, "{version}");
        }
    }
}
