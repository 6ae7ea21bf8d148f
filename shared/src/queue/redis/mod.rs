//! The queue over Redis lists. The contract's table of keys says what stands where.
//!
//! | file | what |
//! |---|---|
//! | `connect` | connections, with their time limits |
//! | `eviction` | refuses a Redis that may evict the queue's own keys |
//! | `producer` | [`RedisQueue`]: offers and counts |
//! | `element` | what an element of the queue says, or what is wrong with it |
//! | `line` | the one connection that blocks until a job comes |
//! | `held` | what this worker knows that it holds, and what it holds without knowing |
//! | `worker` | [`RedisWork`]: claim, finish, put off, bury, beat, reap, leave |
//! | `scripts` | every step over several keys, as a script |

mod connect;
mod element;
mod eviction;
mod held;
mod line;
mod producer;
mod scripts;
mod worker;

pub use deadpool_redis::Pool;

pub use self::connect::connect;
pub use self::eviction::{Unfit, refuse_eviction};
pub use self::producer::RedisQueue;
pub use self::worker::{RedisWork, WorkerInfo};
