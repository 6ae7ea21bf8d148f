//! The dead list.

use std::num::NonZeroU32;

use redis::cmd;
use serde::Serialize;

use super::{Content, QueueAdmin};
use crate::contract::job::Envelope;
use crate::queue::dead_letter;
use crate::store::StoreError;

const OPERATION: &str = "read the dead list";
/// What is said of an entry that holds no job.
pub(super) const NO_ENVELOPE: &str = "it holds no envelope";

/// Buried jobs, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetters {
    /// The jobs.
    pub dead: Vec<DeadLetter>,
    /// How many there are besides these.
    pub more: u64,
}

/// A buried job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetter {
    /// Why it was buried.
    pub reason: String,
    /// By which worker, or which worker held it last.
    pub worker: String,
    /// When: milliseconds since 1970 by Redis's clock; 0 where a hand wrote the entry.
    pub at: u64,
    /// How long ago that is, in milliseconds.
    pub age_ms: u64,
    /// What was buried.
    #[serde(flatten)]
    pub content: Content,
}

impl QueueAdmin {
    /// DeadLetters jobs, newest first, at most `most`.
    ///
    /// # Errors
    /// When the queue can't be reached.
    pub async fn dead_letters(&self, most: NonZeroU32) -> Result<DeadLetters, StoreError> {
        let mut all = redis::pipe();
        all.atomic()
            .add_command(cmd("TIME"))
            .llen(self.keys.dead())
            .lrange(self.keys.dead(), 0, last(most));
        let all = &all;
        let read = self.pool.repeat(OPERATION, |mut connection| async move {
            all.query_async(&mut connection).await
        });
        let ((seconds, micros), length, entries): ((u64, u64), u64, Vec<Vec<u8>>) = read.await?;
        let now = seconds * 1000 + micros / 1000;
        let more = length.saturating_sub(entries.len() as u64);
        let dead = entries.iter().map(|entry| self.dead_letter(entry, now));
        Ok(DeadLetters {
            dead: dead.collect(),
            more,
        })
    }

    /// The dead list as it stands, newest first.
    pub(super) async fn entries(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        let range = cmd("LRANGE")
            .arg(self.keys.dead())
            .arg(0)
            .arg(-1)
            .to_owned();
        let range = &range;
        self.pool
            .repeat(OPERATION, |mut connection| async move {
                range.query_async(&mut connection).await
            })
            .await
    }

    /// The entry and the envelope of the buried job with this id, where there is one.
    pub(super) async fn find_dead_letter(
        &self,
        id: &str,
    ) -> Result<Option<(Vec<u8>, Envelope)>, StoreError> {
        let mut entries = self.entries().await?.into_iter();
        Ok(entries.find_map(|entry| {
            let element = dead_letter::read(&entry)?.element()?;
            match self.content(element.bytes()) {
                Content::Envelope(envelope) if envelope.id == id => Some((entry, envelope)),
                _ => None,
            }
        }))
    }

    fn dead_letter(&self, entry: &[u8], now: u64) -> DeadLetter {
        let read = dead_letter::read(entry).unwrap_or_default();
        let element = read.element();
        DeadLetter {
            content: element.map_or_else(
                || Content::Unreadable {
                    unreadable: NO_ENVELOPE.to_owned(),
                },
                |element| self.content(element.bytes()),
            ),
            at: read.at,
            age_ms: now.saturating_sub(read.at),
            reason: read.reason,
            worker: read.worker,
        }
    }
}

/// The index of the last of so many.
fn last(most: NonZeroU32) -> isize {
    isize::try_from(most.get() - 1).unwrap_or(isize::MAX)
}
