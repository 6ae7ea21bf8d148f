//! What is known of a request's prefix: sent records, compressed prefixes and forms, from the local cache first and then from
//! the store, within the request's budget.

mod budget;
mod cache;
mod found;
mod known;
mod later;
pub(crate) mod sent_elsewhere;
pub(crate) mod sent_turn;
#[cfg(test)]
mod tests;
mod unsure;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headroom_shared::contract::id::{FormId, PrefixId};
use headroom_shared::contract::prefix::{self, CompressedPrefix, Form};
use headroom_shared::contract::record::SentRecord;
use headroom_shared::store::{Entry, Key, Store, StoreError};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(crate) use self::budget::Budget;
use self::cache::Cache;
use self::found::{Found, missing};
pub(crate) use self::known::{Known, Waiting};
use self::later::Later;
pub(crate) use self::later::TurnRecords;
pub(crate) use self::unsure::SentUnsure;
use self::unsure::Unsure;
use crate::scan::Scan;

/// The store as requests use it: a local cache in front, and never waited for longer than the budget.
#[derive(Debug)]
pub(crate) struct Records {
    store: Arc<dyn Store>,
    cache: Cache,
    unsure: Unsure,
    later: Later,
    budget: Duration,
    /// What a read may take beyond that where a wrong form would break the session.
    more_for_bound: Duration,
    /// An entry that was given a full life this long ago is given one again when it is used.
    touch_after: Duration,
}

impl Records {
    /// A memory over this store.
    pub(crate) fn new(store: Arc<dyn Store>, budget: Duration, retention: Duration) -> Self {
        Self {
            store,
            cache: Cache::new(),
            unsure: Unsure::new(),
            later: Later::default(),
            budget,
            more_for_bound: Duration::ZERO,
            touch_after: retention / 8,
        }
    }

    /// The same memory, where reads for a request to whose blocks thinking is bound may take as long as `budget`.
    pub(crate) fn with_bound_budget(mut self, budget: Duration) -> Self {
        self.more_for_bound = budget.saturating_sub(self.budget);
        self
    }

    /// The store itself.
    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The budget of one request.
    pub(crate) const fn budget(&self) -> Budget {
        Budget::new(self.budget)
    }

    /// Lets a request's reads take as long as those of one to whose blocks thinking is bound.
    pub(crate) fn extend(&self, budget: &mut Budget) {
        budget.extend(self.more_for_bound);
    }

    /// Whether nothing is known of the conversation whose beginning this is: no record in its opening, and none beyond.
    pub(crate) async fn is_new(&self, begun: &Scan, budget: &mut Budget) -> bool {
        let Some(opening) = begun.opening() else {
            return false;
        };
        let mut prefixes = begun.opening_messages().iter().map(|it| it.boundary);
        if self.cache.knows_opening(opening)
            || prefixes.any(|prefix| self.cache.record(prefix).is_some())
        {
            return false;
        }
        let keys = opening_keys(begun);
        // Not more than a share of the budget: what is spent here is not there when records and forms are to be read.
        let mut share = budget.split_off_quarter();
        let values = self.read(&keys, &mut share).await;
        budget.take_back(share);
        let knows_none = values.is_ok_and(|values| values.iter().all(Option::is_none));
        knows_none && self.store.evicts().is_none()
    }

    /// What this process knows of the prefixes of a request of which the store knows nothing.
    pub(crate) fn recall_new(&self, scan: &Scan) -> Known {
        self.cache.note_opening(scan);
        Known::of_records(scan, |prefix| self.cache.record(prefix))
    }

    /// What is known of the prefixes of a request.
    pub(crate) async fn recall(&self, scan: &Scan, budget: &mut Budget) -> Known {
        self.cache.note_opening(scan);
        let mut found = self.found_locally(scan);
        let mut asked = HashSet::new();
        let mut sure = true;
        // The first round asks for all that is new; another is needed only where a record names one that was not in it.
        while let Some(keys) = missing(scan, &found, &asked) {
            match self.read(&keys, budget).await {
                Ok(values) => self.take(scan, &keys, &values, &mut found),
                Err(_) => {
                    sure = false;
                    break;
                }
            }
            asked.extend(keys);
        }
        let mut known = Known::of(scan, &found, sure);
        if let Some(waiting) = &mut known.waiting {
            waiting.compressed = found.compressed;
        }
        known.sent_unsure = self.unsure.sent(scan);
        self.fetch_forms(&mut known, budget).await;
        // What an evicting store does not hold may have been there, and what it is given may go: what goes out of it is what it has.
        known.sure &= self.store.evicts().is_none();
        known
    }

    /// Notes that a request goes out in the original, or in the forms known here, without the store having said what else is
    /// known of it.
    pub(crate) fn note_unsure_request(&self, scan: &Scan, now_ms: u64) {
        self.unsure.note(scan, now_ms);
    }

    /// Notes that a request goes out whose prefix could not even be named.
    pub(crate) fn note_unnamed_request(&self, now_ms: u64) {
        self.unsure.note_unnamed(now_ms);
    }

    /// The texts of these forms, as far as they can be had, and whether the store was of any help that was needed.
    pub(crate) async fn forms(
        &self,
        ids: impl Iterator<Item = FormId>,
        budget: &mut Budget,
    ) -> (HashMap<FormId, Bytes>, bool) {
        let mut texts = HashMap::new();
        let mut away = Vec::new();
        for id in ids {
            match self.cache.form(id) {
                Some(text) => drop(texts.insert(id, text)),
                None => away.push(id),
            }
        }
        if away.is_empty() {
            return (texts, true);
        }
        let keys: Vec<Key> = away.iter().map(|id| Key::Form(*id)).collect();
        let Ok(values) = self.read(&keys, budget).await else {
            return (texts, false);
        };
        for (id, value) in away.into_iter().zip(values) {
            if let Some(text) = value {
                self.cache.keep_form(id, text.clone());
                texts.insert(id, text);
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
            .filter_map(|(at, value)| Some((at, sent_elsewhere::named(&value?)?)))
            .collect();
        let (texts, _) = self.forms(sent.values().copied(), budget).await;
        sent_elsewhere::forms(scan, sent, &texts)
    }

    /// Keeps a record in the local cache.
    pub(crate) fn keep(&self, prefix: PrefixId, record: SentRecord) -> Arc<SentRecord> {
        self.cache.keep_record(prefix, record)
    }

    /// Keeps a form's text in the local cache.
    pub(crate) fn keep_form(&self, id: FormId, text: Bytes) {
        self.cache.keep_form(id, text);
    }

    /// Has a turn's records brought to the store, and with them those before them that did not reach it: at once where that is
    /// `urgent`, and together with others soon where not.
    pub(crate) fn write_later(&self, turn: TurnRecords, urgent: bool) {
        self.later.push(turn, urgent);
    }

    /// Brings records to the store until `stop`, and then those that are left. None waits behind others that the store does not
    /// take: what another replica must not do may depend on it.
    pub(crate) async fn write_until(self: Arc<Self>, stop: CancellationToken) {
        let mut writing = JoinSet::new();
        while stop.run_until_cancelled(self.later.due()).await.is_some() {
            let records = self.clone();
            writing.spawn(async move { records.write_waiting().await });
            while writing.try_join_next().is_some() {}
        }
        self.write_waiting().await;
        writing.join_all().await;
    }

    /// Brings all records that wait to the store, and gives what their turns used a full life again.
    async fn write_waiting(&self) {
        let turns = self.later.take();
        let unstored = turns
            .iter()
            .flat_map(|turn| self.cache.unstored(&turn.chain));
        let told = turns.iter().flat_map(|turn| turn.records.iter().cloned());
        // Of a record that changed in between, the last state counts.
        let records: HashMap<PrefixId, SentRecord> = unstored.chain(told).collect();
        let records: Vec<(PrefixId, SentRecord)> = records.into_iter().collect();
        if !records.is_empty() {
            let opened: HashSet<PrefixId> = turns.iter().filter_map(|turn| turn.opened).collect();
            match self.store.write(&entries(&records, opened)).await {
                Ok(()) => self.cache.stored(records.iter()),
                Err(error) => {
                    tracing::debug!(%error, "could not write sent records: they are tried again with the next turn");
                }
            }
        }
        for turn in &turns {
            self.touch(turn).await;
        }
    }

    /// Notes that these records were written with others.
    pub(crate) fn written(&self, records: &[(PrefixId, SentRecord)]) {
        self.cache.stored(records.iter());
    }

    /// Writes entries within a request's budget, or not at all, as far as that can be had. Where a wrong form would break the session it
    /// goes on until it is known what became of them: another replica may read them.
    pub(crate) async fn write(
        &self,
        entries: &[Entry],
        budget: &mut Budget,
    ) -> Result<(), StoreError> {
        budget
            .write(
                "writing forms",
                |within| self.store.write_within(entries, within),
                |within| self.store.write_waiting(entries, within),
            )
            .await
    }

    /// Gives what a turn used a full life again, where that is due.
    async fn touch(&self, turn: &TurnRecords) {
        let due = self.cache.due(&turn.chain, self.touch_after);
        if due.is_empty() {
            return;
        }
        let mut keys: Vec<Key> = turn.opened.into_iter().map(Key::Opened).collect();
        for (prefix, record) in &due {
            keys.push(Key::Sent(*prefix));
            keys.extend(record.waiting.then_some(Key::Compressed(*prefix)));
            keys.extend(record.forms.values().map(|form| Key::Form(*form)));
        }
        if self.store.touch(&keys).await.is_ok() {
            self.cache.touched(due.iter().map(|(prefix, _)| *prefix));
        }
    }

    async fn read(
        &self,
        keys: &[Key],
        budget: &mut Budget,
    ) -> Result<Vec<Option<Bytes>>, StoreError> {
        let wait = || self.store.read_waiting(keys);
        budget.read("reading", self.store.read(keys), wait).await
    }

    fn found_locally(&self, scan: &Scan) -> Found {
        Found::of(scan, |prefix| self.cache.record(prefix))
    }

    fn take(&self, scan: &Scan, keys: &[Key], values: &[Option<Bytes>], found: &mut Found) {
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
                    match serde_json::from_slice::<SentRecord>(value) {
                        Ok(record) => drop(
                            found
                                .records
                                .insert(last, self.cache.found_record(*prefix, record)),
                        ),
                        Err(error) => {
                            tracing::warn!(record.prefix = %prefix, %error, "passed over a sent record that can't be read")
                        }
                    }
                }
                Key::Compressed(prefix) => {
                    match serde_json::from_slice::<CompressedPrefix>(value) {
                        Ok(compressed) if compressed.v == prefix::VERSION => {
                            found.compressed = Some(compressed);
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
                Key::Opened(_) | Key::Form(_) | Key::SentForm(_) => {}
            }
        }
    }

    async fn fetch_forms(&self, known: &mut Known, budget: &mut Budget) {
        let ids: Vec<FormId> = known.forms.values().copied().collect();
        let (texts, answered) = self.forms(ids.into_iter(), budget).await;
        known.texts = texts;
        known.sure &= answered;
    }
}

/// The keys one of which is in the store if anything is known of the conversation whose beginning this is; no keys where it has no
/// opening.
pub(crate) fn opening_keys(begun: &Scan) -> Vec<Key> {
    let prefixes = begun.opening_messages().iter().map(|it| it.boundary);
    let opened = begun.opening().map(Key::Opened);
    opened.into_iter().chain(prefixes.map(Key::Sent)).collect()
}

/// Records as entries of the store, and the openings of their conversations beyond which they lie.
pub(crate) fn entries(
    records: &[(PrefixId, SentRecord)],
    opened: impl IntoIterator<Item = PrefixId>,
) -> Vec<Entry> {
    let opened = opened.into_iter().map(|opening| Entry {
        key: Key::Opened(opening),
        rev: 0,
        value: Bytes::from_static(b"1"),
    });
    let entry = |(prefix, record): &(PrefixId, SentRecord)| {
        let value = Bytes::from(serde_json::to_vec(record).ok()?);
        Some(Entry {
            key: Key::Sent(*prefix),
            rev: record.rev,
            value,
        })
    };
    opened.chain(records.iter().filter_map(entry)).collect()
}
