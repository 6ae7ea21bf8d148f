//! Answers as a test scripts them, and their bodies.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::Response;
use hyper::body::Frame;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::DropGuard;

use super::says::Says;
use crate::wait;

/// Why a gated answer's body ends early.
#[derive(Debug)]
pub struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken by the test")
    }
}

impl std::error::Error for Broken {}

pub(super) type Body = UnsyncBoxBody<Bytes, Broken>;

/// How one request is answered.
#[derive(Debug)]
pub enum Reply {
    /// Well, in its dialect, streamed if it asks for that, with the usage that the cache model says.
    Well(Says),
    /// Well, once the test has sent this.
    Late(oneshot::Receiver<()>),
    /// With this.
    Fixed(Response<Vec<u8>>),
    /// With this, once the test has sent the signal.
    FixedLate(oneshot::Receiver<()>, Response<Vec<u8>>),
    /// With this head at once and the pieces of the body when the test sends them.
    Gated(Response<mpsc::Receiver<Result<Bytes, Broken>>>),
    /// Never.
    Hang,
    /// By closing the connection.
    HangUp,
}

impl Reply {
    /// An answer of this status with these headers and this body.
    ///
    /// # Panics
    /// When a header is none.
    #[must_use]
    pub fn fixed(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        Self::Fixed(head(status, headers).map(|()| body.into()))
    }

    /// An empty answer of this status that comes when the test sends the signal.
    ///
    /// # Panics
    /// When there is no such status.
    #[must_use]
    pub fn late(status: u16) -> (oneshot::Sender<()>, Self) {
        let (signal, when) = oneshot::channel();
        let response = head(status, &[]).map(|()| Vec::new());
        (signal, Self::FixedLate(when, response))
    }

    /// An answer whose body the test sends piece by piece through the gate.
    ///
    /// # Panics
    /// When a header is none.
    #[must_use]
    pub fn gated(status: u16, headers: &[(&str, &str)]) -> (Gate, Self) {
        let (sender, receiver) = mpsc::channel(1);
        let reply = Self::Gated(head(status, headers).map(|()| receiver));
        (Gate { sender }, reply)
    }
}

pub(super) fn head(status: u16, headers: &[(&str, &str)]) -> Response<()> {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(()).expect("a head")
}

/// The test's end of a gated answer. Dropping it ends the body properly.
#[derive(Debug)]
pub struct Gate {
    sender: mpsc::Sender<Result<Bytes, Broken>>,
}

impl Gate {
    /// Lets a piece of the body go.
    ///
    /// # Panics
    /// When the other side has gone.
    pub async fn send(&self, piece: impl Into<Bytes>) {
        let sent = self.sender.send(Ok(piece.into()));
        wait::soon("room for a piece", sent)
            .await
            .expect("the other side is there");
    }

    /// Breaks the connection in the middle of the body.
    pub async fn break_off(self) {
        let _ = self.sender.send(Err(Broken)).await;
    }

    /// Waits until the other side has gone.
    ///
    /// # Panics
    /// When it stays.
    pub async fn gone(&self) {
        wait::soon("the other side to go", self.sender.closed()).await;
    }
}

pub(super) fn whole(bytes: Bytes) -> Body {
    Full::new(bytes)
        .map_err(|never: Infallible| match never {})
        .boxed_unsync()
}

pub(super) fn gated(pieces: mpsc::Receiver<Result<Bytes, Broken>>, guard: DropGuard) -> Body {
    let pieces = stream::unfold((pieces, guard), |(mut pieces, guard)| async move {
        let piece = pieces.recv().await?;
        let frame = piece.map(Frame::data);
        Some((frame, (pieces, guard)))
    });
    StreamBody::new(pieces).boxed_unsync()
}
