//! A store in Redis, shared by every proxy and worker of a deployment.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, RedisResult, Script, ScriptInvocation, cmd, pipe};

use super::{Entry, Key, Store, StoreError};
use crate::contract::id::DigestKey;
use crate::contract::keys::Keys;
use crate::redis::{Evicts, RedisPool, RedisUrl};

/// How long an answer may take where the caller sets no shorter budget: enough for 5 MB over a slow line.
const ANSWER: Duration = Duration::from_secs(2);

/// The names of steps in errors.
const SECRET: &str = "reading the deployment's secret";
const READING: &str = "reading from Redis";
const WRITING: &str = "writing to Redis";

/// A store in Redis.
///
/// It has a [`RedisPool`] of its own, so that no large job holds up a request. Any call's future may be dropped half-way.
pub struct RedisStore {
    pool: Arc<RedisPool>,
    keys: Keys,
    retention_ms: u64,
    write: Script,
    /// What Redis's clock said last, in milliseconds since 1970, and when that was heard here.
    clock: Mutex<Option<(u64, Instant)>>,
}

impl RedisStore {
    /// The store in the Redis at `url`, under the names of `keys`, whose entries live for `retention` (at least 1 ms) since
    /// their last use. Redis need not be there yet. Must be called within a tokio runtime, which runs the connection.
    #[must_use]
    pub fn new(url: &RedisUrl, keys: Keys, retention: Duration) -> Self {
        Self {
            pool: RedisPool::new("store", url, &keys, ANSWER),
            keys,
            retention_ms: u64::try_from(retention.as_millis())
                .unwrap_or(u64::MAX)
                .max(1),
            write: Script::new(include_str!("write.lua")),
            clock: Mutex::new(None),
        }
    }

    /// Redis's clock at a time from now; rather early than late, by what the last answer took on its way. `None` before the first
    /// answer.
    fn redis_ms_in(&self, time: Duration) -> Option<u64> {
        let (said, heard) = (*self.clock.lock().unwrap_or_else(PoisonError::into_inner))?;
        let since = u64::try_from((heard.elapsed() + time).as_millis()).ok()?;
        said.checked_add(since)
    }

    fn redis_said(&self, (seconds, micros): (u64, u64)) {
        let now = (seconds * 1000 + micros / 1000, Instant::now());
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    /// The step that writes entries unless Redis's clock is past `until`. What is written again is the same, and no later than it was
    /// wanted.
    fn writing<'a>(&'a self, entries: &'a [Entry], until: Option<u64>) -> ScriptInvocation<'a> {
        let mut call = self.write.prepare_invoke();
        call.arg(self.retention_ms);
        call.arg(until.map_or(String::new(), |until| until.to_string()));
        for entry in entries {
            call.key(self.keys.entry(entry.key));
            call.arg(revision(entry));
            call.arg(&entry.value[..]);
        }
        call
    }

    /// The values that Redis gave, when its clock is noted.
    fn heard(&self, (values, time): Read) -> Vec<Option<Bytes>> {
        self.redis_said(time);
        let values = values.into_iter();
        values.map(|value| value.map(Bytes::from)).collect()
    }

    fn names(&self, keys: &[Key]) -> Vec<String> {
        keys.iter().map(|&key| self.keys.entry(key)).collect()
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn digest_key(&self) -> Result<DigestKey, StoreError> {
        let name = self.keys.secret();
        let evicts = || self.pool.evicts();
        let found = self.pool.repeat(SECRET, |it| secret(it, &name, evicts()));
        parsed(&found.await?, &name)
    }

    async fn digest_key_waiting(&self) -> Result<DigestKey, StoreError> {
        let name = self.keys.secret();
        let evicts = || self.pool.evicts();
        let found = self.pool.insist(SECRET, |it| secret(it, &name, evicts()));
        parsed(&found.await?, &name)
    }

    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let names = self.names(keys);
        let read = self.pool.repeat(READING, |it| values(it, &names)).await?;
        Ok(self.heard(read))
    }

    async fn read_waiting(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let names = self.names(keys);
        let read = self.pool.insist(READING, |it| values(it, &names)).await?;
        Ok(self.heard(read))
    }

    async fn write(&self, entries: &[Entry]) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        written(self.pool.run(WRITING, &self.writing(entries, None)).await?)
    }

    async fn write_within(&self, entries: &[Entry], within: Duration) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        // What is still on its way when the time is over must not be written behind the caller's back.
        let step = self.writing(entries, self.redis_ms_in(within));
        let ended = tokio::time::timeout(within, self.pool.run(WRITING, &step));
        let ended = ended.await;
        written(ended.unwrap_or_else(|_| Err(StoreError::timeout(WRITING, within)))?)
    }

    async fn write_waiting(&self, entries: &[Entry], within: Duration) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let step = self.writing(entries, self.redis_ms_in(within));
        let write = async |mut connection| step.invoke_async(&mut connection).await;
        let ended = tokio::time::timeout(within, self.pool.insist(WRITING, write)).await;
        written(ended.unwrap_or_else(|_| Err(StoreError::timeout(WRITING, within)))?)
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
        let touch = async |mut connection| pipeline.exec_async(&mut connection).await;
        self.pool.repeat("touching entries in Redis", touch).await
    }

    fn evicts(&self) -> Option<Evicts> {
        self.pool.evicts()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let ping = async |mut connection| cmd("PING").exec_async(&mut connection).await;
        self.pool.repeat("asking Redis", ping).await
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

/// What became of a write, by what its script returns.
fn written(entries: i64) -> Result<(), StoreError> {
    if entries < 0 {
        return Err(StoreError::other(WRITING, "the entries came too late"));
    }
    Ok(())
}

/// Values, and Redis's clock: seconds and microseconds.
type Read = (Vec<Option<Vec<u8>>>, (u64, u64));

/// The values under these names.
async fn values(mut connection: MultiplexedConnection, names: &[String]) -> RedisResult<Read> {
    pipe()
        .cmd("MGET")
        .arg(names)
        .cmd("TIME")
        .query_async(&mut connection)
        .await
}

/// The deployment's secret as it stands in Redis, made where there is none and Redis evicts nothing.
async fn secret(
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
        let what = "the deployment's secret is not made";
        return Err((ErrorKind::InvalidClientConfig, what, evicts.to_string()).into());
    }
    let fresh = blake3::Hash::from_bytes(*DigestKey::random().as_bytes()).to_hex();
    let (found,): (Vec<u8>,) = pipe()
        .cmd("SET")
        .arg(name)
        .arg(fresh.as_str())
        .arg("NX")
        .ignore()
        .get(name)
        .query_async(&mut connection)
        .await?;
    Ok(found)
}

/// The key that a secret under this name stands for.
fn parsed(found: &[u8], name: &str) -> Result<DigestKey, StoreError> {
    let secret = blake3::Hash::from_hex(found).map_err(|_| {
        let problem = format!("{name} does not hold the 64 hexadecimal digits it should");
        StoreError::other(SECRET, problem)
    })?;
    Ok(DigestKey::from_bytes(*secret.as_bytes()))
}

/// What the script compares with: nothing for what never changes, which spares Redis the reading.
fn revision(entry: &Entry) -> String {
    if entry.has_no_revisions() {
        String::new()
    } else {
        entry.rev.to_string()
    }
}
