//! `x-headroom-decision` and the counts agree: a job is said to be deferred only when it stands in the queue.

use headroom_shared::queue::JobQueue;
use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::http::is_deferred;
use headroom_tests::process::Launch;
use headroom_tests::provider::Reply;
use headroom_tests::queue::jobs::{TEXT, job, json};
use headroom_tests::redis_server::RedisServer;
use headroom_tests::stage::Stage;
use tokio::sync::oneshot;

fn deferring(launch: Launch) -> Launch {
    launch
        .set("HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS", 5000)
        .set("HEADROOM_STORE_BUDGET_MS", 5000)
}

fn cold_start(id: &str) -> Conversation {
    let conversation = Conversation::new(Dialect::Messages, id).user(&format!("Read {id}."));
    let conversation = (0..4).fold(conversation, |it, seed| it.reads(seed, 20_000));
    conversation.assistant("Done.").user("Go on.")
}

#[tokio::test]
async fn what_a_nearly_full_redis_does_not_take_is_never_said_to_be_deferred() {
    let mut stage = Stage::over(RedisServer::start().await, deferring).await;
    // Redis loads the queue's script with the first job.
    let (envelope, payload) = job(0, TEXT);
    let producer = stage.redis().producer(10);
    producer.enqueue(&envelope, json(&payload)).await.unwrap();
    stage.redis().limit_memory(120).await;
    let mut said = Vec::new();
    for number in 0..9 {
        let (decision, _) = stage
            .exchange(&cold_start(&format!("full {number}")).call())
            .await;
        assert!(
            ["deferring", "dropped"].contains(&decision.as_str()),
            "{decision}"
        );
        said.push(decision);
    }
    let stats = stage
        .until("all jobs to have ended", |stats| {
            stats["requests"]["deferring"] == 0
        })
        .await;
    let requests = &stats["requests"];
    assert_eq!(
        (&requests["dropped"], &requests["total"]),
        (&9.into(), &9.into()),
        "{stats} {said:?}"
    );
    assert_eq!(requests["deferred"], 0, "{stats}");
    let log = stage.proxy().whole_log().await;
    assert_eq!(log.matches("a request got no job").count(), 9, "{log}");
    assert!(
        log.contains("reason=\"Redis is nearly full, and the job is large\""),
        "{log}"
    );
}

#[tokio::test]
async fn a_job_that_stands_in_the_queue_when_the_answer_comes_is_deferred() {
    let stage = Stage::with_redis(deferring).await;
    let (answer, when) = oneshot::channel();
    stage.provider.script(Reply::Late(when));
    let call = cold_start("late").call();
    let (answered, ()) = tokio::join!(stage.send(&call), async {
        stage
            .until("a job", |stats| stats["jobs"]["enqueued"] == 1)
            .await;
        // The proxy has Redis's answer a moment after Redis has the job.
        stage.until("another look", |_| true).await;
        answer.send(()).unwrap();
    });
    assert!(is_deferred(&answered.decision()));
    answered.bytes().await;
    let stats = stage
        .until("its end", |stats| stats["requests"]["deferring"] == 0)
        .await;
    assert_eq!(stats["requests"]["deferred"], 1, "{stats}");
}

#[tokio::test]
async fn a_job_that_cannot_be_pushed_counts_as_forwarded() {
    let mut stage = Stage::with_redis(deferring).await;
    // The key is known; nothing else is.
    stage
        .exchange(
            &Conversation::new(Dialect::Messages, "first")
                .user("hi")
                .call(),
        )
        .await;
    let write = ["SET", "headroom:jobs", "not a list"];
    let _: () = stage.redis().command(&write).await;
    let (decision, _) = stage.exchange(&cold_start("wrong type").call()).await;
    assert!(
        ["deferring", "forwarded"].contains(&decision.as_str()),
        "{decision}"
    );
    let stats = stage
        .until("its end", |stats| stats["requests"]["deferring"] == 0)
        .await;
    assert_eq!(stats["requests"]["forwarded"], 2, "{stats}");
    assert_eq!(stats["requests"]["deferred"], 0, "{stats}");
    stage.proxy().logged("could not push a job", 1).await;
}
