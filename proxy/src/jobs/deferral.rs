//! A job on its way to the queue, as the request that waits for its response sees it.

use headroom_shared::queue::Enqueued;
use tokio::sync::oneshot::{self, error::TryRecvError};

use crate::metrics::Decision;

/// A job on its way to the queue.
#[derive(Debug)]
pub(crate) struct Deferral(oneshot::Receiver<Enqueued>);

impl Deferral {
    /// A job whose maker tells what became of it.
    pub(crate) fn new() -> (oneshot::Sender<Enqueued>, Self) {
        let (tell, told) = oneshot::channel();
        (tell, Self(told))
    }

    /// What became of the job, as far as that is known by now.
    pub(crate) fn decision(mut self) -> Decision {
        match self.0.try_recv() {
            Ok(Enqueued::DroppedFull) => Decision::Dropped,
            Ok(Enqueued::Queued | Enqueued::Coalesced) | Err(TryRecvError::Empty) => {
                Decision::Deferred
            }
            // There was none to be made of what followed its beginning, or it could not be pushed.
            Err(TryRecvError::Closed) => Decision::Forwarded,
        }
    }
}
