//! The blocking claim: the one connection that waits at Redis until a job comes.
//!
//! It is not shared, and its wait is never dropped half-way: Redis would still move a job for a client that no longer listens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use tokio::sync::Mutex;

use crate::queue::Element;
use crate::redis::{RedisPool, Retry};
use crate::store::StoreError;

const OPERATION: &str = "wait for a job";
/// How much longer than the server's wait the client waits for the response, so that it never gives up first.
const RESPONSE_MARGIN: Duration = Duration::from_secs(5);

/// The connection, made when it is needed.
#[derive(Debug)]
pub(super) struct BlockingClaim {
    pool: Arc<RedisPool>,
    wait: Duration,
    connection: Mutex<Option<MultiplexedConnection>>,
    /// The connection's id at the server; 0 when there is none.
    id: AtomicU64,
    waiting: AtomicBool,
    /// When the connection broke last.
    broken_at: std::sync::Mutex<Option<Instant>>,
}

impl BlockingClaim {
    pub(super) fn new(pool: Arc<RedisPool>, wait: Duration) -> Self {
        Self {
            pool,
            wait,
            connection: Mutex::default(),
            id: AtomicU64::new(0),
            waiting: AtomicBool::new(false),
            broken_at: std::sync::Mutex::default(),
        }
    }

    /// Moves the oldest element of `from` to `to`, and waits for one if there is none.
    pub(super) async fn claim(&self, from: &str, to: &str) -> Result<Option<Element>, StoreError> {
        let mut slot = self.connection.lock().await;
        let mut connection = match slot.take() {
            Some(connection) => connection,
            None => self.open().await?,
        };
        self.waiting.store(true, Ordering::SeqCst);
        let claimed: Result<Option<Vec<u8>>, _> = redis::cmd("BLMOVE")
            .arg(from)
            .arg(to)
            .arg("RIGHT")
            .arg("LEFT")
            .arg(self.wait.as_secs_f64())
            .query_async(&mut connection)
            .await;
        self.waiting.store(false, Ordering::SeqCst);
        match claimed {
            Ok(claimed) => {
                *slot = Some(connection);
                Ok(claimed.map(|bytes| Element::new(bytes.into())))
            }
            Err(error) => {
                // A multiplexed connection does not reconnect: the next call opens another.
                self.id.store(0, Ordering::SeqCst);
                *self.lock_broken_at() = Some(Instant::now());
                Err(StoreError::redis(OPERATION, error))
            }
        }
    }

    /// Ends the wait at the server, by a command over another connection.
    pub(super) async fn interrupt(&self) {
        let id = self.id.load(Ordering::SeqCst);
        if id == 0 || !self.waiting.load(Ordering::SeqCst) {
            return;
        }
        let mut unblock = redis::cmd("CLIENT");
        unblock.arg("UNBLOCK").arg(id);
        let operation = "end the wait for a job";
        let unblocked: Result<(), _> = self.pool.query(operation, Retry::Never, &unblock).await;
        if let Err(error) = unblocked {
            tracing::debug!(error.message = %error, "could not end the wait for a job; it ends by itself");
        }
    }

    /// Whether the server may still move an element for a claim that has ended here.
    pub(super) fn may_still_claim(&self) -> bool {
        let lately = |broken: Instant| broken.elapsed() < self.wait + RESPONSE_MARGIN;
        self.waiting.load(Ordering::SeqCst) || self.lock_broken_at().is_some_and(lately)
    }

    async fn open(&self) -> Result<MultiplexedConnection, StoreError> {
        let failed = |error| StoreError::redis("connect", error);
        let connection = self.pool.dedicated(self.wait + RESPONSE_MARGIN).await;
        let mut connection = connection.map_err(failed)?;
        let id = redis::cmd("CLIENT")
            .arg("ID")
            .query_async(&mut connection)
            .await
            .map_err(failed)?;
        self.id.store(id, Ordering::SeqCst);
        Ok(connection)
    }

    fn lock_broken_at(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.broken_at
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
