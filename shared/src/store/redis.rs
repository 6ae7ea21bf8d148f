//! [`RedisStore`]: a store in Redis, shared by every proxy and worker of a deployment.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, RedisResult, Script, ScriptInvocation, cmd, pipe};

use super::{Entry, Key, SecretCheck, Store, StoreError};
use crate::contract::id::DigestKey;
use crate::contract::keys::Keys;
use crate::redis::{Evicts, RedisPool, RedisUrl, Retry};

/// How long a response may take where the caller sets no shorter budget: enough for 5 MB over a slow line.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);

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
            call.arg(&entry.value[..]);
        }
        call
    }

    async fn digest_key_with(&self, retry: Retry) -> Result<DigestKey, StoreError> {
        let name = self.keys.secret();
        let read = |connection| read_or_make_secret(connection, &name, self.pool.evicts());
        let secret = self.pool.call(READ_SECRET, retry, read).await?;
        parse_secret(&secret, &name)
    }

    /// Writes this process's secret unless there is one by now; whether it was written, and which is there afterwards.
    async fn restore_secret(
        &self,
        name: &str,
        own: &DigestKey,
    ) -> Result<(bool, Vec<u8>), StoreError> {
        let mut both = pipe();
        both.cmd("SET").arg(name).arg(hex(own)).arg("NX").get(name);
        let reply = self.pool.query(CHECK_SECRET, Retry::Once, &both).await?;
        let (written, found): (Option<String>, Vec<u8>) = reply;
        Ok((written.is_some(), found))
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
        both.cmd("MGET").arg(self.names(keys)).cmd("TIME");
        let reply = self.pool.query(READ, retry, &both);
        let (values, (seconds, micros)): (Vec<Option<Vec<u8>>>, (u64, u64)) = reply.await?;
        let now = (seconds * 1000 + micros / 1000, Instant::now());
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        let values = values.into_iter();
        Ok(values.map(|value| value.map(Bytes::from)).collect())
    }

    /// Writes entries within this time. What is still on its way when the time is over must not be written after the caller has given up.
    async fn write_with(
        &self,
        retry: Retry,
        entries: &[Entry],
        within: Duration,
    ) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let call = self.write_call(entries, self.redis_ms_in(within));
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
        self.digest_key_with(Retry::Once).await
    }

    async fn digest_key_until_available(&self) -> Result<DigestKey, StoreError> {
        self.digest_key_with(Retry::UntilAvailable).await
    }

    async fn check_secret(&self, own: &DigestKey) -> Result<SecretCheck, StoreError> {
        if let Some(evicts) = self.pool.evicts() {
            return Err(StoreError::other(CHECK_SECRET, evicts));
        }
        let name = self.keys.secret();
        let get = cmd("GET").arg(&name).to_owned();
        let found: Option<Vec<u8>> = self.pool.query(CHECK_SECRET, Retry::Once, &get).await?;
        let (is_restored, found) = match found {
            Some(found) => (false, found),
            None => self.restore_secret(&name, own).await?,
        };
        let found = parse_secret(&found, &name)?;
        Ok(match (found.as_bytes() == own.as_bytes(), is_restored) {
            (true, false) => SecretCheck::Same,
            (true, true) => SecretCheck::Restored,
            (false, _) => SecretCheck::Replaced(found),
        })
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
        self.write_with(Retry::Once, entries, within).await
    }

    async fn write_until_available(
        &self,
        entries: &[Entry],
        within: Duration,
    ) -> Result<(), StoreError> {
        self.write_with(Retry::UntilAvailable, entries, within)
            .await
    }

    async fn touch(&self, keys: &[Key]) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut pipeline = pipe();
        for name in self.names(keys) {
            pipeline
                .cmd("PEXPIRE")
                .arg(name)
                .arg(self.retention_ms)
                .ignore();
        }
        self.pool
            .query("touching entries in Redis", Retry::Once, &pipeline)
            .await
    }

    fn evicts(&self) -> Option<Evicts> {
        self.pool.evicts()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.pool
            .query("asking Redis", Retry::Once, &cmd("PING"))
            .await
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

/// The deployment's secret in Redis; makes one where there is none, unless Redis evicts keys.
async fn read_or_make_secret(
    mut connection: MultiplexedConnection,
    name: &str,
    evicts: Option<Evicts>,
) -> RedisResult<Vec<u8>> {
    // Read first: a full Redis refuses the SET even where there is nothing to set.
    let found: Option<Vec<u8>> = cmd("GET").arg(name).query_async(&mut connection).await?;
    if let Some(found) = found {
        return Ok(found);
    }
    if let Some(evicts) = evicts {
        let problem = "the deployment's secret is not made";
        return Err((ErrorKind::InvalidClientConfig, problem, evicts.to_string()).into());
    }
    let fresh = hex(&DigestKey::random());
    let (found,): (Vec<u8>,) = pipe()
        .cmd("SET")
        .arg(name)
        .arg(fresh)
        .arg("NX")
        .ignore()
        .get(name)
        .query_async(&mut connection)
        .await?;
    Ok(found)
}

/// A secret as it is stored: in hexadecimal digits.
fn hex(secret: &DigestKey) -> String {
    blake3::Hash::from_bytes(*secret.as_bytes())
        .to_hex()
        .to_string()
}

/// The digest key whose hexadecimal digits are stored under this name.
fn parse_secret(secret: &[u8], name: &str) -> Result<DigestKey, StoreError> {
    let secret = blake3::Hash::from_hex(secret).map_err(|_| {
        let problem = format!("{name} does not hold the 64 hexadecimal digits it should");
        StoreError::other(READ_SECRET, problem)
    })?;
    Ok(DigestKey::from_bytes(*secret.as_bytes()))
}

/// The revision that the script compares with the stored one: empty where no comparison is needed, so that Redis need not read.
fn revision(entry: &Entry) -> String {
    if entry.has_no_revisions() {
        String::new()
    } else {
        entry.rev.to_string()
    }
}
