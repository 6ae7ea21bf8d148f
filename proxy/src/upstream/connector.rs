//! Makes connections in bounded time: name lookup, TCP and TLS.

use std::io;
use std::sync::Arc;

use http::Uri;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, MaybeHttpsStream};
use tokio_rustls::rustls::ClientConfig;
use tower_service::Service as _;

use super::settings;
use super::tcp::{BoxError, Tcp};
use super::tunnel::{Transport, Tunnels};
use crate::upstream::proxies::Proxies;

/// What makes connections.
pub(super) type Connector = HttpsConnector<Tunnels>;

/// A connection's bytes.
pub(super) type Stream = MaybeHttpsStream<Transport>;

/// Connects by TCP, by TLS where the URL says `https`, and through the proxies that are named for it.
pub(super) fn connector(proxies: Proxies) -> Connector {
    let (tcp, tls) = (Tcp::new(), tls());
    let to_proxy = HttpsConnector::from((tcp.clone(), tls.clone()));
    HttpsConnector::from((Tunnels::new(proxies, tcp, to_proxy), tls))
}

/// TLS by the certificates that this system trusts. It offers no HTTP/2: over one connection of it, streams wait for each other, and
/// large bodies for its window.
fn tls() -> Arc<ClientConfig> {
    let trusted = ClientConfig::builder()
        .with_native_roots()
        .unwrap_or_else(|error| {
            tracing::warn!(%error, "this system trusts no certificates: going by Mozilla's list");
            ClientConfig::builder().with_webpki_roots()
        });
    Arc::new(trusted.with_no_client_auth())
}

/// Makes a connection to `origin` in bounded time.
///
/// # Errors
/// When there is none.
pub(super) async fn connect(connector: &Connector, origin: &Uri) -> Result<Stream, BoxError> {
    let connecting = connector.clone().call(origin.clone());
    tokio::time::timeout(settings::CONNECT_TIMEOUT, connecting)
        .await
        .unwrap_or_else(|_| {
            let why = format!(
                "no connection within {} s",
                settings::CONNECT_TIMEOUT.as_secs()
            );
            Err(io::Error::new(io::ErrorKind::TimedOut, why).into())
        })
}
