//! A store in Redis, shared by every proxy and worker of a deployment.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redis::{RedisResult, Script, cmd, pipe};

use super::{Entry, Key, Store, StoreError};
use crate::id::DigestKey;
use crate::keys::Keys;
use crate::link::{Link, RedisUrl};

/// How long an answer may take where the caller sets no shorter budget: enough for 5 MB over a slow line.
const ANSWER: Duration = Duration::from_secs(2);

/// A store in Redis.
///
/// It has a [`Link`] of its own, so that no large job holds up a request. Any call's future may be dropped half-way.
pub struct RedisStore {
    link: Link,
    keys: Keys,
    retention_ms: u64,
    write: Script,
}

impl RedisStore {
    /// The store in the Redis at `url`, under the names of `keys`, whose entries live for `retention` (at least 1 ms) since
    /// their last use. Redis need not be there yet. Must be called within a tokio runtime, which runs the connection.
    #[must_use]
    pub fn new(url: &RedisUrl, keys: Keys, retention: Duration) -> Self {
        Self {
            link: Link::new("store", url, &keys, ANSWER),
            keys,
            retention_ms: u64::try_from(retention.as_millis())
                .unwrap_or(u64::MAX)
                .max(1),
            write: Script::new(include_str!("write.lua")),
        }
    }

    fn names(&self, keys: &[Key]) -> Vec<String> {
        keys.iter().map(|&key| self.keys.entry(key)).collect()
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn digest_key(&self) -> Result<DigestKey, StoreError> {
        let name = self.keys.secret();
        let what = "reading the deployment's secret";
        let found = self
            .link
            .call(what, |mut connection| async move {
                // Read first: a full Redis refuses the SET even where there is nothing to set.
                let found: Option<Vec<u8>> =
                    cmd("GET").arg(&name).query_async(&mut connection).await?;
                if let Some(found) = found {
                    return Ok(found);
                }
                let fresh = blake3::Hash::from_bytes(*DigestKey::random().as_bytes()).to_hex();
                let (found,): (Vec<u8>,) = pipe()
                    .cmd("SET")
                    .arg(&name)
                    .arg(fresh.as_str())
                    .arg("NX")
                    .ignore()
                    .get(&name)
                    .query_async(&mut connection)
                    .await?;
                Ok(found)
            })
            .await?;
        let secret = blake3::Hash::from_hex(found).map_err(|_| {
            let name = self.keys.secret();
            StoreError::other(
                what,
                format!("{name} does not hold the 64 hexadecimal digits it should"),
            )
        })?;
        Ok(DigestKey::from_bytes(*secret.as_bytes()))
    }

    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let names = self.names(keys);
        let values: Vec<Option<Vec<u8>>> = self
            .link
            .call("reading from Redis", |mut connection| async move {
                cmd("MGET").arg(names).query_async(&mut connection).await
            })
            .await?;
        Ok(values
            .into_iter()
            .map(|value| value.map(Bytes::from))
            .collect())
    }

    async fn write(&self, entries: &[Entry]) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut call = self.write.prepare_invoke();
        call.arg(self.retention_ms);
        for entry in entries {
            call.key(self.keys.entry(entry.key));
            call.arg(revision(entry));
            call.arg(&entry.value[..]);
        }
        self.link
            .call("writing to Redis", |mut connection| async move {
                let written: RedisResult<u64> = call.invoke_async(&mut connection).await;
                written.map(drop)
            })
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
        self.link
            .call("touching entries in Redis", |mut connection| async move {
                pipeline.exec_async(&mut connection).await
            })
            .await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.link
            .call("asking Redis", |mut connection| async move {
                cmd("PING").exec_async(&mut connection).await
            })
            .await
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("link", &self.link)
            .finish_non_exhaustive()
    }
}

/// What the script compares with: nothing for what never changes, which spares Redis the reading.
fn revision(entry: &Entry) -> String {
    if entry.is_immutable() {
        String::new()
    } else {
        entry.rev.to_string()
    }
}
