//! A job that is being built and pushed in the background, as its request sees it.

use headroom_shared::queue::Enqueued;
use tokio::sync::oneshot::{self, error::TryRecvError};

use crate::metrics::Decision;

/// A job that is being built and pushed.
#[derive(Debug)]
pub(crate) struct PendingJob(oneshot::Receiver<Enqueued>);

impl PendingJob {
    /// A job, and where to say what became of it.
    pub(super) fn new() -> (oneshot::Sender<Enqueued>, Self) {
        let (outcome, pending) = oneshot::channel();
        (outcome, Self(pending))
    }

    /// What is known of the job by now.
    pub(crate) fn decision(mut self) -> Decision {
        match self.0.try_recv() {
            Ok(Enqueued::DroppedFull) => Decision::Dropped,
            Ok(Enqueued::Queued | Enqueued::Coalesced) | Err(TryRecvError::Empty) => {
                Decision::Deferred
            }
            // The rest of the body was not in the dialect, or the job could not be pushed.
            Err(TryRecvError::Closed) => Decision::Forwarded,
        }
    }
}
