//! `WebSocket`: the handshake goes to the provider and back, and then the bytes of either side as they come.

use std::io;

use axum::body::Body;
use axum::extract::Request;
use futures_util::future::{Either, select};
use http::{HeaderMap, HeaderValue, Method, Response, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, split};

use crate::app::App;
use crate::http::headers::{self, words};
use crate::http::settings::HTTP;
use crate::upstream::ResponseBody;

/// A client's wish to speak WebSocket on its connection.
#[derive(Debug)]
pub(crate) struct Upgrade {
    client: OnUpgrade,
    /// The `Upgrade` header as the client wrote it.
    protocol: HeaderValue,
}

impl Upgrade {
    /// Takes the wish from a request that has one. No other protocol is spoken here.
    pub(crate) fn wanted(request: &mut Request) -> Option<Self> {
        let protocol = protocol(request.headers())?.clone();
        if request.method() != Method::GET {
            return None;
        }
        // Only an HTTP/1.1 connection can be upgraded, and only there does the server put this.
        let client = request.extensions_mut().remove::<OnUpgrade>()?;
        Some(Self { client, protocol })
    }

    /// Puts the wish on the headers that go to the provider.
    pub(crate) fn ask(&self, headers: &mut HeaderMap) {
        say(headers, self.protocol.clone());
    }

    /// Passes the provider's consent on and relays what follows until both sides have ended, one of them breaks, or the proxy
    /// stops. `None` where the answer agrees to something else.
    pub(crate) fn agreed(
        self,
        app: &App,
        answer: Response<ResponseBody>,
    ) -> Option<Response<Body>> {
        let (mut parts, _no_body) = answer.into_parts();
        let protocol = protocol(&parts.headers)?.clone();
        let provider = parts.extensions.remove::<OnUpgrade>()?;
        headers::end_to_end(&mut parts.headers);
        say(&mut parts.headers, protocol);
        app.tasks.spawn(async move {
            if let Err(error) = relay(self.client, provider).await {
                tracing::debug!(%error, "a WebSocket ended early");
            }
        });
        Some(Response::from_parts(parts, Body::empty()))
    }
}

/// The value of `Upgrade`, where these headers ask for or agree to a WebSocket.
fn protocol(headers: &HeaderMap) -> Option<&HeaderValue> {
    let connection = headers.get_all(header::CONNECTION).iter();
    let mut said = connection.flat_map(words);
    said.find(|word| word.eq_ignore_ascii_case(b"upgrade"))?;
    let protocol = headers.get(header::UPGRADE)?;
    protocol
        .as_bytes()
        .eq_ignore_ascii_case(b"websocket")
        .then_some(protocol)
}

/// Says on this hop what was asked for or agreed to on the other.
fn say(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, protocol);
}

/// Moves bytes both ways. The end of one side is told to the other, which may then say what is left.
async fn relay(client: OnUpgrade, provider: OnUpgrade) -> io::Result<()> {
    let (client, provider) = tokio::try_join!(client, provider).map_err(io::Error::other)?;
    let (from_client, to_client) = split(TokioIo::new(client));
    let (from_provider, to_provider) = split(TokioIo::new(provider));
    let up = std::pin::pin!(pump(from_client, to_provider));
    let down = std::pin::pin!(pump(from_provider, to_client));
    match select(up, down).await {
        Either::Left((ended, down)) => {
            ended?;
            tokio::time::timeout(HTTP.half_closed_timeout, down).await?
        }
        Either::Right((ended, up)) => {
            ended?;
            tokio::time::timeout(HTTP.half_closed_timeout, up).await?
        }
    }
}

/// Moves bytes one way, and the end of them.
async fn pump(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
    tokio::io::copy(&mut from, &mut to).await?;
    to.shutdown().await
}
