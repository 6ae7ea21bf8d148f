//! The pool's manager: makes connections, and decides which of them may be used again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool::managed::{self, Metrics, RecycleError, RecycleResult};
use redis::aio::MultiplexedConnection;
use redis::{RedisError, RedisResult, cmd};
use tokio::time::timeout;

use super::eviction::{self, LastEviction};
use super::server;
use super::url::RedisUrl;

/// A connection that was not used for longer is pinged before it is used again.
const PING_AFTER_IDLE: Duration = Duration::from_secs(1);
/// How long the response to that may take.
const PING_TIMEOUT: Duration = Duration::from_millis(500);

pub(super) struct Manager {
    pub(super) url: RedisUrl,
    /// One of the deployment's keys: a cluster's node that holds it holds all of them.
    pub(super) key: String,
    /// How long a response may take.
    pub(super) response_timeout: Duration,
    pub(super) eviction: LastEviction,
    pub(super) generation: AtomicU64,
}

/// A connection of the pool.
pub(super) struct Pooled {
    pub(super) connection: MultiplexedConnection,
    /// Whether the response to a call that was given up may still come.
    pub(super) response_pending: bool,
    generation: u64,
}

impl Manager {
    /// Connects to the server that holds the keys now, where each response may take as long as `response_timeout`.
    pub(super) async fn connect(
        &self,
        response_timeout: Duration,
    ) -> RedisResult<MultiplexedConnection> {
        let server = server::locate(&self.url, &self.key).await?;
        server::open(server, response_timeout).await
    }

    /// How often connections broke, fell silent or led to the wrong server.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// This connection failed: neither it nor any that was made before that was known is used again.
    pub(super) fn invalidate(&self, failed: &Pooled) {
        let next = failed.generation + 1;
        self.generation.fetch_max(next, Ordering::SeqCst);
    }

    /// None of the connections that there are is used again.
    pub(super) fn invalidate_all(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }
}

impl managed::Manager for Manager {
    type Type = Pooled;
    type Error = RedisError;

    async fn create(&self) -> RedisResult<Pooled> {
        let generation = self.generation();
        let mut connection = self.connect(self.response_timeout).await?;
        // A server that is loading its data accepts connections too.
        cmd("PING").exec_async(&mut connection).await?;
        // It may be another server than before, or have been restarted with other settings.
        self.eviction
            .update(eviction::read_policy(&mut connection).await?);
        Ok(Pooled {
            connection,
            response_pending: false,
            generation,
        })
    }

    async fn recycle(&self, pooled: &mut Pooled, metrics: &Metrics) -> RecycleResult<RedisError> {
        if pooled.generation < self.generation() {
            return Err(RecycleError::message("one of its generation failed"));
        }
        if !pooled.response_pending && metrics.last_used() <= PING_AFTER_IDLE {
            return Ok(());
        }
        let ping = cmd("PING");
        if let Ok(Ok(())) = timeout(PING_TIMEOUT, ping.exec_async(&mut pooled.connection)).await {
            return Ok(());
        }
        self.invalidate(pooled);
        Err(RecycleError::message("it does not answer"))
    }
}
