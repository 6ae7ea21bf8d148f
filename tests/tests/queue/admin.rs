//! What an operator sees and does, the same over Redis and in memory.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use std::num::NonZeroU32;
use std::sync::Arc;

use headroom_shared::queue::embedded::EmbeddedQueue;
use headroom_shared::queue::{
    AdminQueue, DropError, DroppedFrom, JobQueue, JobState, Timing, WorkQueue,
};
use headroom_tests::queue::jobs::{TEXT, job, json, refresh};
use headroom_tests::queue::memory::MemoryStore;
use headroom_tests::queue::over_redis::bounds;
use headroom_tests::queue::watch;
use headroom_tests::redis_server::RedisServer;

const ALL: NonZeroU32 = NonZeroU32::new(100).unwrap();

/// The three sides of one queue.
struct Queue<'a> {
    producer: &'a dyn JobQueue,
    worker: &'a dyn WorkQueue,
    admin: &'a dyn AdminQueue,
}

#[tokio::test]
async fn an_operator_sees_and_changes_the_queue_in_redis() {
    let server = RedisServer::start().await;
    let worker = server.worker(Timing::default());
    worker.register().await.unwrap();
    an_operator_sees_and_changes(&Queue {
        producer: &server.producer(100),
        worker: &*worker,
        admin: &server.operator(),
    })
    .await;
}

#[tokio::test]
async fn an_operator_sees_and_changes_the_queue_in_memory() {
    let store = Arc::new(MemoryStore::default());
    let queue = EmbeddedQueue::new(store, 100, bounds(), Timing::default());
    an_operator_sees_and_changes(&Queue {
        producer: &queue,
        worker: &queue,
        admin: &queue,
    })
    .await;
}

#[expect(clippy::too_many_lines, reason = "one job goes through all states")]
async fn an_operator_sees_and_changes(queue: &Queue<'_>) {
    let (Queue { admin, worker, .. }, mut ids) = (queue, Vec::new());
    let pushed = [job(1, TEXT), job(2, TEXT), job(3, TEXT), refresh(4, TEXT)];
    for (envelope, payload) in pushed {
        let enqueued = queue.producer.enqueue(&envelope, json(&payload)).await;
        enqueued.unwrap();
        ids.push(envelope.id);
    }
    let held = watch::claim(*worker).await;
    assert_eq!(held.envelope.id, ids[0]);

    let status = admin.status().await.unwrap();
    let depth = status.depth;
    assert_eq!(
        (depth.waiting, depth.waiting_refresh, depth.active),
        (2, 1, 1)
    );
    assert!(status.oldest_ms.is_some() && status.paused.is_none());
    let [alive] = &status.workers[..] else {
        panic!("{:?}", status.workers)
    };
    assert!(alive.alive && alive.holds == 1 && alive.info.is_some());

    let list = admin.list(ALL).await.unwrap();
    let listed: Vec<_> = list
        .jobs
        .iter()
        .map(|it| (it.content.id().unwrap(), &it.state))
        .collect();
    let active = JobState::Active {
        worker: alive.id.clone(),
    };
    assert_eq!(
        listed,
        [
            (&*ids[1], &JobState::Waiting),
            (&*ids[2], &JobState::Waiting),
            (&*ids[3], &JobState::WaitingRefresh),
            (&*ids[0], &active),
        ]
    );
    let one = admin.list(NonZeroU32::MIN).await.unwrap();
    assert_eq!((one.jobs.len(), one.more), (3, 1), "one of each state");

    assert!(matches!(
        admin.drop_job(&ids[0]).await,
        Err(DropError::Active { id, .. }) if id == ids[0]
    ));
    assert_eq!(admin.drop_job(&ids[1]).await.unwrap(), DroppedFrom::Waiting);
    assert!(matches!(
        admin.drop_job(&ids[1]).await,
        Err(DropError::Unknown(_))
    ));
    assert_eq!(
        refused(*admin, &ids[2]).await,
        "it is not buried: it waits in the queue"
    );

    worker.dead_letter(&held.element, "no use").await.unwrap();
    let dead = admin.dead_letters(ALL).await.unwrap();
    assert_eq!((dead.dead.len(), dead.more), (1, 0));
    assert_eq!(dead.dead[0].reason, "no use");
    assert_eq!(dead.dead[0].content.id(), Some(&*ids[0]));
    let replayed = admin.replay(&ids[0]).await.unwrap();
    assert_eq!(
        (replayed.replayed, replayed.refused),
        (vec![ids[0].clone()], vec![])
    );
    assert_eq!(refused(*admin, "none").await, "no job has this id");

    // The one that waited goes first, and the replayed one has its payload.
    for id in [&ids[2], &ids[0]] {
        let next = watch::claim(*worker).await;
        assert_eq!(&next.envelope.id, id);
        assert_eq!(next.payload.blocks.len(), 2);
        worker.dead_letter(&next.element, "again").await.unwrap();
    }
    assert_eq!(admin.drop_job(&ids[0]).await.unwrap(), DroppedFrom::Dead);
    assert_eq!(admin.status().await.unwrap().depth.dead, 1);
}

async fn refused(admin: &dyn AdminQueue, id: &str) -> String {
    let outcome = admin.replay(id).await.unwrap();
    assert!(outcome.replayed.is_empty());
    outcome.refused[0].reason.clone()
}
