//! What someone must know who changes the queue from the page: whoever can reach the listener sees the page, but only who sees the
//! terminal or the log of the process, or can read its data folder, may replay and drop jobs.

use std::fmt;

use http::HeaderName;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// The header that carries it.
pub(crate) const TOKEN_HEADER: HeaderName = HeaderName::from_static("x-headroom-token");

/// A secret of one process, printed when it starts.
#[derive(Clone)]
pub(crate) struct PageToken(String);

impl PageToken {
    /// A new one: 122 random bits.
    pub(crate) fn new() -> Self {
        Self(Uuid::new_v4().simple().to_string())
    }

    /// Whether this is the token. How long that takes tells nothing of it, because digests are compared.
    pub(crate) fn is(&self, given: &[u8]) -> bool {
        Sha256::digest(given) == Sha256::digest(&self.0)
    }
}

impl fmt::Display for PageToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for PageToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PageToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_itself_alone_and_not_in_logs() {
        let token = PageToken::new();
        let text = token.to_string();
        assert!(token.is(text.as_bytes()));
        assert!(!token.is(b""));
        assert!(!token.is(&text.as_bytes()[1..]));
        assert!(!format!("{token:?}").contains(&text));
    }
}
