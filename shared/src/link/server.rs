//! Which server holds the deployment's keys now: sentinels and clusters move them.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, RedisError,
    RedisResult, Value, cmd,
};

use super::url::{RedisUrl, Topology};

/// How long making a connection may take, with its handshake.
const CONNECT: Duration = Duration::from_secs(2);
/// How long a sentinel or a cluster's node may take to say which server it is.
const TOLD: Duration = Duration::from_secs(2);

/// Connects to the server that holds the keys with this hash tag now, where each answer may take as long as `answer`.
pub(crate) async fn connect(
    url: &RedisUrl,
    tag: &str,
    answer: Duration,
) -> RedisResult<MultiplexedConnection> {
    let server = match url.topology {
        Topology::Server => url.server.clone(),
        Topology::Sentinel(_) | Topology::Cluster => {
            url.server.clone().set_addr(located(url, tag).await?)
        }
    };
    open(server, answer).await
}

async fn open(info: ConnectionInfo, answer: Duration) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT))
        .set_response_timeout(Some(answer));
    Client::open(info)?
        .get_multiplexed_async_connection_with_config(&config)
        .await
}

/// The server's address, from the first node that knows it.
async fn located(url: &RedisUrl, tag: &str) -> RedisResult<ConnectionAddr> {
    let mut located = Err((ErrorKind::InvalidClientConfig, "no node is named").into());
    for node in &url.nodes {
        located = match &url.topology {
            Topology::Sentinel(master) => master_of(node, master).await,
            Topology::Cluster | Topology::Server => owner_of(node, tag).await,
        };
        if located.is_ok() {
            break;
        }
    }
    located
}

/// The address of the master that a sentinel knows by this name.
async fn master_of(sentinel: &ConnectionInfo, master: &str) -> RedisResult<ConnectionAddr> {
    let mut connection = open(sentinel.clone(), TOLD).await?;
    let address: Option<(String, u16)> = cmd("SENTINEL")
        .arg("GET-MASTER-ADDR-BY-NAME")
        .arg(master)
        .query_async(&mut connection)
        .await
        .map_err(|error| unless_that(error, "it is no sentinel"))?;
    let (host, port) = address.ok_or_else(|| -> RedisError {
        (
            ErrorKind::InvalidClientConfig,
            "the sentinel knows no master of this name",
            master.to_owned(),
        )
            .into()
    })?;
    Ok(at(sentinel, host, port))
}

/// The address of the node that holds the keys with this hash tag.
async fn owner_of(node: &ConnectionInfo, tag: &str) -> RedisResult<ConnectionAddr> {
    let mut connection = open(node.clone(), TOLD).await?;
    let slot: i64 = cmd("CLUSTER")
        .arg("KEYSLOT")
        .arg(tag)
        .query_async(&mut connection)
        .await
        .map_err(|error| unless_that(error, "it is no cluster's node"))?;
    let ranges: Vec<Vec<Value>> = cmd("CLUSTER")
        .arg("SLOTS")
        .query_async(&mut connection)
        .await?;
    let owner = ranges.into_iter().find_map(|range| {
        let [Value::Int(first), Value::Int(last), Value::Array(owner), ..] = range.as_slice()
        else {
            return None;
        };
        let [host, Value::Int(port), ..] = owner.as_slice() else {
            return None;
        };
        (*first..=*last).contains(&slot).then(|| {
            (
                redis::from_redis_value_ref::<Option<String>>(host)
                    .ok()
                    .flatten(),
                *port,
            )
        })
    });
    let (host, port) = owner
        .and_then(|(host, port)| Some((host, u16::try_from(port).ok()?)))
        .ok_or_else(|| -> RedisError {
            (
                ErrorKind::Io,
                "no node of the cluster holds the slot",
                slot.to_string(),
            )
                .into()
        })?;
    // A node that does not know its own name is known by the one it was reached by.
    let host = host
        .filter(|host| !host.is_empty() && host != "?")
        .unwrap_or_else(|| host_of(node));
    Ok(at(node, host, port))
}

/// What a server that does not know the command is: the URL is wrong, and waiting does not mend it.
fn unless_that(error: RedisError, what: &'static str) -> RedisError {
    match error.code() {
        Some("ERR") => (ErrorKind::InvalidClientConfig, what, error.to_string()).into(),
        Some("NOPERM") => {
            let what = "its user may not ask where the keys are";
            (ErrorKind::InvalidClientConfig, what, error.to_string()).into()
        }
        _ => error,
    }
}

fn host_of(node: &ConnectionInfo) -> String {
    match node.addr() {
        ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => host.clone(),
        _ => String::new(),
    }
}

/// Another address, reached the same way.
fn at(like: &ConnectionInfo, host: String, port: u16) -> ConnectionAddr {
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
