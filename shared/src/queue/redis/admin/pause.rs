//! Stops claims, and lets them go on.

use redis::cmd;
use serde::{Deserialize, Serialize};

use super::QueueAdmin;
use crate::queue::redis::scripts;
use crate::store::StoreError;

/// A pause that is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Paused {
    /// The machine where it was asked for; unknown where a hand has set the key.
    pub by: Option<String>,
    /// How long it has been on, in milliseconds of Redis's clock; unknown likewise.
    pub since_ms: Option<u64>,
}

/// What stands in the key: `{"by":…,"at":…}`, or whatever a hand has put there.
#[derive(Deserialize)]
struct Note {
    by: String,
    at: u64,
}

#[derive(Serialize)]
struct Open<'a> {
    by: &'a str,
}

impl Paused {
    /// What the key's value says at the time `now`.
    pub(super) fn read(value: &[u8], now: u64) -> Self {
        let note: Option<Note> = serde_json::from_slice(value).ok();
        Self {
            since_ms: note.as_ref().map(|note| now.saturating_sub(note.at)),
            by: note.map(|note| note.by),
        }
    }
}

impl QueueAdmin {
    /// Stops claims: workers end what they work on and take no more. Gives the pause that was on already, which stays as it is.
    ///
    /// # Errors
    /// When the queue can't be reached.
    pub async fn pause(&self, by: &str) -> Result<Option<Paused>, StoreError> {
        let mut note = serde_json::to_string(&Open { by }).unwrap_or_default();
        note.pop();
        let mut script = scripts::PAUSE.key(self.keys.paused());
        script.arg(note);
        let (now, before): (u64, Option<Vec<u8>>) =
            self.pool.run("pause the queue", &script).await?;
        Ok(before.map(|value| Paused::read(&value, now)))
    }

    /// Lets claims go on; whether they were stopped.
    ///
    /// # Errors
    /// When the queue can't be reached.
    pub async fn resume(&self) -> Result<bool, StoreError> {
        let delete = cmd("DEL").arg(self.keys.paused()).to_owned();
        self.pool
            .call("let the queue go on", async |mut connection| {
                delete.query_async(&mut connection).await
            })
            .await
    }
}
