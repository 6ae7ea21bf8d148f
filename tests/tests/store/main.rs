//! Where forms and records are kept: both stores, every kind of Redis.

mod contract;
mod eviction;
mod redis_kinds;
