//! The contract of the queue, the same over Redis and in memory.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use headroom_shared::contract::id::BlockId;
use headroom_shared::contract::job::{Envelope, Payload};
use headroom_shared::contract::prefix::{CompressedPrefix, Form};
use headroom_shared::queue::embedded::EmbeddedQueue;
use headroom_shared::queue::{
    Enqueued, Finished, Job, JobQueue, Loaded, Retried, Timing, WorkQueue,
};
use headroom_shared::store::{Key, Life, MAX_PROVISIONAL_LIFE, Store};
use headroom_tests::queue::SOON;
use headroom_tests::queue::jobs::{TEXT, job, json, prefix, refresh, result};
use headroom_tests::queue::memory::MemoryStore;
use headroom_tests::queue::over_redis::{bounds, keys};
use headroom_tests::queue::watch::{self, finish};
use headroom_tests::redis_server::RedisServer;
use headroom_tests::wait::until;

struct Subject {
    producer: Arc<dyn JobQueue>,
    worker: Arc<dyn WorkQueue>,
    results: Results,
}

enum Results {
    Redis(RedisServer),
    Memory(Arc<MemoryStore>),
}

impl Subject {
    async fn redis(max_queue: u64) -> Self {
        let server = RedisServer::start().await;
        Self {
            producer: Arc::new(server.producer(max_queue)),
            worker: server.worker(timing()),
            results: Results::Redis(server),
        }
    }

    fn embedded(max_queue: u64) -> Self {
        let store = Arc::new(MemoryStore::default());
        let queue = EmbeddedQueue::new(store.clone(), max_queue, bounds(), timing());
        let queue = Arc::new(queue);
        Self {
            producer: queue.clone(),
            worker: queue,
            results: Results::Memory(store),
        }
    }

    async fn offer(&self, number: u8, text: &str) -> Enqueued {
        self.push(job(number, text)).await
    }

    async fn offer_refresh(&self, number: u8, text: &str) -> Enqueued {
        self.push(refresh(number, text)).await
    }

    async fn push(&self, (envelope, payload): (Envelope, Payload)) -> Enqueued {
        let pushed = self.producer.enqueue(&envelope, json(&payload)).await;
        pushed.unwrap()
    }

    /// How many jobs wait, and how many refreshes.
    async fn waiting(&self) -> (u64, u64) {
        let (depth, _) = self.producer.counts().await.unwrap();
        (depth.waiting, depth.waiting_refresh)
    }

    async fn claim(&self) -> Arc<Job> {
        watch::claim(&*self.worker).await
    }

    async fn stored(&self, key: Key) -> Option<Vec<u8>> {
        match &self.results {
            Results::Redis(server) => server.command(&["GET".to_owned(), keys().entry(key)]).await,
            Results::Memory(store) => {
                let values = store.read(&[key]).await.unwrap();
                values[0].as_ref().map(|bytes| bytes.to_vec())
            }
        }
    }
}

fn timing() -> Timing {
    Timing {
        claim_wait: Duration::from_millis(300),
        first_retry_delay: Duration::from_millis(20),
        ..Timing::default()
    }
}

macro_rules! contract {
    ($($name:ident)*) => {
        mod over_redis {
            $(#[tokio::test] async fn $name() { super::$name(super::Subject::redis).await; })*
        }
        mod in_memory {
            $(#[tokio::test] async fn $name() { super::$name(async |most| super::Subject::embedded(most)).await; })*
        }
    };
}

contract! {
    jobs_come_in_order_and_leave_their_results
    a_newer_offer_replaces_the_payload_of_a_waiting_job
    the_queue_is_bounded_and_counts_what_it_drops
    a_claim_waits_a_bounded_time
    a_waiting_claim_gets_a_job_that_comes
    a_waiting_claim_can_be_interrupted
    a_second_finish_is_counted_and_changes_nothing
    a_finish_may_claim_the_next_element
    the_queue_is_bounded_by_bytes_too
    a_released_element_is_claimed_next
    a_job_that_took_too_long_comes_back_last_and_runs_alone
    a_passing_failure_is_tried_again_until_its_attempts_are_used_up
    a_result_that_is_too_large_is_refused_for_good
    a_buried_job_is_gone_and_counted_once
    a_withdrawn_job_leaves_nothing
    a_job_whose_result_would_come_too_late_is_not_run
    several_jobs_are_pushed_at_once_as_one_by_one
    the_capacity_says_which_threads_there_are_and_how_much_they_have_to_do
    a_result_for_one_request_alone_has_a_provisional_life
    a_payload_that_can_not_be_read_makes_its_job_unusable
    leaving_gives_back_what_is_held_in_its_order
    a_refresh_is_claimed_when_no_other_job_waits
    a_refresh_that_comes_to_an_idle_queue_is_claimed
    refreshes_have_a_bound_and_a_count_of_their_own
    refreshes_leave_half_of_the_bytes_to_other_jobs
    a_refresh_that_was_claimed_goes_back_among_the_other_jobs
    a_withdrawn_refresh_leaves_nothing
}

async fn jobs_come_in_order_and_leave_their_results(make: impl AsyncFn(u64) -> Subject) {
    let queue = make(10).await;
    queue.worker.register().await.unwrap();
    assert_eq!(queue.offer(1, TEXT).await, Enqueued::Queued);
    assert_eq!(queue.offer(2, TEXT).await, Enqueued::Queued);
    let (first, second) = (queue.claim().await, queue.claim().await);
    assert_eq!(first.envelope.prefix, prefix(1));
    assert_eq!(second.envelope.prefix, prefix(2));
    assert_eq!(first.crashes, 0);
    let (depth, totals) = queue.producer.counts().await.unwrap();
    assert_eq!((depth.waiting, depth.active, totals.enqueued), (0, 2, 2));

    let made = result(&first.payload);
    assert!(!made.forms.is_empty());
    assert_eq!(finish(&*queue.worker, &first, &made).await, Finished::Done);
    let stored = queue.stored(Key::Compressed(prefix(1))).await.unwrap();
    let stored: CompressedPrefix = serde_json::from_slice(&stored).unwrap();
    assert_eq!(stored, made.compressed);
    for form in &made.forms {
        let text = queue.stored(Key::Form(form.id)).await.unwrap();
        assert_eq!(text, form.text.as_bytes());
    }
    let (depth, totals) = queue.producer.counts().await.unwrap();
    assert_eq!((depth.active, totals.done, totals.done_again), (1, 1, 0));
}

async fn a_newer_offer_replaces_the_payload_of_a_waiting_job(make: impl AsyncFn(u64) -> Subject) {
    let queue = make(10).await;
    queue.worker.register().await.unwrap();
    queue.offer(1, "old").await;
    assert_eq!(queue.offer(1, "new").await, Enqueued::Coalesced);
    let claimed = queue.claim().await;
    assert_eq!(claimed.payload.blocks[0].text, "new");
    // What is in work is not replaced any more: a newer offer is a job of its own, and keeps its payload.
    assert_eq!(queue.offer(1, "newest").await, Enqueued::Queued);
    finish(&*queue.worker, &claimed, &result(&claimed.payload)).await;
    assert_eq!(queue.claim().await.payload.blocks[0].text, "newest");
    let (depth, totals) = queue.producer.counts().await.unwrap();
    assert_eq!((depth.waiting, depth.active), (0, 1));
    assert_eq!((totals.enqueued, totals.coalesced), (2, 1));
}

async fn the_queue_is_bounded_and_counts_what_it_drops(make: impl AsyncFn(u64) -> Subject) {
    let queue = make(2).await;
    queue.worker.register().await.unwrap();
    queue.offer(1, "a").await;
    assert!(!queue.producer.drop_if_full(false).await);
    queue.offer(2, "b").await;
    assert_eq!(queue.offer(3, "c").await, Enqueued::DroppedFull);
    assert!(
        queue.producer.drop_if_full(false).await,
        "another need not be made"
    );
    assert_eq!(queue.offer(1, "d").await, Enqueued::Coalesced);
    queue.claim().await;
    assert!(!queue.producer.drop_if_full(false).await);
    assert_eq!(queue.offer(3, "c").await, Enqueued::Queued);
    let (depth, totals) = queue.producer.counts().await.unwrap();
    assert_eq!((depth.waiting, totals.dropped_full), (2, 2));

    let none = make(0).await;
    assert_eq!(none.offer(1, "a").await, Enqueued::DroppedFull);
}

async fn a_claim_waits_a_bounded_time(make: impl AsyncFn(u64) -> Subject) {
    let queue = make(10).await;
    queue.worker.register().await.unwrap();
    let since = Instant::now();
    assert!(queue.worker.claim().await.unwrap().is_none());
    assert!(since.elapsed() >= timing().claim_wait * 9 / 10);
}

async fn a_waiting_claim_gets_a_job_that_comes(make: impl AsyncFn(u64) -> Subject) {
    let queue = make(10).await;
    queue.worker.register().await.unwrap();
    let (claimed, offered) = tokio::join!(queue.claim(), queue.offer(1, "a"));
    assert_eq!(offered, Enqueued::Queued);
    assert_eq!(claimed.envelope.prefix, prefix(1));
}

async fn a_waiting_claim_can_be_interrupted(make: impl AsyncFn(u64) -> Subject) {
    let queue = make(10).await;
    queue.worker.register().await.unwrap();
    let waking = async {
        loop {
            queue.worker.interrupt_claim().await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let since = Instant::now();
    tokio::select! {
        claimed = queue.worker.claim() => assert!(claimed.unwrap().is_none()),
        () = waking => {}
    }
    assert!(since.elapsed() < timing().claim_wait * 9 / 10);
}

async fn a_second_finish_is_counted_and_changes_nothing(make: impl AsyncFn(u64) -> Subject) {
    let queue = make(10).await;
    queue.worker.register().await.unwrap();
    queue.offer(1, TEXT).await;
    let claimed = queue.claim().await;
    let made = result(&claimed.payload);
    let first = finish(&*queue.worker, &claimed, &made).await;
    let stored = queue.stored(Key::Compressed(prefix(1))).await;
    let again = finish(&*queue.worker, &claimed, &made).await;
    assert_eq!((first, again), (Finished::Done, Finished::DoneAgain));
    assert_eq!(queue.stored(Key::Compressed(prefix(1))).await, stored);
    let (_, totals) = queue.producer.counts().await.unwrap();
    assert_eq!((totals.done, totals.done_again), (1, 1));
}

async fn a_finish_may_claim_the_next_element(make: impl AsyncFn(u64) -> Subject) {
    let queue = make(10).await;
    queue.worker.register().await.unwrap();
    queue.offer(1, TEXT).await;
    queue.offer(2, TEXT).await;
    let first = queue.claim().await;
    let made = result(&first.payload);
    let (finished, next) = queue.worker.finish(&first, &made, true).await.unwrap();
    assert_eq!(finished, Finished::Done);
    let second = watch::take(&*queue.worker, next).await;
    assert_eq!(second.envelope.prefix, prefix(2));
    let made = result(&second.payload);
    let (finished, next) = queue.worker.finish(&second, &made, true).await.unwrap();
    assert_eq!((finished, next), (Finished::Done, None));
    let (depth, totals) = queue.producer.counts().await.unwrap();
    assert_eq!((depth.waiting, depth.active, totals.done), (0, 0, 2));
}

async fn the_queue_is_bounded_by_bytes_too(make: impl AsyncFn(u64) -> Subject) {
    let queue = make(10).await;
    queue.worker.register().await.unwrap();
    let huge = |number| {
        let (mut envelope, payload) = job(number, TEXT);
        envelope.bytes = bounds().max_queued_bytes;
        (envelope, payload)
    };
    let offer = async |number| {
        let (envelope, payload) = huge(number);
        queue
            .producer
            .enqueue(&envelope, json(&payload))
            .await
            .unwrap()
    };
    assert_eq!(offer(1).await, Enqueued::Queued, "nothing else waits");
    assert_eq!(queue.offer(2, TEXT).await, Enqueued::DroppedFull);
    let claimed = queue.claim().await;
    finish(&*queue.worker, &claimed, &result(&claimed.payload)).await;
    assert_eq!(queue.offer(2, TEXT).await, Enqueued::Queued);
    assert_eq!(queue.offer(3, TEXT).await, Enqueued::Queued);
    assert_eq!(offer(4).await, Enqueued::DroppedFull);
    // What is buried or used up counts no more.
    let (second, third) = (queue.claim().await, queue.claim().await);
    queue
        .worker
        .dead_letter(&second.element, "a test")
        .await
        .unwrap();
    finish(&*queue.worker, &third, &result(&third.payload)).await;
    assert_eq!(queue.offer(5, TEXT).await, Enqueued::Queued);
    let (_, totals) = queue.producer.counts().await.unwrap();
    assert_eq!(totals.dropped_full, 2);
}

async fn a_passing_failure_is_tried_again_until_its_attempts_are_used_up(
    make: impl AsyncFn(u64) -> Subject,
) {
    let queue = make(10).await;
    queue.worker.register().await.unwrap();
    queue.offer(1, "a").await;
    for attempt in 1..bounds().max_attempts {
        let claimed = queue.claim().await;
        let retried = queue.worker.retry(&claimed, "away").await.unwrap();
        assert_eq!(
            retried,
            Retried::Later(timing().first_retry_delay * 2_u32.pow(attempt - 1))
        );
        assert_eq!(queue.producer.counts().await.unwrap().0.delayed, 1);
        until("it is promoted", SOON, async || {
            queue.worker.reap().await.unwrap().promoted > 0
        })
        .await;
    }
    let claimed = queue.claim().await;
    let last = queue.worker.retry(&claimed, "away").await.unwrap();
    assert_eq!(last, Retried::DeadLettered);
    let unheld = queue.worker.retry(&claimed, "away").await.unwrap();
    assert_eq!(unheld, Retried::NotHeld);
    let (depth, totals) = queue.producer.counts().await.unwrap();
    assert_eq!((depth.waiting, depth.delayed, depth.active), (0, 0, 0));
    assert_eq!((depth.dead, totals.dead, totals.retried), (1, 1, 4));
}

async fn a_result_that_is_too_large_is_refused_for_good(make: impl AsyncFn(u64) -> Subject) {
    let queue = make(10).await;
    queue.worker.register().await.unwrap();
    queue.offer(1, TEXT).await;
    let claimed = queue.claim().await;
    let mut made = result(&claimed.payload);
    let most = bounds().max_result_bytes;
    let form = Form::new(BlockId::from_bytes([9; 16]), &"x".repeat(most));
    made.forms.push(form);
    let refused = queue
        .worker
        .finish(&claimed, &made, false)
        .await
        .unwrap_err();
    assert!(!refused.is_passing(), "{refused}");
    let reason = format!("bytes, at most {most} are stored");
    assert!(refused.to_string().contains(&reason), "{refused}");
    assert_eq!(queue.stored(Key::Compressed(prefix(1))).await, None);
}

async fn a_buried_job_is_gone_and_counted_once(make: impl AsyncFn(u64) -> Subject) {
    let queue = make(10).await;
    queue.worker.register().await.unwrap();
    queue.offer(1, "a").await;
    let claimed = queue.claim().await;
    for _ in 0..2 {
        queue
            .worker
            .dead_letter(&claimed.element, "bad")
            .await
            .unwrap();
    }
    let (depth, totals) = queue.producer.counts().await.unwrap();
    assert_eq!((depth.active, depth.dead, totals.dead), (0, 1, 1));
}

async fn a_job_whose_result_would_come_too_late_is_not_run(make: impl AsyncFn(u64) -> Subject) {
    let queue = make(10).await;
    queue.worker.register().await.unwrap();
    for (number, until_ms) in [(1, 1), (2, u64::MAX)] {
        let (envelope, mut payload) = job(number, TEXT);
        payload.useful_until_ms = until_ms;
        assert_eq!(queue.push((envelope, payload)).await, Enqueued::Queued);
    }
    let claimed = queue.worker.claim().await.unwrap().unwrap();
    assert!(queue.worker.load(&claimed).await.unwrap().is_none());
    assert_eq!(queue.stored(Key::Compressed(prefix(1))).await, None);
    let (depth, totals) = queue.producer.counts().await.unwrap();
    assert_eq!((depth.waiting, depth.active, totals.done), (1, 0, 1));
    assert_eq!(queue.claim().await.envelope.prefix, prefix(2));
}

async fn a_withdrawn_job_leaves_nothing(make: impl AsyncFn(u64) -> Subject) {
    let queue = make(10).await;
    queue.worker.register().await.unwrap();
    let jobs = [1, 2, 3, 4].map(|number| job(number, TEXT));
    for (envelope, payload) in &jobs {
        let offered = queue.producer.enqueue(envelope, json(payload)).await;
        assert_eq!(offered.unwrap(), Enqueued::Queued);
    }
    // One that waits.
    queue.producer.withdraw(&jobs[0].0).await.unwrap();
    let (depth, _) = queue.producer.counts().await.unwrap();
    assert_eq!((depth.waiting, depth.active), (3, 0));
    // One that a worker runs.
    let running = queue.claim().await;
    assert_eq!(running.envelope.prefix, prefix(2));
    queue.producer.withdraw(&jobs[1].0).await.unwrap();
    let made = result(&running.payload);
    finish(&*queue.worker, &running, &made).await;
    // One that a worker has claimed and not looked into yet.
    let claimed = queue.worker.claim().await.unwrap().unwrap();
    queue.producer.withdraw(&jobs[2].0).await.unwrap();
    assert!(queue.worker.load(&claimed).await.unwrap().is_none());
    // One that is done, whose result stays.
    let last = queue.claim().await;
    assert_eq!(last.envelope.prefix, prefix(4));
    finish(&*queue.worker, &last, &result(&last.payload)).await;
    queue.producer.withdraw(&jobs[3].0).await.unwrap();
    for (number, is_stored) in [(1, false), (2, false), (3, false), (4, true)] {
        let stored = queue.stored(Key::Compressed(prefix(number))).await;
        assert_eq!(stored.is_some(), is_stored, "{number}");
    }
    let (depth, _) = queue.producer.counts().await.unwrap();
    assert_eq!((depth.waiting, depth.active, depth.dead), (0, 0, 0));
    // The prefix of a withdrawn job may be pushed again.
    assert_eq!(queue.offer(1, TEXT).await, Enqueued::Queued);
}

async fn several_jobs_are_pushed_at_once_as_one_by_one(make: impl AsyncFn(u64) -> Subject) {
    let queue = make(3).await;
    queue.worker.register().await.unwrap();
    queue.offer(2, "waits already").await;
    let jobs = [1, 2, 3, 4].map(|number| {
        let (envelope, payload) = job(number, TEXT);
        (envelope, json(&payload))
    });
    let pushed = queue.producer.enqueue_all(&jobs).await.unwrap();
    let expected = [
        Enqueued::Queued,
        Enqueued::Coalesced,
        Enqueued::Queued,
        Enqueued::DroppedFull,
    ];
    assert_eq!(pushed, expected);
    for number in [2, 1, 3] {
        assert_eq!(queue.claim().await.envelope.prefix, prefix(number));
    }
    let (_, totals) = queue.producer.counts().await.unwrap();
    assert_eq!((totals.enqueued, totals.dropped_full), (3, 1));
    assert_eq!(queue.producer.enqueue_all(&[]).await.unwrap(), []);
}

async fn the_capacity_says_which_threads_there_are_and_how_much_they_have_to_do(
    make: impl AsyncFn(u64) -> Subject,
) {
    let queue = make(10).await;
    queue.worker.register().await.unwrap();
    let capacity = async || queue.producer.capacity().await.unwrap();
    let before = capacity().await;
    assert_eq!((before.threads, before.queued_bytes), (1, 0));
    let (envelope, payload) = job(1, TEXT);
    let pushed = queue.producer.enqueue(&envelope, json(&payload)).await;
    assert_eq!(pushed.unwrap(), Enqueued::Queued);
    assert_eq!(capacity().await.queued_bytes, envelope.bytes);
    let claimed = queue.claim().await;
    assert_eq!(capacity().await.queued_bytes, envelope.bytes);
    finish(&*queue.worker, &claimed, &result(&claimed.payload)).await;
    assert_eq!(capacity().await, before);
    if let Results::Redis(server) = &queue.results {
        let _: () = server.command(&["SET", &keys().paused(), "1"]).await;
        assert_eq!(
            capacity().await.threads,
            0,
            "nobody claims while it is paused"
        );
        let _: () = server.command(&["DEL", &keys().paused()]).await;
        queue.worker.deregister().await.unwrap();
        assert_eq!(capacity().await.threads, 0);
    }
}

async fn a_result_for_one_request_alone_has_a_provisional_life(make: impl AsyncFn(u64) -> Subject) {
    let queue = make(10).await;
    queue.worker.register().await.unwrap();
    for (number, provisional) in [(1, true), (2, false)] {
        let (envelope, payload) = job(number, TEXT);
        let payload = Payload {
            provisional,
            ..payload
        };
        let pushed = queue.producer.enqueue(&envelope, json(&payload)).await;
        assert_eq!(pushed.unwrap(), Enqueued::Queued);
        let claimed = queue.claim().await;
        finish(&*queue.worker, &claimed, &result(&claimed.payload)).await;
        let key = Key::Compressed(prefix(number));
        let life = match &queue.results {
            Results::Redis(server) => {
                let left: i64 = server
                    .command(&["PTTL".to_owned(), keys().entry(key)])
                    .await;
                let provisional = bounds().result_ttl.min(2 * MAX_PROVISIONAL_LIFE) / 2;
                if left <= i64::try_from(provisional.as_millis()).unwrap() {
                    Life::Provisional
                } else {
                    Life::Full
                }
            }
            Results::Memory(store) => store.lives(&[key]).await.unwrap()[0].unwrap(),
        };
        assert_eq!(life == Life::Provisional, provisional, "{number}");
    }
}

async fn a_payload_that_can_not_be_read_makes_its_job_unusable(make: impl AsyncFn(u64) -> Subject) {
    let queue = make(10).await;
    queue.worker.register().await.unwrap();
    for (payload, says) in [
        (&b"{\"v\":1,\"secret\""[..], "not a payload: no JSON"),
        (b"{\"v\":\"secret\"}", "not a payload: wrong fields"),
        (
            b"{\"v\":2,\"references\":true,\"blocks\":[]}",
            "a payload of version 2",
        ),
    ] {
        let (envelope, _) = job(1, TEXT);
        let offered = queue.producer.enqueue(&envelope, payload.into()).await;
        assert_eq!(offered.unwrap(), Enqueued::Queued);
        let element = queue.worker.claim().await.unwrap().unwrap();
        let taken = queue.worker.load(&element).await.unwrap();
        let Some(Loaded::Unusable { reason, .. }) = taken else {
            unreachable!("{taken:?}");
        };
        assert!(reason.contains(says), "{reason}");
        assert!(!reason.contains("secret"), "{reason}");
        queue
            .worker
            .dead_letter(&element, "it is no job")
            .await
            .unwrap();
    }
}

async fn a_job_that_took_too_long_comes_back_last_and_runs_alone(
    make: impl AsyncFn(u64) -> Subject,
) {
    let queue = make(10).await;
    queue.worker.register().await.unwrap();
    queue.offer(1, TEXT).await;
    queue.offer(2, TEXT).await;
    let claimed = queue.claim().await;
    assert!(queue.worker.isolate(&claimed).await.unwrap());
    assert!(!queue.worker.isolate(&claimed).await.unwrap(), "not held");
    let (depth, totals) = queue.producer.counts().await.unwrap();
    assert_eq!((depth.waiting, depth.active, totals.retried), (2, 0, 1));
    let neighbour = queue.claim().await;
    assert_eq!(
        (neighbour.envelope.prefix, neighbour.crashes),
        (prefix(2), 0)
    );
    let again = queue.claim().await;
    assert_eq!((again.envelope.prefix, again.crashes), (prefix(1), 1));
    let ended = finish(&*queue.worker, &again, &result(&again.payload)).await;
    assert_eq!(ended, Finished::Done);
}

async fn a_released_element_is_claimed_next(make: impl AsyncFn(u64) -> Subject) {
    let queue = make(10).await;
    queue.worker.register().await.unwrap();
    queue.offer(1, TEXT).await;
    queue.offer(2, TEXT).await;
    let claimed = queue.claim().await;
    queue.worker.release(&claimed.element).await.unwrap();
    queue.worker.release(&claimed.element).await.unwrap();
    let (depth, _) = queue.producer.counts().await.unwrap();
    assert_eq!((depth.waiting, depth.active), (2, 0));
    assert_eq!(queue.claim().await.envelope.id, claimed.envelope.id);
}

async fn leaving_gives_back_what_is_held_in_its_order(make: impl AsyncFn(u64) -> Subject) {
    let queue = make(10).await;
    queue.worker.register().await.unwrap();
    for number in 1..=3 {
        queue.offer(number, "a").await;
    }
    queue.claim().await;
    queue.claim().await;
    assert_eq!(queue.worker.deregister().await.unwrap(), 2);
    let (depth, _) = queue.producer.counts().await.unwrap();
    assert_eq!((depth.waiting, depth.active), (3, 0));
    queue.worker.register().await.unwrap();
    for number in 1..=3 {
        assert_eq!(queue.claim().await.envelope.prefix, prefix(number));
    }
}

async fn a_refresh_is_claimed_when_no_other_job_waits(make: impl AsyncFn(u64) -> Subject) {
    let queue = make(10).await;
    queue.worker.register().await.unwrap();
    assert_eq!(queue.offer_refresh(1, TEXT).await, Enqueued::Queued);
    for number in [2, 3] {
        queue.offer(number, TEXT).await;
    }
    queue.offer_refresh(4, TEXT).await;
    assert_eq!(queue.waiting().await, (2, 2));
    // The first by a claim, and the others by the end of the one before, with one that comes meanwhile.
    let mut held = queue.claim().await;
    for number in [2, 3, 5, 1] {
        assert_eq!(held.envelope.prefix, prefix(number));
        assert_eq!(held.envelope.refresh, number == 1);
        if number == 3 {
            queue.offer(5, TEXT).await;
        }
        let made = result(&held.payload);
        let (_, next) = queue.worker.finish(&held, &made, true).await.unwrap();
        held = watch::take(&*queue.worker, next).await;
    }
    assert_eq!(held.envelope.prefix, prefix(4));
    assert_eq!(queue.waiting().await, (0, 0));
}

async fn a_refresh_that_comes_to_an_idle_queue_is_claimed(make: impl AsyncFn(u64) -> Subject) {
    let queue = make(10).await;
    queue.worker.register().await.unwrap();
    let claiming = async {
        loop {
            let claimed = queue.worker.claim().await.unwrap();
            if claimed.is_some() {
                break watch::take(&*queue.worker, claimed).await;
            }
        }
    };
    let claiming = tokio::time::timeout(SOON, claiming);
    let (claimed, offered) = tokio::join!(claiming, queue.offer_refresh(1, "a"));
    assert_eq!(offered, Enqueued::Queued);
    assert_eq!(claimed.unwrap().envelope.prefix, prefix(1));
}

async fn refreshes_have_a_bound_and_a_count_of_their_own(make: impl AsyncFn(u64) -> Subject) {
    let queue = make(2).await;
    queue.worker.register().await.unwrap();
    for number in [1, 2] {
        assert_eq!(queue.offer_refresh(number, "a").await, Enqueued::Queued);
    }
    assert_eq!(queue.offer_refresh(3, "a").await, Enqueued::DroppedFull);
    assert!(queue.producer.drop_if_full(true).await);
    assert!(!queue.producer.drop_if_full(false).await);
    for number in [4, 5] {
        assert_eq!(queue.offer(number, "a").await, Enqueued::Queued);
    }
    assert_eq!(queue.offer(6, "a").await, Enqueued::DroppedFull);
    assert!(queue.producer.drop_if_full(false).await);
    // Whatever waits for a prefix gets the newest payload.
    assert_eq!(queue.offer_refresh(1, "b").await, Enqueued::Coalesced);
    assert_eq!(queue.offer(2, "b").await, Enqueued::Coalesced);
    assert_eq!(queue.offer_refresh(4, "b").await, Enqueued::Coalesced);
    let (depth, totals) = queue.producer.counts().await.unwrap();
    assert_eq!((depth.waiting, depth.waiting_refresh), (2, 2));
    let counted = (totals.enqueued, totals.coalesced, totals.dropped_full);
    assert_eq!(counted, (4, 3, 4));
    // A job that is claimed makes no room for a refresh.
    queue.claim().await;
    assert_eq!(queue.offer_refresh(3, "a").await, Enqueued::DroppedFull);
    assert_eq!(queue.offer(6, "a").await, Enqueued::Queued);

    let none = make(0).await;
    assert_eq!(none.offer_refresh(1, "a").await, Enqueued::DroppedFull);
}

async fn refreshes_leave_half_of_the_bytes_to_other_jobs(make: impl AsyncFn(u64) -> Subject) {
    let queue = make(10).await;
    queue.worker.register().await.unwrap();
    let half = bounds().max_queued_bytes / 2;
    let with_bytes = |(mut envelope, payload): (Envelope, Payload), bytes| {
        envelope.bytes = bytes;
        (envelope, payload)
    };
    let push = |made, bytes| queue.push(with_bytes(made, bytes));
    assert_eq!(push(refresh(1, "a"), half - 1).await, Enqueued::Queued);
    assert_eq!(push(refresh(2, "a"), 1).await, Enqueued::Queued);
    assert_eq!(push(refresh(3, "a"), 1).await, Enqueued::DroppedFull);
    // The text of refreshes counts against the bound of all.
    assert_eq!(push(job(4, "a"), 1).await, Enqueued::Queued);
    assert_eq!(push(job(5, "a"), half).await, Enqueued::DroppedFull);
    assert_eq!(push(job(6, "a"), half - 1).await, Enqueued::Queued);
    assert_eq!(push(job(7, "a"), 1).await, Enqueued::DroppedFull);
}

async fn a_refresh_that_was_claimed_goes_back_among_the_other_jobs(
    make: impl AsyncFn(u64) -> Subject,
) {
    let queue = make(10).await;
    queue.worker.register().await.unwrap();
    for number in [1, 2] {
        queue.offer_refresh(number, TEXT).await;
    }
    let claim = async || {
        let held = queue.claim().await;
        assert_eq!(held.envelope.prefix, prefix(1));
        held
    };
    let held = claim().await;
    queue.worker.release(&held.element).await.unwrap();
    assert_eq!(queue.waiting().await, (1, 1));
    let held = claim().await;
    assert!(queue.worker.isolate(&held).await.unwrap());
    assert_eq!(queue.waiting().await, (1, 1));
    let held = claim().await;
    queue.worker.retry(&held, "away").await.unwrap();
    until("it is promoted", SOON, async || {
        queue.worker.reap().await.unwrap().promoted > 0
    })
    .await;
    assert_eq!(queue.waiting().await, (1, 1));
    claim().await;
    assert_eq!(queue.worker.deregister().await.unwrap(), 1);
    assert_eq!(queue.waiting().await, (1, 1));
    queue.worker.register().await.unwrap();
    let held = claim().await;
    let ended = finish(&*queue.worker, &held, &result(&held.payload)).await;
    assert_eq!(ended, Finished::Done);
    assert_eq!(queue.waiting().await, (0, 1));
}

async fn a_withdrawn_refresh_leaves_nothing(make: impl AsyncFn(u64) -> Subject) {
    let queue = make(10).await;
    queue.worker.register().await.unwrap();
    let (envelope, payload) = refresh(1, TEXT);
    let pushed = queue.push((envelope.clone(), payload)).await;
    assert_eq!(pushed, Enqueued::Queued);
    queue.producer.withdraw(&envelope).await.unwrap();
    assert_eq!(queue.waiting().await, (0, 0));
    assert!(queue.worker.claim().await.unwrap().is_none());
    assert_eq!(queue.offer_refresh(1, TEXT).await, Enqueued::Queued);
}
