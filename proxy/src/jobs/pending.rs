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
    pub(crate) fn decision_by_now(&mut self) -> Decision {
        match self.0.try_recv() {
            Ok(enqueued) => decision(Some(enqueued)),
            Err(TryRecvError::Empty) => Decision::Deferring,
            Err(TryRecvError::Closed) => decision(None),
        }
    }

    /// What became of the job.
    pub(crate) async fn decision(self) -> Decision {
        decision(self.0.await.ok())
    }
}

/// What to say of a request whose job came to this end.
fn decision(ended: Option<Enqueued>) -> Decision {
    match ended {
        Some(Enqueued::Queued | Enqueued::Coalesced) => Decision::Deferred,
        Some(Enqueued::DroppedFull | Enqueued::DroppedForMemory) => Decision::Dropped,
        // The rest of the body was not in the dialect, or the job could not be pushed.
        None => Decision::Forwarded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_job_is_deferred_only_when_it_stands_in_the_queue() {
        for (ended, is) in [
            (Some(Enqueued::Queued), Decision::Deferred),
            (Some(Enqueued::Coalesced), Decision::Deferred),
            (Some(Enqueued::DroppedFull), Decision::Dropped),
            (Some(Enqueued::DroppedForMemory), Decision::Dropped),
            (None, Decision::Forwarded),
        ] {
            for told_early in [true, false] {
                let (outcome, mut pending) = PendingJob::new();
                assert_eq!(pending.decision_by_now(), Decision::Deferring);
                match ended {
                    Some(ended) => outcome.send(ended).unwrap(),
                    None => drop(outcome),
                }
                let told = if told_early {
                    pending.decision_by_now()
                } else {
                    pending.decision().await
                };
                assert_eq!(told, is);
            }
        }
    }
}
