//! Connections to Redis.
//!
//! | file | what |
//! |---|---|
//! | `url` | [`RedisUrl`]: the address and the login, with sentinels, clusters and TLS |
//! | `server` | which server holds the keys now, where sentinels or a cluster's nodes know that |
//! | `manager` | makes a pool's connections, and decides which may be used again |
//! | `pool` | [`RedisPool`]: the pool, and calls over it that are retried as the caller says |
//! | `breaker` | the circuit breaker: calls fail at once while Redis is away |
//! | `eviction` | whether Redis evicts keys when its memory is full, and whether it is full |

mod breaker;
pub(crate) mod eviction;
mod manager;
mod pool;
mod server;
mod url;

pub use self::eviction::{Evicts, Full};
pub use self::pool::RedisPool;
pub(crate) use self::pool::Retry;
pub use self::url::RedisUrl;

/// The reply to `TIME`, seconds and microseconds, in milliseconds since 1970.
pub(crate) const fn unix_ms((seconds, micros): (u64, u64)) -> u64 {
    seconds * 1000 + micros / 1000
}
