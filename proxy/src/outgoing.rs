//! A body that is ready to go out.

use std::fmt;

use bytes::Bytes;

use crate::answer::Done;
use crate::counts::Decision;
use crate::defer::Deferral;
use crate::splice::Rope;

/// The body, and what goes with it.
pub(crate) struct Outgoing {
    pub(crate) rope: Rope,
    pub(crate) decision: Decision,
    pub(crate) bytes_saved: usize,
    /// The job that is pushed for it.
    pub(crate) deferral: Option<Deferral>,
    /// Told what the answer says of the provider's cache.
    pub(crate) heard: Option<Done>,
}

impl Outgoing {
    /// The body as it was received.
    pub(crate) fn as_received(received: &Bytes, decision: Decision) -> Self {
        Self::new(Rope::from(received.clone()), decision, 0)
    }

    /// A body with forms in it.
    pub(crate) fn spliced(body: &Bytes, rope: Rope) -> Self {
        let bytes_saved = body.len().saturating_sub(rope.len());
        Self::new(rope, Decision::Compressed, bytes_saved)
    }

    fn new(rope: Rope, decision: Decision, bytes_saved: usize) -> Self {
        Self {
            rope,
            decision,
            bytes_saved,
            deferral: None,
            heard: None,
        }
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("decision", &self.decision)
            .finish_non_exhaustive()
    }
}
