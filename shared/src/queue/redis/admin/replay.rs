//! Replays dead letters: moves them back to the queue.

use super::QueueAdmin;
use super::dead_letters::NO_ENVELOPE;
use crate::contract::job::Envelope;
use crate::queue::element;
use crate::queue::limits::ms;
use crate::queue::redis::scripts;
use crate::queue::{Element, ReplayOutcome, ReplayRefusal, dead_letter};
use crate::redis::Retry;
use crate::store::StoreError;

/// The job in an entry of the dead-letter list.
struct DeadJob {
    envelope: Envelope,
    /// The envelope's own bytes.
    element: Element,
}

impl QueueAdmin {
    /// Moves the dead letter with this id back to the queue, where it waits as if it had just been pushed, with its attempts unused. The
    /// queue's bound does not hold for it: proxies drop their jobs until there is room again. A refresh waits among the other jobs.
    ///
    /// # Errors
    /// When the queue can't be reached.
    pub(super) async fn replay_one(&self, id: &str) -> Result<ReplayOutcome, StoreError> {
        let mut outcome = ReplayOutcome::default();
        let is_it = |job: &Result<DeadJob, ReplayRefusal>| match job {
            Ok(job) => job.envelope.id == id,
            Err(refused) => refused.id.as_deref() == Some(id),
        };
        let entries = self.entries().await?;
        let mut jobs = entries.iter().map(|entry| (entry, self.dead_job(entry)));
        if let Some((entry, job)) = jobs.find(|(_, job)| is_it(job)) {
            self.replay_entry(entry, job, &mut outcome).await?;
        }
        if outcome == ReplayOutcome::default() {
            outcome.refused.push(ReplayRefusal {
                id: Some(id.to_owned()),
                reason: self.why_not_buried(id).await?,
            });
        }
        Ok(outcome)
    }

    /// Replays all dead letters that can be, the oldest first, as [`Self::replay`] does.
    ///
    /// # Errors
    /// When the queue can't be reached. Those replayed until then are waiting.
    pub async fn replay_all(&self) -> Result<ReplayOutcome, StoreError> {
        let mut outcome = ReplayOutcome::default();
        for entry in self.entries().await?.iter().rev() {
            self.replay_entry(entry, self.dead_job(entry), &mut outcome)
                .await?;
        }
        Ok(outcome)
    }

    /// Where the job with this id is, as a reason why it can't be replayed.
    async fn why_not_buried(&self, id: &str) -> Result<String, StoreError> {
        let found = self.find(id).await?;
        Ok(found.map_or_else(
            || "no job has this id".to_owned(),
            |(found, _)| found.state.why_not_dead(),
        ))
    }

    /// Replays one entry, if it is still in the list, and notes the outcome.
    async fn replay_entry(
        &self,
        entry: &[u8],
        job: Result<DeadJob, ReplayRefusal>,
        outcome: &mut ReplayOutcome,
    ) -> Result<(), StoreError> {
        let job = match job {
            Ok(job) => job,
            Err(refused) => {
                outcome.refused.push(refused);
                return Ok(());
            }
        };
        let id = job.envelope.id;
        let mut script = scripts::REPLAY.key(self.keys.dead());
        script
            .key(self.keys.jobs())
            .key(self.keys.pending(job.envelope.prefix))
            .key(self.keys.payload(&id))
            .key(self.keys.crashes())
            .key(self.keys.attempts())
            .key(self.keys.stats())
            .arg(entry)
            .arg(job.element.bytes())
            .arg(&id)
            .arg(ms(self.bounds.payload_ttl))
            .arg(ms(self.bounds.pending_ttl))
            .arg(job.envelope.bytes);
        // Not retried: a second run would not find the entry that the first has moved.
        let reply: String = self
            .pool
            .query("replay a buried job", Retry::Never, &script)
            .await?;
        match reply.as_str() {
            "replayed" => outcome.replayed.push(id),
            "no payload" => outcome.refused.push(ReplayRefusal {
                id: Some(id),
                reason: format!(
                    "its payload is gone: payloads live {} hours; the next turn of the session offers it again",
                    self.bounds.payload_ttl.as_secs() / 3600
                ),
            }),
            _ => {}
        }
        Ok(())
    }

    /// The job in an entry, or why none can be made of it.
    fn dead_job(&self, entry: &[u8]) -> Result<DeadJob, ReplayRefusal> {
        let element = dead_letter::read(entry).and_then(|read| read.element());
        let refused = |id: Option<String>, reason: String| ReplayRefusal { id, reason };
        let Some(element) = element else {
            return Err(refused(None, NO_ENVELOPE.to_owned()));
        };
        match element::read(&element, self.bounds.max_envelope_bytes) {
            Ok(envelope) => Ok(DeadJob { envelope, element }),
            Err(reason) => {
                let id = self.content(element.bytes()).id().map(str::to_owned);
                Err(refused(id, reason))
            }
        }
    }
}
