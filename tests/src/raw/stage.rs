//! The proxy between a client and a provider that are both written by hand.

use super::{Socket, Sockets};
use crate::process::{Launch, Process};

/// Every way through the proxy: the dialects, and what is only relayed.
pub const PATHS: [&str; 4] = [
    "/v1/messages",
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/files",
];
/// A request's body that is well formed in every dialect, and in which there is nothing to do.
pub const BODY: &str = r#"{"model":"m","messages":[],"input":[]}"#;

/// The proxy, and the provider's end.
#[derive(Debug)]
pub struct Stage {
    /// Where the proxy's connections arrive.
    pub provider: Sockets,
    /// The proxy.
    pub proxy: Process,
}

impl Stage {
    /// Starts both.
    pub async fn start() -> Self {
        let provider = Sockets::listen().await;
        let proxy = Launch::proxy_to(&provider.url()).start().await;
        Self { provider, proxy }
    }

    /// A client and a provider on a connection of their own, with a request asked and read.
    ///
    /// # Panics
    /// When the provider gets none.
    pub async fn asked(&self, path: &str) -> (Socket, Socket) {
        let mut client = Socket::connect(&self.proxy.addr()).await;
        client.write(post(path, "")).await;
        (client, self.got().await)
    }

    /// The provider on its next connection, with a request read.
    ///
    /// # Panics
    /// When it gets none.
    pub async fn got(&self) -> Socket {
        let mut upstream = self.provider.next().await;
        upstream.message().await.expect("a request");
        upstream
    }
}

/// A request with [`BODY`] and these header lines.
#[must_use]
pub fn post(path: &str, headers: &str) -> String {
    let length = BODY.len();
    format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n{headers}\r\n{BODY}")
}
