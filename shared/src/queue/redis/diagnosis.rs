//! What an operator wants to know of a Redis beside whether it fits: its memory, its clock, and what this user may not do there.

use redis::{Cmd, Value, cmd};

use super::requirements::query_if_allowed;
use crate::contract::keys::Keys;
use crate::redis::RedisPool;
use crate::redis::eviction;
use crate::runtime::clock::now_ms;
use crate::store::StoreError;

/// The life of the key that is written to see whether this user may write, in milliseconds.
const TRIAL_LIFE_MS: &str = "1000";

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// Bytes that it holds against its `maxmemory`, and `maxmemory` itself (0: there is none), where this user may ask.
    pub memory: Option<(u64, u64)>,
    /// By how many milliseconds its clock is ahead of this machine's. `None` where this user may not ask.
    pub clock_ahead_ms: Option<i64>,
    /// Commands that proxies and workers need and this user may not run.
    pub refused: Vec<&'static str>,
    /// Whether it holds the deployment's secret, by which all proxies and workers name what they store.
    pub has_secret: bool,
}

/// Looks at a Redis: it reads, and writes one key that expires at once.
///
/// # Errors
/// When Redis does not respond, or refuses this login.
pub async fn diagnose(pool: &RedisPool, keys: &Keys) -> Result<Diagnosis, StoreError> {
    let mut refused = Vec::new();
    for (name, trial) in trials(keys) {
        let allowed: Option<Value> = query_if_allowed(pool, &trial).await?;
        if allowed.is_none() {
            refused.push(name);
        }
    }
    let info: Option<String> = query_if_allowed(pool, cmd("INFO").arg("memory")).await?;
    let asked_ms = now_ms();
    let time: Option<(u64, u64)> = query_if_allowed(pool, &cmd("TIME")).await?;
    let answered_ms = now_ms();
    if time.is_none() {
        refused.push("TIME");
    }
    let exists = cmd("EXISTS").arg(keys.secret()).to_owned();
    let has_secret: Option<bool> = query_if_allowed(pool, &exists).await?;
    Ok(Diagnosis {
        memory: info.as_deref().and_then(eviction::memory),
        clock_ahead_ms: time.map(|time| ahead_ms(time, asked_ms, answered_ms)),
        refused,
        has_secret: has_secret.unwrap_or(false),
    })
}

/// Commands of the kinds that proxies and workers use, by their names.
fn trials(keys: &Keys) -> [(&'static str, Cmd); 4] {
    let key = keys.trial();
    let words = |words: &[&str]| Cmd::new().arg(words).to_owned();
    [
        ("SET", words(&["SET", &key, "", "PX", TRIAL_LIFE_MS])),
        ("GET", words(&["GET", &key])),
        ("EVAL", words(&["EVAL", "return 1", "1", &key])),
        ("SCRIPT LOAD", words(&["SCRIPT", "LOAD", "return 1"])),
    ]
}

/// By how much a clock is ahead that showed this time, seconds and microseconds, at a moment between these two of this machine's. It is behind
/// where that is below 0.
fn ahead_ms((seconds, micros): (u64, u64), asked_ms: u64, answered_ms: u64) -> i64 {
    let shown_ms = seconds.saturating_mul(1000).saturating_add(micros / 1000);
    let signed = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
    if shown_ms > answered_ms {
        signed(shown_ms - answered_ms)
    } else if shown_ms < asked_ms {
        -signed(asked_ms - shown_ms)
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_ahead_or_behind_by_what_the_way_can_t_explain() {
        for (time, ahead) in [
            ((10, 500_000), 0),
            ((10, 0), 0),
            ((9, 0), -1000),
            ((12, 7_000), 1007),
        ] {
            assert_eq!(ahead_ms(time, 10_000, 11_000), ahead, "{time:?}");
        }
    }
}
