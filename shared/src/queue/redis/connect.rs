//! Connections to Redis. The client's own limits don't fit: half a second for any answer, no `TCP_NODELAY`, no keepalive.

use std::time::Duration;

use deadpool_redis::{Connection, Manager, Pool, PoolError, Runtime};
use redis::AsyncConnectionConfig;
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};

use crate::config::RedisUrl;
use crate::store::StoreError;

const CONNECT: Duration = Duration::from_secs(2);
const ANSWER: Duration = Duration::from_secs(5);
const PING: Duration = Duration::from_secs(1);
const CONNECTIONS: usize = 16;

/// A pool of connections for commands that do not block. It connects when it is first used.
///
/// # Errors
/// When the URL does not suit the client, such as a `rediss://` URL with bad options.
pub fn connect(url: &RedisUrl) -> Result<Pool, StoreError> {
    let config = limits(ANSWER);
    let manager = Manager::new_with_config(tuned(url), config)
        .map_err(|error| StoreError::redis("connect", error))?;
    Pool::builder(manager)
        .max_size(CONNECTIONS)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(ANSWER))
        // A connection that does not answer even a PING is not waited for: another is made.
        .recycle_timeout(Some(PING))
        .build()
        .map_err(|error| StoreError::other("connect", error))
}

/// A connection from the pool, for the step `what`.
pub(super) async fn get(pool: &Pool, what: &'static str) -> Result<Connection, StoreError> {
    pool.get().await.map_err(|error| match error {
        PoolError::Backend(error) => StoreError::redis(what, error),
        PoolError::Timeout(_) => StoreError::timeout(what, ANSWER),
        other => StoreError::other(what, other),
    })
}

/// The URL with the socket's settings.
pub(super) fn tuned(url: &RedisUrl) -> redis::ConnectionInfo {
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(10))
        .with_interval(Duration::from_secs(5));
    let tcp = TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(keepalive);
    url.connection_info().clone().set_tcp_settings(tcp)
}

/// Time limits of a connection whose commands answer within `answer`.
pub(super) fn limits(answer: Duration) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT))
        .set_response_timeout(Some(answer))
}
