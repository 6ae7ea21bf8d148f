//! Plays the requests of a session as the proxy serves them, without HTTP, tasks or the application, and says of each what went out
//! and what the provider's cache made of it.
//!
//! | file | what |
//! |---|---|
//! | `turn` | what it says of a request |
//! | `memory_store` | the store: a map |
//! | `first_forms` | the form of each block from its first send on, as if compressing took no time |
//! | `check` | checks what went out against what the client sent |
//! | [`checked_session`] | plays a session request by request and checks each, for programs that measure |
//! | [`prompt_cache`] | a model of the provider's cache |
//!
//! Plans are performed in the order of `http/execute_plan.rs` and `http/cold_start.rs`. Nothing goes wrong here: the store answers and keeps
//! what it is given, no budget of time ends, the queue is never full, and the provider refuses nothing.

pub(crate) mod check;
pub mod checked_session;
pub(crate) mod first_forms;
mod memory_store;
pub mod prompt_cache;
#[cfg(test)]
pub(crate) mod test_model;
pub(crate) mod turn;

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use headroom_shared::compress::Deadline;
use headroom_shared::contract::id::{DigestKey, PrefixId};
use headroom_shared::contract::job::{EscapedText, Payload};
use headroom_shared::contract::usage::Usage;
use headroom_worker::process::process_with;
use headroom_worker::shortener::Shortener;

use self::memory_store::MemoryStore;
use self::prompt_cache::PromptCache;
use self::turn::{Job, Turn};
use crate::bill::{Billing, OpenBill};
use crate::dialect::Dialect;
use crate::jobs::overdue::OverdueJobs;
use crate::metrics::Decision;
use crate::plan::first_send::compress_blocks;
use crate::plan::history::remember;
use crate::plan::history_cache::HistoryCache;
use crate::plan::known_prefix::KnownPrefix;
use crate::plan::record_updates::RecordUpdates;
use crate::plan::skip_reason::CompressResult;
use crate::plan::splice::Rope;
use crate::plan::{Plan, Planner, blocks, landing};
use crate::prices::Prices;
use crate::records::sent_elsewhere;
use crate::scan::{Scan, ScanCache, ScanProgress, scan_until, scan_with_cache};
use crate::totals::DeploymentTotals;

/// Names the prefixes; any key does.
const KEY: DigestKey = DigestKey::from_bytes([7; 32]);
/// What compressing a request's new blocks may take: more than it ever does, so that a busy machine does not change the outcome.
const ENTRY_BUDGET: Duration = Duration::from_secs(600);

/// A proxy with its store, its queue and a provider, for requests of one dialect.
#[derive(Debug)]
pub(crate) struct Simulation {
    /// What time it is, in milliseconds since 1970: only the caller moves this clock.
    pub(crate) now_ms: u64,
    dialect: &'static dyn Dialect,
    planner: Planner,
    billing: Arc<Billing>,
    scans: ScanCache,
    pub(crate) histories: HistoryCache,
    store: MemoryStore,
    overdue: OverdueJobs,
    /// Jobs that are pushed and not done, each with when it was pushed.
    jobs: HashMap<PrefixId, (u64, Payload)>,
    /// The workers' model, if they have one.
    pub(crate) shortener: Option<Arc<dyn Shortener>>,
    /// The provider's cache of what goes out.
    cache: PromptCache,
    /// What would be there if the client's bodies went out.
    direct_cache: PromptCache,
}

impl Simulation {
    /// One that has seen nothing yet, before a provider with this cache.
    pub(crate) fn new(dialect: &'static dyn Dialect, planner: Planner, cache: PromptCache) -> Self {
        Self::with_prices((dialect, planner), cache, Arc::new(Prices::built_in()))
    }

    /// The same before one with these prices.
    pub(crate) fn with_prices(
        (dialect, planner): (&'static dyn Dialect, Planner),
        cache: PromptCache,
        prices: Arc<Prices>,
    ) -> Self {
        Self {
            now_ms: 0,
            dialect,
            planner,
            billing: Arc::new(Billing::new(prices, DeploymentTotals::default())),
            scans: ScanCache::new(),
            histories: HistoryCache::new(),
            store: MemoryStore::default(),
            overdue: OverdueJobs::new(),
            jobs: HashMap::new(),
            shortener: None,
            direct_cache: cache.clone(),
            cache,
        }
    }

    /// Sends a request with this body, and has it answered.
    pub(crate) fn turn(&mut self, body: &Bytes) -> Turn {
        self.cache.now_ms = self.now_ms;
        self.direct_cache.now_ms = self.now_ms;
        let path = self.dialect.path();
        let mut cache = std::mem::take(&mut self.cache);
        let mut turn = self.turn_with(body, |turn| cache.serve(path, &turn.sent.to_vec()));
        self.cache = cache;
        turn.direct_usage = self.direct_cache.serve(path, body);
        turn
    }

    /// Sends a request with this body, and has it answered with the usage that `serve` gives for it.
    pub(crate) fn turn_with(&mut self, body: &Bytes, serve: impl FnOnce(&Turn) -> Usage) -> Turn {
        let mut turn = Turn::as_received(body);
        let sent = self.send(body, &mut turn);
        turn.usage = serve(&turn);
        if let Some((mut records, bill)) = sent {
            records.note_usage(turn.usage, turn.scan.cache);
            if let Some(bill) = bill.close(turn.usage) {
                records.note_bill(bill);
            }
            self.store.write(&records.entries());
        }
        turn
    }

    /// Does the jobs that are pushed, as a worker does: the next turn finds their results. Gives how many they were.
    pub(crate) fn run_jobs(&mut self) -> usize {
        self.run_jobs_pushed_until(self.now_ms)
    }

    /// The same for those that were pushed at this time or before.
    pub(crate) fn run_jobs_pushed_until(&mut self, pushed_ms: u64) -> usize {
        let is_due = |_: &PrefixId, (pushed, _): &mut (u64, Payload)| *pushed <= pushed_ms;
        let due: Vec<_> = self.jobs.extract_if(is_due).collect();
        for (prefix, (_, payload)) in &due {
            if payload.is_too_late(self.now_ms) {
                continue;
            }
            let shortener = self.shortener.as_deref();
            if let Ok(result) = process_with(payload, shortener, Deadline::NEVER) {
                self.store.keep(*prefix, result);
            }
        }
        due.len()
    }

    /// What is known of a request's prefix.
    pub(crate) fn known(&self, scan: &Scan) -> KnownPrefix {
        let mut known = self.store.known(scan);
        known.limit_to(self.planner.tier_of(scan));
        known
    }

    /// The plan of a request, of which nothing is performed yet; `None` for a request without messages.
    pub(crate) fn plan(&self, body: &Bytes, scan: &Scan, known: &KnownPrefix) -> Option<Plan> {
        let request =
            self.planner
                .request((body, scan), known, (self.billing.prices(), self.now_ms));
        let needs = self.planner.needs(request);
        let landing = self
            .store
            .texts(needs.landing.into_iter().map(|(form, _)| form));
        let moved = sent_elsewhere::keys(scan, needs.moved).into_iter();
        let moved: BTreeMap<_, _> = moved
            .filter_map(|(at, key)| Some((at, sent_elsewhere::form_id(self.store.get(key)?)?)))
            .collect();
        let texts = self.store.texts(moved.values().copied());
        let moved = sent_elsewhere::forms(scan, moved, &texts);
        let to_compress = self.planner.blocks_to_compress(request, moved);
        let mut outcomes: BTreeMap<usize, CompressResult> = BTreeMap::new();
        let tell = |index, outcome| {
            outcomes.insert(index, outcome);
            ControlFlow::Continue(())
        };
        let (histories, deadline) = (&self.histories, Instant::now() + ENTRY_BUDGET);
        let index = compress_blocks((body, scan), &to_compress, histories, deadline, tell);
        remember((body, scan), index, histories, deadline);
        self.planner.plan(request, &landing, outcomes)
    }

    /// Performs the plan of a request up to the moment in which it goes out, and gives what is to be remembered of it, with its bill: nothing
    /// where the body is not what the dialect says.
    fn send(&mut self, body: &Bytes, turn: &mut Turn) -> Option<(RecordUpdates, OpenBill)> {
        let began = Instant::now();
        let (scan, deferred_after) = self.scan(body, began)?;
        let known = self.known(&scan);
        let plan = self.plan(body, &scan, &known)?;
        let entries = plan.entries();
        self.store.write(&entries);
        let deferred = plan.job;
        let settled = plan.commit(&entries);
        let landed = settled.landed;
        if let Some(spliced) = Rope::with_forms(body, &scan, &settled.forms) {
            turn.decision = Decision::Compressed;
            turn.sent = spliced;
        }
        if deferred.is_some() {
            turn.decision = Decision::Deferred;
        }
        turn.planning = deferred_after.unwrap_or_else(|| began.elapsed());
        self.store.write(&settled.record_updates.entries());
        let text = (&settled.forms[..], &body[..]);
        let bill = self
            .billing
            .open((&scan, &known), text, (settled.landing, self.now_ms));
        let pushed = deferred.or(settled.refresh).or_else(|| {
            let tier = self.planner.tier_of(&scan);
            let overdue = self.overdue.to_requeue(&known, tier, self.now_ms);
            overdue.map(|deferred| deferred.prefix)
        });
        if let Some(prefix) = pushed {
            self.push(body, &scan, prefix);
        }
        self.push_tail(body, &scan, &settled.tail);
        turn.job = Job::of(&known, pushed.is_some(), landed > 0);
        turn.entered = settled.newly_compressed.len();
        turn.landed = landed;
        turn.landing = settled.landing;
        turn.skipped = settled.skipped;
        turn.forms = settled.forms;
        turn.scan = scan;
        Some((settled.record_updates, bill))
    }

    /// Scans a body; with it, where that was enough to defer the request, the time since `began` in which that was known.
    fn scan(&self, body: &Bytes, began: Instant) -> Option<(Arc<Scan>, Option<Duration>)> {
        let enough = |scan: &Scan| self.planner.may_defer(scan);
        match scan_until(body, self.dialect, &KEY, &self.scans, &enough).ok()? {
            ScanProgress::Whole(scan) => Some((scan, None)),
            ScanProgress::Partial(begun) => {
                let deferred_after = self.store.is_new(&begun).then(|| began.elapsed());
                let scan = scan_with_cache(body, self.dialect, &KEY, &self.scans).ok()?;
                Some((scan, deferred_after))
            }
        }
    }

    /// Makes the job of the messages that `prefix` ends, and reads it as a worker does.
    fn push(&mut self, body: &Bytes, scan: &Scan, prefix: PrefixId) {
        let payload = blocks::payload(
            body,
            scan,
            prefix,
            (self.planner.tier_of(scan), self.planner.whole_kinds),
        );
        if let Some(payload) = payload {
            self.insert_job(prefix, &payload);
        }
    }

    /// Makes the job of these new blocks alone, if there are any.
    fn push_tail(&mut self, body: &Bytes, scan: &Scan, tail: &[usize]) {
        let planner = self.planner;
        let may_leave_out = (planner.tier_of(scan), planner.whole_kinds);
        let until_ms = landing::tail_useful_until_ms(self.now_ms);
        if let Some(prefix) = scan.full_prefix().filter(|_| !tail.is_empty()) {
            let payload = blocks::payload_of_tail(body, scan, tail, may_leave_out, until_ms);
            self.insert_job(prefix, &payload);
        }
    }

    fn insert_job(&mut self, prefix: PrefixId, payload: &Payload<EscapedText<'_>>) {
        let json = payload.to_json().ok();
        let payload = json.and_then(|json| serde_json::from_slice(&json).ok());
        if let Some(payload) = payload {
            self.jobs.insert(prefix, (self.now_ms, payload));
        }
    }
}
