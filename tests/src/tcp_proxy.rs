//! A TCP proxy that a test can break: real outages instead of mocks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How many bytes trickle at a time: few enough to cut an answer's first line in two.
const TRICKLE: usize = 7;

/// What a line does with what passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// Passes it on at once.
    Good,
    /// Passes each piece on after this time.
    Slow(Duration),
    /// Passes some bytes at a time on, each lot after this time.
    Trickle(Duration),
    /// Closes connections and refuses new ones.
    Cut,
    /// Takes connections and bytes and passes nothing on, as after a power failure at the far end.
    HalfOpen,
    /// The same for the server's answers alone: what it is told still gets there.
    Mute,
}

/// A TCP line to some server. It ends when it is dropped.
#[derive(Debug)]
pub struct TcpProxy {
    port: u16,
    lines: Arc<Mutex<Lines>>,
    _accept: JoinSet<()>,
}

/// The state of each open connection, and of those to come.
#[derive(Debug)]
struct Lines {
    open: Vec<watch::Sender<Line>>,
    next: Line,
}

impl TcpProxy {
    /// A good line to `port` of 127.0.0.1.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let lines = Arc::new(Mutex::new(Lines {
            open: Vec::new(),
            next: Line::Good,
        }));
        let mut accept = JoinSet::new();
        accept.spawn(serve(listener, to, Arc::clone(&lines)));
        Self {
            port,
            lines,
            _accept: accept,
        }
    }

    /// Where it listens on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes the line for all connections, open or to come.
    pub fn set(&self, line: Line) {
        lock(&self.lines).next = line;
        self.set_open(line);
    }

    /// Changes the line for the connections that are open, and not for those to come. What was cut stays cut.
    pub fn set_open(&self, line: Line) {
        for open in &lock(&self.lines).open {
            open.send_if_modified(|now| *now != Line::Cut && std::mem::replace(now, line) != line);
        }
    }
}

fn lock(lines: &Mutex<Lines>) -> MutexGuard<'_, Lines> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, to: u16, lines: Arc<Mutex<Lines>>) {
    let mut connections = JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        let line = {
            let mut lines = lock(&lines);
            if lines.next == Line::Cut {
                continue;
            }
            lines.open.retain(|open| !open.is_closed());
            let (open, line) = watch::channel(lines.next);
            lines.open.push(open);
            line
        };
        connections.spawn(connect(near, to, line));
    }
}

async fn connect(near: TcpStream, to: u16, line: watch::Receiver<Line>) {
    let Ok(far) = TcpStream::connect(("127.0.0.1", to)).await else {
        return;
    };
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    tokio::select! {
        () = carry(near_read, far_write, &line, &[Line::HalfOpen]) => {}
        () = carry(far_read, near_write, &line, &[Line::HalfOpen, Line::Mute]) => {}
        () = until_cut(line.clone()) => {}
    }
}

async fn until_cut(mut line: watch::Receiver<Line>) {
    let _ = line.wait_for(|line| *line == Line::Cut).await;
}

/// Carries one direction's bytes, and in the states of `swallows` none.
async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    line: &watch::Receiver<Line>,
    swallows: &[Line],
) {
    let mut piece = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        let state = *line.borrow();
        if swallows.contains(&state) {
            // What was swallowed is lost, so the connection never comes back.
            until_cut(line.clone()).await;
            return;
        }
        let (lot, time) = match state {
            Line::Slow(time) => (length, time),
            Line::Trickle(time) => (TRICKLE, time),
            _ => (length, Duration::ZERO),
        };
        for lot in piece[..length].chunks(lot) {
            tokio::time::sleep(time).await;
            if to.write_all(lot).await.is_err() {
                return;
            }
        }
    }
}
