//! One trace goes from a client's request through the list to the worker that does its job; what is sent to a collector, and that nothing of it
//! is felt where the collector is away.
use std::time::{Duration, Instant};

use headroom_tests::collector::{Collector, Span};
use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::http::Call;
use headroom_tests::ports::free_port;
use headroom_tests::process::Launch;
use headroom_tests::redis_server::RedisServer;
use headroom_tests::stage::Stage;
use headroom_tests::wait;
use serde_json::{Value, json};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
/// A word of the requests' text, which must be in no span.
const SECRET: &str = "walrus";

fn traced(launch: Launch, url: &str) -> Launch {
    launch
        .set("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        .set("OTEL_EXPORTER_OTLP_HEADERS", "x-test=of the collector")
        .set("OTEL_BSP_SCHEDULE_DELAY", 50)
        .set("HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS", 5000)
}

fn cold_start(id: &str) -> Conversation {
    let asked = format!("Read them, {SECRET}.");
    let conversation = Conversation::new(Dialect::Messages, id).user(&asked);
    let conversation = (0..4).fold(conversation, |it, seed| it.reads(seed, 20_000));
    conversation.assistant("Done.").user("Go on.")
}

/// The first span with this name that the collector gets.
async fn span(collector: &Collector, name: &str) -> Span {
    wait::eventually(name, || async {
        collector.spans().into_iter().find(|span| span.name == name)
    })
    .await
}

/// A proxy and a worker that send their spans to this collector, before a provider that caches nothing, so that a result lands as soon as it is
/// there.
async fn traced_stage(collector: &Collector) -> Stage {
    let with_traces = |launch: Launch| traced(launch.patient(), collector.url());
    let mut stage = Stage::over(RedisServer::persistent().await, with_traces).await;
    let launch = Launch::worker(&stage.redis().url());
    let launch = launch.set("OTEL_SERVICE_NAME", "a worker's name");
    stage.worker = Some(traced(launch, collector.url()).start().await);
    stage.provider.cache(|cache| cache.turn_off());
    stage
}

/// The span of the turn in which the result of this conversation lands.
async fn landing(stage: &Stage, collector: &Collector, mut conversation: Conversation) -> Span {
    let mut turns = 0..20;
    while turns.next().is_some() {
        conversation = conversation.assistant("Well.").user("And now?");
        let (decision, _) = stage.exchange(&conversation.call()).await;
        if decision == "compressed" {
            break;
        }
    }
    assert!(!turns.is_empty(), "the result never landed");
    wait::eventually("the landing", || async {
        let mut spans = collector.spans().into_iter();
        spans.find(|it| it.get("headroom.landed.job.id").is_some())
    })
    .await
}

#[tokio::test]
async fn one_trace_leads_from_the_request_to_the_worker_and_the_landing() {
    let collector = Collector::start().await;
    let stage = traced_stage(&collector).await;
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    let conversation = cold_start("traced").unmarked();
    let call = conversation.call().header("traceparent", &traceparent);
    let answer = stage
        .send(&call.header("authorization", "Bearer sk-very-secret"))
        .await;
    answer.bytes().await;
    let received = stage.provider.next().await;
    assert_eq!(received.header("traceparent"), [traceparent.as_str()]);
    let job = span(&collector, "job").await;
    assert_eq!((&*job.service, &*job.trace), ("a worker's name", TRACE));
    let request = span(&collector, "request").await;
    assert_eq!(
        (&*request.service, &*request.trace, &*request.parent),
        ("headroom-proxy", TRACE, PARENT)
    );
    for (name, said) in [
        ("http.request.method", "POST"),
        ("url.path", "/v1/messages"),
        ("http.response.status_code", "200"),
        ("headroom.reason", "cold_start"),
    ] {
        assert_eq!(request.get(name), Some(said), "{request:?}");
    }
    let push = span(&collector, "push job").await;
    assert_eq!((&push.parent, &job.parent), (&request.id, &push.id));
    assert_eq!(push.get("headroom.job.id"), job.get("headroom.job.id"));
    let upstream = span(&collector, "upstream").await;
    assert_eq!(upstream.parent, request.id);

    let landing = landing(&stage, &collector, conversation).await;
    let spans = collector.spans();
    assert_eq!(
        landing.get("headroom.landed.job.id"),
        job.get("headroom.job.id")
    );
    assert_eq!(landing.links, [push.id]);
    assert_ne!(landing.trace, TRACE, "the client began no trace for it");
    for name in ["store read", "compress", "store write"] {
        let part = spans
            .iter()
            .find(|it| it.name == name && it.trace == landing.trace);
        assert_eq!(part.unwrap().parent, landing.id, "{name}");
    }
    let all = format!("{spans:?}");
    assert!(!all.contains(SECRET) && !all.contains("sk-very"), "{all}");
    assert!(
        collector
            .headers()
            .iter()
            .all(|it| it == "of the collector")
    );
}

#[tokio::test]
async fn a_collector_that_is_away_is_not_felt_and_told_once() {
    let url = format!("http://127.0.0.1:{}", free_port());
    let mut stage = Stage::embedded(|launch| traced(launch, &url)).await;
    let hi = Conversation::new(Dialect::Messages, "away").user("hi");
    let began = Instant::now();
    for _ in 0..300 {
        let (decision, _) = stage.exchange(&hi.call()).await;
        assert_eq!(decision, "forwarded");
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(60), "{took:?}");
    let away = "the collector does not take spans";
    stage.proxy().logged(away, 1).await;
    let log = stage.proxy().whole_log().await;
    let told = log.matches(away).count();
    assert_eq!(told, 1, "{log}");
}

#[tokio::test]
async fn an_endpoint_that_is_none_is_told_without_its_password() {
    let wrong = |launch: Launch| traced(launch, "http://me:pass word@[::1");
    let mut stage = Stage::embedded(wrong).await;
    let hi = Conversation::new(Dialect::Messages, "wrong").user("hi");
    stage.exchange(&hi.call()).await;
    let log = stage.proxy().whole_log().await;
    assert!(log.contains("no traces: see the variables"), "{log}");
    assert!(!log.contains("pass word"), "{log}");
}

#[tokio::test]
async fn spans_that_were_not_sent_yet_are_sent_at_a_stop() {
    let collector = Collector::start().await;
    let patient =
        |launch: Launch| traced(launch, collector.url()).set("OTEL_BSP_SCHEDULE_DELAY", 600_000);
    let mut stage = Stage::embedded(patient).await;
    let hi = Conversation::new(Dialect::Messages, "stop").user("hi");
    stage.exchange(&hi.call()).await;
    assert!(collector.spans().is_empty());
    assert!(stage.proxy().terminate(wait::DEADLINE).await.success());
    let spans = collector.spans();
    assert!(spans.iter().any(|it| it.name == "request"), "{spans:?}");
}

#[tokio::test]
async fn each_request_has_one_line_in_the_log() {
    let mut stage = Stage::embedded(|launch| launch.set("HEADROOM_LOG_FORMAT", "json")).await;
    let hi = Conversation::new(Dialect::Messages, "line").user("hi");
    stage.exchange(&hi.call()).await;
    let call = Call::get("/v1/models?key=secret").header("x-api-key", "sk-x");
    stage.send(&call).await.bytes().await;
    stage.provider.next().await;
    stage.send(&Call::get("/livez")).await.bytes().await;
    let proxy = stage.proxy();
    let lines = wait::eventually("two lines", || {
        let log = proxy.log();
        let lines = log
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        let lines = lines.filter(|line: &Value| line["message"] == "answered");
        let lines: Vec<Value> = lines.collect();
        async move { (lines.len() == 2).then_some(lines) }
    })
    .await;
    let [post, get] = &lines[..] else {
        unreachable!()
    };
    let bytes = hi.body().bytes.len();
    for (name, said) in [
        ("method", json!("POST")),
        ("path", json!("/v1/messages")),
        ("status", json!(200)),
        ("decision", json!("forwarded")),
        ("reason", json!("no_blocks")),
        ("bytes.in", json!(bytes)),
        ("bytes.sent", json!(bytes)),
    ] {
        assert_eq!(post[name], said, "{name}: {post}");
    }
    let (added, total) = (&post["ms.added"], &post["ms.total"]);
    assert!(added.as_f64().unwrap() <= total.as_f64().unwrap(), "{post}");
    assert_eq!(get["path"], "/v1/models");
    assert!(!stage.proxy().whole_log().await.contains("secret"));
}
