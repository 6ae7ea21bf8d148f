//! The contract between proxy and worker: the data that they exchange through the store and the queue. Both programs of a deployment must
//! agree on all of it.

pub mod bill;
pub mod id;
pub mod job;
pub mod keys;
pub mod model;
pub mod output_kind;
pub mod prefix;
pub mod record;
pub mod retrieval;
pub mod tier;
pub mod usage;
