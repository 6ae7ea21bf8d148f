//! Cold starts: when a request is left to a worker, and what is done about it off its path.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use headroom_shared::contract::id::PrefixId;
use headroom_shared::contract::job::{Envelope, VERSION};
use headroom_shared::contract::record::CacheUsage;
use headroom_shared::queue::Enqueued;
use headroom_shared::runtime::clock::now_ms;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::oneshot;
use tracing::Instrument;
use uuid::Uuid;

use crate::app::App;
use crate::http::exchange::Turn;
use crate::http::headers::RequestId;
use crate::http::outgoing::Outgoing;
use crate::http::readable::Readable;
use crate::jobs::deferral::Deferral;
use crate::metrics::Decision;
use crate::plan::{Request, blocks};
use crate::records::sent_turn::SentTurn;
use crate::scan::Scan;

/// What goes out for a cold start: the body, at once. All that is to be noted of it is noted off its path; where too much waits for
/// that, nothing is: then it is as if it had been sent past the proxy.
pub(crate) fn cold_start(turn: &Turn, received: &Bytes, readable: Readable) -> Outgoing {
    let mut outgoing = Outgoing::as_received(received, Decision::Forwarded);
    let (permit, deferral) = reserve(&turn.app, readable.body.len());
    outgoing.deferral = Some(deferral);
    if let Some(permit) = permit {
        let (tell, heard) = oneshot::channel();
        outgoing.heard = Some(Box::new(|usage| _ = tell.send(usage)));
        let noted = note(turn.clone(), readable, permit, now_ms(), heard);
        let noted = noted.in_current_span();
        turn.app.tasks.spawn_on(noted, &turn.app.background);
    }
    outgoing
}

/// Makes the record of a cold start that went out at `now_ms`, and pushes its job. No other request can go wrong where that comes
/// late: without the record, the conversation's next turn is a cold start, too.
async fn note(
    turn: Turn,
    readable: Readable,
    permit: JobPermit,
    now_ms: u64,
    heard: oneshot::Receiver<Option<CacheUsage>>,
) -> Option<()> {
    let (app, scan) = (&turn.app, readable.scan(&turn)?);
    let known = app.records.recall_new(&scan);
    let request = Request {
        scan: &scan,
        known: &known,
        now_ms,
    };
    // Nothing is compressed here: what went out is the original.
    let plan = app.rules.planner;
    let plan = plan.plan(request, &HashMap::new(), BTreeMap::new())?;
    let job = plan.job;
    let sent = SentTurn::of(&app.records, plan.stored(), &scan, known);
    let pushed = async {
        if let Some(prefix) = job {
            permit.push(&turn, readable.body, scan, prefix).await;
        }
    };
    let answered = async {
        if let Ok(usage) = heard.await {
            sent.answered(usage);
        }
    };
    tokio::join!(pushed, answered);
    Some(())
}

/// Pushes the job of a request's first messages, which `prefix` ends, off the request's path.
pub(crate) fn push(turn: &Turn, body: &Bytes, scan: &Arc<Scan>, prefix: PrefixId) {
    if let (Some(permit), _) = reserve(&turn.app, body.len()) {
        let (turn, body, scan) = (turn.clone(), body.clone(), scan.clone());
        let (tasks, background) = (turn.app.tasks.clone(), turn.app.background.clone());
        let pushed = async move { permit.push(&turn, body, scan, prefix).await };
        tasks.spawn_on(pushed.in_current_span(), &background);
    }
}

/// Room for a job that is to be made, and whom to tell what became of it.
#[derive(Debug)]
struct JobPermit {
    _room: OwnedSemaphorePermit,
    tell: oneshot::Sender<Enqueued>,
}

/// Makes room for the job of a body of so many bytes; where too many are in the making, it is dropped.
fn reserve(app: &App, bytes: usize) -> (Option<JobPermit>, Deferral) {
    let (tell, deferral) = Deferral::new();
    let permit = if let Some(room) = app.backlog.room(bytes) {
        Some(JobPermit { _room: room, tell })
    } else {
        tracing::debug!("too many jobs are in the making: a cold start's is dropped");
        let _ = tell.send(Enqueued::DroppedFull);
        None
    };
    (permit, deferral)
}

impl JobPermit {
    /// Makes and pushes the job of the messages that `prefix` ends, unless the queue is full.
    async fn push(self, turn: &Turn, body: Bytes, scan: Arc<Scan>, prefix: PrefixId) {
        let queue = &turn.app.queue;
        if queue.turns_away().await {
            let _ = self.tell.send(Enqueued::DroppedFull);
            return;
        }
        let trace = turn.id;
        let made = turn
            .app
            .backlog
            .make(move || job(&body, &scan, prefix, trace));
        let Some((envelope, payload)) = made.await else {
            return;
        };
        match queue.enqueue(&envelope, payload).await {
            Ok(enqueued) => {
                tracing::info!(job.id = envelope.id, job.prefix = %envelope.prefix, job.tokens = envelope.tokens, ?enqueued, "a cold start's job");
                let _ = self.tell.send(enqueued);
            }
            Err(error) => {
                tracing::warn!(job.prefix = %envelope.prefix, %error, "could not push the job of a cold start: its session stays uncompressed for a while")
            }
        }
    }
}

/// The job of a request up to the message that `prefix` ends with: its envelope, and its payload's JSON.
fn job(body: &Bytes, scan: &Scan, prefix: PrefixId, trace: RequestId) -> Option<(Envelope, Bytes)> {
    let payload = blocks::payload(body, scan, prefix)?;
    let texts = payload.blocks.iter().map(|block| block.text.bytes() as u64);
    let envelope = Envelope {
        v: VERSION,
        id: Uuid::now_v7().to_string(),
        prefix,
        model: scan.model.clone(),
        tokens: scan.tokens(),
        blocks: payload.blocks.len() as u64,
        bytes: texts.sum(),
        enqueued_ms: now_ms(),
        trace: trace.to_string(),
    };
    Some((envelope, payload.to_json().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::DIALECTS;
    use crate::plan::Planner;
    use headroom_shared::contract::id::DigestKey;
    use headroom_shared::contract::job::{JobBlock, Payload};

    use crate::scan::{Scanned, Scans, scan_enough};

    const ANSWER: &[u8] = br#"{"role":"assistant","content":"ok"}"#;

    fn user(text: &[u8]) -> Vec<u8> {
        [br#"{"role":"user","content":""#, text, br#""}"#].concat()
    }

    fn body(messages: &[Vec<u8>]) -> Bytes {
        let messages = messages.join(&b","[..]);
        Bytes::from([br#"{"model":"m","messages":["#, &messages[..], b"]}"].concat())
    }

    fn scan(body: &Bytes) -> Scan {
        crate::scan::scan(body, DIALECTS[0], &DigestKey::from_bytes([1; 32])).unwrap()
    }

    /// The job up to the message at `last`, with its payload as a worker reads it.
    fn read_job(body: &Bytes, scan: &Scan, last: usize) -> (Envelope, Payload) {
        let prefix = scan.messages[last].boundary;
        let (envelope, payload) = job(body, scan, prefix, RequestId::new()).unwrap();
        let payload: Payload = serde_json::from_slice(&payload).unwrap();
        assert_eq!(envelope.prefix, prefix);
        assert_eq!(envelope.blocks, payload.blocks.len() as u64);
        (envelope, payload)
    }

    #[test]
    fn a_job_holds_the_blocks_of_its_prefix_and_no_later_ones() {
        let long = |letter: &[u8]| user(&letter.repeat(3000));
        let body = body(&[long(b"a"), ANSWER.to_vec(), long(b"b")]);
        let scan = scan(&body);
        for (last, blocks) in [(0, 1), (1, 1), (2, 2)] {
            let (envelope, _) = read_job(&body, &scan, last);
            assert_eq!((envelope.blocks, envelope.bytes), (blocks, blocks * 3000));
        }
    }

    #[test]
    fn a_worker_reads_in_a_job_what_a_compressor_is_given_here() {
        let long = b"a \\\"quoted\\\" word, \\u00e9 \\ud83e\\udd80 \xc3\xa9\\n".repeat(100);
        let call = br#"{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"Read","input":{"path":"a\tb"}}]}"#;
        let result = [
            br#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":""#,
            &long[..],
            br#""}]}"#,
        ];
        let body = body(&[user(&long), call.to_vec(), result.concat()]);
        let scan = scan(&body);
        let (envelope, payload) = read_job(&body, &scan, 2);
        assert_eq!(envelope.bytes, 2 * long.len() as u64);
        assert_eq!(payload.references, scan.references);
        assert_eq!(payload.blocks, given(&body, &scan));
        assert_eq!(payload.blocks[1].tool.as_deref(), Some("Read"));
        assert_eq!(
            payload.blocks[1].input.as_deref(),
            Some(r#"{"path":"a\tb"}"#)
        );
    }

    #[test]
    fn a_text_that_can_not_be_read_is_left_out_of_its_job() {
        let beginning = b"a".repeat(3000);
        for bad in [&br"\ud83e"[..], br"\udd80\ud83e", br"\x41", b"\n", b"\xff"] {
            let with = |end: &[u8]| user(&[&beginning, end].concat());
            let body = body(&[with(b"first"), with(bad), with(b"last")]);
            let scan = scan(&body);
            assert_eq!(scan.blocks.len(), 3);
            let (_, payload) = read_job(&body, &scan, 2);
            let messages = payload.blocks.iter().map(|block| block.place.message);
            assert_eq!(messages.collect::<Vec<_>>(), [0, 2], "{bad:?}");
            assert_eq!(payload.blocks, given(&body, &scan));
        }
    }

    #[test]
    fn the_model_s_name_is_not_read_again_with_each_message() {
        let name = "claude-".repeat(200_000);
        let messages = [user(&b"a".repeat(3000)), ANSWER.to_vec()];
        let more = br#"{"role":"user"}"#.repeat(20_000);
        let more = String::from_utf8(more).unwrap().replace("}{", "},{");
        let messages = [&messages.join(&b","[..]), more.as_bytes()].join(&b","[..]);
        let start = format!(r#"{{"model":"{name}","messages":["#);
        let body = Bytes::from([start.as_bytes(), &messages, b"]}"].concat());
        let enough = |scan: &Scan| {
            Planner {
                min_tokens: u64::MAX,
            }
            .is_large(scan)
        };
        let key = DigestKey::from_bytes([1; 32]);
        let scanned = scan_enough(&body, DIALECTS[0], &key, &Scans::new(), &enough);
        assert!(matches!(scanned, Ok(Scanned::Whole(scan)) if scan.messages.len() == 20_002));
    }

    fn given(body: &Bytes, scan: &Scan) -> Vec<JobBlock> {
        let blocks = blocks::unescaped(body, scan);
        blocks.map(|(_, block)| block).collect()
    }
}
