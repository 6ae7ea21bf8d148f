//! Records on their way to the store, which no request waits for: one writer brings them there in order, many at a time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use headroom_shared::contract::id::PrefixId;
use headroom_shared::contract::record::SentRecord;
use tokio::sync::Notify;

/// How long records that are not urgent are gathered, so that many turns make one write.
const GATHER: Duration = Duration::from_millis(100);
/// How many turns may wait. Above it a turn's records stay in the local cache alone, until the session's next turn.
const TURNS: usize = 4096;

/// The records that one turn leaves behind.
#[derive(Debug)]
pub(crate) struct TurnRecords {
    /// The conversation's opening, where the turn goes beyond it.
    pub(crate) opened: Option<PrefixId>,
    pub(crate) records: Vec<(PrefixId, SentRecord)>,
    /// The records that the turn went on from.
    pub(crate) chain: Vec<(PrefixId, Arc<SentRecord>)>,
}

/// The records that wait.
#[derive(Debug, Default)]
pub(super) struct Later {
    turns: Mutex<Vec<TurnRecords>>,
    arrived: Notify,
    urgent: Notify,
}

impl Later {
    pub(super) fn push(&self, turn: TurnRecords, urgent: bool) {
        {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            if turns.len() >= TURNS {
                return;
            }
            turns.push(turn);
        }
        if urgent {
            self.urgent.notify_one();
        }
        self.arrived.notify_one();
    }

    /// Waits until there is something to write, and until it is worth a write.
    pub(super) async fn due(&self) {
        self.arrived.notified().await;
        // Too long is no failure: it is what gathers.
        let _ = tokio::time::timeout(GATHER, self.urgent.notified()).await;
    }

    /// Takes all that waits.
    pub(super) fn take(&self) -> Vec<TurnRecords> {
        std::mem::take(&mut *self.turns.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
