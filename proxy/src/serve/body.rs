//! Reading a plain request's body: into one piece, straight from the system.

use bytes::{BufMut as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::body::Unread;

/// Memory that is taken for a body of which nothing has come yet, and how many times what has come is taken later: who announces
/// much and sends nothing holds little.
const FIRST: usize = 256 << 10;
const GROWTH: usize = 8;
/// More than the body is asked for: a read that leaves room in its buffer tells the runtime that there is nothing more to read
/// now, and saves the system call that would find that out.
const BEYOND: usize = 1;

/// Reads a body of `length` bytes, whose first `held` are. What comes behind it is left there.
///
/// # Errors
/// When the client stops before it has sent all of it.
pub(super) async fn read<S: AsyncRead + Unpin>(
    stream: &mut S,
    held: &mut BytesMut,
    length: usize,
) -> Result<Bytes, Unread> {
    if held.len() > length {
        return Ok(held.split_to(length).freeze());
    }
    let begun = std::mem::take(held);
    if begun.len() == length {
        return Ok(begun.freeze());
    }
    let all = length + BEYOND;
    let mut body = BytesMut::with_capacity(all.min(FIRST.max(begun.len())));
    body.extend_from_slice(&begun);
    drop(begun);
    while body.len() < length {
        if body.len() == body.capacity() {
            let more = body.len().saturating_mul(GROWTH - 1);
            body.reserve(more.min(all - body.len()));
        }
        let left = all - body.len();
        match stream.read_buf(&mut (&mut body).limit(left)).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return Err(Unread::Broken),
        }
    }
    held.extend_from_slice(&body[length..]);
    body.truncate(length);
    Ok(body.freeze())
}
