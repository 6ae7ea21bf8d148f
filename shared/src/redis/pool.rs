//! [`RedisPool`]: a pool of connections to Redis, and calls over them that are retried as the caller says.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use std::{fmt, io};

use deadpool::Runtime;
use deadpool::managed::{Object, Pool, PoolConfig, PoolError, QueueMode, Timeouts};
use futures_util::FutureExt as _;
use redis::aio::MultiplexedConnection;
use redis::{
    Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, Script, ScriptInvocation,
    ServerErrorKind,
};
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use super::breaker::{self, Breaker};
use super::eviction::{self, Evicts, Full, LastEviction};
use super::manager::Manager;
use super::url::RedisUrl;
use crate::contract::keys::Keys;
use crate::store::StoreError;

/// How many connections there are at most.
const MAX_CONNECTIONS: usize = 32;
/// How often the pool reads whether Redis evicts keys: that setting can change while Redis runs.
const EVICTION_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// [`Retry::UntilAvailable`]: how long the first response may take, before the call is made again over another connection.
const FIRST_RESPONSE_TIMEOUT: Duration = Duration::from_millis(250);
/// [`Retry::UntilAvailable`]: the time before the next attempt where a connection broke.
const RETRY_DELAY: Duration = Duration::from_millis(10);

/// When a failed call is made again. Redis may have executed a call that failed: all but `Never` are for calls that may run twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    /// Not at all.
    Never,
    /// Once over another connection, where the first one broke or leads to a server that no longer holds the keys.
    Once,
    /// Until Redis responds, over another connection where one breaks or stays silent. For callers with a time limit of their own.
    UntilAvailable,
}

/// What can be sent to Redis and gets one reply.
pub(crate) trait Query: Sync {
    fn send<T: FromRedisValue + Send>(
        &self,
        to: MultiplexedConnection,
    ) -> impl Future<Output = RedisResult<T>> + Send;
}

impl Query for Cmd {
    async fn send<T: FromRedisValue + Send>(
        &self,
        mut to: MultiplexedConnection,
    ) -> RedisResult<T> {
        self.query_async(&mut to).await
    }
}

impl Query for Pipeline {
    async fn send<T: FromRedisValue + Send>(
        &self,
        mut to: MultiplexedConnection,
    ) -> RedisResult<T> {
        self.query_async(&mut to).await
    }
}

impl Query for ScriptInvocation<'_> {
    async fn send<T: FromRedisValue + Send>(
        &self,
        mut to: MultiplexedConnection,
    ) -> RedisResult<T> {
        self.invoke_async(&mut to).await
    }
}

/// A pool of connections to Redis that follows where sentinels and clusters move the deployment. While Redis is away, calls fail
/// at once.
pub struct RedisPool {
    pool: Pool<Manager>,
    breaker: Arc<Breaker>,
    runtime: Handle,
    tasks: TaskTracker,
}

impl RedisPool {
    /// A pool for what the log calls `purpose`, of connections to where `keys` are. A response may take as long as
    /// `response_timeout` where the caller sets no shorter budget. Redis need not be there yet. Must be called within a tokio
    /// runtime, which runs the connections.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "a pool with time limits fails to be built only without a runtime"
    )]
    pub fn new(
        purpose: &'static str,
        url: &RedisUrl,
        keys: &Keys,
        response_timeout: Duration,
    ) -> Arc<Self> {
        let manager = Manager {
            url: url.clone(),
            key: keys.secret(),
            response_timeout,
            eviction: LastEviction::new(purpose, url),
            generation: 0.into(),
        };
        let timeouts = Timeouts {
            wait: Some(response_timeout),
            ..Timeouts::default()
        };
        let config = PoolConfig {
            max_size: MAX_CONNECTIONS,
            timeouts,
            queue_mode: QueueMode::Lifo,
        };
        let pool = Pool::builder(manager).config(config);
        let pool = Arc::new(Self {
            pool: pool.runtime(Runtime::Tokio1).build().expect("a runtime"),
            breaker: Arc::new(Breaker::new(purpose, url)),
            runtime: Handle::current(),
            tasks: TaskTracker::new(),
        });
        pool.tasks.spawn(watch(Arc::downgrade(&pool)));
        pool
    }

    /// The URL of its Redis.
    #[must_use]
    pub fn url(&self) -> &RedisUrl {
        &self.pool.manager().url
    }

    /// Counts failed connections: where the number changes during a call, that may have been repeated.
    pub(crate) fn generation(&self) -> u64 {
        self.pool.manager().generation()
    }

    /// That Redis evicts keys when its memory is full, if it does, by the last reading; nothing while Redis is away.
    #[must_use]
    pub fn evicts(&self) -> Option<Evicts> {
        self.breaker.check().ok()?;
        self.pool.manager().eviction.evicts()
    }

    /// Reads now whether Redis evicts keys and whether it is full; fails where it does not respond.
    pub(crate) async fn read_memory(
        &self,
        operation: &'static str,
    ) -> Result<Option<Full>, StoreError> {
        let read = async |mut connection| eviction::read_memory(&mut connection).await;
        let reading = self.call(operation, Retry::Once, read).await?;
        self.pool.manager().eviction.update(reading.eviction);
        Ok(reading.full)
    }

    /// A connection outside of the pool, for commands that block; nobody replaces it.
    pub(crate) async fn dedicated(
        &self,
        response_timeout: Duration,
    ) -> RedisResult<MultiplexedConnection> {
        self.pool.manager().connect(response_timeout).await
    }

    /// Makes a call over a connection of the pool, and makes it again as `retry` says. While Redis is away, it fails at once unless
    /// it is [`Retry::UntilAvailable`]. The future may be dropped at any time.
    pub(crate) async fn call<T, F>(
        &self,
        operation: &'static str,
        retry: Retry,
        call: impl Fn(MultiplexedConnection) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let result = match (retry, self.breaker.check()) {
            (Retry::UntilAvailable, _) => self.until_available(call).await,
            (_, Err(away)) => Err(away),
            (Retry::Never, Ok(())) => match self.connection().await {
                Ok(connection) => self.attempt(connection, &call).await,
                Err(error) => Err(error),
            },
            (Retry::Once, Ok(())) => self.attempt_twice(&call).await,
        };
        result.map_err(|error| StoreError::redis(operation, error))
    }

    /// Sends a command, a pipeline of commands or a script.
    pub(crate) async fn query<T: FromRedisValue + Send>(
        &self,
        operation: &'static str,
        retry: Retry,
        query: &impl Query,
    ) -> Result<T, StoreError> {
        self.call(operation, retry, async |to| query.send(to).await)
            .await
    }

    /// Runs several commands in one round trip, one of which calls `script` by its hash. All of them may run twice.
    pub(crate) async fn query_with_script<T: FromRedisValue>(
        &self,
        operation: &'static str,
        script: &Script,
        pipeline: &Pipeline,
    ) -> Result<T, StoreError> {
        let call = async |mut connection| match pipeline.query_async(&mut connection).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                script.load_async(&mut connection).await?;
                pipeline.query_async(&mut connection).await
            }
            result => result,
        };
        self.call(operation, Retry::Once, call).await
    }

    async fn until_available<T, F>(
        &self,
        call: impl Fn(MultiplexedConnection) -> F,
    ) -> RedisResult<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let mut response_timeout = FIRST_RESPONSE_TIMEOUT;
        loop {
            self.breaker.closed().await;
            match timeout(response_timeout, self.attempt_twice(&call)).await {
                Ok(Err(error)) if needs_another(&error) || error.is_timeout() => {
                    sleep(RETRY_DELAY).await;
                }
                Ok(result) => return result,
                // A slow Redis is given twice the time, and a silent connection is not used again.
                Err(_) => {
                    self.pool.manager().invalidate_all();
                    response_timeout *= 2;
                }
            }
        }
    }

    /// Makes a call, and once more where its connection turns out to be unusable. Opens the breaker if the second one is, too.
    async fn attempt_twice<T, F>(&self, call: impl Fn(MultiplexedConnection) -> F) -> RedisResult<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let first = self.attempt(self.connection().await?, &call).await;
        if !first.as_ref().err().is_some_and(needs_another) {
            return first;
        }
        let began = Instant::now();
        let second = self.attempt(self.connection().await?, &call).await;
        if let Err(error) = &second
            && needs_another(error)
        {
            self.breaker.open(began, error);
        }
        second
    }

    /// Makes a call once, over this connection.
    async fn attempt<T, F>(
        &self,
        mut pooled: Object<Manager>,
        call: impl FnOnce(MultiplexedConnection) -> F,
    ) -> RedisResult<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        // It stays so where this future is dropped, or the response takes too long.
        pooled.response_pending = true;
        let result = call(pooled.connection.clone()).await;
        match &result {
            Err(error) if needs_another(error) => self.pool.manager().invalidate(&pooled),
            Err(error) if error.is_timeout() => {}
            Ok(_) | Err(_) => pooled.response_pending = false,
        }
        result
    }

    /// A connection from the pool, or a new one.
    async fn connection(&self) -> RedisResult<Object<Manager>> {
        let mut get = Box::pin(get(self.pool.clone(), Arc::clone(&self.breaker)));
        let ready = {
            let _runtime = self.runtime.enter();
            (&mut get).now_or_never()
        };
        if let Some(connection) = ready {
            return connection;
        }
        // To connect may take longer than this call has: then the connection is there for the next call.
        let connected = self.tasks.spawn_on(get, &self.runtime).await;
        connected.unwrap_or_else(|_| Err((ErrorKind::Io, "the runtime is shutting down").into()))
    }
}

/// A connection from the pool, or a new one. Redis is away where there is none and none can be made.
async fn get(pool: Pool<Manager>, breaker: Arc<Breaker>) -> RedisResult<Object<Manager>> {
    let began = Instant::now();
    match pool.get().await {
        Err(PoolError::Backend(error)) => {
            // Where there are other connections, Redis may only have no room for one more.
            if pool.status().size == 0 {
                breaker.open(began, &error);
            }
            Err(error)
        }
        got => {
            got.map_err(|error| io::Error::new(io::ErrorKind::TimedOut, error.to_string()).into())
        }
    }
}

/// Closes the breaker as soon as Redis responds, and reads now and then whether Redis evicts keys, until the pool is dropped.
async fn watch(pool: Weak<RedisPool>) {
    let mut delays = breaker::probe_delays();
    while let Some(pool) = pool.upgrade() {
        let breaker = Arc::clone(&pool.breaker);
        let read = async |mut connection| eviction::read_policy(&mut connection).await;
        let eviction = pool.attempt_twice(read).await;
        let updated = eviction.map(|eviction| pool.pool.manager().eviction.update(eviction));
        drop(pool);
        if updated.is_ok() {
            breaker.close();
            if timeout(EVICTION_CHECK_INTERVAL, breaker.opened())
                .await
                .is_err()
            {
                delays = breaker::probe_delays();
                continue;
            }
        }
        sleep(delays.next().unwrap_or_default()).await;
    }
}

/// Whether the call needs another connection: this one broke under it, or leads to a server that no longer holds the keys or
/// takes no writes. Redis may have executed the call or not.
fn needs_another(error: &RedisError) -> bool {
    let moved = matches!(
        error.kind(),
        ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::Moved)
    );
    moved || error.is_unrecoverable_error() && !error.is_timeout()
}

impl fmt::Debug for RedisPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisPool")
            .field("url", self.url())
            .finish_non_exhaustive()
    }
}
