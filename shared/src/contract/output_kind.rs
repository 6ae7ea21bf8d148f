//! [`OutputKind`]: what a tool's output is, as far as that decides which of its lines an agent needs at once.

use std::iter::FromIterator;

use serde::{Deserialize, Serialize};

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputKind {
    /// What a command says: tests, builds, linters, package managers, logs.
    Messages,
    /// Lines of files that match.
    Search,
    /// Names of files.
    Listing,
    /// Prose of an agent, or a page of the web.
    Report,
    /// What a file holds.
    Read,
    /// Anything else: data, what a user said, the answer of a tool that is not known.
    Other,
}

impl OutputKind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Messages,
        Self::Search,
        Self::Listing,
        Self::Report,
        Self::Read,
        Self::Other,
    ];

    /// Its name, in payloads, metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Search => "search",
            Self::Listing => "listing",
            Self::Report => "report",
            Self::Read => "read",
            Self::Other => "other",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of [`OutputKind`]s; in JSON an array of names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<OutputKind>", into = "Vec<OutputKind>")]
pub struct OutputKinds(u8);

impl OutputKinds {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// Whether it has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0 == 0
    }

    /// Whether it has this one.
    #[must_use]
    pub const fn contains(self, kind: OutputKind) -> bool {
        self.0 & kind.bit() != 0
    }

    /// Those of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl FromIterator<OutputKind> for OutputKinds {
    fn from_iter<Kinds: IntoIterator<Item = OutputKind>>(kinds: Kinds) -> Self {
        Self(kinds.into_iter().fold(0, |bits, kind| bits | kind.bit()))
    }
}

impl From<Vec<OutputKind>> for OutputKinds {
    fn from(kinds: Vec<OutputKind>) -> Self {
        kinds.into_iter().collect()
    }
}

impl From<OutputKinds> for Vec<OutputKind> {
    fn from(kinds: OutputKinds) -> Self {
        let all = OutputKind::ALL.into_iter();
        all.filter(|kind| kinds.contains(*kind)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_an_array_of_names() {
        let kinds: OutputKinds = [OutputKind::Read, OutputKind::Search].into_iter().collect();
        let json = serde_json::to_string(&kinds).unwrap();
        assert_eq!(json, r#"["search","read"]"#);
        assert_eq!(serde_json::from_str::<OutputKinds>(&json).unwrap(), kinds);
        for kind in OutputKind::ALL {
            let set: OutputKinds = [kind].into_iter().collect();
            assert_eq!(
                serde_json::to_string(&set).unwrap(),
                format!("[\"{}\"]", kind.name())
            );
            assert!(kinds.union(set).contains(kind));
        }
        assert!(!kinds.contains(OutputKind::Report));
    }
}
