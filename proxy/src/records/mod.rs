//! Looks up what was sent before for a request's prefix (sent records, compressed prefixes and forms: from the local cache first, then from
//! the store, within the request's budget), and keeps what is sent now.

mod budget;
mod cache;
mod lookup;
mod originals;
#[cfg(test)]
mod originals_tests;
mod parts;
pub(crate) mod sent_elsewhere;
pub(crate) mod sent_request;
pub(crate) mod store_times;
#[cfg(test)]
mod tests;
mod unrecorded;
mod write_back;
mod write_queue;
mod writer;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use headroom_shared::contract::id::{BlockId, FormId, PrefixId};
use headroom_shared::contract::job::Place;
use headroom_shared::contract::prefix::{self, CompressedPrefix, Form};
use headroom_shared::contract::record::SentRecord;
use headroom_shared::store::{Entry, Key, Life, Store, StoreError};
use prometheus_client::metrics::counter::Counter;
use serde::de::IgnoredAny;

pub(crate) use self::budget::Budget;
use self::cache::Cache;
use self::lookup::{Lookup, MAX_KEYS};
use self::store_times::StoreTimes;
use self::unrecorded::UnrecordedRequests;
use self::write_back::{Known, write_back};
pub(crate) use self::write_queue::PendingWrite;
use self::write_queue::WriteQueue;
use crate::plan::known_prefix::KnownPrefix;
use crate::scan::Scan;

/// The most keys of records that the store is asked for in one request. Where more would be needed, what is known counts as incomplete.
const MAX_KEYS_A_REQUEST: usize = 8 * MAX_KEYS;

/// The store as requests use it: with a local cache in front, and never waited for longer than the budget.
#[derive(Debug)]
pub(crate) struct Records {
    store: Arc<dyn Store>,
    cache: Cache,
    unrecorded: UnrecordedRequests,
    write_queue: WriteQueue,
    budget: Duration,
    /// What a read may take beyond that where a wrong form would break the session.
    extra_for_bound: Duration,
    /// An entry that was given a full life this long ago is given one again when it is used.
    touch_after: Duration,
    mismatches: Mismatches,
    times: StoreTimes,
}

/// Values in the store that are not what their keys say: something else has written to it. They count as missing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mismatches {
    pub(crate) forms: Counter,
    pub(crate) records: Counter,
}

impl Records {
    /// The records in this store.
    pub(crate) fn new(store: Arc<dyn Store>, budget: Duration, retention: Duration) -> Self {
        Self {
            store,
            cache: Cache::new(),
            unrecorded: UnrecordedRequests::new(),
            write_queue: WriteQueue::default(),
            budget,
            extra_for_bound: Duration::ZERO,
            touch_after: retention / 8,
            mismatches: Mismatches::default(),
            times: StoreTimes::default(),
        }
    }

    /// The same, where reads for a request to whose blocks thinking is bound may take as long as `budget`.
    pub(crate) fn with_bound_budget(mut self, budget: Duration) -> Self {
        self.extra_for_bound = budget.saturating_sub(self.budget);
        self
    }

    /// The store itself.
    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The budget of one request.
    pub(crate) fn budget(&self) -> Budget {
        Budget::new(self.budget, self.times.clone())
    }

    /// Lets a request's reads take as long as those of one to whose blocks thinking is bound.
    pub(crate) fn extend(&self, budget: &mut Budget) {
        budget.extend(self.extra_for_bound);
    }

    /// Whether nothing is known of the conversation whose beginning was scanned: no record in its opening, and none beyond.
    pub(crate) async fn is_new_conversation(&self, beginning: &Scan, budget: &mut Budget) -> bool {
        let Some(opening) = beginning.opening() else {
            return false;
        };
        let mut prefixes = beginning.opening_messages().iter().map(|it| it.boundary);
        if prefixes.len() > MAX_KEYS
            || self.cache.knows_opening(opening)
            || prefixes.any(|prefix| self.cache.record(prefix).is_some())
        {
            return false;
        }
        let keys = opening_keys(beginning);
        // Not more than a share of the budget: what is spent here is not there when records and forms are to be read.
        let mut share = budget.take_quarter();
        let values = self.read(&keys, &mut share).await;
        budget.refund(share);
        let knows_none = values.is_ok_and(|values| values.iter().all(Option::is_none));
        knows_none && self.store.evicts().is_none()
    }

    /// What this process knows of the prefixes of a request of which the store knows nothing.
    pub(crate) fn look_up_locally(&self, scan: &Scan) -> KnownPrefix {
        self.cache.note_opening(scan);
        KnownPrefix::of_records(scan, |prefix| self.cache.record(prefix))
    }

    /// What is known of the prefixes of a request. Where something may be missing because the store has just lost its data, and a wrong
    /// form would break the session, it waits until every process has written back what it knows.
    pub(crate) async fn look_up(&self, scan: &Scan, budget: &mut Budget) -> KnownPrefix {
        let mut known = self.look_up_once(scan, budget).await;
        let settles_in = self
            .store
            .settled_at()
            .map_or(Duration::ZERO, |settled_at| {
                settled_at.saturating_duration_since(Instant::now())
            });
        if settles_in.is_zero() || !known.complete {
            return known;
        }
        if !known.covers_all_from_model(scan) && budget.wait_extra(settles_in).await {
            known = self.look_up_once(scan, budget).await;
        }
        // What is known here alone must be in the store again before it goes out. Where that fails, other processes may not know it in time.
        let lacked = Known::of_prefix(scan, &known);
        let write = || write_back(&*self.store, &self.cache, &lacked);
        let _ = budget.read("writing back", write(), write).await;
        known
    }

    async fn look_up_once(&self, scan: &Scan, budget: &mut Budget) -> KnownPrefix {
        self.cache.note_opening(scan);
        let mut found = Lookup::locally(scan, |prefix| self.cache.record(prefix));
        let settled_at = self.store.settled_at();
        found.may_be_contradicted = found.longest(scan).is_some_and(|(prefix, record)| {
            record.was_rolled_back() || self.cache.is_older(prefix, settled_at)
        });
        let mut asked = HashSet::new();
        let mut complete = true;
        // The first round asks for all that is new; another is needed only where a record names one that was not in it.
        while let Some(keys) = found.missing_keys(scan, &asked) {
            if asked.len() >= MAX_KEYS_A_REQUEST {
                complete = false;
                break;
            }
            match self.read(&keys, budget).await {
                Ok(values) => self.add_read(scan, &keys, &values, &mut found),
                Err(_) => {
                    complete = false;
                    break;
                }
            }
            asked.extend(keys);
        }
        let mut known = found.known_prefix(scan, complete);
        known.unrecorded = self.unrecorded.longest(scan);
        let block_at = |place: &Place| {
            let at = scan.blocks.binary_search_by_key(place, |block| block.place);
            Some(scan.blocks[at.ok()?].id)
        };
        let forms = known.forms.iter();
        let forms = forms.filter_map(|(place, form)| Some((*form, block_at(place)?)));
        let (texts, answered) = self.forms(forms, budget).await;
        known.texts = texts;
        known.note_missing_texts();
        known.note_uncertain(|prefix| self.cache.may_be_rolled_back(prefix));
        // A store that evicts may have had what it does not hold, and may drop what it is given.
        known.complete &= answered && self.store.evicts().is_none();
        known
    }

    /// Notes that a request goes out in the original, or in the forms known here, without the store having said what else is
    /// known of it.
    pub(crate) fn note_unrecorded(&self, scan: &Scan, now_ms: u64) {
        self.unrecorded.note(scan, now_ms);
    }

    /// Notes that a request goes out whose prefix has no id, because the deployment's secret is not known.
    pub(crate) fn note_unnamed(&self, now_ms: u64) {
        self.unrecorded.note_unnamed(now_ms);
    }

    /// Writes all that this process knows to a store that may lack some of it. Gives how many entries it has lost.
    ///
    /// # Errors
    /// When the store can't be reached or is full.
    pub(crate) async fn write_back(&self) -> Result<usize, StoreError> {
        let (store, cache) = (&*self.store, &self.cache);
        let lost = write_back(store, cache, &Known::all(cache)).await?;
        if lost > 0 {
            // What else it has lost is found out with each conversation's next request.
            cache.note_loss();
        }
        // Where another process writes back the same record at the same time, both find out what the other one knew.
        Ok(lost + write_back(store, cache, &Known::all_records(cache)).await?)
    }

    /// Forgets all that is known of prefixes: they have other ids from now on.
    pub(crate) fn forget(&self) {
        self.cache.clear();
        self.unrecorded.clear();
    }

    /// The texts of these forms, each with its block, as far as they can be had and are intact, and whether the store answered where it was needed.
    pub(crate) async fn forms(
        &self,
        forms: impl Iterator<Item = (FormId, BlockId)>,
        budget: &mut Budget,
    ) -> (HashMap<FormId, Bytes>, bool) {
        let mut texts = HashMap::new();
        let mut missing = Vec::new();
        for (id, block) in forms {
            match self.cache.form(id, block) {
                Some(text) => drop(texts.insert(id, text)),
                None => missing.push((id, block)),
            }
        }
        if missing.is_empty() {
            return (texts, true);
        }
        let keys: Vec<Key> = missing.iter().map(|(id, _)| Key::Form(*id)).collect();
        let Ok(values) = self.read(&keys, budget).await else {
            return (texts, false);
        };
        for ((id, block), value) in missing.into_iter().zip(values) {
            let Some(text) = value else { continue };
            if is_intact(id, block, &text) {
                self.cache.insert_form(id, block, text.clone());
                texts.insert(id, text);
            } else {
                self.mismatches.forms.inc();
            }
        }
        (texts, true)
    }

    /// The forms in which blocks of this conversation were last sent, wherever they stood, as far as the store tells in time: each by
    /// the block's position in the scan.
    pub(crate) async fn forms_sent_elsewhere(
        &self,
        scan: &Scan,
        blocks: Range<usize>,
        budget: &mut Budget,
    ) -> BTreeMap<usize, Form> {
        let keys = sent_elsewhere::keys(scan, blocks);
        if keys.is_empty() {
            return BTreeMap::new();
        }
        let (blocks, keys): (Vec<usize>, Vec<Key>) = keys.into_iter().unzip();
        let values = self.read(&keys, budget).await.unwrap_or_default();
        let sent: BTreeMap<usize, FormId> = blocks
            .into_iter()
            .zip(values)
            .filter_map(|(at, value)| Some((at, sent_elsewhere::form_id(&value?)?)))
            .collect();
        let forms = sent.iter().map(|(at, form)| (*form, scan.blocks[*at].id));
        let (texts, _) = self.forms(forms, budget).await;
        sent_elsewhere::forms(scan, sent, &texts)
    }

    /// Keeps a record in the local cache, merged with what is there.
    pub(crate) fn cache_record(&self, prefix: PrefixId, record: SentRecord) -> Arc<SentRecord> {
        self.cache.insert_made(prefix, record)
    }

    /// Keeps the text of this block's form in the local cache.
    pub(crate) fn cache_form(&self, id: FormId, block: BlockId, text: Bytes) {
        self.cache.insert_form(id, block, text);
    }

    /// Counts what was read and is not what its key says.
    pub(crate) fn mismatches(&self) -> Mismatches {
        self.mismatches.clone()
    }

    /// How long requests wait for the store.
    pub(crate) fn times(&self) -> StoreTimes {
        self.times.clone()
    }

    /// Notes that the store has these records, with a provisional life at least.
    pub(crate) fn mark_stored(&self, records: &[(PrefixId, SentRecord)]) {
        for (prefix, record) in records {
            self.cache.mark_stored(*prefix, record, Life::Provisional);
        }
    }

    /// Drops a cached record if it is still this one: its request was refused.
    pub(crate) fn forget_record(&self, prefix: PrefixId, record: &Arc<SentRecord>) {
        self.cache.remove_record(prefix, record);
    }

    /// Writes entries within a request's budget. Where a wrong form would break the session it waits until it is known what became of
    /// them: another replica may read them.
    pub(crate) async fn write(
        &self,
        entries: &[Entry],
        budget: &mut Budget,
    ) -> Result<(), StoreError> {
        budget
            .write(
                "writing forms",
                |within| self.store.write_within(entries, within),
                |within| self.store.write_until_available(entries, within),
            )
            .await
    }

    async fn read(
        &self,
        keys: &[Key],
        budget: &mut Budget,
    ) -> Result<Vec<Option<Bytes>>, StoreError> {
        let wait = || self.store.read_until_available(keys);
        budget.read("reading", self.store.read(keys), wait).await
    }

    /// Adds what was read under these keys.
    fn add_read(&self, scan: &Scan, keys: &[Key], values: &[Option<Bytes>], found: &mut Lookup) {
        for (key, value) in keys.iter().zip(values) {
            let Some(value) = value else { continue };
            match key {
                Key::Sent(prefix) => {
                    let Some(last) = scan
                        .messages
                        .iter()
                        .rposition(|message| message.boundary == *prefix)
                    else {
                        continue;
                    };
                    match SentRecord::from_stored(*prefix, value) {
                        Ok(record) => drop(
                            found
                                .records
                                .insert(last, self.cache.insert_read(*prefix, record)),
                        ),
                        Err(error) => {
                            self.mismatches.records.inc();
                            tracing::warn!(record.prefix = %prefix, %error, "passed over a sent record");
                        }
                    }
                }
                Key::Compressed(prefix) => {
                    match serde_json::from_slice::<CompressedPrefix>(value) {
                        Ok(compressed) if compressed.v == prefix::VERSION => {
                            found.compressed.insert(*prefix, compressed);
                        }
                        Ok(compressed) => {
                            tracing::warn!(
                                record.prefix = %prefix,
                                version = compressed.v,
                                "passed over a compressed prefix of another version: this proxy reads {}",
                                prefix::VERSION
                            );
                        }
                        Err(error) => {
                            tracing::warn!(record.prefix = %prefix, %error, "passed over a compressed prefix that can't be read")
                        }
                    }
                }
                Key::Opened(_)
                | Key::Form(_)
                | Key::SentForm(_)
                | Key::Original(_)
                | Key::Totals => {}
            }
        }
    }
}

/// Whether a text from the store is what its id says: the form of this block, and fit to stand in a JSON string. Whoever can write to the
/// store could put anything there.
fn is_intact(id: FormId, block: BlockId, text: &[u8]) -> bool {
    let is_intact = std::str::from_utf8(text).is_ok_and(|text| {
        let is_string = || serde_json::from_str::<IgnoredAny>(&format!("\"{text}\"")).is_ok();
        FormId::of(block, text) == id && is_string()
    });
    if !is_intact {
        tracing::warn!(form.id = %id, "passed over a form whose text is not what its id says: something else has written to the store");
    }
    is_intact
}

/// The keys one of which is in the store if anything is known of the conversation with this beginning; none where it has no opening.
pub(crate) fn opening_keys(beginning: &Scan) -> Vec<Key> {
    let prefixes = beginning.opening_messages().iter().map(|it| it.boundary);
    let opened = beginning.opening().map(Key::Opened);
    opened.into_iter().chain(prefixes.map(Key::Sent)).collect()
}
