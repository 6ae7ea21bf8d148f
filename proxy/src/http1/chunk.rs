//! Bodies in chunks (RFC 9112, section 7.1).

use bytes::Bytes;

use super::Outbox;

/// The last chunk, with no trailers.
pub(crate) const LAST_CHUNK: Bytes = Bytes::from_static(b"0\r\n\r\n");

/// Puts `data`, which is not empty, into `outbox` as one chunk.
pub(crate) fn chunk(outbox: &mut Outbox, data: Bytes) {
    outbox.push(Bytes::from(format!("{:x}\r\n", data.len())));
    outbox.push(data);
    outbox.push(Bytes::from_static(b"\r\n"));
}
