//! What goes out for a request, decided without a task, a store or a server: which blocks are sent in which form, what is to be stored
//! before that, what is to be remembered of it, and whether a worker gets a job.
//!
//! Whoever performs a plan reads what it [`Needs`], lets [`first_send::decide`] compress what is new, calls [`Planner::plan`], stores
//! the plan's entries, and sends [`Plan::stored`], or [`Plan::not_stored`] where that failed.

pub(crate) mod blocks;
pub(crate) mod first_send;
pub(crate) mod landing;
#[cfg(test)]
mod rules_tests;
pub(crate) mod splice;
#[cfg(test)]
mod tests;
pub(crate) mod turn_record;
pub(crate) mod uncompressed;

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use bytes::Bytes;
use headroom_shared::contract::id::{FormId, PrefixId, SentBlockId};
use headroom_shared::contract::job::Place;
use headroom_shared::contract::prefix::{CompressedPrefix, Form};
use headroom_shared::store::{Entry, Key};

use self::first_send::{Outcome, Undecided};
use self::turn_record::TurnRecord;
use self::uncompressed::{Left, Uncompressed};
use crate::records::Known;
use crate::scan::Scan;

/// The texts that go out in place of blocks: position in the scan and escaped text, in order.
pub(crate) type Forms = Vec<(usize, Bytes)>;

/// A request to be planned, and what is known of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) scan: &'a Scan,
    pub(crate) known: &'a Known,
    /// When it goes out: milliseconds since 1970.
    pub(crate) now_ms: u64,
}

/// What else must be read before a request can be planned.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    /// The forms of the compressed prefix that may land.
    pub(crate) landing: Vec<FormId>,
    /// The blocks, by their positions, behind what the client has edited: were they sent compressed?
    pub(crate) moved: Range<usize>,
}

/// The rules by which requests are planned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Planner {
    /// Tokens in its messages from which on a cold start is left to a worker.
    pub(crate) min_tokens: u64,
}

/// What to do with a request.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Forms in which blocks were sent before.
    recorded: Forms,
    /// Forms that go out only if all of `entries` is in the store before.
    new: Forms,
    /// What to store first; empty where there is nothing new.
    pub(crate) entries: Vec<Entry>,
    /// How many blocks land: change from the original to a form.
    pub(crate) landed: usize,
    /// The texts of forms that are sent for the first time.
    entered: Vec<(usize, Form)>,
    /// New blocks that go out in the original.
    left: Left,
    record: TurnRecord,
    /// The record without anything that is new.
    record_without_new: TurnRecord,
    /// The prefix that a worker is to compress: the whole request, a cold start.
    pub(crate) job: Option<PrefixId>,
}

/// A plan of which it is known whether its entries are stored.
#[derive(Debug)]
pub(crate) struct Settled {
    /// The forms that go out.
    pub(crate) forms: Forms,
    /// What is to be remembered of the request.
    pub(crate) record: TurnRecord,
    /// Whether the record stands in the store already.
    pub(crate) is_stored: bool,
    /// Forms that are in use from now on.
    pub(crate) entered: Vec<Form>,
    /// New blocks that go out in the original.
    pub(crate) left: Left,
}

impl Planner {
    /// Whether what was scanned of a request is enough for a worker: it is large, and something in it is worth compressing. A model
    /// that is not named yet counts as one that makes few tokens of it.
    pub(crate) fn is_large(self, scan: &Scan) -> bool {
        !scan.blocks.is_empty() && scan.tokens() >= self.min_tokens
    }

    /// Whether what was scanned of a request is enough to leave it to a worker if nothing is known of its conversation. Whether a model
    /// that binds its thinking may think here is known only when all is scanned.
    pub(crate) fn knows_enough(self, scan: &Scan) -> bool {
        !scan.facts.binds_thinking && self.is_large(scan)
    }

    /// Whether a request is a cold start for a worker: no part of its prefix is known, it is large, and no thinking is bound to what a
    /// result would change, for such a result could never land.
    pub(crate) fn defers(self, scan: &Scan, known: &Known) -> bool {
        known.sure && self.is_cold_start(scan, known) && !landing::binds(scan)
    }

    /// Whether no part of a large request's prefix is known.
    pub(crate) fn is_cold_start(self, scan: &Scan, known: &Known) -> bool {
        known.frozen == 0 && self.is_large(scan)
    }

    /// What the plan of a request takes besides what is known of it.
    pub(crate) fn needs(self, request: Request<'_>) -> Needs {
        let Request { scan, known, .. } = request;
        if !known.sure || known.lost || self.defers(scan, known) {
            return Needs::default();
        }
        let landing = request.landing().into_iter().flat_map(|it| &it.blocks);
        let first_new = first_send::first_new(scan, known);
        let moved = if known.frozen > 0 {
            request.first_undecided()..first_new
        } else {
            0..0
        };
        Needs {
            landing: landing.map(|block| block.form).collect(),
            moved,
        }
    }

    /// The blocks whose forms are to be decided before [`Planner::plan`]; `moved` were sent in these forms, behind what the client has
    /// edited since.
    pub(crate) fn undecided(self, request: Request<'_>, moved: BTreeMap<usize, Form>) -> Undecided {
        let Request { scan, known, .. } = request;
        if !known.sure || known.lost || self.defers(scan, known) {
            return Undecided::none(scan);
        }
        Undecided {
            first_new: first_send::first_new(scan, known),
            sent: moved,
        }
    }

    /// The plan of a request, given the texts of the forms that may land and what became of the blocks that were undecided. `None` for
    /// a request without messages.
    pub(crate) fn plan(
        self,
        request: Request<'_>,
        landing_texts: &HashMap<FormId, Bytes>,
        outcomes: BTreeMap<usize, Outcome>,
    ) -> Option<Plan> {
        let Request {
            scan,
            known,
            now_ms,
        } = request;
        if !known.sure {
            // There may be more than is known here, so nothing new is chosen, and no record tells a shorter story.
            let record = TurnRecord::observing(scan, known, now_ms)?;
            return Some(request.nothing_new(record, Uncompressed::StoreLate));
        }
        let mut record = TurnRecord::open(scan, known, now_ms)?;
        if known.lost {
            return Some(request.nothing_new(record, Uncompressed::ConversationLost));
        }
        if self.defers(scan, known) {
            record.own()?.waiting = true;
            return Some(Plan {
                job: scan.whole(),
                left: Left::new(),
                ..request.nothing_new(record, Uncompressed::Unsure)
            });
        }
        Some(request.with_new(record, landing_texts, outcomes))
    }

    /// The plan of a request that gets no new form, and leaves no record of its own.
    pub(crate) fn plan_recorded(self, request: Request<'_>) -> Option<Plan> {
        let record = TurnRecord::observing(request.scan, request.known, request.now_ms)?;
        let plan = request.nothing_new(record, Uncompressed::Unsure);
        Some(Plan {
            left: Left::new(),
            ..plan
        })
    }
}

impl Request<'_> {
    /// The forms in which its blocks were sent before, as far as their texts were found.
    fn recorded(&self) -> Forms {
        let form = |place| self.known.texts.get(self.known.forms.get(&place)?);
        let blocks = self.scan.blocks.iter().enumerate();
        blocks
            .filter_map(|(index, block)| Some((index, form(block.place)?.clone())))
            .collect()
    }

    /// The position of the first block of which no record tells, and that this process has not sent without one.
    fn first_undecided(&self) -> usize {
        let message = self.known.frozen.max(self.known.sent_unsure.messages);
        self.scan.blocks_from(message)
    }

    /// The compressed prefix that may land in it.
    fn landing(&self) -> Option<&CompressedPrefix> {
        landing::ready(self.scan, self.known, self.now_ms).map(|(_, compressed)| compressed)
    }

    /// Its plan without anything new, for one reason.
    fn nothing_new(&self, record: TurnRecord, reason: Uncompressed) -> Plan {
        Plan {
            recorded: self.recorded(),
            new: Forms::new(),
            entries: Vec::new(),
            landed: 0,
            entered: Vec::new(),
            left: uncompressed::new_blocks(self.scan, self.first_undecided(), reason),
            record_without_new: record.clone(),
            record,
            job: None,
        }
    }

    /// Its plan with a landing if one is due, and with the forms of blocks that are sent for the first time.
    fn with_new(
        &self,
        mut record: TurnRecord,
        landing_texts: &HashMap<FormId, Bytes>,
        outcomes: BTreeMap<usize, Outcome>,
    ) -> Plan {
        let record_without_new = record.clone();
        let new = self.land(&mut record, landing_texts).unwrap_or_default();
        let landed = new.len();
        let first_new = first_send::first_new(self.scan, self.known);
        let unsure = (self.first_undecided()..first_new)
            .filter(|index| !outcomes.contains_key(index))
            .map(|index| (index, Uncompressed::Unsure));
        let mut left: Left = unsure.collect();
        let mut entered = Vec::new();
        for (index, outcome) in outcomes {
            match outcome {
                Ok(form) => entered.push((index, form)),
                Err(reason) => left.push((index, reason)),
            }
        }
        let noted = entered
            .iter()
            .map(|(index, form): &(usize, Form)| (self.scan.blocks[*index].place, form.id));
        if let Some(own) = record.own() {
            own.forms.extend(noted);
        }
        let mut entries = Vec::new();
        if landed > 0 || !entered.is_empty() {
            entries = self.form_entries(&entered, landed > 0);
            entries.extend(record.entries());
        }
        Plan {
            recorded: self.recorded(),
            new,
            entries,
            landed,
            entered,
            left,
            record,
            record_without_new,
            job: None,
        }
    }

    /// Lands the waiting prefix if that is safe, as a whole or not at all, and gives the texts that go out for it.
    fn land(&self, record: &mut TurnRecord, texts: &HashMap<FormId, Bytes>) -> Option<Forms> {
        let (waiting, compressed) = landing::ready(self.scan, self.known, self.now_ms)?;
        let made: HashMap<_, _> = compressed
            .blocks
            .iter()
            .map(|made| (made.place, made.form))
            .collect();
        let blocks = self.scan.blocks.iter().enumerate();
        let forms: Option<Forms> = blocks
            .filter_map(|(index, block)| Some((index, texts.get(made.get(&block.place)?))))
            .map(|(index, text)| Some((index, text?.clone())))
            .collect();
        let (forms, landed) = (forms?, record.record(waiting.prefix)?);
        landed.rev += 1;
        landed.waiting = false;
        landed.forms = made.into_iter().collect();
        Some(forms)
    }

    /// The texts of new forms, and which block of this conversation is sent in which form from now on.
    fn form_entries(&self, entered: &[(usize, Form)], has_landed: bool) -> Vec<Entry> {
        let entry = |key, value| Entry { key, rev: 0, value };
        let texts = entered
            .iter()
            .map(|(_, form)| entry(Key::Form(form.id), Bytes::from(form.text.clone())));
        let landing = self.landing().filter(|_| has_landed);
        let landing = landing.into_iter().flat_map(|it| &it.blocks);
        let landed: HashMap<Place, FormId> = landing.map(|made| (made.place, made.form)).collect();
        let entered: HashMap<usize, FormId> = entered
            .iter()
            .map(|(index, form)| (*index, form.id))
            .collect();
        let opening = self.scan.opening();
        let blocks = self.scan.blocks.iter().zip(self.scan.same_before());
        let sent = blocks
            .enumerate()
            .filter_map(|(index, (block, same_before))| {
                let form = entered.get(&index).or_else(|| landed.get(&block.place))?;
                let key = Key::SentForm(SentBlockId::of(opening?, block.id, same_before));
                Some(entry(key, Bytes::from(form.to_string())))
            });
        texts.chain(sent).collect()
    }
}

impl Plan {
    /// What goes out now that its entries are stored.
    pub(crate) fn stored(self) -> Settled {
        let is_stored = !self.entries.is_empty();
        let mut forms = [self.recorded, self.new].concat();
        let texts = self.entered.iter();
        forms.extend(texts.map(|(index, form)| (*index, Bytes::from(form.text.clone()))));
        forms.sort_unstable_by_key(|(index, _)| *index);
        Settled {
            forms,
            record: self.record,
            is_stored,
            entered: self.entered.into_iter().map(|(_, form)| form).collect(),
            left: self.left,
        }
    }

    /// What goes out although its entries could not be stored in time. They may have reached the store all the same.
    pub(crate) fn not_stored(mut self) -> Settled {
        let late = |(index, _): (usize, Form)| (index, Uncompressed::StoreLate);
        self.left.extend(self.entered.into_iter().map(late));
        self.record.withdraw(self.record_without_new);
        Settled {
            forms: self.recorded,
            record: self.record,
            is_stored: false,
            entered: Vec::new(),
            left: self.left,
        }
    }
}
