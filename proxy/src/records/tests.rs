//! Looking up prefixes in a real embedded store.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use headroom_shared::contract::id::{BlockId, DigestKey, FormId};
use headroom_shared::contract::job::Place;
use headroom_shared::contract::record::SentRecord;
use headroom_shared::contract::usage::Usage;
use headroom_shared::store::{EmbeddedStore, Entry, Key, Life, Store, StoreError};

use super::{PendingWrite, Records};
use crate::dialect::DIALECTS;
use crate::plan::known_prefix::{KnownPrefix, Unrecorded};
use crate::plan::record_updates::RecordUpdates;
use crate::scan::{MIN_USER_BYTES, Scan, scan};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A conversation of so many messages, of which each of the user's is a block.
pub(super) fn conversation(messages: usize) -> Scan {
    conversation_with(messages, &long())
}

/// What makes a user's message a block.
pub(super) fn long() -> String {
    " long".repeat(MIN_USER_BYTES)
}

/// A conversation of so many messages, each of which goes on like this.
pub(super) fn conversation_with(messages: usize, more: &str) -> Scan {
    let key = DigestKey::from_bytes([1; 32]);
    scan(&body(messages, more), DIALECTS[0], &key).unwrap()
}

/// Its body.
pub(super) fn body(messages: usize, more: &str) -> Bytes {
    let message = |at: usize| {
        let role = if at.is_multiple_of(2) {
            "user"
        } else {
            "assistant"
        };
        format!(r#"{{"role":"{role}","content":"{at}{more}"}}"#)
    };
    let messages: Vec<String> = (0..messages).map(message).collect();
    format!(r#"{{"model":"m","messages":[{}]}}"#, messages.join(",")).into()
}

/// The id of one of the forms of a message's block.
fn form_id(message: u32, form: u8) -> FormId {
    let scan = conversation(message as usize + 1);
    FormId::of(scan.blocks.last().unwrap().id, &form.to_string())
}

pub(super) fn record(start: u32, forms: &[(u32, u8)]) -> SentRecord {
    let forms = forms.iter().map(|(message, form)| {
        (
            Place {
                message: *message,
                part: 0,
                inner: 0,
            },
            form_id(*message, *form),
        )
    });
    SentRecord {
        v: 1,
        rev: 0,
        start,
        forms: forms.collect(),
        originals: BTreeSet::new(),
        sent_ms: 0,
        warm_until_ms: 0,
        caches: None,
        waiting: false,
        tail: false,
        untried: 0,
        bound: false,
        lost: false,
        usage: None,
        bill: None,
    }
}

/// A record whose request had a response, so that its forms are certain.
pub(super) fn answered(record: SentRecord) -> SentRecord {
    let usage = Some(Usage::default());
    SentRecord { usage, ..record }
}

pub(super) struct Fixture {
    _dir: tempfile::TempDir,
    pub(super) store: Arc<dyn Store>,
}

impl Fixture {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(EmbeddedStore::open(dir.path(), DAY, 1 << 30).unwrap());
        Self { _dir: dir, store }
    }

    /// A process that knows nothing yet.
    pub(super) fn records(&self) -> Records {
        Records::new(self.store.clone(), Duration::from_secs(10), DAY)
    }

    /// Writes the record of the first `covers` messages.
    pub(super) async fn sent(&self, covers: usize, record: &SentRecord) {
        let key = Key::Sent(conversation(covers).full_prefix().unwrap());
        let value = Bytes::from(serde_json::to_vec(record).unwrap());
        self.store
            .write(&[Entry {
                rev: record.rev,
                ..Entry::without_revisions(key, value)
            }])
            .await
            .unwrap();
    }

    pub(super) async fn form(&self, message: u32, form: u8) {
        let key = Key::Form(form_id(message, form));
        let value = Bytes::from(form.to_string());
        self.store
            .write(&[Entry::without_revisions(key, value)])
            .await
            .unwrap();
    }
}

async fn look_up(records: &Records, messages: usize) -> KnownPrefix {
    records
        .look_up(&conversation(messages), &mut records.budget())
        .await
}

fn forms(known: &KnownPrefix) -> Vec<u32> {
    let mut messages: Vec<u32> = known.forms.keys().map(|place| place.message).collect();
    messages.sort_unstable();
    messages
}

#[tokio::test]
async fn the_records_of_all_turns_are_read_together() {
    let fixture = Fixture::new();
    fixture.sent(1, &answered(record(0, &[(0, 1)]))).await;
    fixture.sent(3, &answered(record(1, &[]))).await;
    fixture.sent(5, &answered(record(3, &[(4, 2)]))).await;
    fixture.form(0, 1).await;
    let records = fixture.records();
    // From the store, and then from the local cache.
    for _ in 0..2 {
        let known = look_up(&records, 7).await;
        assert_eq!(
            (known.complete, known.frozen, known.chain.len()),
            (true, 5, 3)
        );
        assert_eq!(forms(&known), [0, 4]);
        assert_eq!(known.texts.len(), 1, "one form's text is gone");
        assert_eq!(known.gap, Some(3));
    }
    let fork = look_up(&records, 3).await;
    assert_eq!((fork.frozen, forms(&fork)), (3, vec![0]));
    assert_eq!(look_up(&fixture.records(), 0).await.frozen, 0);
}

#[tokio::test]
async fn what_goes_out_unrecorded_is_remembered_as_far_as_a_request_continues_it() {
    let records = Fixture::new().records();
    assert_eq!(look_up(&records, 3).await.unrecorded, Unrecorded::default());
    records.note_unrecorded(&conversation(3), 7);
    let sent = async |messages| {
        let sent = look_up(&records, messages).await.unrecorded;
        (sent.messages, sent.at_ms)
    };
    assert_eq!(sent(1).await, (0, 0));
    assert_eq!(sent(3).await, (3, 7));
    assert_eq!(sent(5).await, (3, 7));
    records.note_unnamed(9);
    assert_eq!(sent(5).await, (3, 9));
    assert_eq!(sent(1).await, (0, 9));
}

#[tokio::test]
async fn what_continues_a_record_that_may_be_rolled_back_repeats_it() {
    let fixture = Fixture::new();
    fixture.sent(1, &answered(record(0, &[]))).await;
    fixture.sent(3, &record(1, &[(2, 1)])).await;
    fixture.form(2, 1).await;
    let known = look_up(&fixture.records(), 5).await;
    assert_eq!((known.frozen, known.gap), (3, Some(1)));
    let scan = conversation(5);
    let mut updates = RecordUpdates::with_own_record(&scan, &known, 1).unwrap();
    let own = updates.own_record().unwrap();
    assert_eq!((own.start, own.forms.len()), (1, 1));
}

#[tokio::test]
async fn a_missing_record_hides_no_earlier_one() {
    let fixture = Fixture::new();
    fixture.sent(1, &answered(record(0, &[(0, 1)]))).await;
    fixture.sent(5, &answered(record(3, &[(4, 2)]))).await;
    for form in [(0, 1), (4, 2)] {
        fixture.form(form.0, form.1).await;
    }
    let known = look_up(&fixture.records(), 5).await;
    assert_eq!((known.frozen, forms(&known)), (5, vec![0, 4]));
    assert_eq!(known.gap, Some(1));
    // The next record repeats what it continues, so that a record that is found later can't change what was sent.
    let scan = conversation(7);
    let known = look_up(&fixture.records(), 7).await;
    let mut updates = RecordUpdates::with_own_record(&scan, &known, 1).unwrap();
    let own = updates.own_record().unwrap();
    assert_eq!((own.start, own.forms.len()), (1, 1));
}

#[tokio::test]
async fn what_another_replica_landed_is_seen_although_the_record_is_known_here() {
    let fixture = Fixture::new();
    let waiting = SentRecord {
        waiting: true,
        ..record(0, &[])
    };
    fixture.sent(3, &waiting).await;
    let records = fixture.records();
    assert!(look_up(&records, 3).await.deferred.is_some());
    fixture
        .sent(
            3,
            &SentRecord {
                rev: 1,
                ..record(0, &[(2, 3)])
            },
        )
        .await;
    let known = look_up(&records, 5).await;
    assert!(known.deferred.is_none());
    assert_eq!(forms(&known), [2]);
    // And an older one does not come back.
    records.cache_record(conversation(3).full_prefix().unwrap(), waiting);
    assert_eq!(forms(&look_up(&records, 5).await), [2]);
}

/// The beginning of a conversation of so many messages.
async fn is_new_conversation(records: &Records, messages: usize) -> bool {
    records
        .is_new_conversation(&conversation(messages), &mut records.budget())
        .await
}

#[tokio::test]
async fn a_conversation_without_a_record_is_new() {
    let fixture = Fixture::new();
    assert!(is_new_conversation(&fixture.records(), 3).await);
    assert!(
        !is_new_conversation(&fixture.records(), 0).await,
        "it has no opening to be known by"
    );
    // A record beyond what was scanned, as a turn leaves it.
    let records = fixture.records();
    let prefix = conversation(5).full_prefix().unwrap();
    let turn = PendingWrite {
        opened: conversation(5).opening(),
        records: vec![(prefix, record(0, &[]))],
        chain: Vec::new(),
        forms: Vec::new(),
        life: Life::Full,
        refused: Arc::default(),
    };
    records.enqueue_write(turn, false);
    records.flush_writes().await;
    assert!(!is_new_conversation(&fixture.records(), 3).await);
    // One in the opening.
    let fixture = Fixture::new();
    fixture.sent(1, &record(0, &[])).await;
    assert!(!is_new_conversation(&fixture.records(), 3).await);
}

#[tokio::test]
async fn what_was_looked_up_lately_is_not_asked_for_as_new() {
    let records = Records::new(Arc::new(Hanging), Duration::from_secs(3600), DAY);
    records.look_up_locally(&conversation(5));
    assert!(!is_new_conversation(&records, 3).await);
    let records = Records::new(Arc::new(Hanging), Duration::from_secs(3600), DAY);
    records.cache_record(conversation(1).full_prefix().unwrap(), record(0, &[]));
    assert!(!is_new_conversation(&records, 3).await);
    let records = Records::new(Arc::new(Hanging), Duration::from_millis(5), DAY);
    assert!(
        !is_new_conversation(&records, 3).await,
        "it could not be asked"
    );
}

/// A store that takes every question and never answers.
#[derive(Debug)]
pub(super) struct Hanging;

#[async_trait::async_trait]
impl Store for Hanging {
    async fn digest_key(&self) -> Result<DigestKey, StoreError> {
        std::future::pending().await
    }
    async fn read(&self, _: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        std::future::pending().await
    }
    async fn write(&self, _: &[Entry]) -> Result<(), StoreError> {
        std::future::pending().await
    }
    async fn lives(&self, _: &[Key]) -> Result<Vec<Option<Life>>, StoreError> {
        std::future::pending().await
    }
    async fn touch(&self, _: &[Key]) -> Result<Vec<bool>, StoreError> {
        std::future::pending().await
    }
    async fn remove_provisional(&self, _: &[Key]) -> Result<(), StoreError> {
        std::future::pending().await
    }
    async fn ping(&self) -> Result<Option<headroom_shared::redis::Full>, StoreError> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn what_another_replica_rolled_back_is_not_kept() {
    let fixture = Fixture::new();
    fixture.sent(1, &record(0, &[(0, 1)])).await;
    fixture.form(0, 1).await;
    let records = fixture.records();
    assert_eq!(forms(&look_up(&records, 3).await), [0]);
    let rolled_back = SentRecord {
        rev: 2,
        ..record(0, &[])
    };
    fixture.sent(1, &rolled_back).await;
    for _ in 0..2 {
        let known = look_up(&records, 3).await;
        assert_eq!((known.frozen, forms(&known)), (1, vec![]));
    }
}

#[tokio::test]
async fn a_store_that_does_not_answer_leaves_what_is_known_here() {
    let records = Records::new(Arc::new(Hanging), Duration::from_millis(5), DAY);
    let known = look_up(&records, 3).await;
    assert_eq!((known.complete, known.frozen), (false, 0));
    let waiting = SentRecord {
        waiting: true,
        ..record(0, &[])
    };
    records.cache_record(conversation(1).full_prefix().unwrap(), waiting);
    let known = look_up(&records, 3).await;
    assert_eq!((known.complete, known.frozen), (false, 1));
}

#[tokio::test]
async fn where_no_record_can_tell_anything_new_the_store_is_not_asked() {
    let records = Records::new(Arc::new(Hanging), Duration::from_millis(5), DAY);
    let first = conversation_with(1, " short").full_prefix().unwrap();
    records.cache_record(first, record(0, &[]));
    let scan = conversation_with(3, " short");
    let known = records.look_up(&scan, &mut records.budget()).await;
    assert_eq!((known.complete, known.frozen), (true, 1));
}

#[tokio::test]
async fn forms_in_the_local_cache_need_no_store() {
    let records = Records::new(Arc::new(Hanging), Duration::from_millis(5), DAY);
    let (cached, missing) = (FormId::from_bytes([1; 16]), FormId::from_bytes([2; 16]));
    let block = BlockId::from_bytes([3; 16]);
    records.cache_form(cached, block, Bytes::from_static(b"text"));
    let (texts, answered) = records
        .forms(
            [cached, missing].map(|form| (form, block)).into_iter(),
            &mut records.budget(),
        )
        .await;
    assert_eq!(
        (texts.contains_key(&cached), texts.len(), answered),
        (true, 1, false)
    );
    // It is one block's form, and no other's.
    let other = BlockId::from_bytes([4; 16]);
    let asked = [(cached, other)].into_iter();
    let (texts, _) = records.forms(asked, &mut records.budget()).await;
    assert!(texts.is_empty());
}

#[tokio::test]
async fn what_is_not_what_its_key_says_counts_as_missing_and_is_counted() {
    let fixture = Fixture::new();
    fixture.sent(1, &record(0, &[(0, 1)])).await;
    let own = conversation(1).full_prefix().unwrap();
    let other = conversation(3).full_prefix().unwrap();
    let entries = [
        (Key::Sent(other), record(0, &[]).to_stored(own).unwrap()),
        (Key::Form(form_id(0, 1)), b"another text".to_vec()),
    ];
    let entries = entries.map(|(key, value)| Entry::without_revisions(key, value.into()));
    fixture.store.write(&entries).await.unwrap();
    let records = fixture.records();
    let known = look_up(&records, 3).await;
    assert_eq!((known.frozen, known.texts.len()), (1, 0));
    let counts = records.mismatches();
    assert_eq!((counts.forms.get(), counts.records.get()), (1, 1));
}

#[tokio::test]
async fn a_record_that_did_not_reach_the_store_goes_with_the_next_one() {
    let fixture = Fixture::new();
    let records = fixture.records();
    let prefix = |messages| conversation(messages).full_prefix().unwrap();
    records.cache_record(prefix(1), record(0, &[(0, 1)]));
    let known = look_up(&records, 3).await;
    let next = [(prefix(3), record(1, &[]))];
    records.cache_record(prefix(3), next[0].1.clone());
    let turn = PendingWrite {
        opened: None,
        records: next.to_vec(),
        chain: known.chain,
        forms: Vec::new(),
        life: Life::Full,
        refused: Arc::default(),
    };
    records.enqueue_write(turn, false);
    records.flush_writes().await;
    let elsewhere = look_up(&fixture.records(), 3).await;
    assert_eq!((elsewhere.chain.len(), forms(&elsewhere)), (2, vec![0]));
}

#[tokio::test]
async fn forms_whose_touch_failed_behind_their_first_record_are_touched_with_the_next_request() {
    let fixture = Fixture::new();
    fixture.form(0, 1).await;
    let untouchable = Arc::new(Untouchable {
        store: fixture.store.clone(),
        fails: AtomicBool::new(true),
        touched: Mutex::default(),
    });
    let records = Records::new(untouchable.clone(), Duration::from_secs(10), DAY);
    let (prefix, record) = (conversation(1).full_prefix().unwrap(), record(0, &[(0, 1)]));
    let form = Key::Form(form_id(0, 1));
    let first = PendingWrite {
        opened: None,
        records: vec![(prefix, record.clone())],
        chain: Vec::new(),
        forms: vec![form],
        life: Life::Full,
        refused: Arc::default(),
    };
    records.cache_record(prefix, record);
    records.enqueue_write(first, false);
    records.flush_writes().await;
    assert!(!untouchable.touched.lock().unwrap().contains(&form));
    untouchable.fails.store(false, Ordering::SeqCst);
    let next = |known: KnownPrefix| PendingWrite {
        opened: None,
        records: Vec::new(),
        chain: known.chain,
        forms: Vec::new(),
        life: Life::Full,
        refused: Arc::default(),
    };
    for touched in [true, false] {
        untouchable.touched.lock().unwrap().clear();
        records.enqueue_write(next(look_up(&records, 3).await), false);
        records.flush_writes().await;
        assert_eq!(untouchable.touched.lock().unwrap().contains(&form), touched);
    }
}

/// A store that can't be reached when entries are to be given a full life, for a while.
#[derive(Debug)]
struct Untouchable {
    store: Arc<dyn Store>,
    fails: AtomicBool,
    /// What was given one.
    touched: Mutex<HashSet<Key>>,
}

#[async_trait::async_trait]
impl Store for Untouchable {
    async fn digest_key(&self) -> Result<DigestKey, StoreError> {
        self.store.digest_key().await
    }
    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        self.store.read(keys).await
    }
    async fn write(&self, entries: &[Entry]) -> Result<(), StoreError> {
        self.store.write(entries).await
    }
    async fn lives(&self, keys: &[Key]) -> Result<Vec<Option<Life>>, StoreError> {
        self.store.lives(keys).await
    }
    async fn touch(&self, keys: &[Key]) -> Result<Vec<bool>, StoreError> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(StoreError::timeout("touching", Duration::ZERO));
        }
        self.touched.lock().unwrap().extend(keys);
        self.store.touch(keys).await
    }
    async fn remove_provisional(&self, keys: &[Key]) -> Result<(), StoreError> {
        self.store.remove_provisional(keys).await
    }
    async fn ping(&self) -> Result<Option<headroom_shared::redis::Full>, StoreError> {
        self.store.ping().await
    }
}

#[tokio::test]
async fn what_overlapping_requests_know_of_a_prefix_adds_up() {
    let records = Fixture::new().records();
    let prefix = conversation(1).full_prefix().unwrap();
    let later = SentRecord {
        sent_ms: 2,
        warm_until_ms: 20,
        ..record(0, &[])
    };
    let earlier = SentRecord {
        sent_ms: 1,
        warm_until_ms: 10,
        bound: true,
        ..record(0, &[])
    };
    records.cache_record(prefix, later);
    let both = records.cache_record(prefix, earlier);
    assert_eq!(
        (both.sent_ms, both.warm_until_ms, both.bound),
        (2, 20, true)
    );
}

#[tokio::test]
async fn a_record_that_can_t_be_read_is_passed_over() {
    let fixture = Fixture::new();
    let key = Key::Sent(conversation(1).full_prefix().unwrap());
    fixture
        .store
        .write(&[Entry::without_revisions(
            key,
            Bytes::from_static(b"{nonsense"),
        )])
        .await
        .unwrap();
    let known = look_up(&fixture.records(), 1).await;
    assert_eq!((known.complete, known.frozen), (true, 0));
}

#[tokio::test]
async fn a_form_that_is_not_what_its_id_says_is_as_good_as_gone() {
    let fixture = Fixture::new();
    let records = fixture.records();
    let block = BlockId::from_bytes([3; 16]);
    for (text, stored, is_taken) in [
        ("a form", "a form", true),
        ("another form", "a whole message of somebody else's", false),
        ("unfit \" for a string", "unfit \" for a string", false),
    ] {
        let form = FormId::of(block, text);
        let entry = Entry::without_revisions(Key::Form(form), Bytes::from(stored));
        records.store().write(&[entry]).await.unwrap();
        let (texts, answered) = records
            .forms([(form, block)].into_iter(), &mut records.budget())
            .await;
        assert_eq!(
            (texts.contains_key(&form), answered),
            (is_taken, true),
            "{text}"
        );
    }
}
