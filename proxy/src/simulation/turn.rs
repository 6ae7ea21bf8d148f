//! What a simulation says of one request.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headroom_shared::contract::usage::Usage;

use crate::metrics::Decision;
use crate::plan::Forms;
use crate::plan::known_prefix::KnownPrefix;
use crate::plan::landing::Landing;
use crate::plan::skip_reason::SkippedBlocks;
use crate::plan::splice::Rope;
use crate::scan::Scan;

/// A request that was sent and answered.
#[derive(Debug)]
pub(crate) struct Turn {
    /// Bytes of the client's body.
    pub(crate) bytes_in: usize,
    /// The body that went out.
    pub(crate) sent: Rope,
    /// What the proxy would say that it did.
    pub(crate) decision: Decision,
    /// What was found in the client's body.
    pub(crate) scan: Arc<Scan>,
    /// The forms that went out.
    pub(crate) forms: Forms,
    /// How many of them were sent for the first time, because their blocks were.
    pub(crate) entered: usize,
    /// How many of them took the place of an original that was sent before.
    pub(crate) landed: usize,
    /// What became of the prefix that was left to a worker, if there is one.
    pub(crate) landing: Option<Landing>,
    /// The blocks that were sent for the first time, in the original.
    pub(crate) skipped: SkippedBlocks,
    /// How it stands with the job of its first messages, where there is one and its result was not in use before.
    pub(crate) job: Option<Job>,
    /// From the body to what goes out: scanning it, looking up what is known of it, compressing new blocks, planning, splicing. A cold
    /// start has its time up to the moment in which it is known to be one. Nothing for a body that is not what the dialect says.
    pub(crate) planning: Duration,
    /// What the provider's cache did.
    pub(crate) usage: Usage,
    /// What it would have done if the client's bodies had gone out, this one and all before it.
    pub(crate) direct_usage: Usage,
}

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Job {
    /// It was pushed, for the first time or once more.
    Pushed,
    /// There is no result yet.
    Queued,
    /// Its result waits until it may land.
    Done,
    /// Its result is in use from now on.
    Landed,
}

impl Turn {
    /// A request that went out as it came.
    pub(super) fn as_received(body: &Bytes) -> Self {
        Self {
            bytes_in: body.len(),
            sent: Rope::from(body.clone()),
            decision: Decision::Forwarded,
            scan: Arc::default(),
            forms: Forms::new(),
            entered: 0,
            landed: 0,
            landing: None,
            skipped: SkippedBlocks::new(),
            job: None,
            planning: Duration::ZERO,
            usage: Usage::default(),
            direct_usage: Usage::default(),
        }
    }
}

impl Job {
    /// The job of a request of which this was known.
    pub(super) fn of(known: &KnownPrefix, is_pushed: bool, has_landed: bool) -> Option<Self> {
        let waiting = known.deferred.as_ref();
        match waiting.map(|waiting| waiting.compressed.is_some()) {
            _ if is_pushed => Some(Self::Pushed),
            _ if has_landed => Some(Self::Landed),
            Some(true) => Some(Self::Done),
            Some(false) => Some(Self::Queued),
            None => None,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pushed => "pushed",
            Self::Queued => "queued",
            Self::Done => "done",
            Self::Landed => "landed",
        }
    }
}
