//! Why a block that is sent for the first time goes out in the original.

use headroom_shared::compress::NoForm;
use headroom_shared::id::DigestKey;

use crate::app::App;
use crate::blocks;
use crate::scan::{self, Scan};
use crate::turn::Turn;

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

/// Counts the blocks of a request that go out in the original, and logs each at `debug`.
pub(crate) fn report(app: &App, body: &[u8], scan: &Scan, left: &Left) {
    for (index, reason) in left {
        app.counts.uncompressed(*reason);
        if tracing::enabled!(tracing::Level::DEBUG) {
            let block = &scan.blocks[*index];
            tracing::debug!(
                reason = reason.name(),
                block.message = block.place.message,
                block.part = block.place.part,
                block.inner = block.place.inner,
                block.bytes = block.span.len(),
                block.tool = blocks::tool(body, scan, block),
                "a new block goes out in the original"
            );
        }
    }
}

/// Counts the new blocks of a request that went out while the store had not even given the deployment's secret, without which its
/// prefix has no name.
pub(crate) fn report_unread(turn: &Turn, body: &[u8]) {
    if let Some(scan) = scan_nameless(turn, body) {
        report(
            &turn.app,
            body,
            &scan,
            &new_blocks(&scan, 0, Uncompressed::StoreLate),
        );
    }
}

/// A scan whose prefixes have no names: it takes no secret.
pub(crate) fn scan_nameless(turn: &Turn, body: &[u8]) -> Option<Scan> {
    let nameless = DigestKey::from_bytes([0; 32]);
    scan::scan(body, turn.dialect, &nameless).ok()
}

/// The blocks after the model's last message, and not before the message at `first`, all of them left for one reason.
pub(crate) fn new_blocks(scan: &Scan, first: usize, reason: Uncompressed) -> Left {
    let after_model = scan.last_from_model().map_or(0, |last| last + 1);
    let new = scan.blocks_from(after_model.max(first))..scan.blocks.len();
    new.map(|index| (index, reason)).collect()
}
