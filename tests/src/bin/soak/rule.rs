//! What may become of a block that was sent before. A turn that goes out in any other way is a violation.
//!
//! * A block that went out in the original may change to a compressed form, once: it *lands*. Only where the provider caches
//!   nothing of the session (here: Anthropic's format without a cache marker), for in the minutes of a soak no cache that once
//!   was warm has certainly expired. Never before bound thinking.
//! * A compressed block may go out in the original once more where the replica may have been without its store: its line to
//!   Redis or Redis itself was disturbed during the turn, or the replica counted a store miss. No request waits for the store
//!   longer than its budget, so that is what fail-open means. On the next turn the block has its form again. This must not
//!   happen before bound thinking: there the store is waited for, longer here than any fault lasts.
//! * After all data was lost (`data-lost`), any block may change its form in the first request of each session after the loss, or in
//!   the one that was under way. A change there is counted as one *after a loss*, and those before bound thinking separately.
//!   What goes out then is the block's form from then on, so a second change is a violation. Violations in sessions that have met
//!   a loss are counted separately.

use headroom_tests::forms::Allowed;

/// What is known of a turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circumstances {
    /// The provider may have something of the session in its cache.
    pub(crate) may_be_cached: bool,
    /// The replica may have been without its store.
    pub(crate) store_in_doubt: bool,
    /// It is the session's first turn since all data was lost, or it was under way then.
    pub(crate) first_after_loss: bool,
}

impl Circumstances {
    /// What may become of the blocks.
    pub(crate) fn allowed(self) -> Allowed {
        Allowed {
            landing: !self.may_be_cached,
            originals: self.store_in_doubt,
            loss: self.first_after_loss,
            shortening: false,
        }
    }
}

/// Counts the losses of all data as one session meets them.
#[derive(Debug)]
pub(crate) struct Losses {
    /// How many there had been when the last turn began.
    seen: u64,
    /// Whether the session has met one.
    pub(crate) met: bool,
}

impl Losses {
    /// Those of a session that begins now, when there have been so many.
    pub(crate) fn before(losses: u64) -> Self {
        Self {
            seen: losses,
            met: false,
        }
    }

    /// Whether a turn during which the count of losses went from `begun` to `ended` is the first since one, or met one.
    pub(crate) fn first_after(&mut self, begun: u64, ended: u64) -> bool {
        let first = begun != self.seen || ended != begun;
        // A loss during the turn may have come after its replica had read: then the next turn is the first.
        self.seen = begun;
        self.met |= first;
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_turn_after_each_loss_may_change_forms_and_the_one_that_met_it() {
        let mut losses = Losses::before(0);
        assert!(!losses.first_after(0, 0) && !losses.met);
        assert!(losses.first_after(1, 1), "the first after a loss");
        assert!(!losses.first_after(1, 1), "the second");
        assert!(losses.first_after(1, 2), "one that met a loss");
        assert!(losses.first_after(2, 2), "and the first after that");
        assert!(!losses.first_after(2, 2) && losses.met);
    }
}
