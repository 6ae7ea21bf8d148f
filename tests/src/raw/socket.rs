//! A connection of which a test writes and reads every byte itself.

use std::io;
use std::time::Duration;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use super::message::{Framing, Message};
use crate::wait;

/// One end of a connection.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    /// What was read and not yet taken.
    pub(super) held: Vec<u8>,
}

impl Socket {
    /// Connects as a client.
    ///
    /// # Panics
    /// When nobody listens.
    pub async fn connect(addr: &str) -> Self {
        Self::of(TcpStream::connect(addr).await.expect("somebody listens"))
    }

    fn of(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a socket");
        Self {
            stream,
            held: Vec::new(),
        }
    }

    /// The connection on which a protocol was upgraded.
    ///
    /// # Panics
    /// When it is not one over plain TCP.
    pub(crate) fn upgraded(connection: Upgraded) -> Self {
        let parts = connection.downcast::<TokioIo<TcpStream>>();
        let parts = parts.expect("a connection over plain TCP");
        Self {
            held: parts.read_buf.to_vec(),
            ..Self::of(parts.io.into_inner())
        }
    }

    /// Writes all of `bytes`.
    ///
    /// # Panics
    /// When the other side has gone, or takes nothing.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let written = self.try_write(bytes).await;
        written.expect("the other side is there");
    }

    /// Writes all of `bytes`, if the other side takes them.
    ///
    /// # Errors
    /// When the other side has gone.
    pub async fn try_write(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        wait::soon("room for bytes", self.stream.write_all(bytes.as_ref())).await
    }

    /// Writes as much of `bytes` as is taken before nothing more is for `pause`; gives how much that is.
    pub async fn write_while_taken(&mut self, bytes: &[u8], pause: Duration) -> usize {
        let mut taken = 0;
        while taken < bytes.len() {
            match tokio::time::timeout(pause, self.stream.write(&bytes[taken..])).await {
                Ok(Ok(more)) => taken += more,
                Ok(Err(_)) | Err(_) => break,
            }
        }
        taken
    }

    /// Says that nothing more will be written; reading goes on.
    ///
    /// # Panics
    /// When the connection is broken.
    pub async fn end_writing(&mut self) {
        self.stream.shutdown().await.expect("a connection");
    }

    /// Breaks the connection: the other side is told so, not that it ended.
    ///
    /// # Panics
    /// When the system can't.
    pub fn reset(self) {
        self.stream.set_zero_linger().expect("a socket");
    }

    /// Waits for more bytes; false at the end.
    pub(super) async fn more(&mut self) -> io::Result<bool> {
        let read = self.stream.read_buf(&mut self.held);
        Ok(wait::soon("bytes or the end of them", read).await? > 0)
    }

    /// Whatever comes next; empty at the end. May be given up and called again.
    pub(crate) async fn piece(&mut self) -> io::Result<Vec<u8>> {
        if self.held.is_empty() {
            self.more().await?;
        }
        Ok(std::mem::take(&mut self.held))
    }

    /// The next `length` bytes.
    ///
    /// # Panics
    /// When the connection ends before.
    pub async fn take(&mut self, length: usize) -> Vec<u8> {
        self.try_take(length).await.expect("the connection goes on")
    }

    async fn try_take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.held.len() < length {
            if !self.more().await? {
                return Err(cut());
            }
        }
        Ok(self.held.drain(..length).collect())
    }

    /// All bytes up to the end of `mark`; `None` where the connection ends before anything came.
    async fn through(&mut self, mark: &[u8]) -> io::Result<Option<Vec<u8>>> {
        loop {
            let found = self.held.windows(mark.len()).position(|at| at == mark);
            if let Some(at) = found {
                return Ok(Some(self.held.drain(..at + mark.len()).collect()));
            }
            match (self.more().await, self.held.is_empty()) {
                (Ok(true), _) => {}
                (Ok(false) | Err(_), true) => return Ok(None),
                (Ok(false) | Err(_), false) => return Err(cut()),
            }
        }
    }

    /// The head of the next message; `None` where the connection ends instead.
    ///
    /// # Panics
    /// When it ends in the middle of one, or the head is malformed.
    pub async fn head(&mut self) -> Option<Message> {
        self.try_head().await.expect("a whole head")
    }

    async fn try_head(&mut self) -> io::Result<Option<Message>> {
        let head = self.through(b"\r\n\r\n").await?;
        Ok(head.map(|head| Message::of(&head[..head.len() - 4])))
    }

    /// The next whole message; `None` where the connection ends instead.
    ///
    /// # Panics
    /// When it ends in the middle of one, or the message is malformed or could be understood in two ways.
    pub async fn message(&mut self) -> Option<Message> {
        self.try_message().await.expect("a whole message")
    }

    /// The next whole message; `None` where the connection ends instead.
    ///
    /// # Errors
    /// When it ends in the middle of one.
    ///
    /// # Panics
    /// When the message is malformed or could be understood in two ways.
    pub async fn try_message(&mut self) -> io::Result<Option<Message>> {
        let Some(mut message) = self.try_head().await? else {
            return Ok(None);
        };
        message.body = match message.framing() {
            Framing::Length(length) => self.try_take(length).await?,
            Framing::Chunked => self.chunks().await?,
            Framing::Close => self.rest().await.0,
        };
        Ok(Some(message))
    }

    async fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.through(b"\r\n").await?.ok_or_else(cut)?;
            let size = std::str::from_utf8(&line[..line.len() - 2]).expect("a number");
            let size = usize::from_str_radix(size, 16).expect("nothing but a number");
            if size == 0 {
                // Trailers, if any, and the empty line.
                while self.through(b"\r\n").await?.ok_or_else(cut)? != b"\r\n" {}
                return Ok(body);
            }
            body.extend(self.try_take(size).await?);
            assert_eq!(self.try_take(2).await?, b"\r\n", "the end of a chunk");
        }
    }

    /// Everything that still comes, and whether the connection then ended properly (and was not reset).
    pub async fn rest(&mut self) -> (Vec<u8>, bool) {
        let properly = loop {
            match self.more().await {
                Ok(true) => {}
                ended => break ended.is_ok(),
            }
        };
        (std::mem::take(&mut self.held), properly)
    }
}

/// The connection ended in the middle of something.
pub(super) fn cut() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

/// A provider whose connections the test serves itself.
#[derive(Debug)]
pub struct Sockets {
    url: String,
    arrived: Mutex<mpsc::UnboundedReceiver<TcpStream>>,
    _accept: JoinSet<()>,
}

impl Sockets {
    /// Listens on a free port.
    ///
    /// # Panics
    /// When none is free.
    pub async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let (sender, arrived) = mpsc::unbounded_channel();
        let mut accept = JoinSet::new();
        accept.spawn(async move {
            let mut silent = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let sender = sender.clone();
                // A connection that is made and says nothing is not handed out.
                silent.spawn(async move {
                    if stream.peek(&mut [0]).await.is_ok_and(|length| length > 0) {
                        let _ = sender.send(stream);
                    }
                });
            }
        });
        Self {
            url,
            arrived: Mutex::new(arrived),
            _accept: accept,
        }
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The next new connection on which something was said.
    ///
    /// # Panics
    /// When none comes.
    pub async fn next(&self) -> Socket {
        wait::soon("a connection", self.next_whenever()).await
    }

    /// The same without a limit.
    pub(super) async fn next_whenever(&self) -> Socket {
        let stream = self.arrived.lock().await.recv().await;
        Socket::of(stream.expect("the listener goes on"))
    }

    /// Whether no new connection with anything said is waiting.
    pub async fn quiet(&self) -> bool {
        self.arrived.lock().await.is_empty()
    }
}
