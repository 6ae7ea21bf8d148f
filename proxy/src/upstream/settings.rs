//! How connections to providers are made and kept. These values follow from what providers do, so nobody has to set them. A response has no
//! time limit: it may take as long as the provider likes.

use std::time::Duration;

/// How long a connection may take to be made: name, TCP and TLS together.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an HTTP proxy on the way may take to be reached and to make a tunnel: less than a connection, which may need TLS in it.
pub(super) const TUNNEL_TIMEOUT: Duration = Duration::from_secs(8);
/// After this long without traffic the system probes whether the provider is still there.
pub(super) const TCP_KEEPALIVE: Duration = Duration::from_secs(30);
/// How long it waits for the reply to a probe before it sends the next.
pub(super) const TCP_KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// After how many unanswered probes the connection is closed.
pub(super) const TCP_KEEPALIVE_RETRIES: u32 = 3;
/// Bytes that a connection reads at once, and the longest head of a response.
pub(super) const READ_BUFFER: usize = 128 << 10;
/// How long an idle connection is kept: less than common servers and load balancers do (60 s and more), so that this is the side that
/// closes.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(50);
/// How often idle connections are checked.
pub(super) const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
