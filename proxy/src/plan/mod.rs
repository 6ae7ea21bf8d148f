//! Decides what goes out for a request, without a task, a store or a server: which blocks are sent in which form, what must be stored before
//! that, what is remembered of it, and whether a worker gets a job.
//!
//! The caller reads what the request [`Needs`], lets [`first_send::compress_blocks`] compress what is new, calls [`Planner::plan`], stores
//! the plan's entries, and sends what [`Plan::commit`] gives, or [`Plan::roll_back`] where storing failed.

pub(crate) mod blocks;
mod call_parts;
pub(crate) mod entry_budget;
mod final_plan;
pub(crate) mod first_send;
pub(crate) mod fleet;
pub(crate) mod history;
pub(crate) mod history_cache;
#[cfg(test)]
mod history_tests;
pub(crate) mod known_prefix;
pub(crate) mod landing;
pub(crate) mod made_forms;
mod new_forms;
pub(crate) mod record_updates;
#[cfg(test)]
mod recoverable_tests;
mod refresh;
#[cfg(test)]
mod refresh_tests;
#[cfg(test)]
mod rules_tests;
pub(crate) mod shortened;
pub(crate) mod skip_reason;
pub(crate) mod splice;
mod tail;
#[cfg(test)]
mod tail_tests;
#[cfg(test)]
mod test_session;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use bytes::Bytes;
use headroom_shared::contract::id::{BlockId, FormId, PrefixId};
use headroom_shared::contract::output_kind::OutputKinds;
use headroom_shared::contract::prefix::Form;
use headroom_shared::contract::record::SentRecord;
use headroom_shared::contract::tier::Tier;
use headroom_shared::store::Entry;

pub(crate) use self::final_plan::FinalPlan;
use self::first_send::BlocksToCompress;
use self::known_prefix::{DeferredPrefix, KnownPrefix};
use self::landing::{Circumstances, Landing};
use self::record_updates::RecordUpdates;
use self::skip_reason::{CompressResult, SkipReason, SkippedBlocks};
use crate::prices::Prices;
use crate::scan::Scan;
use crate::totals::continuations::Continuations;

/// The texts that go out in place of blocks: position in the scan and escaped text, in order.
pub(crate) type Forms = Vec<(usize, Bytes)>;

/// A request to be planned, and what is known of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    body: &'a Bytes,
    pub(crate) scan: &'a Scan,
    pub(crate) known: &'a KnownPrefix,
    /// When it goes out: milliseconds since 1970.
    pub(crate) now_ms: u64,
    /// What becomes of the prefix that was left to a worker, if there is one.
    pub(crate) landing: Option<Landing>,
    /// What becomes of the result for new blocks alone, if one is awaited.
    tail: Option<Landing>,
    /// What the forms of its new blocks may leave out.
    tier: Tier,
}

/// What else must be read before a request can be planned.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    /// The forms of the compressed prefixes that may land, each with its block.
    pub(crate) landing: Vec<(FormId, BlockId)>,
    /// The blocks, by their positions, that stand behind what the client has edited: they may have been sent compressed.
    pub(crate) moved: Range<usize>,
}

/// The rules by which requests are planned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Planner {
    /// A cold start with at least so many tokens in its messages is left to a worker.
    pub(crate) min_tokens: u64,
    /// A prefix is compressed anew where its messages have grown by so many tokens since the last result; 0 is never.
    pub(crate) refresh_tokens: u64,
    /// A new block of more tokens that only a model would shrink much is left to a worker alone; 0 is none. Only where workers have a model.
    pub(crate) tail_tokens: u64,
    /// What forms may leave out where the request offers the model the retrieval tool.
    pub(crate) tier: Tier,
    /// The kinds of blocks of which forms leave out nothing all the same.
    pub(crate) whole_kinds: OutputKinds,
    /// How often conversations of the request's dialect go on.
    pub(crate) continuations: Continuations,
    /// When what a worker has made of it lands.
    pub(crate) landing: landing::Rule,
}

/// What to do with a request.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The forms in which blocks were sent before.
    recorded: Forms,
    /// The forms of blocks that land, by position in the scan. Like `newly_compressed`, they go out only if all of [`Plan::entries`] is in the
    /// store before.
    landed_forms: Vec<(usize, Form)>,
    /// What to store of these forms.
    form_entries: Vec<Entry>,
    /// How many blocks land: change from the original to a form.
    pub(crate) landed: usize,
    /// What becomes of what was left to workers, if anything was: of what landed, or else of what waits.
    pub(crate) landing: Option<Landing>,
    /// The prefix whose result that is, where it landed.
    landed_prefix: Option<PrefixId>,
    /// The forms of blocks that are sent for the first time, by position in the scan.
    newly_compressed: Vec<(usize, Form)>,
    /// The blocks that are sent for the first time and go out in the original.
    skipped: SkippedBlocks,
    record_updates: RecordUpdates,
    /// The same without any new form.
    record_updates_without_new: RecordUpdates,
    /// The prefix that a worker is to compress: the whole request, a cold start.
    pub(crate) job: Option<PrefixId>,
    /// The prefix that a worker is to compress anew when it has time: the whole request.
    refresh: Option<PrefixId>,
    /// The new blocks, by their positions, that a worker is to compress alone, and soon.
    tail: Vec<usize>,
}

impl Planner {
    /// The smallest cold start that is left to a worker where nothing else is set, in tokens.
    pub(crate) const DEFAULT_MIN_TOKENS: u64 = 50_000;
    /// By how many tokens a prefix grows before it is compressed anew where nothing else is set.
    pub(crate) const DEFAULT_REFRESH_TOKENS: u64 = 30_000;
    /// The tokens above which a new block is left to a worker alone where nothing else is set.
    pub(crate) const DEFAULT_TAIL_TOKENS: u64 = 4_000;

    /// The proxy's rules before workers without a model, with cold starts of so many tokens.
    pub(crate) const fn new(min_tokens: u64) -> Self {
        Self {
            min_tokens,
            refresh_tokens: Self::DEFAULT_REFRESH_TOKENS,
            tail_tokens: 0,
            tier: Tier::Lossless,
            whole_kinds: OutputKinds::NONE,
            continuations: Continuations::NONE,
            landing: landing::decide,
        }
    }

    /// The same rules, by which no request is left to a worker.
    pub(crate) const fn never_deferring(self) -> Self {
        Self {
            min_tokens: u64::MAX,
            ..self
        }
    }

    /// A request that goes out at `now_ms`.
    pub(crate) fn request<'a>(
        self,
        (body, scan): (&'a Bytes, &'a Scan),
        known: &'a KnownPrefix,
        (prices, now_ms): (&Prices, u64),
    ) -> Request<'a> {
        let circumstances = Circumstances {
            prices,
            continuations: &self.continuations,
            now_ms,
        };
        let landing = (self.landing)(scan, known, circumstances);
        Request {
            body,
            scan,
            known,
            now_ms,
            landing,
            tail: landing::decide_tail(scan, known, landing, circumstances),
            tier: self.tier_of(scan),
        }
    }

    /// What the forms of a request's blocks may leave out.
    pub(crate) fn tier_of(self, scan: &Scan) -> Tier {
        if scan.offers_retrieval() {
            self.tier
        } else {
            Tier::Lossless
        }
    }

    /// Whether what was scanned of a request is enough to leave it to a worker: it is large, and something in it is worth compressing. A
    /// model that is not named yet counts as one that makes few tokens of it.
    pub(crate) fn is_large(self, scan: &Scan) -> bool {
        !scan.blocks.is_empty() && scan.tokens() >= self.min_tokens
    }

    /// Whether what was scanned of a request is enough to leave it to a worker if nothing is known of its conversation. Whether a model
    /// that binds its thinking may think here is known only when all is scanned.
    pub(crate) fn may_defer(self, scan: &Scan) -> bool {
        !scan.facts.binds_thinking && self.is_large(scan)
    }

    /// Whether a request is left to a worker: it is a cold start, and no thinking is bound to what the worker's result would change (such
    /// a result could never land).
    pub(crate) fn defers(self, scan: &Scan, known: &KnownPrefix) -> bool {
        known.complete && self.is_cold_start(scan, known) && !landing::binds(scan)
    }

    /// Whether a request would be left to a worker if thinking were not bound to what the result would change.
    pub(crate) fn can_never_land(self, scan: &Scan, known: &KnownPrefix) -> bool {
        known.complete && self.is_cold_start(scan, known) && landing::binds(scan)
    }

    /// Whether no part of a large request's prefix is known.
    pub(crate) fn is_cold_start(self, scan: &Scan, known: &KnownPrefix) -> bool {
        known.frozen == 0 && self.is_large(scan)
    }

    /// What must be read to plan a request, besides what is known of its prefix.
    pub(crate) fn needs(self, request: Request<'_>) -> Needs {
        let Request { scan, known, .. } = request;
        if !known.complete || known.lost || self.defers(scan, known) {
            return Needs::default();
        }
        let first_new_block = first_send::first_new_block(scan, known);
        let moved = if known.frozen > 0 {
            request.first_unrecorded()..first_new_block
        } else {
            0..0
        };
        Needs {
            landing: request.landing_forms(),
            moved,
        }
    }

    /// The blocks to compress before [`Planner::plan`]; those in `moved` were sent in these forms and stand behind what the client has
    /// edited since.
    pub(crate) fn blocks_to_compress(
        self,
        request: Request<'_>,
        moved: BTreeMap<usize, Form>,
    ) -> BlocksToCompress {
        let Request { scan, known, .. } = request;
        if !known.complete || known.lost || self.defers(scan, known) {
            return BlocksToCompress::default();
        }
        let new = BlocksToCompress::new_from(first_send::first_new_block(scan, known), scan);
        let whole_kinds = match request.tier {
            Tier::Recoverable if !(new.new.is_empty() && moved.is_empty()) => {
                let fetched = blocks::fetched(request.body, scan);
                self.whole_kinds.union(fetched.kinds())
            }
            Tier::Recoverable | Tier::Lossless => OutputKinds::NONE,
        };
        BlocksToCompress {
            moved,
            tiers: (request.tier, known.tier_before(request.tier)),
            whole_kinds,
            ..new
        }
    }

    /// The plan of a request, given the texts of the forms that may land and the result for each block to compress. `None` for a request
    /// without messages.
    pub(crate) fn plan(
        self,
        request: Request<'_>,
        landing_texts: &HashMap<FormId, Bytes>,
        results: BTreeMap<usize, CompressResult>,
    ) -> Option<Plan> {
        let Request {
            scan,
            known,
            now_ms,
            ..
        } = request;
        if !known.complete {
            // There may be more than is known here, so nothing new is chosen, and no record is left that would hide the true one.
            let updates = RecordUpdates::without_own_record(scan, known, now_ms)?;
            return Some(request.without_new_forms(updates, SkipReason::StoreLate));
        }
        let mut updates = RecordUpdates::with_own_record(scan, known, now_ms)?;
        if known.lost {
            return Some(request.without_new_forms(updates, SkipReason::ConversationLost));
        }
        if self.defers(scan, known) {
            updates.defer(scan);
            return Some(Plan {
                job: scan.full_prefix(),
                skipped: SkippedBlocks::new(),
                ..request.without_new_forms(updates, SkipReason::MaybeSentBefore)
            });
        }
        let mut plan = request.with_new_forms(updates, landing_texts, results);
        let untried = refresh::untried_tokens(scan, &plan.skipped);
        // Sent once more after an error, the request has a job already.
        let has_tail = |own: &mut SentRecord| own.tail;
        let has_tail = plan.record_updates.own_record().is_some_and(has_tail);
        plan.tail = tail::due(&request, (self.tail_tokens, self.whole_kinds), &plan);
        if !plan.tail.is_empty() {
            plan.record_updates.await_tail(scan);
        } else if !has_tail
            && refresh::is_due(scan, known, (self.refresh_tokens, request.tier), untried)
        {
            plan.refresh = scan.full_prefix();
            plan.record_updates.await_refresh(known);
        }
        plan.note_untried(scan, untried);
        Some(plan)
    }

    /// The plan of a request that gets no new form and leaves no record of its own.
    pub(crate) fn plan_recorded_forms(self, request: Request<'_>) -> Option<Plan> {
        let Request {
            scan,
            known,
            now_ms,
            ..
        } = request;
        let updates = RecordUpdates::without_own_record(scan, known, now_ms)?;
        Some(Plan {
            skipped: SkippedBlocks::new(),
            ..request.without_new_forms(updates, SkipReason::MaybeSentBefore)
        })
    }
}

impl Request<'_> {
    /// The same that goes out at this time: milliseconds since 1970.
    pub(crate) const fn sent_at(self, now_ms: u64) -> Self {
        Self { now_ms, ..self }
    }

    /// The forms in which its blocks were sent before, as far as their texts were found.
    fn recorded_forms(&self) -> Forms {
        let blocks = self.scan.blocks.iter().enumerate();
        blocks
            .filter_map(|(index, block)| Some((index, self.known.sent_text(block.place)?.clone())))
            .collect()
    }

    /// What is told of its landings, given whether something landed, and of which prefix that is.
    fn outcome(&self, landed: bool) -> Option<(Landing, PrefixId)> {
        let told = |(landing, of): (Option<Landing>, &Option<DeferredPrefix>)| {
            let landing = landing.filter(|it| it.lands() == landed)?;
            Some((landing, of.as_ref()?.prefix))
        };
        let known = self.known;
        let mut both = [(self.landing, &known.deferred), (self.tail, &known.tail)].into_iter();
        both.find_map(told)
    }

    /// The position of the first block that no record covers, and that this process has not sent without one.
    fn first_unrecorded(&self) -> usize {
        let message = self.known.frozen.max(self.known.unrecorded.messages);
        self.scan.blocks_from(message)
    }

    /// Its plan without new forms, for one reason.
    fn without_new_forms(&self, record_updates: RecordUpdates, reason: SkipReason) -> Plan {
        Plan {
            recorded: self.recorded_forms(),
            landed_forms: Vec::new(),
            form_entries: Vec::new(),
            landed: 0,
            landing: self.outcome(false).map(|(landing, _)| landing),
            landed_prefix: None,
            newly_compressed: Vec::new(),
            skipped: skip_reason::skip_new_blocks(self.scan, self.first_unrecorded(), reason),
            record_updates_without_new: record_updates.clone(),
            record_updates,
            job: None,
            refresh: None,
            tail: Vec::new(),
        }
    }

    /// Its plan with a landing if one is due, and with the forms of blocks that are sent for the first time.
    fn with_new_forms(
        &self,
        mut record_updates: RecordUpdates,
        landing_texts: &HashMap<FormId, Bytes>,
        results: BTreeMap<usize, CompressResult>,
    ) -> Plan {
        let record_updates_without_new = record_updates.clone();
        let landed_forms = self.land(&mut record_updates, landing_texts);
        let landed = landed_forms.len();
        let first_new = first_send::first_new_block(self.scan, self.known);
        let maybe_sent = (self.first_unrecorded()..first_new)
            .filter(|index| !results.contains_key(index))
            .map(|index| (index, SkipReason::MaybeSentBefore));
        let mut skipped: SkippedBlocks = maybe_sent.collect();
        let mut newly_compressed = Vec::new();
        for (index, result) in results {
            match result {
                Ok(form) => newly_compressed.push((index, form)),
                Err(reason) => skipped.push((index, reason)),
            }
        }
        let form_ids = newly_compressed
            .iter()
            .map(|(index, form): &(usize, Form)| (self.scan.blocks[*index].place, form.id));
        if let Some(own) = record_updates.own_record() {
            own.forms.extend(form_ids);
            let forms = newly_compressed.iter();
            own.originals
                .extend(forms.filter_map(|(_, form)| form.original));
        }
        let outcome = self.outcome(landed > 0);
        Plan {
            recorded: self.recorded_forms(),
            form_entries: self.form_entries(&newly_compressed, &landed_forms),
            landed_forms,
            landed,
            landing: outcome.map(|(landing, _)| landing),
            landed_prefix: outcome.filter(|_| landed > 0).map(|(_, prefix)| prefix),
            newly_compressed,
            skipped,
            record_updates,
            record_updates_without_new,
            job: None,
            refresh: None,
            tail: Vec::new(),
        }
    }
}
