//! A pool of connections, and calls over them.

use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use std::{fmt, io};

use deadpool::Runtime;
use deadpool::managed::{Object, Pool, PoolConfig, PoolError, QueueMode, Timeouts};
use futures_util::FutureExt as _;
use redis::aio::MultiplexedConnection;
use redis::{
    ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, Script, ScriptInvocation,
    ServerErrorKind,
};
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use super::breaker::{self, Breaker};
use super::eviction::{self, Evicts, Policy};
use super::manager::Manager;
use super::url::RedisUrl;
use crate::contract::keys::Keys;
use crate::store::StoreError;

/// How many connections there are at most.
const MOST: usize = 32;
/// How often Redis is asked whether it evicts keys: it can be told so while it runs.
const EVICTION_EVERY: Duration = Duration::from_secs(5);

/// How long an answer may take to a call that is insisted on, before it is asked for over another connection.
const FIRST_PATIENCE: Duration = Duration::from_millis(250);
/// How soon such a call is repeated where it could not be made.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(10);

/// A pool of connections to Redis that follows where sentinels and clusters move the deployment. While Redis is away, calls fail
/// at once.
pub struct RedisPool {
    pool: Pool<Manager>,
    breaker: Arc<Breaker>,
    runtime: Handle,
    tasks: TaskTracker,
}

impl RedisPool {
    /// A pool for what the log calls `purpose`, of connections to where `keys` are. An answer may take as long as `answer` where
    /// the caller sets no shorter budget. Redis need not be there yet. Must be called within a tokio runtime, which runs the
    /// connections.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "a pool with time limits fails to be built only without a runtime"
    )]
    pub fn new(purpose: &'static str, url: &RedisUrl, keys: &Keys, answer: Duration) -> Arc<Self> {
        let manager = Manager {
            url: url.clone(),
            key: keys.secret(),
            answer,
            policy: Policy::new(purpose, url),
            generation: 0.into(),
        };
        let timeouts = Timeouts {
            wait: Some(answer),
            ..Timeouts::default()
        };
        let config = PoolConfig {
            max_size: MOST,
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

    /// Where it leads.
    #[must_use]
    pub fn url(&self) -> &RedisUrl {
        &self.pool.manager().url
    }

    /// Counts failed connections: where the number changes during a call, that may have been repeated.
    pub(crate) fn generation(&self) -> u64 {
        self.pool.manager().generation()
    }

    /// What is wrong with how Redis treats what it keeps when its memory is full, as it last told; nothing while it is away.
    #[must_use]
    pub fn evicts(&self) -> Option<Evicts> {
        self.breaker.check().ok()?;
        self.pool.manager().policy.evicts()
    }

    /// A connection outside of the pool, for commands that block; nobody replaces it.
    pub(crate) async fn dedicated(&self, answer: Duration) -> RedisResult<MultiplexedConnection> {
        self.pool.manager().connect(answer).await
    }

    /// Runs one call. The future may be dropped at any time.
    pub(crate) async fn call<T, F>(
        &self,
        what: &'static str,
        run: impl FnOnce(MultiplexedConnection) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let failed = |error| StoreError::redis(what, error);
        self.breaker.check().map_err(failed)?;
        let pooled = self.connection().await.map_err(failed)?;
        self.over(pooled, run).await.map_err(failed)
    }

    /// Runs one call that may be repeated: where its connection is of no use, it is repeated once over a new one.
    pub(crate) async fn repeat<T, F>(
        &self,
        what: &'static str,
        run: impl Fn(MultiplexedConnection) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let failed = |error| StoreError::redis(what, error);
        self.breaker.check().map_err(failed)?;
        self.once_or_twice(run).await.map_err(failed)
    }

    /// Runs one call that may be repeated, for a caller that sets itself how long it waits: while Redis is away it waits until it is
    /// there, and where a connection breaks under the call or does not answer soon, it is repeated over another one.
    pub(crate) async fn insist<T, F>(
        &self,
        what: &'static str,
        run: impl Fn(MultiplexedConnection) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let mut patience = FIRST_PATIENCE;
        loop {
            self.breaker.closed().await;
            match timeout(patience, self.once_or_twice(&run)).await {
                Ok(Err(error)) if needs_another(&error) || error.is_timeout() => {
                    sleep(BETWEEN_ATTEMPTS).await;
                }
                Ok(ended) => return ended.map_err(|error| StoreError::redis(what, error)),
                // A slow Redis is given twice the time, and a silent connection is not used again.
                Err(_) => {
                    self.pool.manager().condemn_all();
                    patience *= 2;
                }
            }
        }
    }

    /// Runs one script. It may be repeated.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        what: &'static str,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, StoreError> {
        let run = async |mut connection| script.invoke_async(&mut connection).await;
        self.repeat(what, run).await
    }

    /// Runs commands that count on a script, in one round trip. All may be repeated.
    pub(crate) async fn run_pipeline<T: FromRedisValue>(
        &self,
        what: &'static str,
        script: &Script,
        commands: &Pipeline,
    ) -> Result<T, StoreError> {
        let run = async |mut connection| match commands.query_async(&mut connection).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                script.load_async(&mut connection).await?;
                commands.query_async(&mut connection).await
            }
            ended => ended,
        };
        self.repeat(what, run).await
    }

    async fn once_or_twice<T, F>(&self, run: impl Fn(MultiplexedConnection) -> F) -> RedisResult<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let first = self.over(self.connection().await?, &run).await;
        if !first.as_ref().err().is_some_and(needs_another) {
            return first;
        }
        let began = Instant::now();
        let second = self.over(self.connection().await?, &run).await;
        if let Err(error) = &second
            && needs_another(error)
        {
            self.breaker.open(began, error);
        }
        second
    }

    async fn over<T, F>(
        &self,
        mut pooled: Object<Manager>,
        run: impl FnOnce(MultiplexedConnection) -> F,
    ) -> RedisResult<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        // It stays so where this future is dropped, or the answer takes too long.
        pooled.busy = true;
        let ended = run(pooled.connection.clone()).await;
        match &ended {
            Err(error) if needs_another(error) => self.pool.manager().condemn(&pooled),
            Err(error) if error.is_timeout() => {}
            Ok(_) | Err(_) => pooled.busy = false,
        }
        ended
    }

    /// A connection from the pool, or a new one.
    async fn connection(&self) -> RedisResult<Object<Manager>> {
        let mut made = Box::pin(get(self.pool.clone(), Arc::clone(&self.breaker)));
        let at_once = {
            let _there = self.runtime.enter();
            (&mut made).now_or_never()
        };
        if let Some(made) = at_once {
            return made;
        }
        // Making one may take longer than this call has: then it is there for the next.
        let made = self.tasks.spawn_on(made, &self.runtime).await;
        made.unwrap_or_else(|_| Err((ErrorKind::Io, "the runtime is shutting down").into()))
    }
}

/// A connection from the pool, or a new one. Redis is away where there is none and none can be made.
async fn get(pool: Pool<Manager>, breaker: Arc<Breaker>) -> RedisResult<Object<Manager>> {
    let began = Instant::now();
    match pool.get().await {
        Err(PoolError::Backend(error)) => {
            // Where it answers to others, it may only have no room for one more.
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

/// Closes the breaker as soon as Redis answers, and asks now and then whether it evicts keys, until the pool is dropped.
async fn watch(pool: Weak<RedisPool>) {
    let mut pauses = breaker::pauses();
    while let Some(pool) = pool.upgrade() {
        let breaker = Arc::clone(&pool.breaker);
        let ask = async |mut connection| eviction::ask(&mut connection).await;
        let asked = pool.once_or_twice(ask).await;
        let asked = asked.map(|eviction| pool.pool.manager().policy.publish(eviction));
        drop(pool);
        if asked.is_ok() {
            breaker.close();
            if timeout(EVICTION_EVERY, breaker.opened()).await.is_err() {
                pauses = breaker::pauses();
                continue;
            }
        }
        sleep(pauses.next().unwrap_or_default()).await;
    }
}

/// Whether the call needs another connection: this one broke under it, or leads to a server that no longer holds the keys and
/// takes writes. It may have been done or not.
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
