//! Takes a job out of the queue.

use serde::Serialize;

use super::{JobState, QueueAdmin};
use crate::contract::job::Envelope;
use crate::queue::redis::scripts;
use crate::queue::redis::work_queue::minus;
use crate::store::StoreError;

/// How often a job is looked for again that moved while it was being taken out.
const MAX_ATTEMPTS: usize = 5;

/// Where a job stood that was taken out of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DroppedFrom {
    /// In the queue.
    Waiting,
    /// Among those put off to a later attempt.
    Delayed,
    /// In the dead list.
    Dead,
}

/// Why a job was not taken out of the queue.
#[derive(Debug, thiserror::Error)]
pub enum DropError {
    /// There is none.
    #[error("no job has the id {0:?}: it is done, or never was")]
    Unknown(String),
    /// It is in work.
    #[error("worker {worker} works on job {id}: it can be dropped when it is put off or buried")]
    Active {
        /// The job's id.
        id: String,
        /// The worker's id.
        worker: String,
    },
    /// It comes and goes.
    #[error("job {0} moved whenever it was to be dropped: try again")]
    Moves(String),
    /// The queue can't be reached.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl QueueAdmin {
    /// Takes the job with this id out of the queue or the dead list, with its payload and all else that it has. A job in work
    /// is let be. Nothing keeps a proxy from pushing its prefix again.
    ///
    /// # Errors
    /// When there is no such job, it is in work, or the queue can't be reached.
    pub async fn drop_job(&self, id: &str) -> Result<DroppedFrom, DropError> {
        for _ in 0..MAX_ATTEMPTS {
            let (stands, envelope) = match self.find(id).await? {
                Some((found, envelope)) => {
                    if let JobState::Active { worker } = found.state {
                        let id = id.to_owned();
                        return Err(DropError::Active { id, worker });
                    }
                    (found.element, envelope)
                }
                None => {
                    let buried = self.find_dead_letter(id).await?;
                    buried.ok_or_else(|| DropError::Unknown(id.to_owned()))?
                }
            };
            if let Some(from) = self.remove(&stands, &envelope).await? {
                return Ok(from);
            }
        }
        Err(DropError::Moves(id.to_owned()))
    }

    /// Removes what stands somewhere in the queue; nothing if it stands there no more.
    async fn remove(
        &self,
        stands: &[u8],
        envelope: &Envelope,
    ) -> Result<Option<DroppedFrom>, StoreError> {
        let mut script = scripts::DROP.key(self.keys.jobs());
        script
            .key(self.keys.delayed())
            .key(self.keys.dead())
            .key(self.keys.pending(envelope.prefix))
            .key(self.keys.payload(&envelope.id))
            .key(self.keys.crashes())
            .key(self.keys.attempts())
            .key(self.keys.stats())
            .arg(stands)
            .arg(&envelope.id)
            .arg(minus(envelope.bytes));
        let was: String = self.once("drop a job", &script).await?;
        Ok(match was.as_str() {
            "waiting" => Some(DroppedFrom::Waiting),
            "delayed" => Some(DroppedFrom::Delayed),
            "dead" => Some(DroppedFrom::Dead),
            _ => None,
        })
    }
}
