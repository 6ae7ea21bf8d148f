//! What has become of the session's one job, as the proxy's counts tell it.

use serde_json::Value;

/// The state of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Job {
    /// On its way to the queue, or in it.
    Queued,
    Working,
    Done,
    Failed,
    /// Its result is in use.
    Landed,
}

impl Job {
    /// Reads it from the proxy's `/stats`.
    pub(super) fn of(stats: &Value) -> Self {
        let any = |path| stats.pointer(path).and_then(Value::as_u64).unwrap_or(0) > 0;
        if any("/prefixes/landed") {
            Self::Landed
        } else if any("/jobs/failed") {
            Self::Failed
        } else if any("/jobs/done") {
            Self::Done
        } else if any("/queue/active") {
            Self::Working
        } else {
            Self::Queued
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Working => "working",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Landed => "landed",
        }
    }
}
