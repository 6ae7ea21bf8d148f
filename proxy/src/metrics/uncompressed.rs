//! Why nothing in a request was compressed.

use crate::plan::skip_reason::SkipReason;

/// The reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Uncompressed {
    /// The client asked for that.
    Bypass,
    /// The settings do.
    Off,
    /// There was no memory for its body.
    Memory,
    /// Its content encoding is not known, or the body is not in it.
    Encoding,
    /// Its body is not what the dialect says.
    NotInDialect,
    /// The deployment's secret is not known, because the store did not give it in time.
    NoSecret,
    /// It is a cold start, which is left to a worker.
    ColdStart,
    /// There is nothing in it that could be compressed.
    NoBlocks,
    /// All its blocks were sent before, in the original.
    SentBefore,
    /// The provider refused it with forms.
    Refused,
    /// The proxy failed on it.
    Failed,
    /// It has new blocks, of which the largest is not compressed for this reason.
    Skipped(SkipReason),
}

impl Uncompressed {
    /// Those that are not a [`SkipReason`].
    const OWN: [Self; 11] = [
        Self::Bypass,
        Self::Off,
        Self::Memory,
        Self::Encoding,
        Self::NotInDialect,
        Self::NoSecret,
        Self::ColdStart,
        Self::NoBlocks,
        Self::SentBefore,
        Self::Refused,
        Self::Failed,
    ];

    /// All of them.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let skips = SkipReason::ALL.into_iter();
        // A block fails as a request does.
        let skips = skips.filter(|it| *it != SkipReason::Failed);
        Self::OWN.into_iter().chain(skips.map(Self::Skipped))
    }

    /// Its name in logs and counts.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Off => "off",
            Self::Memory => "memory",
            Self::Encoding => "encoding",
            Self::NotInDialect => "not_in_dialect",
            Self::NoSecret => "no_secret",
            Self::ColdStart => "cold_start",
            Self::NoBlocks => "no_blocks",
            Self::SentBefore => "sent_before",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Skipped(reason) => reason.name(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_reason_has_a_name_of_its_own() {
        let names: HashSet<&str> = Uncompressed::all().map(Uncompressed::name).collect();
        assert_eq!(names.len(), Uncompressed::all().count());
    }
}
