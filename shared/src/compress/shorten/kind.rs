//! [`Kind`]: what a tool's output is, as far as that decides which of its lines an agent needs at once.

/// What a tool's output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// What a command says: tests, builds, linters, package managers, logs.
    Messages,
    /// Lines of files that match.
    Search,
    /// Names of files.
    Listing,
    /// Prose.
    Report,
}
