//! The local cache of records and forms that this process has lately read or written, bounded in bytes.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use headroom_shared::contract::id::{BlockId, FormId, OriginalId, PrefixId};
use headroom_shared::contract::record::SentRecord;
use headroom_shared::store::Life;
use quick_cache::sync::Cache as Bounded;
use quick_cache::{UnitWeighter, Weighter};

use crate::scan::Scan;

/// Bytes of records that are kept, about.
const RECORD_BYTES: u64 = 16 << 20;
/// Bytes of forms that are kept.
const FORM_BYTES: u64 = 64 << 20;
/// How many conversations are remembered by their openings.
const OPENINGS: usize = 4096;
/// Of how many originals it is remembered when they were renewed. The others are renewed with each request that uses them.
const ORIGINALS: u64 = 1 << 16;

#[derive(Debug)]
pub(super) struct Cache {
    records: Bounded<PrefixId, CachedRecord, Weights>,
    forms: Bounded<FormId, CachedForm, Weights>,
    /// Conversations that were looked up, and whether there are records of them beyond their openings.
    openings: Bounded<PrefixId, bool>,
    /// When this process last gave originals of shortened texts a full life in the store.
    originals: Bounded<OriginalId, Instant>,
    /// When the store was last found to have lost data.
    lost_at: Mutex<Option<Instant>>,
    /// Held while a record is changed by what it was.
    change: Mutex<()>,
}

/// A record, and what this process knows of it in the store.
#[derive(Debug, Clone)]
struct CachedRecord {
    record: Arc<SentRecord>,
    /// Whether the store has it.
    stored: bool,
    /// Whether it was read from there: made by another process, or by this one before it left the cache.
    from_store: bool,
    /// When this process last gave it, and what it names, a full life there.
    touched: Option<Instant>,
    /// Whether that failed since for some of what it names.
    is_due: bool,
    /// Since when it is here.
    since: Instant,
}

/// A form's text, and the block whose form it is.
#[derive(Debug, Clone)]
struct CachedForm {
    block: BlockId,
    text: Bytes,
}

#[derive(Debug, Clone)]
struct Weights;

impl Weighter<PrefixId, CachedRecord> for Weights {
    fn weight(&self, _: &PrefixId, cached: &CachedRecord) -> u64 {
        let caches = cached.record.caches.iter().flat_map(|it| &it.known);
        let caches: usize = caches.map(|it| 80 + it.model.len()).sum();
        160 + 64 * cached.record.forms.len() as u64 + caches as u64
    }
}

impl Weighter<FormId, CachedForm> for Weights {
    fn weight(&self, _: &FormId, form: &CachedForm) -> u64 {
        80 + form.text.len() as u64
    }
}

impl Cache {
    pub(super) fn new() -> Self {
        Self {
            records: Bounded::with_weighter(1024, RECORD_BYTES, Weights),
            forms: Bounded::with_weighter(1024, FORM_BYTES, Weights),
            openings: Bounded::new(OPENINGS),
            originals: Bounded::with_weighter(1024, ORIGINALS, UnitWeighter),
            lost_at: Mutex::new(None),
            change: Mutex::new(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.change.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A record, and whether the process that made it may roll its forms back: it was read from the store before its request had a
    /// response, and may have reached the store so late that the originals went out.
    pub(super) fn record(&self, prefix: PrefixId) -> Option<(Arc<SentRecord>, bool)> {
        let CachedRecord {
            record, from_store, ..
        } = self.records.get(&prefix)?;
        let may_be_rolled_back = from_store && record.usage.is_none() && !record.forms.is_empty();
        Some((record, may_be_rolled_back))
    }

    /// Whether the record of this prefix may be rolled back still, or may have been without the store knowing it.
    pub(super) fn may_be_rolled_back(&self, prefix: PrefixId) -> bool {
        self.record(prefix)
            .is_some_and(|(_, may_be_rolled_back)| may_be_rolled_back)
    }

    /// Whether a cached record was here before this time.
    pub(super) fn is_older(&self, prefix: PrefixId, than: Option<Instant>) -> bool {
        let cached = self.records.get(&prefix);
        than.is_some_and(|than| cached.is_some_and(|cached| cached.since < than))
    }

    /// Keeps a record that this process made.
    pub(super) fn insert_made(&self, prefix: PrefixId, record: SentRecord) -> Arc<SentRecord> {
        self.insert(
            prefix,
            CachedRecord {
                record: Arc::new(record),
                stored: false,
                from_store: false,
                touched: None,
                is_due: false,
                since: Instant::now(),
            },
        )
    }

    /// Keeps a record that was read from the store.
    pub(super) fn insert_read(&self, prefix: PrefixId, record: SentRecord) -> Arc<SentRecord> {
        self.insert(
            prefix,
            CachedRecord {
                record: Arc::new(record),
                stored: true,
                from_store: true,
                touched: None,
                is_due: false,
                since: Instant::now(),
            },
        )
    }

    /// Keeps a record unless a later revision of it is cached, merged with the cached one, and gives what is cached afterwards.
    fn insert(&self, prefix: PrefixId, mut new: CachedRecord) -> Arc<SentRecord> {
        let _locked = self.lock();
        if let Some(cached) = self.records.get(&prefix) {
            if cached.record.rev > new.record.rev {
                return cached.record;
            }
            new.touched = cached.touched;
            new.is_due = cached.is_due;
            new.since = cached.since;
            new.from_store |= cached.from_store;
            if cached.record.rev == new.record.rev {
                let merged = SentRecord::clone(&new.record).merged(&cached.record);
                new.stored &= merged == *new.record;
                new.record = Arc::new(merged);
            }
        }
        let record = new.record.clone();
        self.records.insert(prefix, new);
        record
    }

    /// Notes that the store has this record, with at least this life.
    pub(super) fn mark_stored(&self, prefix: PrefixId, record: &SentRecord, life: Life) {
        let _locked = self.lock();
        if let Some(mut cached) = self.records.get(&prefix)
            && *cached.record == *record
        {
            cached.stored = true;
            if life == Life::Full {
                // To store a record again gives no full life to what it names.
                cached.touched.get_or_insert_with(Instant::now);
            }
            self.records.insert(prefix, cached);
        }
    }

    /// Drops a record if it is still this one.
    pub(super) fn remove_record(&self, prefix: PrefixId, record: &Arc<SentRecord>) {
        let _locked = self.lock();
        if let Some(cached) = self.records.get(&prefix)
            && Arc::ptr_eq(&cached.record, record)
        {
            self.records.remove(&prefix);
        }
    }

    /// Notes that these records have just been given a full life.
    pub(super) fn mark_touched(&self, prefixes: impl Iterator<Item = PrefixId>) {
        self.change(prefixes, |cached| CachedRecord {
            touched: Some(Instant::now()),
            is_due: false,
            ..cached
        });
    }

    /// Notes that what these records name could not be given a full life.
    pub(super) fn mark_due(&self, prefixes: impl Iterator<Item = PrefixId>) {
        self.change(prefixes, |cached| CachedRecord {
            is_due: true,
            ..cached
        });
    }

    /// Changes those of these records that are here.
    fn change(
        &self,
        prefixes: impl Iterator<Item = PrefixId>,
        changed: impl Fn(CachedRecord) -> CachedRecord,
    ) {
        let _locked = self.lock();
        for prefix in prefixes {
            if let Some(cached) = self.records.get(&prefix) {
                self.records.insert(prefix, changed(cached));
            }
        }
    }

    /// Notes that the store has lost data: what was given a full life before has to be given one again.
    pub(super) fn note_loss(&self) {
        *self.lost_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Those of the records that did not reach the store, as they are now.
    pub(super) fn unstored(
        &self,
        chain: &[(PrefixId, Arc<SentRecord>)],
    ) -> Vec<(PrefixId, SentRecord)> {
        let cached = chain
            .iter()
            .filter_map(|(prefix, _)| Some((*prefix, self.records.get(prefix)?)));
        let unstored = cached.filter(|(_, cached)| !cached.stored);
        unstored
            .map(|(prefix, cached)| (prefix, SentRecord::clone(&cached.record)))
            .collect()
    }

    /// The text of a form, if it is this block's.
    pub(super) fn form(&self, id: FormId, block: BlockId) -> Option<Bytes> {
        let form = self.forms.get(&id)?;
        (form.block == block).then_some(form.text)
    }

    /// The text of a form, whichever block's it is.
    pub(super) fn form_text(&self, id: FormId) -> Option<Bytes> {
        self.forms.get(&id).map(|form| form.text)
    }

    pub(super) fn insert_form(&self, id: FormId, block: BlockId, text: Bytes) {
        self.forms.insert(id, CachedForm { block, text });
    }

    /// All records that are kept, each with the life that it has in the store: a provisional one while its request is under way.
    pub(super) fn records(&self) -> Vec<(PrefixId, Arc<SentRecord>, Life)> {
        let records = self.records.iter();
        let with_life = |(prefix, cached): (PrefixId, CachedRecord)| {
            let is_settled = cached.from_store || cached.touched.is_some();
            let life = if is_settled {
                Life::Full
            } else {
                Life::Provisional
            };
            (prefix, cached.record, life)
        };
        records.map(with_life).collect()
    }

    /// The openings beyond which there are records.
    pub(super) fn opened(&self) -> impl Iterator<Item = PrefixId> {
        let openings = self.openings.iter();
        openings.filter_map(|(opening, is_opened)| is_opened.then_some(opening))
    }

    /// Drops everything.
    pub(super) fn clear(&self) {
        let _locked = self.lock();
        self.records.clear();
        self.forms.clear();
        self.openings.clear();
        self.originals.clear();
    }

    /// Notes that a request's conversation was looked up.
    pub(super) fn note_opening(&self, scan: &Scan) {
        if let Some(opening) = scan.opening() {
            let is_opened = self.openings.get(&opening).unwrap_or_default();
            self.openings.insert(opening, is_opened);
        }
    }

    /// Notes that there are records beyond this opening.
    pub(super) fn note_opened(&self, opening: PrefixId) {
        self.openings.insert(opening, true);
    }

    /// Whether a conversation with this opening was looked up lately.
    pub(super) fn knows_opening(&self, opening: PrefixId) -> bool {
        self.openings.get(&opening).is_some()
    }

    /// Those of the records that were last given a full life longer ago than `after`, before the store last lost data, or by another process.
    pub(super) fn to_touch(
        &self,
        chain: &[(PrefixId, Arc<SentRecord>)],
        after: Duration,
    ) -> Vec<(PrefixId, Arc<SentRecord>)> {
        let lost_at = self.lost_at();
        let is_due = |prefix| {
            let cached = self.records.get(prefix);
            let failed = cached.as_ref().is_some_and(|cached| cached.is_due);
            failed || is_due(cached.and_then(|cached| cached.touched), after, lost_at)
        };
        let due = chain.iter().filter(|(prefix, _)| is_due(prefix));
        due.cloned().collect()
    }

    /// Those of the originals that were last given a full life longer ago than `after`, before the store last lost data, or by another
    /// process.
    pub(super) fn originals_to_renew(
        &self,
        originals: &HashSet<OriginalId>,
        after: Duration,
    ) -> HashSet<OriginalId> {
        let lost_at = self.lost_at();
        let due = originals
            .iter()
            .filter(|original| is_due(self.originals.get(*original), after, lost_at));
        due.copied().collect()
    }

    /// Notes that the store has given these originals a full life, `at` this time or later.
    pub(super) fn mark_renewed(&self, originals: impl Iterator<Item = OriginalId>, at: Instant) {
        for original in originals {
            self.originals.insert(original, at);
        }
    }

    fn lost_at(&self) -> Option<Instant> {
        *self.lost_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether what was last given a full life at this time, if ever, is to be given one again.
fn is_due(last: Option<Instant>, after: Duration, lost_at: Option<Instant>) -> bool {
    last.is_none_or(|last| {
        last.elapsed() >= after || lost_at.is_some_and(|lost_at| last <= lost_at)
    })
}
