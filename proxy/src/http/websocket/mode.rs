//! The setting of what is done with a WebSocket.

use std::str::FromStr;

/// What is done with a WebSocket on a dialect's path. All others are relayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebSocketMode {
    /// The requests on it are compressed as those over HTTP, and all else is relayed.
    Compress,
    /// It is relayed byte for byte.
    Relay,
    /// The client is told to use HTTP.
    Refuse,
}

impl WebSocketMode {
    /// Its name in the settings.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Compress => "compress",
            Self::Relay => "relay",
            Self::Refuse => "refuse",
        }
    }
}

impl FromStr for WebSocketMode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Compress, Self::Relay, Self::Refuse];
        let named = all.into_iter().find(|mode| mode.name() == text);
        named.ok_or("takes compress, relay or refuse")
    }
}
