//! What is left to a worker: cold starts, which go out at once while their jobs are made and pushed, and results that never came.

pub(crate) mod backlog;
pub(crate) mod cold_start;
pub(crate) mod deferral;
pub(crate) mod reoffer;
