//! The way of one request of a dialect: scan, recall, choose the forms, splice, send, and listen to the answer.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::FutureExt;
use headroom_shared::clock::now_ms;
use headroom_shared::id::DigestKey;
use headroom_shared::record::CacheUsage;
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode, header};
use tokio::sync::oneshot;
use tracing::Instrument;

use crate::answer::{Done, Overheard};
use crate::app::App;
use crate::body::{self, Unread};
use crate::choose::{Choosing, Chosen};
use crate::counts::Decision;
use crate::defer::{self, Deferral, Pledge};
use crate::dialect::Dialect;
use crate::headers::{self, RequestId};
use crate::ledger::Ledger;
use crate::memory::{Budget, Known};
use crate::reply;
use crate::scan::{Scan, Scanned, Unlike, scan_again, scan_enough};
use crate::splice::Rope;
use crate::upstream::{AnswerBody, RequestBody};

/// Answers a request of a dialect whose body was read, or could not be.
pub(crate) async fn answer(
    app: Arc<App>,
    dialect: &'static dyn Dialect,
    parts: Parts,
    received: Result<Bytes, Unread>,
) -> Response<Body> {
    let id = RequestId::new();
    let session = headers::session(&parts.headers);
    let span = tracing::info_span!("request", %id, dialect = dialect.name(), session);
    let turn = Turn { app, dialect, id };
    id.on(turn.run(parts, received).instrument(span).await)
}

#[derive(Clone)]
struct Turn {
    app: Arc<App>,
    dialect: &'static dyn Dialect,
    id: RequestId,
}

/// A body that can be looked into.
struct Readable {
    /// The body without its content encoding.
    body: Bytes,
    /// By which its prefixes are named.
    key: DigestKey,
    budget: Budget,
}

/// A body that was understood, and what is known of it.
struct Understood {
    /// The body without its content encoding.
    body: Bytes,
    scan: Arc<Scan>,
    known: Known,
    /// What is left of the request's time for the store.
    budget: Budget,
}

/// A body that is ready to go out.
struct Outgoing {
    rope: Rope,
    decision: Decision,
    bytes_saved: usize,
    /// The job that was pushed for it.
    deferral: Option<Deferral>,
    /// Told what the answer says of the provider's cache.
    heard: Option<Done>,
}

impl Turn {
    async fn run(&self, mut parts: Parts, received: Result<Bytes, Unread>) -> Response<Body> {
        let received = match received {
            Ok(received) => received,
            Err(unread) => return self.refuse(&unread),
        };
        let outgoing = self.prepare(&parts.headers, &received).await;
        if outgoing.decision == Decision::Compressed {
            // It was decoded to be spliced, and goes out as it is now.
            parts.headers.remove(header::CONTENT_ENCODING);
        }
        self.send(parts, outgoing, received.len()).await
    }

    /// Chooses what goes out for a body.
    async fn prepare(&self, headers: &HeaderMap, received: &Bytes) -> Outgoing {
        if headers::bypass(headers) {
            let observed = self.clone().observe(headers.clone(), received.clone());
            let observed = observed.in_current_span();
            self.app.tasks.spawn_on(observed, &self.app.off_path);
            return Outgoing::as_received(received, Decision::Bypassed);
        }
        // A panic of ours costs savings, never the request; its message is not shown, because it may quote a prompt.
        let rewritten = AssertUnwindSafe(self.rewrite(headers, received))
            .catch_unwind()
            .await;
        match rewritten {
            Ok(Some(outgoing)) => outgoing,
            Ok(None) | Err(_) => Outgoing::as_received(received, Decision::Forwarded),
        }
    }

    /// A body as it can be scanned; `None` where it can't be, or need not.
    async fn readable(&self, headers: &HeaderMap, received: &Bytes) -> Option<Readable> {
        let rules = &self.app.rules;
        if !rules.compress {
            return None;
        }
        let body = body::decoded(received, headers, rules.max_body_bytes)?;
        let mut budget = self.app.memory.budget();
        let Some(key) = self.app.digest_key(headers, &mut budget).await else {
            self.app.memory.goes_out_nameless(now_ms());
            return None;
        };
        Some(Readable { body, key, budget })
    }

    /// Scans all of a body; `None` where that fails.
    fn scan(&self, Readable { body, key, .. }: &Readable) -> Option<Arc<Scan>> {
        self.understood(scan_again(body, self.dialect, key, &self.app.scans))
    }

    fn understood<T>(&self, scan: Result<T, Unlike>) -> Option<T> {
        let dialect = self.dialect.name();
        scan.inspect_err(|_| tracing::debug!(dialect, "the body is not what the dialect says"))
            .ok()
    }

    /// Finds out what is known of a body.
    async fn recall(&self, readable: Readable, scan: Arc<Scan>) -> Understood {
        let Readable {
            body, mut budget, ..
        } = readable;
        let known = self.app.memory.recall(&scan, &mut budget).await;
        if !known.sure {
            self.app.counts.store_misses.inc();
        }
        Understood {
            body,
            scan,
            known,
            budget,
        }
    }

    /// What goes out for a body; `None` where nothing is to be done about it.
    async fn rewrite(&self, headers: &HeaderMap, received: &Bytes) -> Option<Outgoing> {
        let mut readable = self.readable(headers, received).await?;
        let (app, min_tokens) = (&self.app, self.app.rules.min_tokens);
        let enough = |scan: &Scan| defer::is_large(scan, min_tokens);
        let Readable { body, key, budget } = &mut readable;
        let scan =
            match self.understood(scan_enough(body, self.dialect, key, &app.scans, &enough))? {
                Scanned::Whole(scan) => scan,
                Scanned::Begun(begun) => {
                    if app.memory.is_new(&begun, budget).await {
                        return Some(self.cold_start(received, readable));
                    }
                    self.scan(&readable)?
                }
            };
        let Understood {
            body,
            scan,
            known,
            budget,
        } = self.recall(readable, scan).await;
        let now = now_ms();
        let due = defer::is_due(&scan, &known, min_tokens);
        let memory = app.memory.clone();
        let mut choosing = Choosing {
            app,
            body: &body,
            scan: &scan,
            known: &known,
            budget,
        };
        let (chosen, ledger) = if !known.sure {
            // There may be more than is known here, so nothing new is chosen, and no record tells a shorter story.
            memory.goes_out_unsure(&scan, now);
            let ledger = Ledger::observing(memory, &scan, &known, now)?;
            (choosing.recorded(), ledger)
        } else {
            let mut ledger = Ledger::open(memory, &scan, &known, now)?;
            if let Some(own) = ledger.own() {
                own.waiting |= due;
            }
            let chosen = if due {
                Chosen::new()
            } else {
                choosing.all(&mut ledger, now).await
            };
            (chosen, ledger)
        };
        let mut outgoing = if chosen.is_empty() {
            Outgoing::as_received(received, Decision::Forwarded)
        } else {
            let spans = chosen
                .into_iter()
                .map(|(index, text)| (scan.blocks[index].span.clone(), text));
            Outgoing::spliced(&body, Rope::splice(&body, spans))
        };
        let push = |prefix| defer::push(&self.app, &body, &scan, prefix, self.id);
        if due {
            outgoing.deferral = scan.whole().map(push);
        } else if let Some(waiting) = &known.waiting
            && known.sure
            && self.app.offers.again(waiting, now)
        {
            push(waiting.prefix);
        }
        let on_its_way = ledger.goes_out(&scan, known);
        outgoing.heard = Some(Box::new(|usage| on_its_way.answered(usage)));
        Some(outgoing)
    }

    /// What goes out for a body that is a cold start by its beginning: the body, at once. The rest of it is scanned off the path;
    /// where its job is dropped, not at all: it is as if it had been sent past the proxy.
    fn cold_start(&self, received: &Bytes, readable: Readable) -> Outgoing {
        let mut outgoing = Outgoing::as_received(received, Decision::Forwarded);
        let (pledge, deferral) = defer::pledge(&self.app, readable.body.len());
        outgoing.deferral = Some(deferral);
        if let Some(pledge) = pledge {
            let (tell, heard) = oneshot::channel();
            outgoing.heard = Some(Box::new(|usage| _ = tell.send(usage)));
            let turn = self.clone();
            let noted = turn.note_cold_start(readable, pledge, now_ms(), heard);
            let noted = noted.in_current_span();
            self.app.tasks.spawn_on(noted, &self.app.off_path);
        }
        outgoing
    }

    /// Pushes the job of a cold start that went out at `now`, and makes its record.
    async fn note_cold_start(
        self,
        readable: Readable,
        pledge: Pledge,
        now: u64,
        heard: oneshot::Receiver<Option<CacheUsage>>,
    ) -> Option<()> {
        let (app, scan) = (&self.app, self.scan(&readable)?);
        let known = app.memory.recall_new(&scan);
        let mut ledger = Ledger::open(app.memory.clone(), &scan, &known, now)?;
        if defer::is_due(&scan, &known, app.rules.min_tokens) {
            ledger.own()?.waiting = true;
            pledge.push(app, &readable.body, &scan, scan.whole()?, self.id);
        }
        let on_its_way = ledger.goes_out(&scan, known);
        drop((scan, readable));
        on_its_way.answered(heard.await.ok()?);
        Some(())
    }

    /// Notes that a request goes out in the original whatever was sent before: the provider's cache of its prefix may be warm.
    async fn observe(self, headers: HeaderMap, received: Bytes) {
        let Some(readable) = self.readable(&headers, &received).await else {
            return;
        };
        let Some(scan) = self.scan(&readable) else {
            return;
        };
        let Understood { scan, known, .. } = self.recall(readable, scan).await;
        let now = now_ms();
        if !known.sure {
            self.app.memory.goes_out_unsure(&scan, now);
        }
        let ledger = Ledger::observing(self.app.memory.clone(), &scan, &known, now);
        if let Some(ledger) = ledger {
            drop(ledger.goes_out(&scan, known));
        }
    }

    async fn send(&self, mut parts: Parts, outgoing: Outgoing, bytes_in: usize) -> Response<Body> {
        let Outgoing {
            rope,
            decision,
            bytes_saved,
            deferral,
            heard,
        } = outgoing;
        let provider = self.dialect.provider();
        let bytes_sent = rope.len();
        headers::outgoing(&mut parts.headers);
        let target = parts
            .uri
            .path_and_query()
            .cloned()
            .unwrap_or_else(|| http::uri::PathAndQuery::from_static("/"));
        let answer = self
            .app
            .upstream
            .send(
                provider,
                (parts.method, &target),
                parts.headers,
                RequestBody::Whole(rope),
            )
            .await;
        let decision = deferral.map_or(decision, Deferral::decision);
        self.app
            .counts
            .request(decision, bytes_in, bytes_sent, bytes_saved);
        let mut response = match answer {
            Ok(answer) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => {
                reply::switched(provider)
            }
            Ok(answer) => self.listen(answer, heard),
            Err(error) => reply::unanswered(provider, &error),
        };
        let status = response.status().as_u16();
        tracing::debug!(
            decision = decision.name(),
            bytes.r#in = bytes_in,
            bytes.sent = bytes_sent,
            status,
            "answered"
        );
        headers::decided(response.headers_mut(), decision, bytes_saved);
        response
    }

    /// Passes an answer on and listens to it.
    fn listen(&self, answer: Response<AnswerBody>, heard: Option<Done>) -> Response<Body> {
        let (mut parts, body) = answer.into_parts();
        headers::end_to_end(&mut parts.headers);
        let Some(heard) = heard else {
            return Response::from_parts(parts, Body::new(body));
        };
        let body = Overheard::new(body, &parts.headers, self.dialect, heard);
        Response::from_parts(parts, Body::new(body))
    }

    fn refuse(&self, unread: &Unread) -> Response<Body> {
        let provider = self.dialect.provider();
        match unread {
            Unread::TooLarge => {
                let limit = self.app.rules.max_body_bytes;
                let message = format!(
                    "the request body is larger than {limit} bytes (HEADROOM_MAX_BODY_BYTES)"
                );
                reply::error(provider, StatusCode::PAYLOAD_TOO_LARGE, &message)
            }
            Unread::Broken => reply::broken(provider),
        }
    }
}

impl Outgoing {
    fn as_received(received: &Bytes, decision: Decision) -> Self {
        let rope = Rope::from(received.clone());
        Self {
            rope,
            decision,
            bytes_saved: 0,
            deferral: None,
            heard: None,
        }
    }

    fn spliced(body: &Bytes, rope: Rope) -> Self {
        let bytes_saved = body.len().saturating_sub(rope.len());
        Self {
            rope,
            decision: Decision::Compressed,
            bytes_saved,
            deferral: None,
            heard: None,
        }
    }
}
