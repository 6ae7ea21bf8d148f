//! The contract of Headroom's two programs, and what both of them use.
//!
//! `headroom-proxy` and `headroom-worker` meet in a store (Redis, or a local file on a laptop). What they say to each other
//! there is defined here and nowhere else:
//!
//! | module | what |
//! |---|---|
//! | [`contract`] | names of prefixes, blocks and forms; jobs, results and records; the name of every Redis key; the providers' models |
//! | [`mod@redis`] | the pools of connections to Redis, for store and queue |
//! | [`store`] | where forms and records live |
//! | [`queue`] | where jobs live |
//! | [`compress`] | the compressors, each with its inverse |
//! | [`runtime`] | settings, logs, the clock and the signal to stop, the same way in both programs |
//!
//! Not here: anything about HTTP or a provider's request format (that is the proxy's), and anything about threads and
//! claims (that is the worker's).
#![warn(missing_docs)]

pub mod compress;
pub mod contract;
pub mod queue;
pub mod redis;
pub mod runtime;
pub mod store;
