//! Makes the pool's connections, and decides which of them may be used again.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool::managed::{self, Metrics, RecycleError, RecycleResult};
use redis::aio::MultiplexedConnection;
use redis::{RedisError, RedisResult, cmd};
use tokio::time::timeout;

use super::eviction::{self, Policy};
use super::server;
use super::url::RedisUrl;

/// A connection that was not used for longer is asked whether it still lives before it is used again.
const IDLE: Duration = Duration::from_secs(1);
/// How long the answer to that may take.
const PING: Duration = Duration::from_millis(500);

pub(super) struct Manager {
    pub(super) url: RedisUrl,
    /// One of the deployment's keys: a cluster's node that holds it holds all of them.
    pub(super) key: String,
    /// How long an answer may take.
    pub(super) answer: Duration,
    pub(super) policy: Policy,
    /// Connections made before this are not used again.
    condemned: Mutex<Option<Instant>>,
}

impl Manager {
    pub(super) fn new(url: &RedisUrl, key: String, answer: Duration, policy: Policy) -> Self {
        Self {
            url: url.clone(),
            key,
            answer,
            policy,
            condemned: Mutex::default(),
        }
    }

    /// Connects to the server that holds the keys now, where each answer may take as long as `answer`.
    pub(super) async fn connect(&self, answer: Duration) -> RedisResult<MultiplexedConnection> {
        let server = server::locate(&self.url, &self.key).await?;
        server::open(server, answer).await
    }

    /// A connection broke, fell silent or led to the wrong server: those that were made before `at` will do the same.
    pub(super) fn condemn(&self, at: Instant) {
        let mut condemned = self.lock();
        *condemned = (*condemned).max(Some(at));
    }

    /// When connections were last given up.
    pub(super) fn condemned(&self) -> Option<Instant> {
        *self.lock()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.condemned
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl managed::Manager for Manager {
    type Type = MultiplexedConnection;
    type Error = RedisError;

    async fn create(&self) -> RedisResult<MultiplexedConnection> {
        let mut connection = self.connect(self.answer).await?;
        // A server that is loading its data accepts connections too.
        cmd("PING").exec_async(&mut connection).await?;
        // It may be another server than before, or have been restarted with other settings.
        self.policy.publish(eviction::ask(&mut connection).await?);
        Ok(connection)
    }

    async fn recycle(
        &self,
        connection: &mut MultiplexedConnection,
        metrics: &Metrics,
    ) -> RecycleResult<RedisError> {
        if self.condemned() >= Some(metrics.created) {
            return Err(RecycleError::message("one of its age failed"));
        }
        if metrics.last_used() <= IDLE {
            return Ok(());
        }
        let began = Instant::now();
        match timeout(PING, cmd("PING").exec_async(connection)).await {
            Ok(Ok(())) => Ok(()),
            _ => {
                self.condemn(began);
                Err(RecycleError::message("it does not answer"))
            }
        }
    }
}
