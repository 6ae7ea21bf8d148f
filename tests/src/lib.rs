//! The harness of the suites.

pub mod queue_support;
