//! Refuses a Redis that can't hold the queue.

use redis::{Cmd, FromRedisValue, RedisError, cmd};

use crate::link::Link;
use crate::store::StoreError;

const WHAT: &str = "ask Redis what it is";
/// The first version with all the commands that the queue needs: BLMOVE came last.
const OLDEST: (u32, u32) = (6, 2);

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
    /// It lacks commands.
    #[error("Redis has version {version}, which has no BLMOVE: use 6.2 or newer, or any Valkey")]
    Old {
        /// Its version.
        version: String,
    },
    /// It is one of several, and the URL takes it for the only one.
    #[error(
        "Redis runs as a {mode}, which redis:// is not for: set HEADROOM_REDIS_URL to redis-{mode}://host:port{more}"
    )]
    OneOfSeveral {
        /// Its mode: `cluster` or `sentinel`.
        mode: String,
        /// What else the URL needs.
        more: &'static str,
    },
    /// It can't be asked, or refuses this login.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Refuses a Redis that is too old, has a policy of `allkeys-…`, or is a cluster's node or a sentinel without the URL saying so.
/// Where it is not allowed to be asked, it warns and goes on.
///
/// # Errors
/// When it is such a one, or can't be reached.
pub async fn refuse_unfit(link: &Link) -> Result<(), Unfit> {
    let server: Option<String> = ask(link, cmd("INFO").arg("server")).await?;
    if let Some(server) = &server {
        let version = field(server, "redis_version").unwrap_or_default();
        if is_too_old(version) {
            return Err(Unfit::Old {
                version: version.to_owned(),
            });
        }
        let mode = field(server, "redis_mode").unwrap_or_default();
        let more = match mode {
            "cluster" if !link.url().is_cluster() => "",
            "sentinel" => "/?master=NAME",
            _ => return refuse_eviction(link).await,
        };
        return Err(Unfit::OneOfSeveral {
            mode: mode.to_owned(),
            more,
        });
    }
    refuse_eviction(link).await
}

async fn refuse_eviction(link: &Link) -> Result<(), Unfit> {
    let config: Option<Vec<String>> =
        ask(link, cmd("CONFIG").arg("GET").arg("maxmemory-policy")).await?;
    let mut policy = config.and_then(|answer| answer.into_iter().nth(1));
    if policy.is_none() {
        let info: Option<String> = ask(link, cmd("INFO").arg("memory")).await?;
        policy = info.and_then(|info| field(&info, "maxmemory_policy").map(str::to_owned));
    }
    match policy {
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

/// The answer to a command, or nothing where this user may not give it.
pub(super) async fn ask<T: FromRedisValue + Send>(
    link: &Link,
    command: &Cmd,
) -> Result<Option<T>, StoreError> {
    let asked = link.repeat(WHAT, |mut connection| async move {
        match command.query_async(&mut connection).await {
            Ok(answer) => Ok(Some(answer)),
            // A server that refuses the command has answered all the same; one that is loading or away has not.
            Err(error) if is_refused(&error) => Ok(None),
            Err(error) => Err(error),
        }
    });
    asked.await
}

/// Whether the server does not let this user give the command, or does not know it.
fn is_refused(error: &RedisError) -> bool {
    matches!(error.code(), Some("NOPERM" | "ERR"))
}

/// A field of what INFO says.
pub(super) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix(':');
    info.lines().find_map(value).map(str::trim)
}

fn is_too_old(version: &str) -> bool {
    let mut numbers = version.split('.').map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < OLDEST,
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

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let info = "# Server\r\nredis_version:7.0.15\r\nredis_mode:cluster\r\n";
        assert_eq!(field(info, "redis_mode"), Some("cluster"));
        assert_eq!(field(info, "redis"), None);
    }
}
