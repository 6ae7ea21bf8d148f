//! Why a block that is sent for the first time is not compressed.

use headroom_shared::compress::NoForm;
use headroom_shared::contract::prefix::Form;

use crate::scan::Scan;

/// The reasons. Only a block that is in no known prefix has one: what was sent before keeps its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SkipReason {
    /// There was no time left to compress it, or to take in what stands before it.
    EntryBudget,
    /// The store did not answer in time.
    StoreLate,
    /// It has a form, which saves too little.
    Floor,
    /// No compressor makes it cheaper.
    NoGain,
    /// It may have been sent before, in the original.
    MaybeSentBefore,
    /// It has no form by itself, and the provider may drop what stands before it, so that it can't refer to that.
    ReferencesOff,
    /// The provider holds the conversation's thinking to forms that are lost.
    ConversationLost,
    /// It waited for the workers, which were late.
    FleetLate,
    /// A compressor failed.
    Failed,
}

/// The form of a block, or why it goes out in the original.
pub(crate) type CompressResult = Result<Form, SkipReason>;

/// Blocks of a request that are sent for the first time and not compressed: position in the scan, and why.
pub(crate) type SkippedBlocks = Vec<(usize, SkipReason)>;

impl SkipReason {
    pub(crate) const ALL: [Self; 9] = [
        Self::EntryBudget,
        Self::StoreLate,
        Self::Floor,
        Self::NoGain,
        Self::MaybeSentBefore,
        Self::ReferencesOff,
        Self::ConversationLost,
        Self::FleetLate,
        Self::Failed,
    ];

    /// Its name in logs and counts.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::EntryBudget => "entry_budget",
            Self::StoreLate => "store_late",
            Self::Floor => "floor",
            Self::NoGain => "no_gain",
            Self::MaybeSentBefore => "unsure",
            Self::ReferencesOff => "references_off",
            Self::ConversationLost => "conversation_lost",
            Self::FleetLate => "fleet_late",
            Self::Failed => "failed",
        }
    }
}

impl From<NoForm> for SkipReason {
    fn from(none: NoForm) -> Self {
        match none {
            NoForm::NoGain => Self::NoGain,
            NoForm::BelowFloor => Self::Floor,
            NoForm::OutOfTime => Self::EntryBudget,
        }
    }
}

/// Skips, for one reason, all blocks after the model's last message that do not stand before the position `first`.
pub(crate) fn skip_new_blocks(scan: &Scan, first: usize, reason: SkipReason) -> SkippedBlocks {
    let after_model = scan.last_from_model().map_or(0, |last| last + 1);
    let new = scan.blocks_from(after_model).max(first)..scan.blocks.len();
    new.map(|index| (index, reason)).collect()
}
