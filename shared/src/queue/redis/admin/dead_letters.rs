//! Lists the dead letters.

use std::num::NonZeroU32;

use redis::cmd;

use super::QueueAdmin;
use crate::contract::job::Envelope;
use crate::queue::{Content, DeadLetter, DeadLetters, dead_letter};
use crate::redis::{Retry, unix_ms};
use crate::store::StoreError;

const OPERATION: &str = "read the dead list";
/// What is wrong with an entry that holds no job.
pub(super) const NO_ENVELOPE: &str = "it holds no envelope";

impl QueueAdmin {
    /// Dead letters, newest first, at most `limit`.
    ///
    /// # Errors
    /// When the queue can't be reached.
    pub(super) async fn read_dead_letters(
        &self,
        limit: NonZeroU32,
    ) -> Result<DeadLetters, StoreError> {
        let mut all = redis::pipe();
        all.atomic()
            .add_command(cmd("TIME"))
            .llen(self.keys.dead())
            .lrange(self.keys.dead(), 0, last_index(limit));
        let reply = self.pool.query(OPERATION, Retry::Once, &all);
        let (time, length, entries): (_, u64, Vec<Vec<u8>>) = reply.await?;
        let now = unix_ms(time);
        let more = length.saturating_sub(entries.len() as u64);
        let dead = entries.iter().map(|entry| self.dead_letter(entry, now));
        Ok(DeadLetters {
            dead: dead.collect(),
            more,
        })
    }

    /// All entries of the list, newest first.
    pub(super) async fn entries(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        let range = cmd("LRANGE")
            .arg(self.keys.dead())
            .arg(0)
            .arg(-1)
            .to_owned();
        self.pool.query(OPERATION, Retry::Once, &range).await
    }

    /// The entry and the envelope of the dead letter with this id, if there is one.
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

/// The index of the last of so many entries.
fn last_index(limit: NonZeroU32) -> isize {
    isize::try_from(limit.get() - 1).unwrap_or(isize::MAX)
}
