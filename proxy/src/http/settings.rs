//! How connections are kept, timed and bounded: with clients, and with providers.

use std::time::Duration;

use socket2::TcpKeepalive;

/// The settings of HTTP on both sides. They follow from what clients and providers do, so nobody has to set them.
pub(crate) const HTTP: HttpSettings = HttpSettings {
    client: ClientSide {
        head_timeout: Duration::from_secs(150),
        tcp_keepalive: TcpKeepalive::new()
            .with_time(Duration::from_secs(60))
            .with_interval(Duration::from_secs(20))
            .with_retries(3),
        read_buffer: 128 << 10,
        first_body_buffer: 256 << 10,
        discard_timeout: Duration::from_secs(30),
        discard_times: 4,
        drain_timeout: Duration::from_secs(25),
        accept_pause: Duration::from_millis(100),
    },
    provider: ProviderSide {
        connect_timeout: Duration::from_secs(10),
        tunnel_timeout: Duration::from_secs(8),
        tcp_keepalive: Duration::from_secs(30),
        tcp_keepalive_interval: Duration::from_secs(10),
        tcp_keepalive_retries: 3,
        read_buffer: 128 << 10,
        idle_timeout: Duration::from_secs(50),
        sweep_interval: Duration::from_secs(1),
    },
    half_closed_timeout: Duration::from_secs(30),
};

/// See [`HTTP`].
#[derive(Debug)]
pub(crate) struct HttpSettings {
    pub(crate) client: ClientSide,
    pub(crate) provider: ProviderSide,
    /// How long one side of a WebSocket may go on sending when the other has ended: its closing handshake is over by then.
    pub(crate) half_closed_timeout: Duration,
}

/// Connections that clients make to this proxy.
#[derive(Debug)]
pub(crate) struct ClientSide {
    /// How long a client may take to send the next request's head. It counts from the end of the response before, so it is longer
    /// than clients keep idle connections (90 s is common).
    pub(crate) head_timeout: Duration,
    /// When the system asks a silent client's system whether it is still there, and after how many unanswered probes it is gone.
    pub(crate) tcp_keepalive: TcpKeepalive,
    /// Bytes that a connection reads at once, and the longest head: large enough for a large body's reads to be few, small enough
    /// for a thousand connections that each keep such a buffer.
    pub(crate) read_buffer: usize,
    /// Bytes that are reserved for a body of which nothing has come yet, whatever length it announces.
    pub(crate) first_body_buffer: usize,
    /// How long the rest of a body that is too large is read and thrown away: a client reads a response only when it has sent its
    /// request, and a connection that is closed before takes the response with it.
    pub(crate) discard_timeout: Duration,
    /// How many times the largest allowed body is thrown away at most.
    pub(crate) discard_times: usize,
    /// How long requests that are on their way may take to end after a stop.
    pub(crate) drain_timeout: Duration,
    /// How long to wait when the system can't accept a connection (too many open files).
    pub(crate) accept_pause: Duration,
}

/// Connections that this proxy makes to providers. A response has no time limit: it may take as long as the provider likes.
#[derive(Debug)]
pub(crate) struct ProviderSide {
    /// How long a connection may take to be made: name, TCP and TLS together.
    pub(crate) connect_timeout: Duration,
    /// How long an HTTP proxy on the way may take to be reached and to make a tunnel: less than a connection, which may need TLS in it.
    pub(crate) tunnel_timeout: Duration,
    /// After this long without traffic the system asks whether the provider is still there: a dead connection is not waited on.
    pub(crate) tcp_keepalive: Duration,
    /// How long it waits for an answer to that before it asks again.
    pub(crate) tcp_keepalive_interval: Duration,
    /// After how many of those the connection is given up.
    pub(crate) tcp_keepalive_retries: u32,
    /// Bytes that a connection reads at once, and the longest head of a response.
    pub(crate) read_buffer: usize,
    /// How long an idle connection is kept: less than common servers and load balancers do (60 s and more), so that this is the side
    /// that closes.
    pub(crate) idle_timeout: Duration,
    /// How often idle connections are looked at.
    pub(crate) sweep_interval: Duration,
}
