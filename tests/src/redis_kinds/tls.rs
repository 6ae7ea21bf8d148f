//! A redis-server that speaks TLS, with a certificate of a CA of its own.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

use crate::ports::free_port;
use crate::redis_server::RedisServer;

/// The server. Its plain port is the test's alone.
#[derive(Debug)]
pub struct Tls {
    /// The server itself.
    pub server: RedisServer,
    port: u16,
    files: TempDir,
}

impl Tls {
    /// Starts one that asks its clients for a certificate of the same CA if `mutual`.
    ///
    /// # Panics
    /// When the certificates can't be made.
    pub async fn start(mutual: bool) -> Self {
        let files = TempDir::new().expect("a temporary folder");
        let mut ca = CertificateParams::new(vec![]).expect("no name is a name");
        ca.distinguished_name
            .push(DnType::CommonName, "a CA of our own");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(ca, key()).expect("the CA signs itself");
        let write = |name: &str, text: &str| {
            let path = files.path().join(name);
            std::fs::write(&path, text).expect("the folder can be written");
            path.display().to_string()
        };
        let ca_file = write("ca.pem", &ca.pem());
        for name in ["server", "client"] {
            let key = key();
            let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
            let mut params = CertificateParams::new(names).expect("names");
            params.distinguished_name.push(DnType::CommonName, name);
            let certificate = params.signed_by(&key, &ca).expect("the CA signs it");
            write(&format!("{name}.pem"), &certificate.pem());
            write(&format!("{name}.key"), &key.serialize_pem());
        }
        let file = |name: &str| files.path().join(name).display().to_string();
        let port = free_port();
        let server = RedisServer::with(&[
            "--tls-port",
            &port.to_string(),
            "--tls-cert-file",
            &file("server.pem"),
            "--tls-key-file",
            &file("server.key"),
            "--tls-ca-cert-file",
            &ca_file,
            "--tls-auth-clients",
            if mutual { "yes" } else { "no" },
        ])
        .await;
        Self {
            server,
            port,
            files,
        }
    }

    /// The URL without a word of the CA.
    #[must_use]
    pub fn bare_url(&self) -> String {
        format!("rediss://127.0.0.1:{}", self.port)
    }

    /// The URL that trusts the CA.
    #[must_use]
    pub fn url(&self) -> String {
        format!(
            "{}?ssl_ca_certs={}",
            self.bare_url(),
            self.file("ca.pem").display()
        )
    }

    /// The URL that trusts the CA and shows a certificate.
    #[must_use]
    pub fn mutual_url(&self) -> String {
        let (pem, key) = (self.file("client.pem"), self.file("client.key"));
        format!(
            "{}&ssl_certfile={}&ssl_keyfile={}",
            self.url(),
            pem.display(),
            key.display()
        )
    }

    fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}
