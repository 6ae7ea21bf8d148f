//! The handshake of a WebSocket at a provider or a hop that speaks HTTP with a library (RFC 6455, section 4.2).

use std::sync::Mutex;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::upgrade::OnUpgrade;
use hyper::{HeaderMap, Request, Response, StatusCode, header};
use sha1_smol::Sha1;

use super::Socket;

/// What is appended to a client's key.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A connection on which a WebSocket may be agreed, and what the agreement leaves for what serves it.
#[derive(Debug)]
pub(crate) struct Agreed<T>(Mutex<Option<(OnUpgrade, T)>>);

impl<T> Default for Agreed<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Agreed<T> {
    /// Notes that the connection of this request becomes a WebSocket.
    pub(crate) fn note<B>(&self, request: &mut Request<B>, left: T) {
        let connection = hyper::upgrade::on(request);
        *self.0.lock().expect("no panic") = Some((connection, left));
    }

    /// The connection once HTTP is over on it; `None` where no WebSocket was agreed, or the client has gone.
    pub(crate) async fn take(&self) -> Option<(Socket, T)> {
        let (connection, left) = self.0.lock().expect("no panic").take()?;
        Some((Socket::upgraded(connection.await.ok()?), left))
    }
}

/// Whether a request asks for a WebSocket.
pub(crate) fn asks<B>(request: &Request<B>) -> bool {
    let protocol = request.headers().get(header::UPGRADE);
    protocol.is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// The answer that agrees to a handshake with these headers.
///
/// # Panics
/// When they have no key.
pub(crate) fn agreement(asked: &HeaderMap) -> Response<()> {
    let key = asked.get(header::SEC_WEBSOCKET_KEY).expect("a key");
    let digest = Sha1::from([key.as_bytes(), GUID.as_bytes()].concat()).digest();
    let accept = BASE64_STANDARD.encode(digest.bytes());
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, accept)
        .body(())
        .expect("a response")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_accepted_as_the_standard_says() {
        let mut asked = HeaderMap::new();
        let key = "dGhlIHNhbXBsZSBub25jZQ==".parse().expect("a value");
        asked.insert(header::SEC_WEBSOCKET_KEY, key);
        let agreement = agreement(&asked);
        let accept = &agreement.headers()[header::SEC_WEBSOCKET_ACCEPT];
        assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
