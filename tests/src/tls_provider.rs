//! A provider that speaks TLS and is served by the test, byte by byte.

use std::fmt;
use std::io;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;

use crate::process::Launch;
use crate::wait;

/// The provider's listener.
pub struct TlsProvider {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    /// The CA that signed its certificate.
    pub ca: NamedTempFile,
}

impl TlsProvider {
    /// Listens with a certificate for `name`, and offers these protocols.
    ///
    /// # Panics
    /// When no port is free or no certificate can be made.
    pub async fn listen(name: &str, protocols: &[&str]) -> Self {
        let mut ca = CertificateParams::new(vec![]).expect("no name is a name");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(ca, key()).expect("the CA signs itself");
        let file = NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), ca.pem()).expect("the file can be written");
        let key = key();
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &ca).expect("the CA signs it");
        let der = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], der)
            .expect("a certificate and its key");
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.expect("a free port"),
            acceptor: TlsAcceptor::from(Arc::new(config)),
            ca: file,
        }
    }

    /// Its TCP port on 127.0.0.1.
    ///
    /// # Panics
    /// When the system does not know it.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.listener.local_addr().expect("its address").port()
    }

    /// A proxy before it, that trusts the CAs in this file.
    #[must_use]
    pub fn launch(&self, trusted: &NamedTempFile) -> Launch {
        let launch = Launch::proxy_to(&format!("https://127.0.0.1:{}", self.port()));
        launch.set("SSL_CERT_FILE", trusted.path().display())
    }

    /// The next connection.
    ///
    /// # Errors
    /// When the client does not shake hands.
    pub async fn next(&self) -> io::Result<TlsStream<TcpStream>> {
        let (stream, _) = wait::soon("a connection", self.listener.accept()).await?;
        wait::soon("a handshake", self.acceptor.accept(stream)).await
    }
}

impl fmt::Debug for TlsProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("TlsProvider");
        shown.field("listener", &self.listener);
        shown.finish_non_exhaustive()
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

/// Reads up to the end of `mark`.
///
/// # Panics
/// When the connection ends before.
pub async fn through(stream: &mut TlsStream<TcpStream>, mark: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(mark) {
        let byte = wait::soon("a byte", stream.read_u8()).await;
        text.push(char::from(byte.expect("the connection goes on")));
    }
    text
}

/// Reads a request up to the end of `mark` and answers it with `ok`; gives what was read.
///
/// # Panics
/// When the connection ends before.
pub async fn answer_ok(stream: &mut TlsStream<TcpStream>, mark: &str) -> String {
    let asked = through(stream, mark).await;
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    stream.write_all(answer).await.expect("a reader");
    stream.flush().await.expect("a reader");
    asked
}
