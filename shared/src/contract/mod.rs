//! What proxy and worker say to each other through the store and the queue. Both programs of one deployment must agree on all of it.

pub mod id;
pub mod job;
pub mod keys;
pub mod model;
pub mod prefix;
pub mod record;
