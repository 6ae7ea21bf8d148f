//! What all code that handles one request of a dialect needs.

use std::sync::Arc;

use bytes::Bytes;
use headroom_shared::contract::output_kind::OutputKinds;
use headroom_shared::contract::tier::Tier;
use headroom_shared::runtime::clock::now_ms;
use headroom_shared::traces::{Kind, Span, SpanParent};
use http::HeaderMap;
use tracing::Instrument as _;

use crate::app::App;
use crate::bill::OpenBill;
use crate::dialect::Dialect;
use crate::http::account::Account;
use crate::http::headers::{self, RequestId};
use crate::jobs::Origin;
use crate::plan::Planner;
use crate::plan::known_prefix::KnownPrefix;
use crate::plan::landing::{self, Landing};
use crate::scan::Scan;
use crate::totals::Observation;

/// One request of a dialect.
#[derive(Debug, Clone)]
pub(crate) struct RequestContext {
    pub(crate) app: Arc<App>,
    pub(crate) dialect: &'static dyn Dialect,
    pub(crate) id: RequestId,
    /// The session that the client names; empty if none.
    pub(crate) session: Arc<str>,
    /// Its span.
    pub(crate) span: SpanParent,
    /// What forms may leave out, where the client says it.
    pub(crate) tier: Option<Tier>,
}

impl RequestContext {
    /// That of a request with these headers, and the span of its lines in the log.
    pub(crate) fn new(
        app: Arc<App>,
        dialect: &'static dyn Dialect,
        headers: &HeaderMap,
        account: &Account,
    ) -> (Self, tracing::Span) {
        let (id, session) = (account.id, headers::session(headers));
        let span =
            tracing::info_span!("request", %id, dialect = dialect.name(), session = &*session);
        let context = Self {
            app,
            dialect,
            id,
            session,
            span: account.span.as_parent(),
            tier: headers::tier(headers),
        };
        (context, span)
    }

    /// The rules by which it is planned.
    pub(crate) fn planner(&self) -> Planner {
        let planner = self.app.rules.planner;
        let tier = self.tier.unwrap_or(planner.tier);
        let has_model = !tier.is_lossless() && self.app.jobs.fleet.has_model();
        Planner {
            tier,
            tail_tokens: if has_model { planner.tail_tokens } else { 0 },
            whole_kinds: match tier {
                Tier::Recoverable => self.app.ledger.whole_kinds(now_ms()),
                Tier::Lossless => OutputKinds::NONE,
            },
            continuations: self.app.totals.continuations(self.dialect.name()),
            ..planner
        }
    }

    /// What forms of this scan's blocks may leave out.
    pub(crate) fn tier_of(&self, scan: &Scan) -> Tier {
        let planner = self.app.rules.planner;
        let tier = self.tier.unwrap_or(planner.tier);
        Planner { tier, ..planner }.tier_of(scan)
    }

    /// The bill of this request, which goes out with these forms in this body at `now_ms`, some of which have perhaps landed. It is shown on
    /// the page, with the conversation that the request belongs to.
    pub(crate) fn open_bill(
        &self,
        (scan, known): (&Scan, &KnownPrefix),
        (forms, body): (&[(usize, Bytes)], &Bytes),
        (landing, now_ms): (Option<Landing>, u64),
    ) -> OpenBill {
        let App {
            activity, billing, ..
        } = &*self.app;
        let id = self.id.uuid();
        activity.note_request((id, &self.session), scan, (forms, body));
        billing
            .open((scan, known), (forms, body), (landing, now_ms))
            .shown_in(activity, id)
    }

    /// What this request, which goes out at `now_ms`, tells of how often conversations go on.
    pub(crate) fn observe(
        &self,
        scan: &Scan,
        known: &KnownPrefix,
        now_ms: u64,
    ) -> Option<Observation> {
        let continuation = landing::observed_continuation(scan, known, now_ms)?;
        let totals = &self.app.totals;
        Some(totals.observation(self.dialect.name(), continuation))
    }

    /// What a job that comes from it says of it.
    pub(crate) fn origin(&self) -> Origin {
        Origin {
            id: self.id.to_string(),
            span: self.span.clone(),
        }
    }

    /// Begins a span of a part of this request.
    pub(crate) fn part(&self, name: &'static str) -> Span {
        Span::begin(name, Kind::Internal, &self.span)
    }

    /// Does work for this request that nobody waits for but a stop.
    pub(crate) fn spawn_in_background(&self, work: impl Future<Output = ()> + Send + 'static) {
        let App {
            tasks, background, ..
        } = &*self.app;
        tasks.spawn_on(work.in_current_span(), background);
    }
}
