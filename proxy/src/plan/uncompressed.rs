//! Why a block that is sent for the first time goes out in the original.

use headroom_shared::compress::NoForm;

use crate::scan::Scan;

/// The reasons. Only a block that is in no known prefix has one: what was sent before keeps its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Uncompressed {
    /// There was no time left to compress it, or to take in what stands before it.
    EntryBudget,
    /// The store did not answer in time.
    StoreLate,
    /// It has a form, which saves too little.
    Floor,
    /// No compressor makes it cheaper.
    NoGain,
    /// It may have been sent before, in the original.
    Unsure,
    /// It has no form by itself, and the provider may drop what stands before it, so that it can't refer to that.
    ReferencesOff,
    /// The provider holds the conversation's thinking to forms that are lost.
    ConversationLost,
    /// A compressor failed.
    Failed,
}

/// The blocks of a request that have such a reason, by their positions in the scan.
pub(crate) type Left = Vec<(usize, Uncompressed)>;

impl Uncompressed {
    pub(crate) const ALL: [Self; 8] = [
        Self::EntryBudget,
        Self::StoreLate,
        Self::Floor,
        Self::NoGain,
        Self::Unsure,
        Self::ReferencesOff,
        Self::ConversationLost,
        Self::Failed,
    ];

    /// Its name in logs and counts.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::EntryBudget => "entry_budget",
            Self::StoreLate => "store_late",
            Self::Floor => "floor",
            Self::NoGain => "no_gain",
            Self::Unsure => "unsure",
            Self::ReferencesOff => "references_off",
            Self::ConversationLost => "conversation_lost",
            Self::Failed => "failed",
        }
    }
}

impl From<NoForm> for Uncompressed {
    fn from(none: NoForm) -> Self {
        match none {
            NoForm::NoGain => Self::NoGain,
            NoForm::BelowFloor => Self::Floor,
        }
    }
}

/// The blocks after the model's last message, and not before the position `first`, all of them left for one reason.
pub(crate) fn new_blocks(scan: &Scan, first: usize, reason: Uncompressed) -> Left {
    let after_model = scan.last_from_model().map_or(0, |last| last + 1);
    let new = scan.blocks_from(after_model).max(first)..scan.blocks.len();
    new.map(|index| (index, reason)).collect()
}
