//! Whatever is restarted, every block keeps its form. The client checks that at every turn.

use headroom_tests::client::Client;
use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::http::{Call, is_deferred};
use headroom_tests::process::Launch;
use headroom_tests::stage::Stage;
use headroom_tests::wait;
use serde_json::Value;

fn patient(launch: Launch) -> Launch {
    launch
        .set("HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS", 5000)
        .patient()
}

fn short(dialect: Dialect) -> Client {
    Client::new(
        Conversation::new(dialect, "restart")
            .user("Read.")
            .reads(1, 9000),
    )
}

fn long(dialect: Dialect) -> Client {
    let conversation = Conversation::new(dialect, "restart-long").user("Read.");
    let conversation = (0..4).fold(conversation, |it, seed| it.reads(seed, 20_000));
    Client::uncached(conversation.assistant("Done.").user("Go on."))
}

/// A turn with a new block, which is compressed at entry, behind blocks that have their forms already.
async fn next_turn(client: &mut Client, stage: &Stage) {
    let before = client.forms.entered;
    let seed = 100 + client.conversation.messages.len();
    client.grow(|it| it.reads(seed, 9000));
    assert_eq!(client.turn(stage).await.decision, "compressed");
    assert_eq!(client.forms.entered, before + 1);
}

#[tokio::test]
async fn the_embedded_store_outlives_a_kill() {
    let mut stage = Stage::embedded(patient).await;
    for dialect in Dialect::ALL {
        let mut client = short(dialect);
        assert_eq!(client.turn(&stage).await.decision, "compressed");
        for _ in 0..3 {
            // Killed the moment an answer is there: what it sent must be known to its successor.
            stage.proxy().kill();
            stage.proxy().start_again().await;
            next_turn(&mut client, &stage).await;
        }
        assert!(stage.proxy().terminate(wait::DEADLINE).await.success());
        stage.proxy().start_again().await;
        next_turn(&mut client, &stage).await;
    }
}

#[tokio::test]
async fn a_landed_prefix_outlives_a_kill() {
    let mut stage = Stage::embedded(patient).await;
    stage.provider.cache(|cache| cache.turn_off());
    let mut client = long(Dialect::Messages);
    assert!(is_deferred(&client.turn(&stage).await.decision));
    stage.until_done(1).await;
    client.until_compressed(&stage).await;
    for _ in 0..2 {
        stage.proxy().kill();
        stage.proxy().start_again().await;
        next_turn(&mut client, &stage).await;
    }
}

#[tokio::test]
async fn a_job_outlives_a_kill_of_proxy_and_redis() {
    let mut stage = Stage::with_redis(patient).await;
    stage.provider.cache(|cache| cache.turn_off());
    let mut client = long(Dialect::Chat);
    assert!(is_deferred(&client.turn(&stage).await.decision));
    let waits = |stats: &Value| stats["queue"]["waiting"] == 1;
    stage.until("the job to wait", waits).await;
    let job = the_only_job(&stage).await;
    stage.proxy().kill();
    stage.redis.as_mut().unwrap().kill();
    stage.redis.as_mut().unwrap().start_again().await;
    stage.proxy().start_again().await;
    ready_again(&stage).await;
    assert_eq!(the_only_job(&stage).await, job);

    stage.start_worker().await;
    stage.until_done(1).await;
    client.until_compressed(&stage).await;
    assert!(client.forms.landed >= 2, "{}", client.forms.landed);
    // No second job has done it.
    let stats = stage.stats().await;
    assert_eq!(stats["jobs"]["enqueued"], 1, "{stats}");
}

/// The job that waits, as it stands in Redis.
async fn the_only_job(stage: &Stage) -> String {
    let jobs: Vec<String> = stage
        .redis()
        .command(&["LRANGE", "headroom:jobs", "0", "-1"])
        .await;
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    jobs.concat()
}

/// The one process keeps its queue in memory: a kill may lose a job, but not what was sent, and never a later request.
#[tokio::test]
async fn a_kill_of_the_one_process_may_lose_a_job_and_no_form() {
    let mut stage = Stage::embedded(patient).await;
    stage.provider.cache(|cache| cache.turn_off());
    let mut client = long(Dialect::Chat);
    assert!(is_deferred(&client.turn(&stage).await.decision));
    stage.proxy().kill();
    stage.proxy().start_again().await;
    for step in 0..3 {
        client.grow(|it| it.assistant("Yes.").user(&format!("Go on {step}.")));
        client.turn(&stage).await;
    }
}

#[tokio::test]
async fn redis_proxy_and_worker_may_go_and_come() {
    let mut stage = Stage::with_redis(patient).await;
    stage.provider.cache(|cache| cache.turn_off());
    stage.start_worker().await;
    let mut client = long(Dialect::Responses);
    assert!(is_deferred(&client.turn(&stage).await.decision));
    stage.until_done(1).await;
    client.until_compressed(&stage).await;

    stage.proxy().kill();
    stage.proxy().start_again().await;
    next_turn(&mut client, &stage).await;

    let redis = stage.redis.as_mut().unwrap();
    redis.kill();
    redis.start_again().await;
    ready_again(&stage).await;
    next_turn(&mut client, &stage).await;

    let worker = stage.worker.as_mut().unwrap();
    assert!(worker.terminate(wait::DEADLINE).await.success());
    worker.start_again().await;
    let mut other = long(Dialect::Messages);
    assert!(is_deferred(&other.turn(&stage).await.decision));
    stage.until_done(2).await;
    other.until_compressed(&stage).await;
    next_turn(&mut client, &stage).await;
}

#[tokio::test]
async fn another_replica_sends_the_same_bytes() {
    let mut stage = Stage::with_redis(patient).await;
    let second = Launch::proxy(&stage.provider).set("HEADROOM_REDIS_URL", stage.redis().url());
    let mut second = patient(second).start().await;
    let mut client = short(Dialect::Messages);
    client.turn(&stage).await;
    for _ in 0..4 {
        std::mem::swap(stage.proxy(), &mut second);
        next_turn(&mut client, &stage).await;
    }
}

async fn logged(stage: &mut Stage, line: &str) {
    stage.proxy().logged(line, 1).await;
}

#[tokio::test]
async fn a_redis_that_lost_its_data_is_told_what_the_proxy_knows() {
    let mut stage = Stage::with_redis(patient).await;
    let mut client = short(Dialect::Messages);
    assert_eq!(client.turn(&stage).await.decision, "compressed");
    next_turn(&mut client, &stage).await;
    stage.until_settled(2).await;
    let get = ["GET", "headroom:secret"];
    let secret: String = stage.redis().command(&get).await;
    let () = stage.redis().command(&["FLUSHALL"]).await;
    logged(&mut stage, "was written back").await;
    assert_eq!(stage.redis().command::<String>(&get).await, secret);
    let second = Launch::proxy(&stage.provider).set("HEADROOM_REDIS_URL", stage.redis().url());
    let mut second = patient(second).start().await;
    for _ in 0..4 {
        std::mem::swap(stage.proxy(), &mut second);
        next_turn(&mut client, &stage).await;
    }
}

#[tokio::test]
async fn a_secret_that_another_process_made_after_a_loss_is_taken_over() {
    let mut stage = Stage::with_redis(patient).await;
    short(Dialect::Messages).turn(&stage).await;
    let () = stage.redis().command(&["FLUSHALL"]).await;
    let other = "5".repeat(64);
    let () = stage
        .redis()
        .command(&["SET", "headroom:secret", &other])
        .await;
    logged(&mut stage, "holds another secret").await;
    assert!(!stage.proxy().log().contains(&other));
    let second = Launch::proxy(&stage.provider).set("HEADROOM_REDIS_URL", stage.redis().url());
    let mut second = patient(second).start().await;
    let mut client = short(Dialect::Messages);
    assert_eq!(client.turn(&stage).await.decision, "compressed");
    for _ in 0..4 {
        std::mem::swap(stage.proxy(), &mut second);
        next_turn(&mut client, &stage).await;
    }
}

#[tokio::test]
async fn without_redis_requests_go_on_and_no_form_is_lost() {
    let mut stage = Stage::with_redis(|it| patient(it).set("HEADROOM_STORE_BUDGET_MS", 500)).await;
    let mut client = short(Dialect::Messages);
    assert_eq!(client.turn(&stage).await.decision, "compressed");
    stage.redis.as_mut().unwrap().kill();
    for step in 0..3 {
        // What the proxy itself remembers it still sends; what is new goes out in the original.
        client.grow(|it| it.reads(50 + step, 9000));
        client.turn(&stage).await;
        assert_eq!(client.forms.entered, 1);
    }
    stage.redis.as_mut().unwrap().start_again().await;
    ready_again(&stage).await;
    for step in 0..3 {
        client.grow(|it| it.reads(60 + step, 9000));
        client.turn(&stage).await;
    }
}

async fn ready_again(stage: &Stage) {
    wait::until("the proxy finds Redis again", wait::DEADLINE, async || {
        stage.send(&Call::get("/readyz")).await.status() == 200
    })
    .await;
}
