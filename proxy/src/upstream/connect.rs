//! Making connections: name, TCP and TLS, in bounded time.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::rustls::ClientConfig;
use tower_service::Service;

use super::tunnel::{Transport, Tunnels};
use crate::http_settings::HTTP;
use crate::proxies::Proxies;

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What makes connections.
pub(super) type Connector = HttpsConnector<Tunnels>;

/// A connection's bytes.
pub(super) type Stream = MaybeHttpsStream<Transport>;

/// Linux forgets within 200 ms of silence how much the way can carry, and a large request after a person's pause takes many round
/// trips (2 MB at 20 ms: 170 ms). With this congestion control it does not (32 ms).
const CONGESTION_CONTROL: &[u8] = b"bbr";

/// Connects by TCP, by TLS where the URL says `https`, and through the proxies that are named for it.
pub(super) fn connector(proxies: Proxies) -> Connector {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_keepalive(Some(HTTP.provider.tcp_keepalive));
    http.set_keepalive_interval(Some(HTTP.provider.tcp_keepalive_interval));
    http.set_keepalive_retries(Some(HTTP.provider.tcp_keepalive_retries));
    let (tcp, tls) = (Tcp(http), tls());
    let to_proxy = HttpsConnector::from((tcp.clone(), tls.clone()));
    HttpsConnector::from((Tunnels::new(proxies, tcp, to_proxy), tls))
}

/// TLS by the certificates that this system trusts. It offers no HTTP/2: over one connection of it, streams wait for each other, and
/// large bodies for its window (HOTPATH.md).
fn tls() -> Arc<ClientConfig> {
    let trusted = ClientConfig::builder()
        .with_native_roots()
        .unwrap_or_else(|error| {
            tracing::warn!(%error, "this system trusts no certificates: going by Mozilla's list");
            ClientConfig::builder().with_webpki_roots()
        });
    Arc::new(trusted.with_no_client_auth())
}

/// Connects by TCP, to be ready for large requests after a pause.
#[derive(Debug, Clone)]
pub(super) struct Tcp(HttpConnector);

impl Service<Uri> for Tcp {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move {
            let stream = connecting.await?;
            if stream
                .inner()
                .peer_addr()
                .is_ok_and(|peer| !peer.ip().is_loopback())
            {
                choose_congestion_control(stream.inner());
            }
            Ok(stream)
        })
    }
}

/// Chooses [`CONGESTION_CONTROL`] where the system has it and lets everyone choose it.
fn choose_congestion_control(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    if let Err(error) = socket2::SockRef::from(stream).set_tcp_congestion(CONGESTION_CONTROL) {
        tracing::debug!(%error, "no congestion control that keeps its pace over a pause");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (stream, CONGESTION_CONTROL);
}

/// Makes a connection to `origin` in bounded time.
///
/// # Errors
/// When there is none.
pub(super) async fn connect(connector: &Connector, origin: &Uri) -> Result<Stream, BoxError> {
    let connecting = connector.clone().call(origin.clone());
    tokio::time::timeout(HTTP.provider.connect_timeout, connecting)
        .await
        .unwrap_or_else(|_| {
            let why = format!(
                "no connection within {} s",
                HTTP.provider.connect_timeout.as_secs()
            );
            Err(io::Error::new(io::ErrorKind::TimedOut, why).into())
        })
}
