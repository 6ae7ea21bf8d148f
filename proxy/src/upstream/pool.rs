//! Connections to one provider, kept warm between requests.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::Uri;
use hyper_util::rt::TokioIo;

use super::connect::{BoxError, Connector, connect};
use super::connection::Connection;

/// How long an idle connection is kept: less than common servers and load balancers do (60 s and more), so that ours is the
/// side that closes.
const IDLE: Duration = Duration::from_secs(50);

/// The connections to one provider that no request uses.
#[derive(Debug)]
pub(super) struct Pool {
    connector: Connector,
    /// Scheme and authority of the provider.
    origin: Uri,
    idle: Mutex<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

impl Pool {
    pub(super) const fn new(connector: Connector, origin: Uri) -> Self {
        Self {
            connector,
            origin,
            idle: Mutex::new(Vec::new()),
        }
    }

    /// The connection that was used last among those that are still good.
    pub(super) fn take(&self) -> Option<Connection> {
        loop {
            let Idle {
                mut connection,
                since,
            } = self.idle().pop()?;
            if since.elapsed() < IDLE && connection.is_ready() {
                return Some(connection);
            }
        }
    }

    /// Makes a new connection.
    pub(super) async fn connect(&self) -> Result<Connection, BoxError> {
        let stream = connect(&self.connector, &self.origin).await?;
        Ok(Connection::new(Box::new(TokioIo::new(stream))))
    }

    /// Keeps a connection for the next request, unless it is at its end.
    pub(super) fn put(&self, mut connection: Connection) {
        if connection.is_ready() {
            let since = Instant::now();
            self.idle().push(Idle { connection, since });
        }
    }

    /// Closes what has been idle for too long and what the provider has closed.
    pub(super) fn sweep(&self) {
        self.idle()
            .retain_mut(|idle| idle.since.elapsed() < IDLE && idle.connection.is_ready());
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
