//! The dead list, and the way back from it.

use std::num::NonZeroU32;

use redis::cmd;
use serde::Serialize;

use super::{Content, Operator, Whereabouts};
use crate::job::Envelope;
use crate::queue::limits::ms;
use crate::queue::redis::{element, scripts};
use crate::queue::{Element, dead};
use crate::store::StoreError;

const WHAT: &str = "read the dead list";
/// What is said of an entry that holds no job.
const NO_ENVELOPE: &str = "it holds no envelope";

/// Buried jobs, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Buried {
    /// The jobs.
    pub dead: Vec<BuriedJob>,
    /// How many there are besides these.
    pub more: u64,
}

/// A buried job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BuriedJob {
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

/// What became of buried jobs that were to be brought back.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Replayed {
    /// Ids of those that wait in the queue again, in the order in which they will be claimed.
    pub replayed: Vec<String>,
    /// Those that stay where they are.
    pub refused: Vec<Refused>,
}

/// A job that can't be brought back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Its id, where it has one.
    pub id: Option<String>,
    /// Why not.
    pub reason: String,
}

/// What an entry of the dead list holds of a job.
struct Corpse {
    envelope: Envelope,
    /// The envelope's own bytes.
    element: Element,
}

impl Operator {
    /// Buried jobs, newest first, at most `most`.
    ///
    /// # Errors
    /// When the queue can't be reached.
    pub async fn buried(&self, most: NonZeroU32) -> Result<Buried, StoreError> {
        let mut all = redis::pipe();
        all.atomic()
            .add_command(cmd("TIME"))
            .llen(self.keys.dead())
            .lrange(self.keys.dead(), 0, last(most));
        let all = &all;
        let read = self.link.repeat(WHAT, |mut connection| async move {
            all.query_async(&mut connection).await
        });
        let ((seconds, micros), length, entries): ((u64, u64), u64, Vec<Vec<u8>>) = read.await?;
        let now = seconds * 1000 + micros / 1000;
        let more = length.saturating_sub(entries.len() as u64);
        let dead = entries.iter().map(|entry| self.buried_job(entry, now));
        Ok(Buried {
            dead: dead.collect(),
            more,
        })
    }

    /// Brings the buried job with this id back to the queue, where it waits as if it had just been pushed, with its attempts
    /// unused. The queue's bound does not hold for it: proxies drop what they would push until there is room again.
    ///
    /// # Errors
    /// When the queue can't be reached.
    pub async fn replay(&self, id: &str) -> Result<Replayed, StoreError> {
        let mut became = Replayed::default();
        let is_it = |corpse: &Result<Corpse, Refused>| match corpse {
            Ok(corpse) => corpse.envelope.id == id,
            Err(refused) => refused.id.as_deref() == Some(id),
        };
        let entries = self.entries().await?;
        let mut corpses = entries.iter().map(|entry| (entry, self.corpse(entry)));
        if let Some((entry, corpse)) = corpses.find(|(_, corpse)| is_it(corpse)) {
            self.bring_back(entry, corpse, &mut became).await?;
        }
        if became == Replayed::default() {
            became.refused.push(Refused {
                id: Some(id.to_owned()),
                reason: self.why_not_buried(id).await?,
            });
        }
        Ok(became)
    }

    /// Brings all buried jobs back to the queue that can be, the oldest first, as [`Self::replay`] does.
    ///
    /// # Errors
    /// When the queue can't be reached. Those brought back until then are waiting.
    pub async fn replay_all(&self) -> Result<Replayed, StoreError> {
        let mut became = Replayed::default();
        for entry in self.entries().await?.iter().rev() {
            self.bring_back(entry, self.corpse(entry), &mut became)
                .await?;
        }
        Ok(became)
    }

    /// Where the job with this id is, as a reason why it can't be brought back.
    async fn why_not_buried(&self, id: &str) -> Result<String, StoreError> {
        Ok(match self.find(id).await?.map(|(found, _)| found.is) {
            Some(Whereabouts::Waiting) => "it is not buried: it waits in the queue".to_owned(),
            Some(Whereabouts::Active { worker }) => {
                format!("it is not buried: worker {worker} works on it")
            }
            Some(Whereabouts::Delayed { .. }) => {
                "it is not buried: it is delayed, and will be tried again by itself".to_owned()
            }
            None => "no job has this id".to_owned(),
        })
    }

    /// Brings one entry back, if it stands there still, and notes what became of it.
    async fn bring_back(
        &self,
        entry: &[u8],
        corpse: Result<Corpse, Refused>,
        became: &mut Replayed,
    ) -> Result<(), StoreError> {
        let corpse = match corpse {
            Ok(corpse) => corpse,
            Err(refused) => {
                became.refused.push(refused);
                return Ok(());
            }
        };
        let id = corpse.envelope.id;
        let mut script = scripts::REPLAY.key(self.keys.dead());
        script
            .key(self.keys.jobs())
            .key(self.keys.pending(corpse.envelope.prefix))
            .key(self.keys.payload(&id))
            .key(self.keys.crashes())
            .key(self.keys.attempts())
            .key(self.keys.stats())
            .arg(entry)
            .arg(corpse.element.bytes())
            .arg(&id)
            .arg(ms(self.bounds.payloads_live))
            .arg(ms(self.bounds.pending_lives))
            .arg(corpse.envelope.bytes);
        let ended: String = self.link.run("replay a buried job", &script).await?;
        match ended.as_str() {
            "replayed" => became.replayed.push(id),
            "no payload" => became.refused.push(Refused {
                id: Some(id),
                reason: format!(
                    "its payload is gone: payloads live {} hours; the next turn of the session offers it again",
                    self.bounds.payloads_live.as_secs() / 3600
                ),
            }),
            _ => {}
        }
        Ok(())
    }

    async fn entries(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        let range = cmd("LRANGE")
            .arg(self.keys.dead())
            .arg(0)
            .arg(-1)
            .to_owned();
        let range = &range;
        self.link
            .repeat(WHAT, |mut connection| async move {
                range.query_async(&mut connection).await
            })
            .await
    }

    /// The job in an entry, or why none can be made of it.
    fn corpse(&self, entry: &[u8]) -> Result<Corpse, Refused> {
        let element = dead::read(entry).and_then(|read| read.element());
        let refused = |id: Option<String>, reason: String| Refused { id, reason };
        let Some(element) = element else {
            return Err(refused(None, NO_ENVELOPE.to_owned()));
        };
        match element::read(&element, self.bounds.envelope_bytes) {
            Ok(envelope) => Ok(Corpse { envelope, element }),
            Err(reason) => {
                let id = self.content(element.bytes()).id().map(str::to_owned);
                Err(refused(id, reason))
            }
        }
    }

    /// The entry and the envelope of the buried job with this id, where there is one.
    pub(super) async fn find_buried(
        &self,
        id: &str,
    ) -> Result<Option<(Vec<u8>, Envelope)>, StoreError> {
        let mut entries = self.entries().await?.into_iter();
        Ok(entries.find_map(|entry| {
            let element = dead::read(&entry)?.element()?;
            match self.content(element.bytes()) {
                Content::Envelope(envelope) if envelope.id == id => Some((entry, envelope)),
                _ => None,
            }
        }))
    }

    fn buried_job(&self, entry: &[u8], now: u64) -> BuriedJob {
        let read = dead::read(entry).unwrap_or_default();
        let element = read.element();
        BuriedJob {
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
