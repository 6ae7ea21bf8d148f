//! Passes what a client sends on to the provider, with forms in the requests among its messages.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Uri};
use memchr::memmem;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tracing::Instrument as _;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::frames::{Frames, Part, Piece};
use super::gathered::{Gathered, Gathering, NotGathered};
use super::responses::Responses;
use crate::app::App;
use crate::dialect::{Endpoint, MessageTypes};
use crate::http::account::Account;
use crate::http::context::RequestContext;
use crate::http::scannable_body::beside_other_tasks;
use crate::metrics::Decision;
use crate::plan::splice::Rope;
use crate::usage::Outcome;

/// What it takes to plan the requests of one connection.
#[derive(Debug)]
pub(super) struct Requests {
    pub(super) app: Arc<App>,
    pub(super) endpoint: Endpoint,
    pub(super) types: &'static MessageTypes,
    /// The handshake's target.
    pub(super) target: Uri,
    /// The handshake's, as the client sent them.
    pub(super) headers: HeaderMap,
    pub(super) responses: Arc<Responses>,
}

impl Requests {
    /// Passes all on until its end, and passes the end on.
    pub(super) async fn pass_on(
        &self,
        from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        let mut frames = Frames::new(from);
        let mut gathering = None;
        loop {
            let next = match &gathering {
                Some(_) => tokio::time::timeout(self.app.rules.body_timeout, frames.next()).await,
                None => Ok(frames.next().await),
            };
            let Ok(next) = next else {
                release(&mut gathering, &mut to).await?;
                to.flush().await?;
                continue;
            };
            let Some(piece) = next? else {
                release(&mut gathering, &mut to).await?;
                return to.shutdown().await;
            };
            if self.takes(&mut gathering, &piece, &mut to).await? {
                if piece.part.as_ref().is_some_and(Part::ends_message)
                    && let Some(gathered) = gathering.take()
                {
                    self.send(&gathered.whole(), &mut to).await?;
                }
            } else {
                to.write_all(&piece.bytes).await?;
            }
            to.flush().await?;
        }
    }

    /// Takes a piece of a message in, where that may be a request. Where it turns out that it can't be gathered, what was is passed on.
    async fn takes(
        &self,
        gathering: &mut Option<Gathering>,
        piece: &Piece,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<bool> {
        let Some(part) = &piece.part else {
            release(gathering, to).await?;
            return Ok(false);
        };
        match (part.data(), &gathering) {
            // A ping may stand between the frames of a message.
            (None, _) => {
                if part.header.opcode == OpCode::Control(Control::Close) {
                    release(gathering, to).await?;
                }
                return Ok(false);
            }
            (Some(Data::Continue), Some(_)) => {}
            (Some(Data::Text), None) if part.head > 0 && part.is_plain() => {
                match Gathering::new(self.app.rules.max_body_bytes, &self.app.memory) {
                    Ok(begun) => *gathering = Some(begun),
                    Err(_) => self.note_not_gathered(NotGathered::OverBudget),
                }
            }
            (Some(Data::Text), Some(_)) if part.head == 0 => {}
            _ => release(gathering, to).await?,
        }
        let Some(begun) = gathering else {
            return Ok(false);
        };
        if let Err(error) = begun.push(piece, part) {
            self.note_not_gathered(error);
            release(gathering, to).await?;
            return Ok(false);
        }
        Ok(true)
    }

    fn note_not_gathered(&self, error: NotGathered) {
        if error == NotGathered::OverBudget {
            self.app.counts.over_memory.inc();
        }
        tracing::info!(?error, "a message on a WebSocket goes out unread");
    }

    /// Sends a message: with forms in it, if it is a request that gets any, else as it came.
    async fn send(
        &self,
        message: &Gathered<Bytes>,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<()> {
        let received = &message.text;
        let is_request = || is_of_type(received, self.types.request);
        if !beside_other_tasks(received.len(), is_request) {
            return message.write(to).await;
        }
        let account = Account::on_websocket(self.target.clone(), &self.headers);
        let app = Arc::clone(&self.app);
        let dialect = self.endpoint.dialect;
        let (context, span) = RequestContext::new(app, dialect, &self.headers, &account);
        match Box::pin(self.plan(&context, received, account).instrument(span)).await {
            Some(rope) => message.write_instead(&rope, to).await,
            None => message.write(to).await,
        }
    }

    /// Plans a request and counts it. Gives what goes out in its place; `None` where it goes out as it came.
    async fn plan(
        &self,
        context: &RequestContext,
        received: &Bytes,
        mut account: Account,
    ) -> Option<Rope> {
        let outgoing = context.plan(self.endpoint, &self.headers, received).await;
        context.refer_to_landed(&outgoing, &mut account.span);
        let is_compressed = outgoing.decision == Decision::Compressed;
        let decision = context.decision(outgoing.decision, outgoing.job);
        let wire = (received.len(), outgoing.body.rope.len());
        let counts = &self.app.counts;
        let done = (decision, outgoing.uncompressed);
        counts.request(done, wire, outgoing.text);
        account.note(done, outgoing.reason, wire);
        counts.times.added(account.head_is_ready(None));
        context.note_sent(&account, outgoing.text, None);
        let (on_outcome, text, app) = (outgoing.on_outcome, outgoing.text, self.app.clone());
        self.responses.expect(Box::new(move |outcome| {
            // Usage is stated of what the provider has taken.
            if matches!(outcome, Outcome::Ended(Some(_))) {
                app.counts.saved(text);
            }
            if let Some(on_outcome) = on_outcome {
                on_outcome(outcome);
            }
            drop(account);
        }));
        is_compressed.then_some(outgoing.body.rope)
    }
}

/// Passes on what was gathered of a message, the rest of which will be passed on as it comes.
async fn release(
    gathering: &mut Option<Gathering>,
    to: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    match gathering.take() {
        Some(gathering) => gathering.begun.write(to).await,
        None => Ok(()),
    }
}

/// Whether a message is a JSON object of this type.
fn is_of_type(message: &[u8], name: &str) -> bool {
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(borrow, rename = "type")]
        name: Cow<'a, str>,
    }
    memmem::find(message, name.as_bytes()).is_some()
        && serde_json::from_slice(message).is_ok_and(|message: Message<'_>| message.name == name)
}
