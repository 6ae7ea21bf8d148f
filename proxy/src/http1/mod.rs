//! HTTP/1.1 as both sides of the proxy speak it (RFC 9112): heads, chunks, and what is read and written of a connection.
//!
//! It holds no buffer for a connection that has nothing to say, and copies nothing that is written.

mod chunk;
#[cfg(test)]
mod cut;
mod dechunk;
mod fields;
mod outbox;
mod reading;

pub(crate) use self::chunk::{LAST_CHUNK, chunk};
#[cfg(test)]
pub(crate) use self::cut::cut;
pub(crate) use self::dechunk::{BadChunk, Dechunk};
pub(crate) use self::fields::{MOST_FIELDS, decimal, fields, words, write_fields};
pub(crate) use self::outbox::Outbox;
pub(crate) use self::reading::read_some;
