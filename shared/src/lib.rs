//! The contract of Headroom's two programs, and what both of them use.
//!
//! `headroom-proxy` and `headroom-worker` meet in a store (Redis, or a local file on a laptop). What they say to each other
//! there is defined here and nowhere else:
//!
//! | module | what |
//! |---|---|
//! | [`id`] | names of prefixes, blocks and forms: keyed digests that nobody can guess |
//! | [`job`] | what the proxy asks of a worker |
//! | [`prefix`] | what a worker answers: the compressed prefix and its forms |
//! | [`record`] | what was really sent for a prefix |
//! | [`keys`] | the name of every Redis key |
//! | [`store`] | where forms and records live |
//! | [`queue`] | where jobs live |
//! | [`mod@redis`] | the pools of connections to Redis, for both of them |
//! | [`compress`] | the compressors, each with its inverse |
//! | [`model`] | what is known of the providers' models |
//! | [`config`], [`telemetry`], [`stop`] | settings, logs and the signal to stop, the same way in both programs |
//!
//! Not here: anything about HTTP or a provider's request format (that is the proxy's), and anything about threads and
//! claims (that is the worker's).
#![warn(missing_docs)]

pub mod clock;
pub mod compress;
pub mod config;
pub mod id;
pub mod job;
pub mod keys;
pub mod model;
pub mod prefix;
pub mod queue;
pub mod record;
pub mod redis;
pub mod stop;
pub mod store;
pub mod telemetry;
