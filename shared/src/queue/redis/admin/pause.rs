//! Pauses the queue, so that workers claim no more, and resumes it.

use redis::cmd;
use serde::{Deserialize, Serialize};

use super::QueueAdmin;
use crate::queue::Paused;
use crate::queue::redis::scripts;
use crate::redis::Retry;
use crate::store::StoreError;

/// The key's value: `{"by":…,"at":…}`, unless it was set by hand.
#[derive(Deserialize)]
struct Value {
    by: String,
    at: u64,
}

/// The part of the value that this program writes; the script adds the time.
#[derive(Serialize)]
struct UnfinishedValue<'a> {
    by: &'a str,
}

/// The pause that the key's value describes, at the time `now`.
pub(super) fn read(value: &[u8], now: u64) -> Paused {
    let value: Option<Value> = serde_json::from_slice(value).ok();
    Paused {
        since_ms: value.as_ref().map(|value| now.saturating_sub(value.at)),
        by: value.map(|value| value.by),
    }
}

impl QueueAdmin {
    /// Stops claims: workers end the jobs that they run and claim no more. Returns the earlier pause if there is one; it stays as it is.
    ///
    /// # Errors
    /// When the queue can't be reached.
    pub async fn pause(&self, by: &str) -> Result<Option<Paused>, StoreError> {
        let mut value = serde_json::to_string(&UnfinishedValue { by }).unwrap_or_default();
        value.pop();
        let mut script = scripts::PAUSE.key(self.keys.paused());
        script.arg(value);
        let reply = self.pool.query("pause the queue", Retry::Once, &script);
        let (now, before): (u64, Option<Vec<u8>>) = reply.await?;
        Ok(before.map(|value| read(&value, now)))
    }

    /// Lets claims go on. Returns whether the queue was paused.
    ///
    /// # Errors
    /// When the queue can't be reached.
    pub async fn resume(&self) -> Result<bool, StoreError> {
        let delete = cmd("DEL").arg(self.keys.paused()).to_owned();
        self.pool
            .query("let the queue go on", Retry::Never, &delete)
            .await
    }
}
