//! What was done with a request, and how much shorter it got.

/// What was done with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Sent as it came.
    Forwarded,
    /// Sent as it came, and its job is on its way to the queue.
    Deferring,
    /// Sent as it came, and its job stands in the queue.
    Deferred,
    /// Sent as it came, and its job dropped because there is no room for it.
    Dropped,
    /// Sent with at least one form.
    Compressed,
    /// Sent as it came because the client asked for that.
    Bypassed,
}

impl Decision {
    /// Those that a request may be counted under for good: what becomes of a job that is on its way is known later.
    pub(crate) const FINAL: [Self; 5] = [
        Self::Forwarded,
        Self::Deferred,
        Self::Dropped,
        Self::Compressed,
        Self::Bypassed,
    ];

    /// Its name in headers, logs and counts.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Deferring => "deferring",
            Self::Deferred => "deferred",
            Self::Dropped => "dropped",
            Self::Compressed => "compressed",
            Self::Bypassed => "bypassed",
        }
    }
}

/// How long the text of a body is, in bytes: what is in it without its content encoding. A body that was not decoded counts as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TextBytes {
    pub(crate) received: usize,
    pub(crate) sent: usize,
}

impl TextBytes {
    /// That of a body that goes out as it came.
    pub(crate) const fn unchanged(bytes: usize) -> Self {
        Self {
            received: bytes,
            sent: bytes,
        }
    }

    /// How much shorter the text is that goes out.
    pub(crate) const fn saved(self) -> usize {
        self.received.saturating_sub(self.sent)
    }
}
