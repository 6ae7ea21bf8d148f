//! Passes what a provider sends on to the client, untouched, and notes what became of the requests.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Mutex, PoisonError};

use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tungstenite::protocol::frame::coding::Data;

use super::frames::{Frames, Piece};
use crate::dialect::{Dialect, MessageTypes};
use crate::usage::{self, Outcome, OutcomeCallback};

/// A longer event is not read.
const MAX_EVENT: usize = 4 << 20;
/// A buffer that has grown beyond this is not kept.
const MAX_KEPT_BUFFER: usize = 64 << 10;
/// Where an event may hold the code or the type of an error.
const ERROR_CODES: [&str; 5] = [
    "/code",
    "/error/code",
    "/error/type",
    "/response/error/code",
    "/response/error/type",
];

/// The requests of one connection whose responses have not ended, in their order: the provider answers one after the other.
#[derive(Default)]
pub(super) struct Responses {
    waiting: Mutex<VecDeque<OutcomeCallback>>,
}

impl Responses {
    /// A request goes out, and here is whom to tell its outcome.
    pub(super) fn expect(&self, on_outcome: OutcomeCallback) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push_back(on_outcome);
    }

    fn end_next(&self, outcome: Outcome) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let next = waiting.pop_front();
        drop(waiting);
        if let Some(on_outcome) = next {
            on_outcome(outcome);
        }
    }
}

impl Drop for Responses {
    fn drop(&mut self) {
        let waiting = self.waiting.get_mut();
        let waiting = waiting.unwrap_or_else(PoisonError::into_inner);
        for on_outcome in waiting.drain(..) {
            on_outcome(Outcome::Ended(None));
        }
    }
}

impl fmt::Debug for Responses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responses").finish_non_exhaustive()
    }
}

/// What is read of every event.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type")]
    name: Cow<'a, str>,
}

/// Reads the events of one connection.
#[derive(Debug)]
pub(super) struct Events<'a> {
    dialect: &'static dyn Dialect,
    types: &'static MessageTypes,
    responses: &'a Responses,
    /// The message as far as it has come; `None` where it is not read.
    message: Option<Vec<u8>>,
    /// Whether the next request's response has begun.
    has_begun: bool,
}

impl<'a> Events<'a> {
    pub(super) const fn new(
        dialect: &'static dyn Dialect,
        types: &'static MessageTypes,
        responses: &'a Responses,
    ) -> Self {
        Self {
            dialect,
            types,
            responses,
            message: None,
            has_begun: false,
        }
    }

    /// Passes all on until its end, and passes the end on.
    pub(super) async fn pass_on(
        mut self,
        from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        let mut frames = Frames::new(from);
        while let Some(piece) = frames.next().await? {
            // Before it is passed on, so that the client's next request meets what was noted.
            self.read(&piece);
            to.write_all(&piece.bytes).await?;
            to.flush().await?;
        }
        to.shutdown().await
    }

    fn read(&mut self, piece: &Piece) {
        let Some(part) = &piece.part else {
            return;
        };
        let Some(data) = part.data() else {
            return;
        };
        if part.head > 0 && data != Data::Continue {
            let is_read = data == Data::Text && part.is_plain() && part.header.mask.is_none();
            self.message = is_read.then(|| self.message.take().unwrap_or_default());
        }
        let payload = &piece.bytes[part.head..];
        let Some(message) = &mut self.message else {
            return;
        };
        if message.len() + payload.len() > MAX_EVENT {
            self.message = None;
            return;
        }
        message.extend_from_slice(payload);
        if part.ends_message()
            && let Some(mut message) = self.message.take()
        {
            self.event(&message);
            message.clear();
            self.message = (message.capacity() <= MAX_KEPT_BUFFER).then_some(message);
        }
    }

    fn event(&mut self, message: &[u8]) {
        let Ok(Event { name }) = serde_json::from_slice(message) else {
            return;
        };
        if name == self.types.begun {
            self.has_begun = true;
            return;
        }
        if !self.types.ended.contains(&name.as_ref()) {
            return;
        }
        let has_begun = std::mem::take(&mut self.has_begun);
        let document = serde_json::from_slice(message).unwrap_or_default();
        let usage = self.dialect.usage(&document).filter(|it| it.input > 0);
        let may_refuse = !has_begun && self.types.refusals.contains(&name.as_ref());
        let is_refusal = may_refuse && usage.is_none() && !self.asks_again(&document);
        self.responses.end_next(if is_refusal {
            Outcome::Refused
        } else {
            Outcome::Ended(usage)
        });
    }

    /// Whether an event without a response asks to send the same again: by the status that it would have over HTTP, or by its code.
    fn asks_again(&self, event: &Value) -> bool {
        let mut status = ["status", "status_code"].iter();
        let status = status.find_map(|name| event.get(name)?.as_u64());
        let status = status.and_then(|it| StatusCode::from_u16(u16::try_from(it).ok()?).ok());
        let mut codes = ERROR_CODES
            .iter()
            .filter_map(|at| event.pointer(at)?.as_str());
        status.is_some_and(|it| !usage::is_refusal(it))
            || codes.any(|code| self.types.again.contains(&code))
    }
}
