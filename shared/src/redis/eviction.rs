//! What Redis does when its memory is full. An entry that goes by itself breaks a session: what was sent compressed would go out in the
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
    /// It does not tell.
    Untold,
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
    fn by(policy: &str) -> Self {
        match policy {
            "noeviction" => Self::Never,
            policy => Self::Evicts(Evicts {
                policy: policy.to_owned(),
            }),
        }
    }

    /// What is wrong with it, if anything is known to be.
    pub(crate) fn evicts(&self) -> Option<&Evicts> {
        match self {
            Self::Evicts(evicts) => Some(evicts),
            Self::Never | Self::Untold => None,
        }
    }
}

/// What a pool's Redis last told.
pub(super) struct Policy {
    purpose: &'static str,
    url: RedisUrl,
    told: Mutex<Eviction>,
}

impl Policy {
    pub(super) fn new(purpose: &'static str, url: &RedisUrl) -> Self {
        Self {
            purpose,
            url: url.clone(),
            told: Mutex::new(Eviction::Untold),
        }
    }

    pub(super) fn evicts(&self) -> Option<Evicts> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.evicts().cloned()
    }

    /// Notes what Redis tells; logs once that it evicts keys, and once that it no longer does.
    pub(super) fn publish(&self, now: Eviction) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if *told == now {
            return;
        }
        if let Some(evicts) = now.evicts() {
            tracing::warn!(redis.pool = self.purpose, redis.address = %self.url, "{evicts}; until then nothing new is compressed");
        } else if told.evicts().is_some() {
            tracing::info!(redis.pool = self.purpose, redis.address = %self.url, "Redis no longer evicts keys: compression goes on");
        }
        *told = now;
    }
}

/// Asks for the policy, by either of the two commands that tell it: a user may be let give only one.
pub(crate) async fn ask(connection: &mut MultiplexedConnection) -> RedisResult<Eviction> {
    let info: Option<String> = unless_refused(connection, cmd("INFO").arg("memory")).await?;
    if let Some(policy) = info.as_deref().and_then(|it| field(it, "maxmemory_policy")) {
        return Ok(Eviction::by(policy));
    }
    let get = cmd("CONFIG").arg("GET").arg("maxmemory-policy").to_owned();
    let config: Option<Vec<String>> = unless_refused(connection, &get).await?;
    let policy = config.as_deref().and_then(|answer| answer.get(1));
    Ok(policy.map_or(Eviction::Untold, |policy| Eviction::by(policy)))
}

/// The answer to a command, or nothing where this user may not give it or the server does not know it.
pub(crate) async fn unless_refused<T: FromRedisValue>(
    connection: &mut MultiplexedConnection,
    command: &Cmd,
) -> RedisResult<Option<T>> {
    match command.query_async(connection).await {
        Ok(answer) => Ok(Some(answer)),
        // A server that refuses the command has answered all the same; one that is loading or away has not.
        Err(error) if is_refused(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_refused(error: &RedisError) -> bool {
    matches!(error.code(), Some("NOPERM" | "ERR"))
}

/// A field of what INFO says.
pub(crate) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix(':');
    info.lines().find_map(value).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noeviction_alone_keeps_everything() {
        assert_eq!(Eviction::by("noeviction"), Eviction::Never);
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
            let eviction = Eviction::by(policy);
            let said = eviction.evicts().unwrap().to_string();
            assert!(said.contains(policy) && said.ends_with("to noeviction"));
        }
        assert_eq!(Eviction::Untold.evicts(), None);
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let info = "# Server\r\nredis_version:7.0.15\r\nredis_mode:cluster\r\n";
        assert_eq!(field(info, "redis_mode"), Some("cluster"));
        assert_eq!(field(info, "redis"), None);
    }
}
