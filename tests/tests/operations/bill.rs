//! What requests cost, and what they would have cost in the originals: as the provider's cache bills what it got, and the client's own bodies.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use headroom_proxy::prices::{Prices, Rates};
use headroom_proxy::simulation::prompt_cache::PromptCache;
use headroom_shared::contract::usage::Usage;
use headroom_tests::client::{Client, Turn};
use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::http::{Call, is_deferred};
use headroom_tests::process::Launch;
use headroom_tests::provider::Reply;
use headroom_tests::redis_server::RedisServer;
use headroom_tests::stage::Stage;
use serde_json::{Value, json};

/// How far the shadow bill may be off.
const TOLERANCE: f64 = 0.02;

/// The bills that a provider would write.
struct Bills {
    sent: PromptCache,
    direct: PromptCache,
    rates: Rates,
    /// Of what it got, and of what the client sent.
    usd: [f64; 2],
}

impl Bills {
    fn of(model: &str, caches: bool) -> Self {
        let mut cache = PromptCache::default();
        if !caches {
            cache.turn_off();
        }
        Self {
            sent: cache.clone(),
            direct: cache,
            rates: Prices::built_in().of(model).rates,
            usd: [0.0; 2],
        }
    }

    fn add(&mut self, dialect: Dialect, turn: &Turn) {
        let sent = self.sent.serve(dialect.path(), &turn.got);
        let direct = self.direct.serve(dialect.path(), &turn.sent.bytes);
        self.usd[0] += self.rates.cost(sent);
        self.usd[1] += self.rates.cost(direct);
    }
}

/// The dollars in `/stats` when so many requests were billed: what they cost and would have cost, without their output.
async fn billed(stage: &Stage, requests: u64, rates: Rates) -> ([f64; 2], Value) {
    let ended = |stats: &Value| stats["cost"]["requests"] == requests;
    let stats = stage.until("all to be billed", ended).await;
    let cost = stats["cost"].clone();
    let output = rates.cost(Usage {
        output: cost["tokens"]["output"].as_u64().unwrap(),
        ..Usage::default()
    });
    let [usd, shadow_usd, saved_usd] =
        ["usd", "shadow_usd", "saved_usd"].map(|name| cost[name].as_f64().unwrap());
    assert!((shadow_usd - usd - saved_usd).abs() < 1e-9, "{cost}");
    ([usd - output, shadow_usd - output], cost)
}

fn assert_bills(stated: [f64; 2], bills: &Bills, least_saved: f64, cost: &Value) {
    let [usd, shadow_usd] = stated;
    let [sent, direct] = bills.usd;
    let saved = 1.0 - sent / direct;
    assert!(saved > least_saved, "there is little to tell: {saved}");
    assert!((usd - sent).abs() < 1e-9, "{usd}, not {sent}: {cost}");
    assert!(usd <= shadow_usd, "{cost}");
    let off = shadow_usd / direct - 1.0;
    assert!(
        off.abs() < TOLERANCE,
        "off by {off}, of {saved} saved: {cost}"
    );
}

/// The value of a metric with these labels.
async fn metric(stage: &Stage, series: &str) -> f64 {
    let text = stage.send(&Call::get("/metrics")).await.bytes().await;
    let text = String::from_utf8(text.to_vec()).unwrap();
    let values = |line: &str| line.strip_prefix(series)?.trim().parse().ok();
    text.lines()
        .find_map(values)
        .unwrap_or_else(|| panic!("{series}: {text}"))
}

/// JSON with much white space: its form has few bytes of the original, and more of its tokens.
fn pods(turn: usize) -> String {
    let pod = |number| json!({"name": format!("shop-{turn}-{number}"), "restarts": number, "phase": "Running"});
    let pods: Vec<Value> = (0..40).map(pod).collect();
    serde_json::to_string_pretty(&json!({"items": pods})).unwrap()
}

#[tokio::test]
async fn a_session_is_billed_beside_its_originals() {
    for dialect in Dialect::ALL {
        let mut stage = Stage::over(RedisServer::start().await, Launch::patient).await;
        // The session must be as long as what is cached at all, with its forms, too.
        let model = match dialect {
            Dialect::Messages => "claude-sonnet-4-5",
            Dialect::Chat | Dialect::Responses => dialect.model(),
        };
        let mut bills = Bills::of(model, true);
        let mut conversation = Conversation::new(dialect, "bill").user("Find the bug.");
        model.clone_into(&mut conversation.model);
        let mut client = Client::new(conversation);
        let turns = 12;
        for turn in 0..turns {
            client.grow(|it| match turn % 3 {
                0 => it.tool(
                    "Bash",
                    &json!({"command": "kubectl get pods -o json"}),
                    &pods(turn),
                ),
                _ => it.reads(turn % 4, 4000 + 500 * turn),
            });
            let turn = client.turn(&stage).await;
            bills.add(dialect, &turn);
        }
        let (stated, cost) = billed(&stage, turns as u64, bills.rates).await;
        assert_bills(stated, &bills, 0.1, &cost);
        assert_eq!(cost["models"][model]["usd"], cost["usd"]);
        assert_eq!(cost["models"][model]["guessed_prices"], false);
        for (name, field) in [("cost", "usd"), ("shadow_cost", "shadow_usd")] {
            let series = format!("headroom_{name}_usd_total{{model=\"{model}\"}}");
            let value = metric(&stage, &series).await;
            assert!(
                (value - cost[field].as_f64().unwrap()).abs() < 1e-9,
                "{series}"
            );
        }
        let series = format!("headroom_tokens_total{{model=\"{model}\",kind=\"read\"}}");
        assert_eq!(
            metric(&stage, &series).await,
            cost["tokens"]["read"].as_f64().unwrap()
        );
        assert_stored(&stage, turns, &cost).await;
        let log = stage.proxy().whole_log().await;
        let line = log.lines().find(|line| line.contains("what requests cost"));
        assert!(line.unwrap().contains("requests=12"), "{log}");
    }
}

/// The last record of a conversation holds the bill of all of it.
async fn assert_stored(stage: &Stage, turns: usize, cost: &Value) {
    stage.until_settled(turns).await;
    let redis = stage.redis();
    let keys: Vec<String> = redis.command(&["KEYS", "headroom:sent:*"]).await;
    let mut last = [0.0; 2];
    for key in keys {
        let record: String = redis.command(&["GET", &key]).await;
        let record: Value = record.parse().unwrap();
        let of = |name: &str| record["bill"][name].as_f64();
        let [usd, shadow_usd] = ["conversation_usd", "conversation_shadow_usd"].map(of);
        last[0] = usd.unwrap_or_default().max(last[0]);
        last[1] = shadow_usd.unwrap_or_default().max(last[1]);
    }
    let told = ["usd", "shadow_usd"].map(|name| cost[name].as_f64().unwrap());
    assert!(
        (last[0] - told[0]).abs() < 1e-6 && (last[1] - told[1]).abs() < 1e-6,
        "{last:?} {cost}"
    );
}

#[tokio::test]
async fn a_landing_is_billed_beside_its_originals() {
    let deferring = |launch: Launch| {
        launch
            .set("HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS", 5000)
            .patient()
    };
    let stage = Stage::embedded(deferring).await;
    stage.provider.cache(PromptCache::turn_off);
    let mut bills = Bills::of(Dialect::Messages.model(), false);
    let long = Conversation::new(Dialect::Messages, "landing").user("Find the bug.");
    let long = (0..4).fold(long, |it, seed| it.reads(seed, 20_000));
    let mut client = Client::uncached(long.assistant("Found it.").user("Fix it."));
    let first = client.turn(&stage).await;
    assert!(is_deferred(&first.decision));
    bills.add(Dialect::Messages, &first);
    stage.until_done(1).await;
    let mut requests = 1;
    for step in 0..6 {
        client.grow(|it| it.assistant("Understood.").user(&format!("Step {step}.")));
        bills.add(Dialect::Messages, &client.turn(&stage).await);
        requests += 1;
    }
    let (stated, cost) = billed(&stage, requests, bills.rates).await;
    assert_bills(stated, &bills, 0.1, &cost);
}

#[tokio::test]
async fn what_was_refused_or_stated_no_usage_is_not_billed() {
    let stage = Stage::embedded(Launch::patient).await;
    let call = Conversation::new(Dialect::Messages, "refused")
        .user("hi")
        .call();
    let json = [("content-type", "application/json")];
    stage
        .provider
        .script(Reply::fixed(400, &json, r#"{"type":"error"}"#));
    assert_eq!(stage.send(&call).await.status(), 400);
    stage
        .provider
        .script(Reply::fixed(200, &json, r#"{"type":"message"}"#));
    stage.exchange(&call).await;
    let stats = stage.stats().await;
    assert_eq!(stats["requests"]["total"], 2, "{stats}");
    assert_eq!(stats["cost"]["requests"], 0, "{stats}");
    assert_eq!(stats["cost"]["usd"], 0.0, "{stats}");
    assert_eq!(stats["cost"]["models"], serde_json::json!({}), "{stats}");
}

#[tokio::test]
async fn a_file_of_prices_is_used_and_a_bad_one_ends_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prices.toml");
    std::fs::write(&path, "claude-opus-4-6 = { input = 1000000, output = 0 }").unwrap();
    let set = |launch: Launch| launch.set("HEADROOM_PRICES", path.display());
    let stage = Stage::embedded(set).await;
    stage
        .exchange(
            &Conversation::new(Dialect::Messages, "priced")
                .user("hi")
                .call(),
        )
        .await;
    let ended = |stats: &Value| stats["cost"]["requests"] == 1;
    let cost = stage.until("the bill", ended).await["cost"].clone();
    let tokens = cost["tokens"]["fresh"].as_f64().unwrap();
    assert!(tokens > 0.0);
    assert_eq!(cost["usd"], tokens, "{cost}");

    std::fs::write(&path, "claude-opus-4-6 = { input = -1, output = 0 }").unwrap();
    let output = set(Launch::proxy(&stage.provider)).run().await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    let says =
        "the row of \"claude-opus-4-6\": input is -1; a price is a number of dollars, 0 or more";
    assert!(
        said.contains("HEADROOM_PRICES (or --prices)") && said.contains(says),
        "{said}"
    );
}
