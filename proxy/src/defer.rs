//! Cold starts: when a request is left to a worker, and what is done about it off its path.

use std::sync::Arc;

use bytes::Bytes;
use headroom_shared::clock::now_ms;
use headroom_shared::id::PrefixId;
use headroom_shared::job::{Envelope, JobBlock, Payload, VERSION};
use headroom_shared::model::Model;
use headroom_shared::queue::Enqueued;
use headroom_shared::record::CacheUsage;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::Instrument;
use uuid::Uuid;

use crate::app::App;
use crate::blocks;
use crate::counts::Decision;
use crate::headers::RequestId;
use crate::ledger::Ledger;
use crate::memory::Known;
use crate::outgoing::Outgoing;
use crate::readable::Readable;
use crate::scan::Scan;
use crate::turn::Turn;

/// A job on its way to the queue.
#[derive(Debug)]
pub(crate) struct Deferral(oneshot::Receiver<Enqueued>);

impl Deferral {
    /// What became of the job, as far as that is known by now.
    pub(crate) fn decision(mut self) -> Decision {
        match self.0.try_recv() {
            Ok(Enqueued::DroppedFull) => Decision::Dropped,
            _ => Decision::Deferred,
        }
    }
}

/// Whether what was scanned of a request is enough for a worker: it is large, and something in it is worth compressing. A model
/// that is not known yet counts as one that makes few tokens of it.
pub(crate) fn is_large(scan: &Scan, min_tokens: u64) -> bool {
    !scan.blocks.is_empty() && tokens(scan) >= min_tokens
}

/// Whether a request is a cold start for a worker: no part of its prefix is known, and it is large.
pub(crate) fn is_due(scan: &Scan, known: &Known, min_tokens: u64) -> bool {
    known.sure && known.frozen == 0 && is_large(scan, min_tokens)
}

/// What goes out for a cold start: the body, at once. All that is to be noted of it is noted off its path; where its job is dropped,
/// nothing is: then it is as if it had been sent past the proxy.
pub(crate) fn cold_start(turn: &Turn, received: &Bytes, readable: Readable) -> Outgoing {
    let mut outgoing = Outgoing::as_received(received, Decision::Forwarded);
    let (pledge, deferral) = pledge(&turn.app, readable.body.len());
    outgoing.deferral = Some(deferral);
    if let Some(pledge) = pledge {
        let (tell, heard) = oneshot::channel();
        outgoing.heard = Some(Box::new(|usage| _ = tell.send(usage)));
        let noted = note(turn.clone(), readable, pledge, now_ms(), heard);
        let noted = noted.in_current_span();
        turn.app.tasks.spawn_on(noted, &turn.app.off_path);
    }
    outgoing
}

/// Pushes the job of a cold start that went out at `now_ms`, and makes its record.
async fn note(
    turn: Turn,
    readable: Readable,
    pledge: Pledge,
    now_ms: u64,
    heard: oneshot::Receiver<Option<CacheUsage>>,
) -> Option<()> {
    let (app, scan) = (&turn.app, readable.scan(&turn)?);
    let known = app.memory.recall_new(&scan);
    let mut ledger = Ledger::open(app.memory.clone(), &scan, &known, now_ms)?;
    if is_due(&scan, &known, app.rules.min_tokens) {
        ledger.own()?.waiting = true;
        pledge.push(&turn, &readable.body, &scan, scan.whole()?);
    }
    let on_its_way = ledger.goes_out(&scan, known);
    drop((scan, readable));
    on_its_way.answered(heard.await.ok()?);
    Some(())
}

/// Pushes the job of a request's first messages, which `prefix` ends, off the request's path.
pub(crate) fn push(turn: &Turn, body: &Bytes, scan: &Arc<Scan>, prefix: PrefixId) {
    if let (Some(pledge), _) = pledge(&turn.app, body.len()) {
        pledge.push(turn, body, scan, prefix);
    }
}

/// Room for a job that is to be made, and whom to tell what became of it.
#[derive(Debug)]
struct Pledge {
    room: OwnedSemaphorePermit,
    tell: oneshot::Sender<Enqueued>,
}

/// Makes room for the job of a body of so many bytes; where too many are in the making, it is dropped.
fn pledge(app: &App, bytes: usize) -> (Option<Pledge>, Deferral) {
    let (tell, told) = oneshot::channel();
    let pledge = if let Some(room) = app.backlog.room(bytes) {
        Some(Pledge { room, tell })
    } else {
        tracing::debug!("too many jobs are in the making: a cold start's is dropped");
        let _ = tell.send(Enqueued::DroppedFull);
        None
    };
    (pledge, Deferral(told))
}

impl Pledge {
    /// Makes and pushes the job.
    fn push(self, turn: &Turn, body: &Bytes, scan: &Arc<Scan>, prefix: PrefixId) {
        let Self { room, tell } = self;
        let (app, trace) = (&turn.app, turn.id);
        let (queue, backlog) = (app.queue.clone(), app.backlog.clone());
        let (body, scan) = (body.clone(), scan.clone());
        let work = async move {
            let _room = room;
            let made = backlog.make(move || job(&body, &scan, prefix, trace)).await;
            let Some((envelope, payload)) = made else {
                return;
            };
            match queue.enqueue(&envelope, &payload).await {
                Ok(enqueued) => {
                    tracing::info!(job.id = envelope.id, job.prefix = %envelope.prefix, job.tokens = envelope.tokens, ?enqueued, "a cold start's job");
                    let _ = tell.send(enqueued);
                }
                Err(error) => {
                    tracing::warn!(job.prefix = %envelope.prefix, %error, "could not push the job of a cold start: its session stays uncompressed for a while")
                }
            }
        };
        app.tasks.spawn_on(work.in_current_span(), &app.off_path);
    }
}

fn job(
    body: &Bytes,
    scan: &Scan,
    prefix: PrefixId,
    trace: RequestId,
) -> Option<(Envelope, Payload)> {
    let mut messages = scan.messages.iter();
    let last = messages.position(|message| message.boundary == prefix)?;
    let blocks: Vec<JobBlock> = blocks::unescaped(body, scan)
        .map(|(_, block)| block)
        .take_while(|block| block.place.message as usize <= last)
        .collect();
    let envelope = Envelope {
        v: VERSION,
        id: Uuid::now_v7().to_string(),
        prefix,
        model: scan.model.clone(),
        tokens: tokens(scan),
        blocks: blocks.len() as u64,
        bytes: blocks.iter().map(|block| block.text.len() as u64).sum(),
        enqueued_ms: now_ms(),
        trace: trace.to_string(),
    };
    Some((
        envelope,
        Payload {
            v: VERSION,
            references: scan.references,
            blocks,
        },
    ))
}

fn tokens(scan: &Scan) -> u64 {
    Model::named(&scan.model).tokens(scan.text_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::DIALECTS;
    use headroom_shared::id::DigestKey;

    #[test]
    fn a_job_holds_the_blocks_of_its_prefix_and_no_later_ones() {
        let user =
            |letter: &str| format!(r#"{{"role":"user","content":"{}"}}"#, letter.repeat(3000));
        let answer = r#"{"role":"assistant","content":"ok"}"#;
        let messages = [user("a"), answer.to_owned(), user("b")].join(",");
        let body = Bytes::from(format!(r#"{{"model":"m","messages":[{messages}]}}"#));
        let scan = crate::scan::scan(&body, DIALECTS[0], &DigestKey::from_bytes([1; 32])).unwrap();
        for (last, blocks) in [(0, 1), (1, 1), (2, 2)] {
            let prefix = scan.messages[last].boundary;
            let (envelope, payload) = job(&body, &scan, prefix, RequestId::new()).unwrap();
            assert_eq!((envelope.prefix, envelope.blocks), (prefix, blocks));
            assert_eq!(payload.blocks.len() as u64, blocks);
            assert_eq!(envelope.bytes, blocks * 3000);
        }
    }
}
