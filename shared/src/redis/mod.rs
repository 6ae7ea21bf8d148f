//! The way to Redis.
//!
//! | file | what |
//! |---|---|
//! | `url` | where it is, how to log in there |
//! | `server` | which server that is now, where sentinels or a cluster's nodes have to be asked |
//! | `manager` | makes a pool's connections, and decides which may be used again |
//! | `pool` | [`RedisPool`]: the pool, and calls over it |
//! | `breaker` | lets calls fail at once while Redis is away |
//! | `eviction` | whether what is kept there may go by itself |

mod breaker;
pub(crate) mod eviction;
mod manager;
mod pool;
mod server;
mod url;

pub use self::eviction::Evicts;
pub use self::pool::RedisPool;
pub use self::url::RedisUrl;
