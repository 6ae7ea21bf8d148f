//! Deletes a job from the queue or the dead-letter list.

use super::QueueAdmin;
use crate::contract::job::Envelope;
use crate::queue::redis::scripts;
use crate::queue::{DropError, DroppedFrom, JobState};
use crate::redis::Retry;
use crate::store::StoreError;

/// How often a job is looked for that moves while it is being deleted.
const MAX_ATTEMPTS: usize = 5;

impl QueueAdmin {
    /// Deletes the job with this id from the queue or the dead-letter list, with its payload. A running job is not deleted. A proxy may push
    /// its prefix again.
    ///
    /// # Errors
    /// When there is no such job, it is running, or the queue can't be reached.
    pub(super) async fn remove_job(&self, id: &str) -> Result<DroppedFrom, DropError> {
        for _ in 0..MAX_ATTEMPTS {
            let (entry, envelope) = match self.find(id).await? {
                Some((found, envelope)) => {
                    if let JobState::Active { worker } = found.state {
                        let id = id.to_owned();
                        return Err(DropError::Active { id, worker });
                    }
                    (found.element, envelope)
                }
                None => {
                    let dead_letter = self.find_dead_letter(id).await?;
                    dead_letter.ok_or_else(|| DropError::Unknown(id.to_owned()))?
                }
            };
            if let Some(from) = self.remove(&entry, &envelope).await? {
                return Ok(from);
            }
        }
        Err(DropError::Moves(id.to_owned()))
    }

    /// Removes an entry from whichever list holds it; nothing if none does any more.
    async fn remove(
        &self,
        entry: &[u8],
        envelope: &Envelope,
    ) -> Result<Option<DroppedFrom>, StoreError> {
        let call = scripts::drop_job(&self.keys, entry, envelope);
        // Not retried: a second run would not find the entry that the first has removed.
        let was: String = self.pool.query("drop a job", Retry::Never, &call).await?;
        Ok(match was.as_str() {
            "waiting" => Some(DroppedFrom::Waiting),
            "delayed" => Some(DroppedFrom::Delayed),
            "dead" => Some(DroppedFrom::Dead),
            _ => None,
        })
    }
}
