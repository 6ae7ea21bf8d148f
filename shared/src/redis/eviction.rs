//! Whether Redis evicts keys when its memory is full. An evicted entry breaks a session: what was sent compressed would be sent in the
//! original.

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

/// Reads the policy, by either of the two commands that give it: a user may be allowed only one of them.
pub(crate) async fn read_policy(connection: &mut MultiplexedConnection) -> RedisResult<Eviction> {
    let info: Option<String> = query_if_allowed(connection, cmd("INFO").arg("memory")).await?;
    if let Some(policy) = info
        .as_deref()
        .and_then(|it| info_field(it, "maxmemory_policy"))
    {
        return Ok(Eviction::from_policy(policy));
    }
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
    fn a_field_is_found_by_its_whole_name() {
        let info = "# Server\r\nredis_version:7.0.15\r\nredis_mode:cluster\r\n";
        assert_eq!(info_field(info, "redis_mode"), Some("cluster"));
        assert_eq!(info_field(info, "redis"), None);
    }
}
