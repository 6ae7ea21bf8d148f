//! Sessions played without a server.

pub mod prompt_cache;
