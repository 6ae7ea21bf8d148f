//! Large cold starts: sent untouched at once, compressed by a worker, and sent smaller from a later turn on.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use headroom_tests::client::{Client, Turn};
use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::http::{Call, is_deferred};
use headroom_tests::process::Launch;
use headroom_tests::provider::Reply;
use headroom_tests::stage::Stage;
use headroom_tests::wait;
use serde_json::Value;
use tokio::sync::oneshot;

const MIN_TOKENS: &str = "HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS";

/// A conversation that was long before the proxy came.
fn long(dialect: Dialect, id: &str) -> Conversation {
    let conversation = Conversation::new(dialect, id).user(&format!("Find the bug {id}."));
    (0..4)
        .fold(conversation, |it, seed| it.reads(seed, 20_000))
        .assistant("Found it.")
        .user("Fix it.")
}

fn deferring(launch: Launch) -> Launch {
    launch.set(MIN_TOKENS, 5000).patient()
}

#[tokio::test]
async fn deferred_untouched_then_compressed_by_a_worker() {
    let mut stage = Stage::with_redis(deferring).await;
    stage.provider.cache(|cache| cache.turn_off());
    for (done, dialect) in (1..).zip(Dialect::ALL) {
        let mut client = Client::uncached(long(dialect, &format!("deferred-{dialect:?}")));
        let first = client.turn(&stage).await;
        assert!(is_deferred(&first.decision));
        assert_eq!(first.got, first.sent.bytes);
        if stage.worker.is_none() {
            the_job_waits(&stage, &client.conversation.model, &first.request).await;
            stage.start_worker().await;
        }
        stage.until_done(done).await;
        let later = client.until_compressed(&stage).await;
        assert!(
            later.got.len() < later.sent.bytes.len() * 9 / 10,
            "{dialect:?}: {} of {}",
            later.got.len(),
            later.sent.bytes.len()
        );
        assert!(
            client.forms.landed >= 2,
            "{dialect:?}: {:?}",
            client.forms.landed
        );
        assert_eq!(later.reason, "landed_uncached", "{dialect:?}");
    }
    let stats = stage.stats().await;
    let landed = &stats["prefixes"]["requests"]["landed_uncached"];
    assert_eq!(landed, &stats["prefixes"]["landed"], "{stats}");
    assert_eq!(landed, Dialect::ALL.len(), "{stats}");
    let lists: (u64, u64) = (
        stage.redis().command(&["LLEN", "headroom:jobs"]).await,
        stage.redis().command(&["LLEN", "headroom:dead"]).await,
    );
    assert_eq!(lists, (0, 0));
}

/// What an operator sees with redis-cli while no worker runs.
async fn the_job_waits(stage: &Stage, model: &str, request: &str) {
    let line = wait::eventually("the job to be pushed", || async {
        stage
            .redis()
            .command::<Option<String>>(&["LINDEX", "headroom:jobs", "-1"])
            .await
    })
    .await;
    assert!(!line.contains('\n'));
    let envelope: Value = line.parse().unwrap();
    let text = |name: &str| envelope[name].as_str().unwrap().to_owned();
    let number = |name: &str| envelope[name].as_u64().unwrap();
    assert_eq!((number("v"), number("blocks")), (1, 4), "{line}");
    assert_eq!(
        (text("model"), text("trace")),
        (model.to_owned(), request.to_owned())
    );
    assert!(
        number("tokens") > 20_000 && number("bytes") > 80_000,
        "{line}"
    );
    assert!(number("enqueued_ms") > 1_700_000_000_000, "{line}");
    for key in [
        format!("headroom:job:{}", text("id")),
        format!("headroom:pending:{}", text("prefix")),
    ] {
        let life: i64 = stage.redis().command(&["TTL", &key]).await;
        assert!(life > 0, "{key} lives {life}");
    }
    let stats = stage.stats().await;
    assert_eq!(stats["queue"]["waiting"], 1, "{stats}");
    assert_eq!(stats["jobs"]["enqueued"], 1, "{stats}");
}

#[tokio::test]
async fn a_result_lands_in_a_warm_cache_where_enough_was_saved() {
    let stage = Stage::embedded(deferring).await;
    let conversation = Conversation::new(Dialect::Messages, "pays").user("Find the bug.");
    let conversation = (0..6).fold(conversation, |it, _| it.reads(1, 20_000));
    let mut client = Client::new(conversation);
    assert!(is_deferred(&client.turn(&stage).await.decision));
    stage.until_done(1).await;
    client.grow(|it| it.assistant("Found it.").user("Fix it."));
    let warm = client.turn(&stage).await;
    assert_eq!((warm.reason.as_str(), client.forms.landed), ("warm", 0));
    client.allowed.landing = true;
    let mut reasons = Vec::new();
    while client.forms.landed == 0 && reasons.len() < 20 {
        // The same text once more: almost nothing of it goes out.
        client.grow(|it| it.reads(1, 20_000));
        reasons.push(client.turn(&stage).await.reason);
    }
    let landed = reasons.pop();
    assert_eq!(landed.as_deref(), Some("landed_pays"), "{reasons:?}");
    assert!(reasons.iter().all(|reason| reason == "warm"), "{reasons:?}");
    let cost = &stage.stats().await["cost"];
    let usd = |name: &str| cost[name].as_f64().unwrap();
    assert!(usd("usd") < usd("shadow_usd"), "{cost}");
}

#[tokio::test]
async fn one_process_alone_does_the_whole_job() {
    let stage = Stage::embedded(deferring).await;
    stage.provider.cache(|cache| cache.turn_off());
    for (done, dialect) in (1..).zip(Dialect::ALL) {
        let mut client = Client::uncached(long(dialect, &format!("alone-{dialect:?}")));
        assert!(is_deferred(&client.turn(&stage).await.decision));
        stage.until_done(done).await;
        client.until_compressed(&stage).await;
    }
    assert_eq!(stage.stats().await["store"], "embedded");
}

#[tokio::test]
async fn a_warm_prefix_is_left_as_it_is() {
    let stage = Stage::embedded(deferring).await;
    let mut client = Client::new(long(Dialect::Messages, "warm"));
    assert!(is_deferred(&client.turn(&stage).await.decision));
    stage.until_done(1).await;
    for step in 0..6 {
        client.grow(|it| it.assistant("Yes.").user(&format!("Go on {step}.")));
        let turn = client.turn(&stage).await;
        assert_eq!(
            (turn.decision.as_str(), turn.reason.as_str()),
            ("forwarded", "warm")
        );
    }
    assert_eq!(client.forms.landed, 0);
    let stats = stage.stats().await;
    assert_eq!(stats["prefixes"]["requests"]["warm"], 6, "{stats}");
}

#[tokio::test]
async fn nothing_lands_before_bound_thinking() {
    let stage = Stage::embedded(deferring).await;
    for (done, model) in (1..).zip(BINDING) {
        let mut conversation = long(Dialect::Messages, model);
        model.clone_into(&mut conversation.model);
        let mut client = Client::uncached(conversation);
        assert!(is_deferred(&client.turn(&stage).await.decision), "{model}");
        stage.until_done(done).await;
        client.grow(|it| it.thinking("Hm.").user("Go on."));
        for step in 0..6 {
            client.grow(|it| it.assistant("Yes.").user(&format!("Go on {step}.")));
            assert_eq!(client.turn(&stage).await.decision, "forwarded", "{model}");
        }
    }
}

/// Models that bind thinking, or of which nothing is known.
const BINDING: [&str; 3] = ["claude-opus-5-5", "claude-fable-5-1", "nobody-knows-1"];

#[tokio::test]
async fn a_job_whose_result_could_never_land_is_not_queued() {
    let mut stage = Stage::embedded(deferring).await;
    for model in BINDING {
        let mut conversation = long(Dialect::Messages, model)
            .thinking("Hm.")
            .user("Go on.");
        model.clone_into(&mut conversation.model);
        let mut client = Client::uncached(conversation);
        for turn in 0..2 {
            let Turn {
                decision, reason, ..
            } = client.turn(&stage).await;
            assert_eq!(decision, "forwarded", "{model} turn {turn}");
            assert_eq!(reason, if turn == 0 { "bound" } else { "" }, "{model}");
            client.grow(|it| it.assistant("Yes.").user("Go on."));
        }
        client.grow(|it| it.reads(7, 9000));
        assert_eq!(client.turn(&stage).await.decision, "compressed", "{model}");
    }
    let stats = stage.stats().await;
    assert_eq!(stats["jobs"]["enqueued"], 0, "{stats}");
    let told = "a cold start is not deferred: thinking is bound";
    let log = stage.proxy().whole_log().await;
    assert_eq!(log.matches(told).count(), BINDING.len(), "{log}");
}

#[tokio::test]
async fn a_model_that_may_think_here_binds_before_it_has() {
    let stage = Stage::embedded(deferring).await;
    let mut conversation = long(Dialect::Messages, "asks");
    "claude-opus-5-5".clone_into(&mut conversation.model);
    let body = String::from_utf8(conversation.body().bytes).unwrap();
    let thinking = r#""thinking":{"type":"adaptive"},"max_tokens""#;
    let body = body.replacen(r#""max_tokens""#, thinking, 1);
    assert!(body.contains(thinking));
    let call = Call::post(Dialect::Messages.path(), body);
    assert_eq!(stage.exchange(&call).await.0, "forwarded");
}

#[tokio::test]
async fn nothing_lands_before_reasoning_of_a_model_that_may_bind_it() {
    let stage = Stage::embedded(deferring).await;
    stage.provider.cache(|cache| cache.turn_off());
    for (done, (model, lands)) in
        (1..).zip([("gpt-6.1-sol", false), ("gpt-5.6-sol", false), ("o3", true)])
    {
        let mut conversation = long(Dialect::Responses, model);
        model.clone_into(&mut conversation.model);
        let mut client = Client::uncached(conversation);
        assert!(is_deferred(&client.turn(&stage).await.decision), "{model}");
        stage.until_done(done).await;
        client.grow(|it| it.thinking("Hm.").user("Go on."));
        if lands {
            client.until_compressed(&stage).await;
            continue;
        }
        for step in 0..6 {
            client.grow(|it| it.assistant("Yes.").user(&format!("Go on {step}.")));
            assert_eq!(client.turn(&stage).await.decision, "forwarded", "{model}");
        }
    }
}

#[tokio::test]
async fn a_small_cold_start_is_compressed_at_entry() {
    let patient = |it: Launch| {
        it.set("HEADROOM_ENTRY_BUDGET_MS", 5000)
            .set("HEADROOM_STORE_BUDGET_MS", 5000)
    };
    let stage = Stage::embedded(patient).await;
    for dialect in Dialect::ALL {
        let conversation = Conversation::new(dialect, "small")
            .user("Read it.")
            .reads(1, 20_000);
        let mut client = Client::new(conversation);
        let first = client.turn(&stage).await;
        assert_eq!(first.decision, "compressed", "{dialect:?}");
        client.grow(|it| it.reads(2, 9000));
        assert_eq!(
            client.turn(&stage).await.decision,
            "compressed",
            "{dialect:?}"
        );
        assert_eq!(
            (client.forms.entered, client.forms.landed),
            (2, 0),
            "{dialect:?}"
        );
    }
    assert_eq!(stage.stats().await["jobs"]["enqueued"], 0);
}

#[tokio::test]
async fn switched_off_it_only_forwards() {
    for off in ["0", "false", "no", "off"] {
        let stage =
            Stage::embedded(|it| deferring(it).set("HEADROOM_BACKGROUND_COMPRESSION", off)).await;
        let mut client = Client::uncached(long(Dialect::Messages, off));
        for _ in 0..2 {
            assert_eq!(client.turn(&stage).await.decision, "forwarded");
            client.grow(|it| it.reads(9, 9000));
        }
        assert_eq!(stage.stats().await["jobs"]["enqueued"], 0);
    }
}

#[tokio::test]
async fn a_full_queue_drops_and_counts() {
    let set = |it| {
        deferring(it)
            .set("HEADROOM_BACKGROUND_COMPRESSION_MAX_QUEUE", 2)
            .set("HEADROOM_ENTRY_BUDGET_MS", 5000)
    };
    let stage = Stage::with_redis(set).await;
    for id in ["full-1", "full-2"] {
        Client::new(long(Dialect::Messages, id)).turn(&stage).await;
    }
    let waiting = |stats: &Value| stats["queue"]["waiting"] == 2;
    stage.until("a full queue", waiting).await;
    // The client is told what became of an offer if the queue has answered before the provider has: no request waits for that.
    let mut session = 2;
    wait::eventually("a dropped job to be told to the client", || {
        session += 1;
        let mut client = Client::new(long(Dialect::Messages, &format!("full-{session}")));
        let stage = &stage;
        async move {
            let (answer, when) = oneshot::channel();
            stage.provider.script(Reply::Late(when));
            let dropped = |stats: &Value| stats["jobs"]["dropped"].as_u64() >= Some(session - 2);
            let (turn, _) = tokio::join!(client.turn(stage), async {
                stage.until("a dropped job", dropped).await;
                answer.send(())
            });
            assert_eq!(turn.got, turn.sent.bytes);
            // What went out is on record all the same, so that what is new in the next turn is known to be.
            client.grow(|it| it.reads(9, 9000));
            assert_eq!(client.turn(stage).await.decision, "compressed");
            (turn.decision == "dropped").then_some(())
        }
    })
    .await;
    let stats = stage.stats().await;
    assert_eq!(stats["queue"]["waiting"], 2, "{stats}");
    assert!(stats["requests"]["dropped"].as_u64() >= Some(1), "{stats}");
    let dropped: u64 = stage
        .redis()
        .command(&["HGET", "headroom:stats", "dropped_full"])
        .await;
    assert!(dropped >= 1);
}

#[tokio::test]
async fn tenants_do_not_meet() {
    let stage = Stage::embedded(|it| deferring(it).set("HEADROOM_TENANT_HEADER", "x-tenant")).await;
    let conversation = long(Dialect::Messages, "same").unmarked();
    for tenant in ["a", "b"] {
        let answer = stage
            .send(&conversation.call().header("x-tenant", tenant))
            .await;
        assert!(is_deferred(&answer.decision()), "{tenant}");
        answer.bytes().await;
    }
    stage
        .until("two jobs", |stats| stats["jobs"]["enqueued"] == 2)
        .await;
}
