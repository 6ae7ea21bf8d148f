//! Connections through an HTTP proxy where one is configured for the target: a tunnel, which the proxy makes at `CONNECT` (RFC 9110, section
//! 9.3.6). TLS or plain HTTP to the provider is spoken inside of it, and the proxy sees none of its headers.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use super::RequestBody;
use super::connection::Connection;
use super::settings;
use super::tcp::{BoxError, Tcp};
use crate::plan::splice::Rope;
use crate::upstream::proxies::{self, Proxies};

/// The stream of a connection: to the provider itself, or to a proxy, by TLS or not.
pub(super) type Transport = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Connects to a target or to the proxy before it.
#[derive(Debug, Clone)]
pub(super) struct Tunnels {
    proxies: Arc<Proxies>,
    direct: Tcp,
    to_proxy: HttpsConnector<Tcp>,
}

/// Why a proxy gave no tunnel.
#[derive(Debug, thiserror::Error)]
enum TunnelError {
    #[error("the proxy {proxy} can't be reached")]
    Unreachable {
        proxy: String,
        #[source]
        cause: BoxError,
    },
    #[error("the proxy {proxy} made no tunnel within {} s", settings::TUNNEL_TIMEOUT.as_secs())]
    Timeout { proxy: String },
    #[error("the proxy {proxy} did not answer CONNECT")]
    NoResponse {
        proxy: String,
        #[source]
        cause: hyper::Error,
    },
    #[error("the proxy {proxy} refused CONNECT to {target} with {status}{}", hint(*status))]
    Refused {
        proxy: String,
        target: String,
        status: StatusCode,
    },
    #[error("the proxy {proxy} spoke before it was spoken to in the tunnel")]
    UnexpectedBytes { proxy: String },
}

impl Tunnels {
    /// Connects by `direct`, and to the proxies that need it by `to_proxy`.
    pub(super) fn new(proxies: Proxies, direct: Tcp, to_proxy: HttpsConnector<Tcp>) -> Self {
        Self {
            proxies: Arc::new(proxies),
            direct,
            to_proxy,
        }
    }
}

impl Service<Uri> for Tunnels {
    type Response = Transport;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Transport, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.direct.poll_ready(context)
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        match self.proxies.of(&target) {
            Ok(None) => {
                let connecting = self.direct.call(target);
                Box::pin(async move { Ok(MaybeHttpsStream::Http(connecting.await?)) })
            }
            Ok(Some(proxy)) => {
                let connecting = self.to_proxy.call(proxy.uri().clone());
                Box::pin(async move {
                    let tunnel = tunnel(connecting, &proxy, &target);
                    let made = tokio::time::timeout(settings::TUNNEL_TIMEOUT, tunnel).await;
                    let proxy = proxies::name(&proxy);
                    Ok(made.unwrap_or(Err(TunnelError::Timeout { proxy }))?)
                })
            }
            Err(unusable) => Box::pin(async move { Err(unusable.into()) }),
        }
    }
}

/// Makes a tunnel to `target` through `proxy`, to which `connecting` connects.
async fn tunnel(
    connecting: impl Future<Output = Result<Transport, BoxError>>,
    proxy: &Intercept,
    target: &Uri,
) -> Result<Transport, TunnelError> {
    let name = proxies::name(proxy);
    let stream = match connecting.await {
        Ok(stream) => stream,
        Err(cause) => return Err(TunnelError::Unreachable { proxy: name, cause }),
    };
    let target = authority(target);
    match send_connect(stream, &target, proxy.basic_auth()).await {
        Ok(Ok(Some((stream, read)))) if read.is_empty() => Ok(stream),
        Ok(Ok(_)) => Err(TunnelError::UnexpectedBytes { proxy: name }),
        Ok(Err(status)) => Err(TunnelError::Refused {
            proxy: name,
            target,
            status,
        }),
        Err(cause) => Err(TunnelError::NoResponse { proxy: name, cause }),
    }
}

/// Asks for a tunnel: gives its stream and what was read of it already, or the status of a refusal.
async fn send_connect(
    stream: Transport,
    target: &str,
    credentials: Option<&HeaderValue>,
) -> hyper::Result<Result<Option<(Transport, Bytes)>, StatusCode>> {
    let mut connection = Connection::new(stream).await?;
    let response = connection.send(connect(target, credentials)).await;
    let response = response.map_err(|failed| failed.error)?;
    if !response.status().is_success() {
        return Ok(Err(response.status()));
    }
    connection.into_tunnel(response).await.map(Ok)
}

/// The request for a tunnel.
fn connect(target: &str, credentials: Option<&HeaderValue>) -> Request<RequestBody> {
    let mut request = Request::new(RequestBody::Whole(Rope::default()));
    *request.method_mut() = Method::CONNECT;
    *request.uri_mut() = target.parse().unwrap_or_default();
    let host = HeaderValue::from_str(target).unwrap_or(HeaderValue::from_static(""));
    request.headers_mut().insert(header::HOST, host);
    if let Some(credentials) = credentials {
        let headers = request.headers_mut();
        headers.insert(header::PROXY_AUTHORIZATION, credentials.clone());
    }
    request
}

/// Host and port, which `CONNECT` always names.
fn authority(target: &Uri) -> String {
    let default_port = if target.scheme_str() == Some("https") {
        443
    } else {
        80
    };
    let port = target.port_u16().unwrap_or(default_port);
    format!("{}:{port}", target.host().unwrap_or_default())
}

/// What to do about a refusal.
fn hint(status: StatusCode) -> &'static str {
    if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        ": it wants a user and a password that it knows, as in HTTPS_PROXY=http://user:password@host:port"
    } else {
        ""
    }
}
