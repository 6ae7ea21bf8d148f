//! A proxy's own line to Redis, which a test can break, and whether the proxy may have gone without its store meanwhile.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use crate::http::Call;
use crate::redis_server::RedisServer;
use crate::tcp_proxy::{Line, TcpProxy};
use crate::wait;

/// The line of one proxy.
#[derive(Debug)]
pub struct StoreLink {
    line: TcpProxy,
    /// Counts the beginnings and ends of its disturbances: odd while there is one.
    changes: AtomicU64,
    /// How many requests its proxy has sent without its store, as far as that was asked.
    misses: AtomicU64,
}

/// How a proxy and its line were at some moment.
#[derive(Debug, Clone, Copy)]
pub struct State {
    changes: u64,
    misses: u64,
}

impl StoreLink {
    /// A good line to this Redis.
    pub async fn to(redis: &RedisServer) -> Self {
        Self {
            line: TcpProxy::start(redis.port()).await,
            changes: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// The URL of Redis at the near end of the line.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.line.port())
    }

    /// Breaks the line. [`Line::Good`] breaks nothing: it says that what the line leads to is disturbed.
    pub fn disturb(&self, line: Line) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.line.set(line);
    }

    /// Breaks the connections that are open, and not those to come.
    pub fn disturb_open(&self, line: Line) {
        self.line.set_open(line);
    }

    /// Mends the line and waits until the proxy that listens at `addr` has found Redis again by itself.
    ///
    /// # Panics
    /// When it does not.
    pub async fn mend(&self, addr: &str) {
        self.line.set(Line::Good);
        wait::until("a replica finds Redis again", wait::DEADLINE, async || {
            let answer = Call::get("/readyz").try_send(addr).await;
            answer.is_ok_and(|answer| answer.status() == 200)
        })
        .await;
        self.store_misses(addr).await;
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// Says that the proxy has been started anew, and counts from nothing.
    pub fn restarted(&self) {
        self.misses.store(0, Ordering::SeqCst);
    }

    /// How it is now.
    #[must_use]
    pub fn state(&self) -> State {
        State {
            changes: self.changes.load(Ordering::SeqCst),
            misses: self.misses.load(Ordering::SeqCst),
        }
    }

    /// Whether the line was good all the time since.
    #[must_use]
    pub fn calm_since(&self, state: State) -> bool {
        state.changes.is_multiple_of(2) && self.state().changes == state.changes
    }

    /// Whether the proxy says that it has sent requests without its store since, as happens on a loaded machine even on a good
    /// line, or can't say any more.
    pub async fn late_since(&self, state: State, addr: &str) -> bool {
        let misses = self.store_misses(addr).await;
        misses.is_none_or(|misses| misses > state.misses)
    }

    /// How many requests the proxy that listens at `addr` has sent without its store; `None` once it is killed.
    pub async fn store_misses(&self, addr: &str) -> Option<u64> {
        let stats = Call::get("/stats").try_send(addr).await.ok()?;
        let stats: Value = serde_json::from_slice(&stats.try_bytes().await.ok()?).ok()?;
        let misses = stats["store_misses"].as_u64()?;
        self.misses.fetch_max(misses, Ordering::SeqCst);
        Some(misses)
    }
}
