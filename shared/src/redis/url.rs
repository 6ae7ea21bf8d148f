//! [`RedisUrl`]: the URL of one server, of a master behind sentinels, or of a cluster. Its password is never printed.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{Client, ClientTlsConfig, ConnectionInfo, IntoConnectionInfo, TlsCertificates};

/// TCP keepalive: the idle time before the first probe, and the time between probes.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Where Redis is and how to log in there. Its `Debug` and `Display` leave users and passwords out.
#[derive(Clone)]
pub struct RedisUrl {
    /// The server, or the sentinels or cluster nodes that know it.
    pub(super) nodes: Vec<ConnectionInfo>,
    /// How to connect to the server: its address is filled in later, unless `nodes` has only one.
    pub(super) server: ConnectionInfo,
    pub(super) topology: Topology,
}

/// How the server is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Topology {
    /// The URL names it.
    Server,
    /// Sentinels know it as the master of this name.
    Sentinel(String),
    /// The nodes of a cluster know which of them holds the deployment's slot.
    Cluster,
}

/// The accepted forms of a URL.
const SYNTAX: &str = "takes redis://[user:password@]host[:port][/db], unix:///path, redis-sentinel://host:port,host:port/?master=NAME or \
     redis-cluster://host:port,host:port; with TLS rediss://, rediss-sentinel:// or rediss-cluster://, and ?ssl_ca_certs=FILE for a CA of \
     your own";

impl RedisUrl {
    /// Whether it names a cluster, where all keys of a deployment must have one hash tag.
    #[must_use]
    pub fn is_cluster(&self) -> bool {
        self.topology == Topology::Cluster
    }
}

impl FromStr for RedisUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("unix://") {
            let server = text.into_connection_info().map_err(|_| syntax_error())?;
            return Ok(Self {
                nodes: vec![server.clone()],
                server,
                topology: Topology::Server,
            });
        }
        let parts = Parts::of(text).ok_or_else(syntax_error)?;
        let mut query = Query::read(parts.query)?;
        let topology = Topology::read(parts.topology, &mut query)?;
        let certificates = Certificates::read(&mut query, parts.scheme == "rediss")?;
        let sentinel_login = query.sentinel_login();
        query.reject_unknown()?;
        let one = |login: &str, host: &str, path: &str| {
            let info = format!("{}://{login}{host}/{path}", parts.scheme).into_connection_info();
            certificates.apply(info.map(with_socket_settings).map_err(|_| syntax_error())?)
        };
        let server = one(parts.login, parts.hosts[0], parts.path)?;
        let node_login = match topology {
            Topology::Sentinel(_) => &sentinel_login,
            Topology::Server | Topology::Cluster => parts.login,
        };
        let nodes = parts.hosts.iter().map(|host| one(node_login, host, ""));
        let nodes = nodes.collect::<Result<Vec<_>, _>>()?;
        match topology {
            Topology::Server if nodes.len() > 1 => Err(
                "takes one host after redis://; several are redis-sentinel:// or redis-cluster://"
                    .to_owned(),
            ),
            Topology::Cluster if server.redis_settings().db() != 0 => Err(
                "takes no database after redis-cluster://: a cluster has only database 0"
                    .to_owned(),
            ),
            _ => Ok(Self {
                nodes,
                server,
                topology,
            }),
        }
    }
}

fn syntax_error() -> String {
    SYNTAX.to_owned()
}

/// The parts of a URL, none of them decoded.
struct Parts<'a> {
    /// `redis` or `rediss`.
    scheme: &'a str,
    /// The part of the scheme after `-`.
    topology: &'a str,
    /// With its `@`.
    login: &'a str,
    hosts: Vec<&'a str>,
    path: &'a str,
    query: &'a str,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let (scheme, topology) = scheme.split_once('-').unwrap_or((scheme, ""));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        let known = matches!(scheme, "redis" | "rediss") && !text.contains('#');
        known.then(|| Self {
            scheme,
            topology,
            login,
            hosts: hosts.split(',').collect(),
            path,
            query,
        })
    }
}

impl Topology {
    fn read(name: &str, query: &mut Query<'_>) -> Result<Self, String> {
        match name {
            "" => Ok(Self::Server),
            "cluster" => Ok(Self::Cluster),
            "sentinel" => match query.take("master") {
                Some(master) => Ok(Self::Sentinel(master)),
                None => Err(
                    "takes redis-sentinel://… with ?master= and the name by which the sentinels know the master".to_owned(),
                ),
            },
            _ => Err(syntax_error()),
        }
    }
}

/// Adds the socket's settings.
fn with_socket_settings(info: ConnectionInfo) -> ConnectionInfo {
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_INTERVAL)
        .with_interval(KEEPALIVE_INTERVAL);
    let tcp = TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(keepalive);
    info.set_tcp_settings(tcp)
}

/// The parameters after the `?`, still percent-encoded.
struct Query<'a>(HashMap<&'a str, &'a str>);

impl<'a> Query<'a> {
    fn read(text: &'a str) -> Result<Self, String> {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').ok_or_else(syntax_error));
        Ok(Self(pairs.collect::<Result<_, _>>()?))
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let value = self.0.remove(name).filter(|value| !value.is_empty())?;
        Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
    }

    /// The login at the sentinels, if they have one of their own.
    fn sentinel_login(&mut self) -> String {
        // Not decoded: they go into a URL again.
        let user = self.0.remove("sentinel_username").unwrap_or_default();
        let password = self.0.remove("sentinel_password");
        password.map_or_else(String::new, |password| format!("{user}:{password}@"))
    }

    fn reject_unknown(&self) -> Result<(), String> {
        match self.0.keys().next() {
            // The value may be a password, and so may the name be a part of one that has a '?' in it.
            Some(name)
                if !name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_') =>
            {
                Err(syntax_error())
            }
            Some(name) => Err(format!(
                "takes master, sentinel_username, sentinel_password, ssl_ca_certs, ssl_certfile and ssl_keyfile after the '?', each where \
                 it has a meaning, not {name:?}"
            )),
            None => Ok(()),
        }
    }
}

/// A CA of the deployment's own, and a client certificate. The parameters have redis-py's names.
struct Certificates(Option<TlsCertificates>);

impl Certificates {
    fn read(query: &mut Query<'_>, tls: bool) -> Result<Self, String> {
        if !tls {
            return Ok(Self(None));
        }
        let mut file = |name: &str| {
            let path = query.take(name);
            let read = path.map(|path| {
                std::fs::read(&path).map_err(|error| {
                    format!("takes a file that can be read in {name}, not {path:?}: {error}")
                })
            });
            read.transpose()
        };
        let root_cert = file("ssl_ca_certs")?;
        let client_tls = match (file("ssl_certfile")?, file("ssl_keyfile")?) {
            (Some(client_cert), Some(client_key)) => Some(ClientTlsConfig {
                client_cert,
                client_key,
            }),
            (None, None) => None,
            _ => return Err("takes ssl_certfile and ssl_keyfile together".to_owned()),
        };
        if root_cert.is_none() && client_tls.is_none() {
            return Ok(Self(None));
        }
        Ok(Self(Some(TlsCertificates {
            client_tls,
            root_cert,
        })))
    }

    fn apply(&self, info: ConnectionInfo) -> Result<ConnectionInfo, String> {
        let Some(certificates) = &self.0 else {
            return Ok(info);
        };
        let client = Client::build_with_tls(info, certificates.clone());
        let client =
            client.map_err(|error| format!("takes certificates and keys in PEM files: {error}"))?;
        Ok(client.get_connection_info().clone())
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes: Vec<String> = self
            .nodes
            .iter()
            .map(|node| node.addr().to_string())
            .collect();
        let (nodes, db) = (nodes.join(","), self.server.redis_settings().db());
        match &self.topology {
            Topology::Server => write!(f, "{nodes}/{db}"),
            Topology::Sentinel(master) => write!(f, "{master}/{db} of the sentinels {nodes}"),
            Topology::Cluster => write!(f, "the cluster {nodes}"),
        }
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_never_shows() {
        for (url, shown) in [
            (
                "redis://me:hunter2@example.org:6380/3",
                "example.org:6380/3",
            ),
            ("rediss://:hunter2@example.org", "example.org:6379/0"),
            ("unix:///run/redis.sock?pass=hunter2", "/run/redis.sock/0"),
            (
                "redis-sentinel://:hunter2@a:26379,b/2?master=my%6Daster&sentinel_password=hunter2",
                "mymaster/2 of the sentinels a:26379,b:6379",
            ),
            (
                "redis-cluster://me:hunter2@a:7000,[::1]:7001",
                "the cluster a:7000,::1:7001",
            ),
        ] {
            let parsed: RedisUrl = url.parse().unwrap();
            assert_eq!(format!("{parsed} {parsed:?}"), format!("{shown} {shown}"));
        }
    }

    #[test]
    fn what_is_not_supported_is_refused_in_one_line() {
        for (bad, says) in [
            ("", "redis://"),
            ("http://x", "redis://"),
            ("redis://", "redis://"),
            ("hunter2", "redis://"),
            ("redis://h:port", "redis://"),
            ("redis://a,b", "one host"),
            ("redis+sentinel://a", "redis-sentinel://"),
            ("redis-sentinel://:hunter2@a", "?master="),
            ("redis-cluster://a/1", "database 0"),
            ("redis://h?db=3", "\"db\""),
            ("redis://:a?hunter2=b@host", "redis://"),
            ("redis://h?hunter2=hunter2", "redis://"),
            ("redis://h?ssl_ca_certs=/ca.pem", "ssl_ca_certs"),
            ("rediss://h?ssl_ca_certs=/no/such.pem", "/no/such.pem"),
            ("rediss://h?ssl_keyfile=/dev/null", "together"),
        ] {
            let error = bad.parse::<RedisUrl>().unwrap_err();
            assert!(
                error.contains(says) && !error.contains('\n'),
                "{bad}: {error}"
            );
            assert!(error.starts_with("takes "), "{error}");
            assert!(!error.contains("hunter2") || bad == "hunter2", "{error}");
        }
    }
}
