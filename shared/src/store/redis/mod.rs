//! [`RedisStore`]: a store in Redis, shared by every proxy and worker of a deployment.

mod identity;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use redis::{Script, ScriptInvocation, pipe};

use self::identity::DataName;
use super::{Entry, Generation, Key, Life, SecretCheck, Store, StoreError, provisional_life_ms};
use crate::contract::id::DigestKey;
use crate::contract::keys::Keys;
use crate::redis::{Evicts, Full, RedisPool, RedisUrl, Retry, unix_ms};

/// How long a response may take where the caller sets no shorter budget: enough for 5 MB over a slow line.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What PTTL returns where there is no such key.
const NO_KEY: i64 = -2;

/// The names of operations in errors.
const READ_SECRET: &str = "reading the deployment's secret";
const CHECK_SECRET: &str = "checking the deployment's secret";
const READ: &str = "reading from Redis";
const WRITE: &str = "writing to Redis";

/// A store in Redis.
///
/// It has a [`RedisPool`] of its own, so that no large job holds up a request. Any call's future may be dropped half-way.
pub struct RedisStore {
    pool: Arc<RedisPool>,
    keys: Keys,
    retention_ms: u64,
    write_script: Script,
    remove_provisional_script: Script,
    identity_script: Script,
    data: DataName,
    /// The last reading of Redis's clock, in milliseconds since 1970, and when it arrived here.
    clock: Mutex<Option<(u64, Instant)>>,
}

impl RedisStore {
    /// The store in the Redis at `url`, under the names of `keys`, whose entries live for `retention` (at least 1 ms) since
    /// their last use. Redis need not be there yet. Must be called within a tokio runtime, which runs the connection.
    #[must_use]
    pub fn new(url: &RedisUrl, keys: Keys, retention: Duration) -> Self {
        Self {
            pool: RedisPool::new("store", url, &keys, RESPONSE_TIMEOUT),
            keys,
            retention_ms: u64::try_from(retention.as_millis())
                .unwrap_or(u64::MAX)
                .max(1),
            write_script: Script::new(include_str!("write.lua")),
            remove_provisional_script: Script::new(include_str!("remove_provisional.lua")),
            identity_script: identity::script(),
            data: DataName::default(),
            clock: Mutex::new(None),
        }
    }

    /// Redis's clock at a time from now; too early, if anything, by the time that the last reading took to arrive. `None` before the first
    /// reading.
    fn redis_ms_in(&self, time: Duration) -> Option<u64> {
        let (redis_ms, arrived) = (*self.clock.lock().unwrap_or_else(PoisonError::into_inner))?;
        let since = u64::try_from((arrived.elapsed() + time).as_millis()).ok()?;
        redis_ms.checked_add(since)
    }

    /// The script call that writes entries unless Redis's clock is past `deadline`. It may be repeated: it writes the same, and never after
    /// the deadline.
    fn write_call<'a>(
        &'a self,
        entries: &'a [Entry],
        deadline: Option<u64>,
    ) -> ScriptInvocation<'a> {
        let mut call = self.write_script.prepare_invoke();
        call.arg(self.retention_ms);
        call.arg(deadline.map_or(String::new(), |deadline| deadline.to_string()));
        for entry in entries {
            call.key(self.keys.entry(entry.key));
            call.arg(revision(entry));
            match entry.life {
                Life::Full => call.arg(""),
                Life::Provisional => call.arg(provisional_life_ms(self.retention_ms)),
            };
            call.arg(&entry.value[..]);
        }
        call
    }

    /// The deployment's secret, which is `known` where the store has none: then it has lost its data. Where no secret is known, a new one
    /// is made. And which data the store holds now.
    async fn identity(
        &self,
        operation: &'static str,
        retry: Retry,
        known: Option<&DigestKey>,
    ) -> Result<(DigestKey, Generation), StoreError> {
        let evicts = self.pool.evicts();
        let fresh = DigestKey::random();
        let candidate = identity::hex(known.unwrap_or(&fresh));
        let secret_key = self.keys.secret();
        let interruptions = self.pool.generation();
        let mut call = self.identity_script.prepare_invoke();
        call.key(&secret_key).key(self.keys.data_name());
        call.arg(if evicts.is_none() { &candidate } else { "" });
        call.arg(identity::new_name());
        call.arg(u8::from(known.is_some()));
        let reply = self.pool.query(operation, retry, &call).await?;
        let (secret, name): (Option<Vec<u8>>, Option<Vec<u8>>) = reply;
        let Some(secret) = secret else {
            let evicts = evicts.map(|evicts| evicts.to_string()).unwrap_or_default();
            let problem = format!("the deployment's secret is not made: {evicts}");
            return Err(StoreError::other(operation, problem));
        };
        let secret = identity::parse_secret(operation, &secret, &secret_key)?;
        let redis_ms = self.redis_ms_in(Duration::ZERO).unwrap_or_default();
        self.data.note(name.as_deref(), redis_ms);
        let generation = Generation {
            name: name.map(Bytes::from),
            interruptions,
        };
        Ok((secret, generation))
    }

    async fn read_with(
        &self,
        retry: Retry,
        keys: &[Key],
    ) -> Result<Vec<Option<Bytes>>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut both = pipe();
        let names = (self.names(keys), self.keys.data_name());
        both.cmd("MGET").arg(names).cmd("TIME");
        let reply = self.pool.query(READ, retry, &both);
        let (mut values, time): (Vec<Option<Vec<u8>>>, (u64, u64)) = reply.await?;
        let now = (unix_ms(time), Instant::now());
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        self.data.note(values.pop().flatten().as_deref(), now.0);
        let values = values.into_iter();
        Ok(values.map(|value| value.map(Bytes::from)).collect())
    }

    /// Writes entries within this time, unless they reach Redis later than `until` from now. What is still on its way when the time is over
    /// must not be written after the caller has given up.
    async fn write_with(
        &self,
        retry: Retry,
        entries: &[Entry],
        (until, within): (Duration, Duration),
    ) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let call = self.write_call(entries, self.redis_ms_in(until));
        let written = tokio::time::timeout(within, self.pool.query(WRITE, retry, &call)).await;
        check_written(written.unwrap_or_else(|_| Err(StoreError::timeout(WRITE, within)))?)
    }

    fn names(&self, keys: &[Key]) -> Vec<String> {
        keys.iter().map(|&key| self.keys.entry(key)).collect()
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn digest_key(&self) -> Result<DigestKey, StoreError> {
        let identity = self.identity(READ_SECRET, Retry::Once, None).await;
        identity.map(|(secret, _)| secret)
    }

    async fn digest_key_until_available(&self) -> Result<DigestKey, StoreError> {
        let identity = self
            .identity(READ_SECRET, Retry::UntilAvailable, None)
            .await;
        identity.map(|(secret, _)| secret)
    }

    async fn check_secret(&self, own: &DigestKey) -> Result<SecretCheck, StoreError> {
        let (found, generation) = self.identity(CHECK_SECRET, Retry::Once, Some(own)).await?;
        Ok(if found.as_bytes() == own.as_bytes() {
            SecretCheck::Same(generation)
        } else {
            SecretCheck::Replaced(found)
        })
    }

    async fn data_lost(&self) {
        self.data.changed().await;
    }

    fn settled_at(&self) -> Option<Instant> {
        self.data.settled_at()
    }

    async fn lives(&self, keys: &[Key]) -> Result<Vec<Option<Life>>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = pipe();
        for name in self.names(keys) {
            pipeline.cmd("PTTL").arg(name);
        }
        let operation = "asking Redis for keys";
        let left: Vec<i64> = self.pool.query(operation, Retry::Once, &pipeline).await?;
        let provisional = provisional_life_ms(self.retention_ms);
        let life = |left: &i64| match (*left, u64::try_from(*left)) {
            (NO_KEY, _) => None,
            (_, Ok(left)) if left <= provisional => Some(Life::Provisional),
            _ => Some(Life::Full),
        };
        Ok(left.iter().map(life).collect())
    }

    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        self.read_with(Retry::Once, keys).await
    }

    async fn read_until_available(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        self.read_with(Retry::UntilAvailable, keys).await
    }

    async fn write(&self, entries: &[Entry]) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let call = self.write_call(entries, None);
        check_written(self.pool.query(WRITE, Retry::Once, &call).await?)
    }

    async fn write_within(&self, entries: &[Entry], within: Duration) -> Result<(), StoreError> {
        // The answer takes as long as the way there, about: where it could not come in time, nothing is written, or others would read
        // what the caller has given up.
        self.write_with(Retry::Once, entries, (within / 2, within))
            .await
    }

    async fn write_until_available(
        &self,
        entries: &[Entry],
        within: Duration,
    ) -> Result<(), StoreError> {
        self.write_with(Retry::UntilAvailable, entries, (within, within))
            .await
    }

    async fn touch(&self, keys: &[Key]) -> Result<Vec<bool>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = pipe();
        for name in self.names(keys) {
            pipeline.cmd("PEXPIRE").arg(name).arg(self.retention_ms);
        }
        self.pool
            .query("touching entries in Redis", Retry::Once, &pipeline)
            .await
    }

    async fn remove_provisional(&self, keys: &[Key]) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut call = self.remove_provisional_script.prepare_invoke();
        for name in self.names(keys) {
            call.key(name);
        }
        call.arg(provisional_life_ms(self.retention_ms));
        self.pool
            .query("deleting entries of a refused request", Retry::Once, &call)
            .await
    }

    fn evicts(&self) -> Option<Evicts> {
        self.pool.evicts()
    }

    async fn ping(&self) -> Result<Option<Full>, StoreError> {
        self.pool.read_memory("asking Redis").await
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

/// Checks what the script that writes returned: how many entries it wrote, or that they came too late.
fn check_written(entries: i64) -> Result<(), StoreError> {
    if entries < 0 {
        return Err(StoreError::other(WRITE, "the entries came too late"));
    }
    Ok(())
}

/// The revision that the script compares with the stored one: empty where no comparison is needed, so that Redis need not read.
fn revision(entry: &Entry) -> String {
    if entry.has_no_revisions() {
        String::new()
    } else {
        entry.rev.to_string()
    }
}
