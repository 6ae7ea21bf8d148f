//! Connections through a proxy where the environment names one for the target: a tunnel, which the proxy makes at `CONNECT` (RFC 9110,
//! section 9.3.6). What is spoken in it, TLS or plain HTTP, is the provider's, and the proxy gets none of its headers.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use super::RequestBody;
use super::connect::{BoxError, Tcp};
use super::connection::Connection;
use super::failure::Failure;
use super::request::Request;
use crate::plan::splice::Rope;
use crate::proxies::{self, Proxies};

/// How long a proxy may take to be reached and to make a tunnel: less than a connection may take, which may need TLS in it.
const TIMEOUT: Duration = Duration::from_secs(8);

/// A connection's bytes: to the provider itself, or to a proxy, which may be spoken to by TLS.
pub(super) type Way = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Connects to a target or to the proxy before it.
#[derive(Debug, Clone)]
pub(super) struct Tunnels {
    proxies: Arc<Proxies>,
    direct: Tcp,
    to_proxy: HttpsConnector<Tcp>,
}

/// Why a proxy gave no tunnel.
#[derive(Debug, thiserror::Error)]
enum NoTunnel {
    #[error("the proxy {proxy} can't be reached")]
    Away {
        proxy: String,
        #[source]
        cause: BoxError,
    },
    #[error("the proxy {proxy} made no tunnel within {} s", TIMEOUT.as_secs())]
    Slow { proxy: String },
    #[error("the proxy {proxy} did not answer CONNECT")]
    Unanswered {
        proxy: String,
        #[source]
        cause: Failure,
    },
    #[error("the proxy {proxy} refused CONNECT to {target} with {status}{}", hint(*status))]
    Refused {
        proxy: String,
        target: String,
        status: StatusCode,
    },
    #[error("the proxy {proxy} spoke before it was spoken to in the tunnel")]
    Unasked { proxy: String },
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
    type Response = Way;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Way, BoxError>> + Send>>;

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
                    let made = tokio::time::timeout(TIMEOUT, tunnel).await;
                    let proxy = proxies::name(&proxy);
                    Ok(made.unwrap_or(Err(NoTunnel::Slow { proxy }))?)
                })
            }
            Err(unusable) => Box::pin(async move { Err(unusable.into()) }),
        }
    }
}

/// Has `proxy`, to which a connection is being made, make a tunnel to `target`.
async fn tunnel(
    connecting: impl Future<Output = Result<Way, BoxError>>,
    proxy: &Intercept,
    target: &Uri,
) -> Result<Way, NoTunnel> {
    let name = proxies::name(proxy);
    let stream = match connecting.await {
        Ok(stream) => TokioIo::new(stream),
        Err(cause) => return Err(NoTunnel::Away { proxy: name, cause }),
    };
    let target = authority(target);
    let mut connection = Connection::new(stream);
    let mut request = connect(&target, proxy.basic_auth());
    let status = match connection.send(&mut request).await {
        Ok(head) => head.response.status(),
        Err(cause) => return Err(NoTunnel::Unanswered { proxy: name, cause }),
    };
    if !status.is_success() {
        return Err(NoTunnel::Refused {
            proxy: name,
            target,
            status,
        });
    }
    let made = connection.switch();
    if made.ahead.is_empty() {
        Ok(made.stream.into_inner())
    } else {
        Err(NoTunnel::Unasked { proxy: name })
    }
}

/// The request for a tunnel.
fn connect(target: &str, credentials: Option<&HeaderValue>) -> Request {
    let host = HeaderValue::from_str(target).unwrap_or(HeaderValue::from_static(""));
    let mut headers = HeaderMap::new();
    if let Some(credentials) = credentials {
        headers.insert(header::PROXY_AUTHORIZATION, credentials.clone());
    }
    let body = RequestBody::Whole(Rope::default());
    Request::new((Method::CONNECT, target), &host, headers, body)
}

/// Host and port, which `CONNECT` always names.
fn authority(target: &Uri) -> String {
    let usual = if target.scheme_str() == Some("https") {
        443
    } else {
        80
    };
    let port = target.port_u16().unwrap_or(usual);
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
