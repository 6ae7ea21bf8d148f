//! How connections from clients are timed and bounded. These values follow from what clients do, so nobody has to set them.

use std::time::Duration;

use socket2::TcpKeepalive;

/// How long a client may take to send the next request's head. It counts from the end of the response before, so it is longer than clients
/// keep idle connections (90 s is common).
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(150);
/// When the system probes whether a silent client is still there, and after how many unanswered probes the connection is closed.
pub(super) const TCP_KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(60))
    .with_interval(Duration::from_secs(20))
    .with_retries(3);
/// Bytes that a connection reads at once, and the longest head: large enough for a large body's reads to be few, small enough for a
/// thousand connections that each keep such a buffer.
pub(super) const READ_BUFFER: usize = 128 << 10;
/// Bytes that are reserved for a body of which nothing has come yet, whatever length it announces.
pub(super) const FIRST_BODY_BUFFER: usize = 256 << 10;
/// How long the rest of a body that is too large is read and thrown away: a client reads a response only when it has sent its request, and
/// closing the connection before that would lose the response.
pub(super) const DISCARD_TIMEOUT: Duration = Duration::from_secs(30);
/// How many times the largest allowed body is thrown away at most.
pub(super) const DISCARD_TIMES: usize = 4;
/// How long to wait when the system can't accept a connection (too many open files).
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long one side of a WebSocket may go on sending when the other has ended: its closing handshake is over by then.
pub(super) const HALF_CLOSED_TIMEOUT: Duration = Duration::from_secs(30);
