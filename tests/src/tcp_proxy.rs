//! A TCP proxy that a test can break: real outages instead of mocks.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What the line does with what passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// Passes it on at once.
    Good,
    /// Passes each piece on after this time.
    Slow(Duration),
    /// Closes all connections and refuses new ones.
    Cut,
    /// Takes connections and bytes and passes nothing on, as after a power failure at the far end.
    HalfOpen,
}

/// A TCP line to some server.
#[derive(Debug)]
pub struct TcpProxy {
    port: u16,
    line: watch::Sender<Line>,
    _accept: JoinSet<()>,
}

impl TcpProxy {
    /// A good line to `port` of 127.0.0.1.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let (line, state) = watch::channel(Line::Good);
        let mut accept = JoinSet::new();
        accept.spawn(serve(listener, to, state));
        Self {
            port,
            line,
            _accept: accept,
        }
    }

    /// Where it listens on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes what the line does, for open connections too.
    pub fn set(&self, line: Line) {
        self.line.send_replace(line);
    }
}

async fn serve(listener: TcpListener, to: u16, line: watch::Receiver<Line>) {
    let mut connections = JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        if *line.borrow() == Line::Cut {
            continue;
        }
        let line = line.clone();
        connections.spawn(async move {
            let Ok(far) = TcpStream::connect(("127.0.0.1", to)).await else {
                return;
            };
            let _ = (near.set_nodelay(true), far.set_nodelay(true));
            let (near_read, near_write) = near.into_split();
            let (far_read, far_write) = far.into_split();
            tokio::select! {
                () = carry(near_read, far_write, line.clone()) => {}
                () = carry(far_read, near_write, line.clone()) => {}
                () = until_cut(line) => {}
            }
        });
    }
}

async fn until_cut(mut line: watch::Receiver<Line>) {
    let _ = line.wait_for(|line| *line == Line::Cut).await;
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut line: watch::Receiver<Line>) {
    let mut piece = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        // What a half-open line has swallowed is lost, and the connection never comes back.
        let state = *line.borrow();
        match state {
            Line::HalfOpen => {
                until_cut(line.clone()).await;
                return;
            }
            Line::Slow(time) => tokio::time::sleep(time).await,
            Line::Good | Line::Cut => {}
        }
        line.mark_unchanged();
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}
