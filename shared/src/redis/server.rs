//! Which server holds the deployment's keys now: sentinels and clusters move them.

use std::time::Duration;

use deadpool::managed::Manager as _;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, ErrorKind, RedisError, RedisResult,
    ServerErrorKind, cmd,
};

use super::url::{RedisUrl, Topology};

/// How long making a connection may take, with its handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a sentinel or a cluster's node may take to say which server it is.
const DISCOVERY_TIMEOUT: Duration = Duration::from_secs(2);

/// Connects to one server, where each response may take as long as `response_timeout`.
pub(super) async fn open(
    server: ConnectionInfo,
    response_timeout: Duration,
) -> RedisResult<MultiplexedConnection> {
    let limits = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(response_timeout));
    deadpool_redis::Manager::new_with_config(server, limits)?
        .create()
        .await
}

/// The server that holds this key now, by the first sentinel or node that knows it.
pub(super) async fn locate(url: &RedisUrl, key: &str) -> RedisResult<ConnectionInfo> {
    let mut located = Err((ErrorKind::InvalidClientConfig, "no node is named").into());
    for node in &url.nodes {
        located = match &url.topology {
            Topology::Server => return Ok(url.server.clone()),
            Topology::Sentinel(master) => master_of(node, master).await,
            Topology::Cluster => owner_of(node, key).await,
        };
        if located.is_ok() {
            break;
        }
    }
    Ok(url.server.clone().set_addr(located?))
}

/// The address of the master that a sentinel knows by this name.
async fn master_of(sentinel: &ConnectionInfo, master: &str) -> RedisResult<ConnectionAddr> {
    let mut connection = open(sentinel.clone(), DISCOVERY_TIMEOUT).await?;
    let address: Option<(String, u16)> = cmd("SENTINEL")
        .arg("GET-MASTER-ADDR-BY-NAME")
        .arg(master)
        .query_async(&mut connection)
        .await
        .map_err(|error| explained(error, "it is no sentinel"))?;
    let (host, port) = address.ok_or_else(|| -> RedisError {
        (
            ErrorKind::InvalidClientConfig,
            "the sentinel knows no master of this name",
            master.to_owned(),
        )
            .into()
    })?;
    Ok(with_host(sentinel, host, port))
}

/// The address of the node that holds this key: this node, or the one that it points to.
async fn owner_of(node: &ConnectionInfo, key: &str) -> RedisResult<ConnectionAddr> {
    let mut connection = open(node.clone(), DISCOVERY_TIMEOUT).await?;
    cmd("CLUSTER")
        .arg("KEYSLOT")
        .arg(key)
        .exec_async(&mut connection)
        .await
        .map_err(|error| explained(error, "it is no cluster's node"))?;
    let asked = cmd("EXISTS").arg(key).exec_async(&mut connection).await;
    let Err(error) = asked else {
        return Ok(node.addr().clone());
    };
    if error.kind() != ErrorKind::Server(ServerErrorKind::Moved) {
        return Err(error);
    }
    let (host, port) = error
        .redirect_node()
        .and_then(|(address, _)| address.rsplit_once(':'))
        .and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)))
        .ok_or(error)?;
    // A node that does not know another's name points to the one that it was reached by itself.
    let host = if host.is_empty() || host == "?" {
        host_name(node)
    } else {
        host
    };
    Ok(with_host(node, host, port))
}

/// The error of a discovery command, with its cause where the URL or the login is wrong: then waiting does not help.
fn explained(error: RedisError, problem: &'static str) -> RedisError {
    match error.code() {
        Some("ERR") => (ErrorKind::InvalidClientConfig, problem, error.to_string()).into(),
        Some("NOPERM") => {
            let problem = "its user may not ask where the keys are";
            (ErrorKind::InvalidClientConfig, problem, error.to_string()).into()
        }
        _ => error,
    }
}

fn host_name(node: &ConnectionInfo) -> String {
    match node.addr() {
        ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => host.clone(),
        _ => String::new(),
    }
}

/// Another host and port, reached the same way (with or without TLS) as `like`.
fn with_host(like: &ConnectionInfo, host: String, port: u16) -> ConnectionAddr {
    match like.addr() {
        ConnectionAddr::TcpTls {
            insecure,
            tls_params,
            ..
        } => ConnectionAddr::TcpTls {
            host,
            port,
            insecure: *insecure,
            tls_params: tls_params.clone(),
        },
        _ => ConnectionAddr::Tcp(host, port),
    }
}
