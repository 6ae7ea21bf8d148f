//! The contract of Headroom's two programs, and what both of them use.
//!
//! `headroom-proxy` and `headroom-worker` exchange data through a store and a queue (Redis, or on one machine a local file). That data is
//! defined here and nowhere else:
//!
//! | module | what |
//! |---|---|
//! | [`contract`] | ids of prefixes, blocks and forms; jobs, results and records; the name of every Redis key; the providers' models |
//! | [`mod@redis`] | connection pools to Redis, for store and queue |
//! | [`store`] | keeps forms, results and records |
//! | [`queue`] | the job queue between proxy and workers |
//! | [`compress`] | the compressors, each with its inverse |
//! | [`metrics`] | what both programs show at `/metrics` |
//! | [`traces`] | spans of requests and jobs, for a collector |
//! | [`runtime`] | settings, logs, the clock and the signal to stop, for both programs |
//!
//! Not here: anything about HTTP or a provider's request format (that is the proxy's), and anything about threads and
//! claims (that is the worker's).
#![warn(missing_docs)]

pub mod compress;
pub mod contract;
pub mod metrics;
pub mod queue;
pub mod redis;
pub mod runtime;
pub mod store;
pub mod traces;
