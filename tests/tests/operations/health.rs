//! What an operator and an orchestrator see: /livez, /readyz, /stats, /metrics.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use std::collections::HashSet;

use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::http::Call;
use headroom_tests::process::Launch;
use headroom_tests::provider::Provider;
use headroom_tests::stage::Stage;
use headroom_tests::wait;

#[tokio::test]
async fn stats_have_every_field() {
    let mut stage = Stage::with_redis(|launch| launch).await;
    stage.start_worker().await;
    let hi = |dialect| Conversation::new(dialect, "stats").user("hi");
    for dialect in Dialect::ALL {
        stage.exchange(&hi(dialect).call()).await;
    }
    stage
        .exchange(&hi(Dialect::Chat).call().header("x-headroom-bypass", "1"))
        .await;
    let stats = stage.stats().await;
    for name in [
        "total",
        "forwarded",
        "deferring",
        "deferred",
        "dropped",
        "compressed",
        "bypassed",
    ] {
        assert!(stats["requests"][name].is_u64(), "requests.{name}: {stats}");
    }
    for name in ["version", "tier", "anthropic", "openai"] {
        assert!(stats["proxy"][name].is_string(), "proxy.{name}: {stats}");
    }
    for (of, names) in [
        ("proxy", &["under_way"][..]),
        ("wire_bytes", &["in", "sent"]),
        ("text_bytes", &["in", "sent", "saved"]),
        (
            "queue",
            &["waiting", "waiting_refresh", "active", "delayed", "dead"],
        ),
        ("jobs", &["enqueued", "done", "failed"]),
    ] {
        for name in names {
            assert!(stats[of][name].is_u64(), "{of}.{name}: {stats}");
        }
    }
    assert_eq!(stats["requests"]["total"], 4, "{stats}");
    assert_eq!(stats["requests"]["forwarded"], 3, "{stats}");
    assert_eq!(stats["requests"]["bypassed"], 1, "{stats}");
    let bytes: usize = Dialect::ALL
        .into_iter()
        .chain([Dialect::Chat])
        .map(|dialect| hi(dialect).body().bytes.len())
        .sum();
    for kind in ["wire_bytes", "text_bytes"] {
        assert_eq!(stats[kind]["in"], bytes, "{stats}");
        assert_eq!(stats[kind]["sent"], bytes, "{stats}");
    }
    assert_eq!(stats["store"], "redis");
}

#[tokio::test]
async fn metrics_are_what_prometheus_reads() {
    let mut stage = Stage::with_redis(|launch| launch).await;
    stage.start_worker().await;
    stage
        .exchange(&Conversation::new(Dialect::Messages, "m").user("hi").call())
        .await;
    let worker = stage.worker.as_ref().unwrap().addr();
    for (addr, must) in [
        (stage.addr(), "headroom_requests_total"),
        (worker, "headroom"),
    ] {
        let answer = Call::get("/metrics").send(&addr).await;
        assert_eq!(answer.status(), 200);
        let text = String::from_utf8(answer.bytes().await.to_vec()).unwrap();
        let names = assert_prometheus(&text);
        assert!(names.iter().any(|name| name.starts_with(must)), "{text}");
    }
}

/// Checks the text format line by line and gives the names of the samples.
fn assert_prometheus(text: &str) -> HashSet<String> {
    let mut typed = HashSet::new();
    let mut names = HashSet::new();
    let mut families = HashSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(
                [
                    "counter",
                    "gauge",
                    "histogram",
                    "summary",
                    "info",
                    "unknown"
                ]
                .contains(&kind),
                "{line}"
            );
            assert!(families.insert(name.to_owned()), "declared twice: {line}");
            typed.insert(name.to_owned());
        } else if !line.starts_with('#') {
            let (series, value) = line
                .rsplit_once(' ')
                .unwrap_or_else(|| panic!("no sample: {line:?}"));
            assert!(value.parse::<f64>().is_ok(), "{line}");
            let name = series.split('{').next().unwrap_or_default();
            assert!(
                name.chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':'),
                "{line}"
            );
            assert!(series == name || series.ends_with('}'), "{line}");
            assert!(
                typed.iter().any(|family| name.starts_with(family.as_str())),
                "no TYPE before {line}"
            );
            names.insert(name.to_owned());
        }
    }
    names
}

#[tokio::test]
async fn ready_says_whether_the_store_is_there_and_alive_does_not() {
    let mut stage = Stage::with_redis(|launch| launch).await;
    stage.start_worker().await;
    let both = [stage.addr(), stage.worker.as_ref().unwrap().addr()];
    for addr in &both {
        assert_eq!(Call::get("/livez").send(addr).await.status(), 200);
        assert_eq!(Call::get("/readyz").send(addr).await.status(), 200);
    }
    stage.redis.as_mut().unwrap().kill();
    for addr in &both {
        let reason = wait::eventually("a 503", || async {
            let answer = Call::get("/readyz").send(addr).await;
            if answer.status() == 503 {
                Some(answer.bytes().await)
            } else {
                None
            }
        })
        .await;
        assert!(!reason.is_empty(), "the reason is said");
        assert_eq!(Call::get("/livez").send(addr).await.status(), 200);
    }
    stage.redis.as_mut().unwrap().start_again().await;
    for addr in &both {
        wait::until("it is ready again", wait::DEADLINE, async || {
            Call::get("/readyz").send(addr).await.status() == 200
        })
        .await;
    }
}

/// What `/readyz` says with a 503, once its status is this.
async fn not_ready(stage: &Stage, status: &str) -> serde_json::Value {
    wait::eventually("the proxy to notice", || async {
        let answer = Call::get("/readyz").send(&stage.addr()).await;
        let code = answer.status();
        let said = answer.json().await;
        (code == 503 && said["status"] == status).then_some(said)
    })
    .await
}

async fn ready(stage: &Stage) {
    wait::until("it is ready again", wait::DEADLINE, async || {
        Call::get("/readyz").send(&stage.addr()).await.status() == 200
    })
    .await;
}

#[tokio::test]
async fn ready_knows_a_full_redis_and_one_whose_policy_changes() {
    let stage = Stage::with_redis(|launch| launch).await;
    let redis = stage.redis();
    redis.limit_memory(50).await;
    let said = not_ready(&stage, "store full").await;
    let reason = said["reason"].as_str().unwrap();
    assert!(
        reason.contains("bytes of maxmemory and refuses writes"),
        "{reason}"
    );
    assert_eq!(said["note"], "requests are forwarded uncompressed");
    redis.limit_memory(0).await;
    ready(&stage).await;
    let policy = async |policy: &str| {
        let set = ["CONFIG", "SET", "maxmemory-policy", policy];
        let () = redis.command(&set).await;
    };
    policy("allkeys-lru").await;
    let answer = Call::get("/readyz").send(&stage.addr()).await;
    assert_eq!(answer.json().await["status"], "store evicts", "at once");
    policy("noeviction").await;
    ready(&stage).await;
}

#[tokio::test]
async fn ready_tells_a_refused_login_from_a_store_that_is_away() {
    let mut stage = Stage::with_redis(|launch| launch).await;
    stage.start_worker().await;
    let mut connection = stage.redis().connection().await;
    for words in [
        &["CONFIG", "SET", "requirepass", "right"][..],
        &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"],
    ] {
        let command = redis::cmd(words[0]).arg(&words[1..]).to_owned();
        let () = command.exec_async(&mut connection).await.unwrap();
    }
    let said = not_ready(&stage, "store refuses").await;
    assert!(
        said["reason"]
            .as_str()
            .unwrap()
            .contains("Redis refuses this login"),
        "{said}"
    );
    let worker = stage.worker.as_ref().unwrap().addr();
    wait::eventually("the worker to say so", || async {
        let answer = Call::get("/readyz").send(&worker).await;
        let code = answer.status();
        let said = String::from_utf8(answer.bytes().await.to_vec()).unwrap();
        (code == 503 && said.contains("Redis refuses this login")).then_some(())
    })
    .await;
    let refused = "Redis refuses this login: check user and password";
    let log = stage.proxy().logged(refused, 1).await;
    assert!(!log.contains("Redis is away"), "{log}");
}

#[tokio::test]
async fn a_stop_is_heard_from_the_first_answer_on() {
    let provider = Provider::start().await;
    for _ in 0..20 {
        let mut proxy = Launch::proxy(&provider).alive_is_enough().start().await;
        assert!(proxy.terminate(wait::DEADLINE).await.success());
    }
}
