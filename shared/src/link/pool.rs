//! A pool of connections, and calls over them.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool::Runtime;
use deadpool::managed::{self, Object, PoolConfig, PoolError, QueueMode, Timeouts};
use futures_util::FutureExt as _;
use redis::aio::MultiplexedConnection;
use redis::{
    ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, Script, ScriptInvocation,
    ServerErrorKind, cmd,
};
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::breaker::{self, Breaker};
use super::eviction::{self, Evicts, Policy};
use super::manager::Manager;
use super::url::RedisUrl;
use crate::keys::Keys;
use crate::store::StoreError;

/// How many connections there are at most.
const MOST: usize = 32;
/// How often Redis is asked whether it evicts keys: it can be told so while it runs.
const EVICTION_EVERY: Duration = Duration::from_secs(5);

/// A pool of connections to Redis that follows where sentinels and clusters move the deployment. While Redis is away, calls fail
/// at once.
pub struct RedisPool {
    shared: Arc<Shared>,
    _end: DropGuard,
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
    pub fn new(purpose: &'static str, url: &RedisUrl, keys: &Keys, answer: Duration) -> Self {
        let policy = Policy::new(purpose, url);
        let manager = Manager::new(url, keys.secret(), answer, policy);
        let config = PoolConfig {
            max_size: MOST,
            timeouts: Timeouts {
                wait: Some(answer),
                ..Timeouts::default()
            },
            queue_mode: QueueMode::Lifo,
        };
        let pool = managed::Pool::builder(manager).config(config);
        let shared = Arc::new(Shared {
            pool: pool.runtime(Runtime::Tokio1).build().expect("a runtime"),
            breaker: Breaker::new(purpose, url),
            runtime: Handle::current(),
            tasks: TaskTracker::new(),
        });
        let end = CancellationToken::new();
        let watch = Arc::clone(&shared).watch();
        shared
            .tasks
            .spawn(end.clone().run_until_cancelled_owned(watch));
        Self {
            shared,
            _end: end.drop_guard(),
        }
    }

    /// Where it leads.
    #[must_use]
    pub fn url(&self) -> &RedisUrl {
        &self.manager().url
    }

    /// When connections last had to be given up: calls before that may have been repeated.
    pub(crate) fn gave_up(&self) -> Option<Instant> {
        self.manager().condemned()
    }

    /// What is wrong with how Redis treats what it keeps when its memory is full, as it last told; nothing while it is away.
    #[must_use]
    pub fn evicts(&self) -> Option<Evicts> {
        let is_away = self.shared.breaker.cause().is_some();
        (!is_away).then(|| self.manager().policy.evicts()).flatten()
    }

    /// A connection outside of the pool, for commands that block; nobody replaces it.
    pub(crate) async fn dedicated(&self, answer: Duration) -> RedisResult<MultiplexedConnection> {
        self.manager().connect(answer).await
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
        self.fail_while_away(what)?;
        let lease = self.shared.lease(what).await?;
        let ended = lease.run(run).await;
        ended.map_err(|error| StoreError::redis(what, error))
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
        self.fail_while_away(what)?;
        self.shared.repeat(what, run).await
    }

    /// Runs one script. It may be repeated.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        what: &'static str,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, StoreError> {
        let run = |mut connection| async move { script.invoke_async(&mut connection).await };
        self.repeat(what, run).await
    }

    /// Runs commands in one round trip, of which the first counts on a script. All may be repeated.
    pub(crate) async fn run_pipeline<T: FromRedisValue>(
        &self,
        what: &'static str,
        script: &Script,
        commands: &Pipeline,
    ) -> Result<T, StoreError> {
        let run = |mut connection: MultiplexedConnection| async move {
            match commands.query_async(&mut connection).await {
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    script.load_async(&mut connection).await?;
                    commands.query_async(&mut connection).await
                }
                ended => ended,
            }
        };
        self.repeat(what, run).await
    }

    fn fail_while_away(&self, what: &'static str) -> Result<(), StoreError> {
        let cause = self.shared.breaker.cause();
        cause.map_or(Ok(()), |cause| Err(StoreError::redis(what, cause)))
    }

    fn manager(&self) -> &Manager {
        self.shared.pool.manager()
    }
}

impl fmt::Debug for RedisPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisPool")
            .field("url", self.url())
            .finish_non_exhaustive()
    }
}

/// What calls share with the tasks that outlive them.
struct Shared {
    pool: managed::Pool<Manager>,
    breaker: Breaker,
    runtime: Handle,
    tasks: TaskTracker,
}

impl Shared {
    /// Closes the breaker as soon as Redis answers, and asks now and then whether it evicts keys.
    async fn watch(self: Arc<Self>) {
        let mut pauses = breaker::pauses();
        loop {
            if self.look().await.is_ok() {
                self.breaker.close();
                if timeout(EVICTION_EVERY, self.breaker.opened())
                    .await
                    .is_err()
                {
                    pauses = breaker::pauses();
                    continue;
                }
            }
            sleep(pauses.next().unwrap_or_default()).await;
        }
    }

    async fn look(self: &Arc<Self>) -> Result<(), StoreError> {
        let ask = async |mut connection| eviction::ask(&mut connection).await;
        let eviction = self
            .repeat("ask Redis for its eviction policy", ask)
            .await?;
        self.pool.manager().policy.publish(eviction);
        Ok(())
    }

    async fn repeat<T, F>(
        self: &Arc<Self>,
        what: &'static str,
        run: impl Fn(MultiplexedConnection) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let ended = match self.lease(what).await?.run(&run).await {
            Err(error) if needs_another(&error) => {
                let began = Instant::now();
                let again = self.lease(what).await?.run(&run).await;
                if let Err(error) = &again
                    && needs_another(error)
                {
                    self.breaker.open(began, error);
                }
                again
            }
            ended => ended,
        };
        ended.map_err(|error| StoreError::redis(what, error))
    }

    /// A connection for one call.
    async fn lease(self: &Arc<Self>, what: &'static str) -> Result<Lease<'_>, StoreError> {
        let mut ready = Box::pin(Arc::clone(self).ready());
        let at_once = {
            let _there = self.runtime.enter();
            (&mut ready).now_or_never()
        };
        let got = match at_once {
            Some(got) => got,
            // It may take longer than this call has: then the next one finds it in the pool.
            None => {
                (self.tasks.spawn_on(ready, &self.runtime).await).unwrap_or(Err(PoolError::Closed))
            }
        };
        match got {
            Ok(object) => Ok(Lease {
                connection: object.clone(),
                object: Some(object),
                shared: self,
            }),
            Err(PoolError::Backend(error)) => Err(StoreError::redis(what, error)),
            Err(PoolError::Timeout(_)) => {
                Err(StoreError::timeout(what, self.pool.manager().answer))
            }
            Err(_) => Err(StoreError::redis(
                what,
                (ErrorKind::Io, "the runtime is shutting down").into(),
            )),
        }
    }

    /// A connection that may be used, from the pool or a new one. Redis is away where none can be made.
    async fn ready(self: Arc<Self>) -> Result<Object<Manager>, PoolError<RedisError>> {
        let began = Instant::now();
        let got = self.pool.get().await;
        if let Err(PoolError::Backend(error)) = &got {
            self.breaker.open(began, error);
        }
        got
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

/// A connection while one call uses it.
struct Lease<'a> {
    connection: MultiplexedConnection,
    object: Option<Object<Manager>>,
    shared: &'a Shared,
}

impl Lease<'_> {
    async fn run<T, F>(mut self, run: impl FnOnce(MultiplexedConnection) -> F) -> RedisResult<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let result = run(self.connection.clone()).await;
        let object = self.object.take();
        if let (Some(object), Err(error)) = (object, &result) {
            if needs_another(error) {
                give_up(object, Instant::now());
            } else if error.is_timeout() {
                let began = used(&object);
                give_up(object, began);
            }
        }
        result
    }
}

impl Drop for Lease<'_> {
    /// A call that was given up leaves its answer behind. The connection goes back when that has come.
    fn drop(&mut self) {
        let Some(object) = self.object.take() else {
            return;
        };
        let mut connection = self.connection.clone();
        let drain = async move {
            if cmd("PING").exec_async(&mut connection).await.is_err() {
                let began = used(&object);
                give_up(object, began);
            }
        };
        self.shared.tasks.spawn_on(drain, &self.shared.runtime);
    }
}

/// When a call began to use it.
fn used(object: &Object<Manager>) -> Instant {
    let metrics = Object::metrics(object);
    metrics.recycled.unwrap_or(metrics.created)
}

/// Takes a connection out of the pool, and with it those that were made before `at`.
fn give_up(object: Object<Manager>, at: Instant) {
    if let Some(pool) = Object::pool(&object) {
        pool.manager().condemn(at);
    }
    drop(Object::take(object));
}
