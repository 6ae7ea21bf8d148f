//! Relays a `WebSocket`: its handshake to the provider and back, and then the bytes of both sides.

use std::io;

use axum::body::Body;
use axum::extract::Request;
use futures_util::future::{Either, select};
use http::{HeaderMap, HeaderValue, Method, Response, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, split};

use crate::app::App;
use crate::header_list::items;
use crate::http::headers;
use crate::http::settings;
use crate::upstream::ResponseBody;

/// A client's request to upgrade its connection to a WebSocket.
#[derive(Debug)]
pub(crate) struct Upgrade {
    client: OnUpgrade,
    /// The `Upgrade` header as the client wrote it.
    protocol: HeaderValue,
}

impl Upgrade {
    /// Takes the upgrade from a request that asks for one. No other protocol is supported.
    pub(crate) fn take_from(request: &mut Request) -> Option<Self> {
        let protocol = protocol(request.headers())?.clone();
        if request.method() != Method::GET {
            return None;
        }
        // Only an HTTP/1.1 connection can be upgraded, and only there does the server put this.
        let client = request.extensions_mut().remove::<OnUpgrade>()?;
        Some(Self { client, protocol })
    }

    /// Adds the upgrade to the headers that go to the provider.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap) {
        set_upgrade(headers, self.protocol.clone());
    }

    /// Passes the provider's 101 response on and relays what follows until both sides have ended, one of them breaks, or the proxy stops.
    /// `None` where the response upgrades to something else.
    pub(crate) fn accept(
        self,
        app: &App,
        response: Response<ResponseBody>,
    ) -> Option<Response<Body>> {
        let (mut parts, _no_body) = response.into_parts();
        let protocol = protocol(&parts.headers)?.clone();
        let provider = parts.extensions.remove::<OnUpgrade>()?;
        headers::end_to_end(&mut parts.headers);
        set_upgrade(&mut parts.headers, protocol);
        let stream = app.streams.token();
        app.tasks.spawn(async move {
            let _stream = stream;
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
    let mut options = connection.flat_map(items);
    options.find(|option| option.eq_ignore_ascii_case(b"upgrade"))?;
    let protocol = headers.get(header::UPGRADE)?;
    protocol
        .as_bytes()
        .eq_ignore_ascii_case(b"websocket")
        .then_some(protocol)
}

/// Sets the upgrade headers, which are for one hop only, on the next hop's headers.
fn set_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, protocol);
}

/// Copies bytes both ways. The end of one side is passed to the other, which may still send the rest of its own.
async fn relay(client: OnUpgrade, provider: OnUpgrade) -> io::Result<()> {
    let (client, provider) = tokio::try_join!(client, provider).map_err(io::Error::other)?;
    let (from_client, to_client) = split(TokioIo::new(client));
    let (from_provider, to_provider) = split(TokioIo::new(provider));
    let up = std::pin::pin!(copy(from_client, to_provider));
    let down = std::pin::pin!(copy(from_provider, to_client));
    match select(up, down).await {
        Either::Left((ended, down)) => {
            ended?;
            tokio::time::timeout(settings::HALF_CLOSED_TIMEOUT, down).await?
        }
        Either::Right((ended, up)) => {
            ended?;
            tokio::time::timeout(settings::HALF_CLOSED_TIMEOUT, up).await?
        }
    }
}

/// Copies bytes one way until their end, and passes the end on.
async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
    tokio::io::copy(&mut from, &mut to).await?;
    to.shutdown().await
}
