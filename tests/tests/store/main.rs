//! Where forms and records are kept: both stores, every kind of Redis.

mod contract;
mod eviction;
mod file_bound;
mod full_disk;
mod redis_kinds;
