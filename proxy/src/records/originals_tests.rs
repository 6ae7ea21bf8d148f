//! Renewing originals in a real embedded store.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use headroom_shared::contract::id::{OriginalId, PrefixId};
use headroom_shared::contract::record::SentRecord;
use headroom_shared::store::{Key, Life};

use super::tests::{
    Fixture, Hanging, answered, body, conversation, conversation_with, long, record,
};
use super::{PendingWrite, Records};
use crate::plan::known_prefix::KnownPrefix;
use crate::scan::{MIN_USER_BYTES, Scan};

/// A process that has read from its store that the first message was sent shortened.
struct Session {
    records: Records,
    /// Where it was read; it is gone when this is dropped.
    fixture: Fixture,
    body: Bytes,
    scan: Scan,
    known: KnownPrefix,
}

impl Session {
    async fn new() -> Self {
        let fixture = Fixture::new();
        let scan = conversation(3);
        let sent = SentRecord {
            originals: [OriginalId::of(scan.blocks[0].id)].into(),
            ..answered(record(0, &[(0, 1)]))
        };
        fixture.sent(1, &sent).await;
        fixture.form(0, 1).await;
        let records = fixture.records();
        let known = records.look_up(&scan, &mut records.budget()).await;
        Self {
            records,
            fixture,
            body: body(3, &long()),
            scan,
            known,
        }
    }

    /// A request goes out.
    fn enqueue(&self) {
        self.records
            .enqueue_originals(&self.body, &self.scan, &self.known);
    }

    /// A request goes out, and what waits is written.
    async fn request(&self) {
        self.enqueue();
        self.records.flush_writes().await;
    }

    /// The response of a request ends that was the first to use these keys, and stores these records.
    async fn end(&self, records: &[(PrefixId, SentRecord)], forms: Vec<Key>) {
        let write = PendingWrite {
            opened: None,
            records: records.to_vec(),
            chain: self.known.chain.clone(),
            forms,
            life: Life::Full,
            refused: Arc::default(),
        };
        self.records.enqueue_write(write, false);
        self.records.flush_writes().await;
    }

    /// The response of a request ends that changes the record of what was sent before.
    async fn store_record_again(&self) {
        let (prefix, record) = self.known.chain[0].clone();
        let record = SentRecord {
            warm_until_ms: 1,
            ..SentRecord::clone(&record)
        };
        self.records.cache_record(prefix, record.clone());
        self.end(&[(prefix, record)], Vec::new()).await;
    }

    /// The store loses all that it holds.
    fn lose_data(&mut self) {
        self.fixture = Fixture::new();
        self.records.store = self.fixture.store.clone();
        self.records.cache.note_loss();
    }

    fn key(&self) -> Key {
        Key::Original(OriginalId::of(self.scan.blocks[0].id))
    }

    async fn is_stored(&self) -> bool {
        let found = self.fixture.store.read(&[self.key()]).await.unwrap();
        let text = self.body.slice(self.scan.blocks[0].span.clone());
        assert!(found[0].is_none() || found[0] == Some(text));
        found[0].is_some()
    }
}

#[tokio::test]
async fn an_original_that_the_store_has_lost_comes_back_with_a_request_that_carries_its_text() {
    let session = Session::new().await;
    session.request().await;
    assert!(session.is_stored().await);
    // It has a full life: who refuses the request does not take it away.
    let store = &session.fixture.store;
    store.remove_provisional(&[session.key()]).await.unwrap();
    assert!(session.is_stored().await);
}

#[tokio::test]
async fn an_original_that_is_lost_while_a_response_streams_comes_back_with_the_next_request() {
    let mut session = Session::new().await;
    session.request().await;
    session.lose_data();
    session.end(&[], Vec::new()).await;
    session.request().await;
    assert!(session.is_stored().await);
}

#[tokio::test]
async fn an_original_whose_record_is_stored_again_with_each_request_comes_back_with_the_next_one() {
    let mut session = Session::new().await;
    session.request().await;
    session.end(&[], Vec::new()).await;
    session.lose_data();
    session.store_record_again().await;
    session.request().await;
    assert!(session.is_stored().await);
}

#[tokio::test]
async fn an_original_that_could_not_be_renewed_is_renewed_with_the_next_request() {
    let mut session = Session::new().await;
    session.enqueue();
    let originals = session.records.write_queue.drain_originals();
    session.records.store = Arc::new(Hanging);
    let renewed = session.records.renew_originals(originals);
    let renewed = tokio::time::timeout(Duration::from_millis(1), renewed).await;
    assert!(renewed.is_err(), "nobody answers");
    session.records.store = session.fixture.store.clone();
    session.end(&[], Vec::new()).await;
    session.request().await;
    assert!(session.is_stored().await);
}

#[tokio::test]
async fn an_original_is_renewed_again_only_when_that_is_due() {
    let session = Session::new().await;
    let is_waiting = || !session.records.write_queue.drain_originals().is_empty();
    session.enqueue();
    assert!(is_waiting(), "another process has stored it");
    // The end of its first request finds it lost, or gives it a full life.
    session.end(&[], vec![session.key()]).await;
    session.enqueue();
    assert!(is_waiting(), "it is lost");
    session.request().await;
    session.end(&[], vec![session.key()]).await;
    session.enqueue();
    assert!(!is_waiting());
    session.records.cache.note_loss();
    session.end(&[], vec![session.key()]).await;
    session.enqueue();
    assert!(!is_waiting());
}

#[tokio::test]
async fn an_original_is_renewed_after_ten_minutes_or_an_eighth_of_the_retention() {
    const MINUTE: Duration = Duration::from_secs(60);
    let mut session = Session::new().await;
    for (touch_after, renewed_ago, is_due) in [
        (180 * MINUTE, 9 * MINUTE, false),
        (180 * MINUTE, 10 * MINUTE, true),
        (7 * MINUTE, 6 * MINUTE, false),
        (7 * MINUTE, 7 * MINUTE, true),
    ] {
        session.records.touch_after = touch_after;
        let renewed_at = Instant::now().checked_sub(renewed_ago).unwrap();
        let original = OriginalId::of(session.scan.blocks[0].id);
        let cache = &session.records.cache;
        cache.mark_renewed([original].into_iter(), renewed_at);
        session.enqueue();
        let waits = !session.records.write_queue.drain_originals().is_empty();
        assert_eq!(waits, is_due, "{touch_after:?} {renewed_ago:?}");
    }
}

#[tokio::test]
async fn of_more_originals_than_may_wait_later_requests_renew_the_others() {
    const ORIGINALS: usize = 4096 + 100;
    let fixture = Fixture::new();
    let records = fixture.records();
    let more = "x".repeat(MIN_USER_BYTES);
    let (body, scan) = (
        body(2 * ORIGINALS, &more),
        conversation_with(2 * ORIGINALS, &more),
    );
    let ids = scan.blocks.iter().map(|block| OriginalId::of(block.id));
    let sent = SentRecord {
        originals: ids.clone().collect(),
        ..answered(record(0, &[]))
    };
    let known = KnownPrefix {
        complete: true,
        originals: ids.clone().collect(),
        chain: vec![(scan.full_prefix().unwrap(), Arc::new(sent))],
        ..KnownPrefix::default()
    };
    let keys: Vec<Key> = ids.map(Key::Original).collect();
    assert_eq!(keys.len(), ORIGINALS);
    for stored in [4096, ORIGINALS] {
        // What waits already takes no room.
        records.enqueue_originals(&body, &scan, &known);
        records.enqueue_originals(&body, &scan, &known);
        records.flush_writes().await;
        let lives = fixture.store.lives(&keys).await.unwrap();
        assert_eq!(lives.iter().flatten().count(), stored);
    }
}

#[tokio::test]
async fn the_form_of_a_record_that_is_stored_again_with_each_request_comes_back() {
    let mut session = Session::new().await;
    session.end(&[], Vec::new()).await;
    session.lose_data();
    session.store_record_again().await;
    let forms: Vec<Key> = session
        .known
        .forms
        .values()
        .copied()
        .map(Key::Form)
        .collect();
    let lives = session.fixture.store.lives(&forms).await.unwrap();
    assert_eq!(lives, [Some(Life::Full)]);
}
