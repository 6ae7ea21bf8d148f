//! The way back from the dead list.

use serde::Serialize;

use super::buried::NO_ENVELOPE;
use super::{Operator, Whereabouts};
use crate::contract::job::Envelope;
use crate::queue::element;
use crate::queue::limits::ms;
use crate::queue::redis::scripts;
use crate::queue::{Element, dead};
use crate::store::StoreError;

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
        let ended: String = self.once("replay a buried job", &script).await?;
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
}
