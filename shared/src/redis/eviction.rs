//! Whether Redis evicts keys when its memory is full, and whether it is full. An evicted entry breaks a session: what was sent compressed
//! would be sent in the original.

use std::sync::{Mutex, PoisonError};

use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, RedisError, RedisResult, cmd};

use super::url::RedisUrl;

/// What Redis does when its memory is full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Eviction {
    /// It refuses to write, and keeps what it has.
    Never,
    /// It evicts keys.
    Evicts(Evicts),
    /// Its user may not read the setting.
    Unknown,
}

/// Redis evicts keys when its memory is full.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "Redis has maxmemory-policy {policy}: when its memory is full it evicts waiting jobs, or forms and records of what was sent, \
     silently, and sessions break. Set maxmemory-policy to noeviction"
)]
pub struct Evicts {
    policy: String,
}

/// Redis refuses writes because its memory is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "Redis uses {used} of its {max} bytes of maxmemory and refuses writes: give it more maxmemory, or shorten HEADROOM_RETENTION_HOURS"
)]
pub struct Full {
    used: u64,
    max: u64,
}

impl Full {
    /// What a reply to `INFO memory` says of it.
    fn from_info(info: &str) -> Option<Self> {
        let (used, max) = memory(info)?;
        (max > 0 && used > max).then_some(Self { used, max })
    }
}

/// What a reading of Redis's memory has shown.
pub(crate) struct MemoryReading {
    pub(crate) eviction: Eviction,
    pub(crate) full: Option<Full>,
}

impl Eviction {
    fn from_policy(policy: &str) -> Self {
        match policy {
            "noeviction" => Self::Never,
            policy => Self::Evicts(Evicts {
                policy: policy.to_owned(),
            }),
        }
    }

    /// That keys are evicted, where that is known.
    pub(crate) fn evicts(&self) -> Option<&Evicts> {
        match self {
            Self::Evicts(evicts) => Some(evicts),
            Self::Never | Self::Unknown => None,
        }
    }
}

/// What was last read of a pool's Redis.
pub(super) struct LastEviction {
    purpose: &'static str,
    url: RedisUrl,
    last: Mutex<Eviction>,
}

impl LastEviction {
    pub(super) fn new(purpose: &'static str, url: &RedisUrl) -> Self {
        Self {
            purpose,
            url: url.clone(),
            last: Mutex::new(Eviction::Unknown),
        }
    }

    pub(super) fn evicts(&self) -> Option<Evicts> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.evicts().cloned()
    }

    /// Notes a reading; logs once that Redis evicts keys, and once that it no longer does.
    pub(super) fn update(&self, now: Eviction) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if *last == now {
            return;
        }
        if let Some(evicts) = now.evicts() {
            tracing::warn!(redis.pool = self.purpose, redis.address = %self.url, "{evicts}; until then nothing new is compressed");
        } else if last.evicts().is_some() {
            tracing::info!(redis.pool = self.purpose, redis.address = %self.url, "Redis no longer evicts keys: compression goes on");
        }
        *last = now;
    }
}

/// Reads the policy.
pub(crate) async fn read_policy(connection: &mut MultiplexedConnection) -> RedisResult<Eviction> {
    read_memory(connection)
        .await
        .map(|reading| reading.eviction)
}

/// Reads the policy, by either of the two commands that give it: a user may be allowed only one of them; and whether Redis is full, which
/// only one of them says.
pub(crate) async fn read_memory(
    connection: &mut MultiplexedConnection,
) -> RedisResult<MemoryReading> {
    let info: Option<String> = query_if_allowed(connection, cmd("INFO").arg("memory")).await?;
    let full = info.as_deref().and_then(Full::from_info);
    let policy = info
        .as_deref()
        .and_then(|it| info_field(it, "maxmemory_policy"));
    let eviction = match policy {
        Some(policy) => Eviction::from_policy(policy),
        None => read_configured_policy(connection).await?,
    };
    Ok(MemoryReading { eviction, full })
}

async fn read_configured_policy(connection: &mut MultiplexedConnection) -> RedisResult<Eviction> {
    let get = cmd("CONFIG").arg("GET").arg("maxmemory-policy").to_owned();
    let config: Option<Vec<String>> = query_if_allowed(connection, &get).await?;
    let policy = config.as_deref().and_then(|reply| reply.get(1));
    Ok(policy.map_or(Eviction::Unknown, |policy| Eviction::from_policy(policy)))
}

/// The reply to a command, or nothing where this user may not run it or the server does not know it.
pub(crate) async fn query_if_allowed<T: FromRedisValue>(
    connection: &mut MultiplexedConnection,
    command: &Cmd,
) -> RedisResult<Option<T>> {
    match command.query_async(connection).await {
        Ok(reply) => Ok(Some(reply)),
        // To refuse the command is a response, too; a server that is loading or away has given none.
        Err(error) if is_refused(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_refused(error: &RedisError) -> bool {
    matches!(error.code(), Some("NOPERM" | "ERR"))
}

/// The bytes that Redis holds against `maxmemory`, and `maxmemory` itself (0: there is none), in the reply to `INFO memory`. What replicas and
/// the append-only file still have to be sent does not count (Redis's `mem_not_counted_for_evict`).
pub(crate) fn memory(info: &str) -> Option<(u64, u64)> {
    let not_counted = info_number(info, "mem_not_counted_for_evict").unwrap_or(0);
    let used = info_number(info, "used_memory")?.saturating_sub(not_counted);
    Some((used, info_number(info, "maxmemory")?))
}

/// The value of a field in a reply to `INFO` that is a number.
fn info_number(info: &str, name: &str) -> Option<u64> {
    info_field(info, name)?.parse().ok()
}

/// A field of the reply to INFO.
pub(crate) fn info_field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix(':');
    info.lines().find_map(value).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noeviction_alone_keeps_everything() {
        assert_eq!(Eviction::from_policy("noeviction"), Eviction::Never);
        for policy in [
            "allkeys-lru",
            "allkeys-lfu",
            "allkeys-random",
            "volatile-lru",
            "volatile-lfu",
            "volatile-random",
            "volatile-ttl",
            "",
        ] {
            let eviction = Eviction::from_policy(policy);
            let said = eviction.evicts().unwrap().to_string();
            assert!(said.contains(policy) && said.ends_with("to noeviction"));
        }
        assert_eq!(Eviction::Unknown.evicts(), None);
    }

    #[test]
    fn a_redis_is_full_when_it_refuses_writes() {
        for (used, not_counted, max, full) in [
            (100, 0, 0, false),
            (100, 0, 100, false),
            (101, 0, 100, true),
            (101, 5, 100, false),
        ] {
            let info = format!(
                "used_memory:{used}\r\nmaxmemory:{max}\r\nmem_not_counted_for_evict:{not_counted}\r\n"
            );
            assert_eq!(Full::from_info(&info).is_some(), full, "{info}");
        }
        assert_eq!(Full::from_info(""), None);
    }

    #[test]
    fn memory_is_what_counts_against_the_limit_where_both_figures_are_there() {
        let info = "# Memory\r\nused_memory:5\r\nmaxmemory:9\r\n";
        assert_eq!(memory(info), Some((5, 9)));
        let buffers = format!("{info}mem_not_counted_for_evict:2\r\n");
        assert_eq!(memory(&buffers), Some((3, 9)));
        let more = format!("{info}mem_not_counted_for_evict:7\r\n");
        assert_eq!(memory(&more), Some((0, 9)));
        assert_eq!(memory("used_memory:5\r\n"), None);
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let info = "# Server\r\nredis_version:7.0.15\r\nredis_mode:cluster\r\n";
        assert_eq!(info_field(info, "redis_mode"), Some("cluster"));
        assert_eq!(info_field(info, "redis"), None);
    }
}
