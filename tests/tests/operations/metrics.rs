//! What Prometheus is given: in both text formats, with names and help as it wants them, and with figures that can be relied on.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use std::collections::BTreeSet;

use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::http::Call;
use headroom_tests::process::Launch;
use headroom_tests::promtool;
use headroom_tests::provider::Reply;
use headroom_tests::stage::Stage;

/// The metrics at this address, as they are shown to one who accepts this.
async fn metrics(addr: &str, accept: &str) -> (String, String) {
    let call = Call::get("/metrics").header("accept", accept);
    let answer = call.send(addr).await;
    assert_eq!(answer.status(), 200);
    let kind = answer.header("content-type").to_owned();
    let text = answer.bytes().await.to_vec();
    (kind, String::from_utf8(text).unwrap())
}

/// The value of a sample, which is named with its labels.
pub(crate) async fn sample(addr: &str, name: &str) -> f64 {
    let (_, text) = metrics(addr, "text/plain").await;
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value = value.unwrap_or_else(|| panic!("no {name} in {text}"));
    value.parse().unwrap()
}

fn patient(launch: Launch) -> Launch {
    launch
        .set("HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS", 5000)
        .patient()
}

/// A conversation with an output that has a form, in a request of which nothing is known.
fn compressible(id: &str) -> Conversation {
    let line = "src/main.rs: the very same line again, and again\n";
    let input = serde_json::json!({"command": "run"});
    let asked = format!("Run it for {id}.");
    let conversation = Conversation::new(Dialect::Messages, id).user(&asked);
    conversation.tool("Bash", &input, &line.repeat(200))
}

fn cold_start(id: &str) -> Conversation {
    let conversation = Conversation::new(Dialect::Messages, id).user("Read them.");
    let conversation = (0..4).fold(conversation, |it, seed| it.reads(seed, 20_000));
    conversation.assistant("Done.").user("Go on.")
}

#[tokio::test]
async fn promtool_has_no_complaint() {
    let mut stage = Stage::with_redis(patient).await;
    stage.start_worker().await;
    let embedded = Stage::embedded(patient).await;
    for stage in [&stage, &embedded] {
        stage.exchange(&cold_start("cold").call()).await;
        stage.exchange(&compressible("new").call()).await;
        stage.until_done(1).await;
    }
    let worker = stage.worker.as_ref().unwrap().addr();
    for addr in [stage.addr(), embedded.addr(), worker] {
        let (_, text) = metrics(&addr, "text/plain").await;
        let complaint = promtool::complaint(&["check", "metrics"], &text);
        assert_eq!(complaint, None, "{text}");
        for name in [
            "process_start_time_seconds ",
            "headroom_build_info{program=",
        ] {
            assert!(text.contains(&format!("\n{name}")), "{name}: {text}");
        }
        assert!(
            text.contains("headroom_worker_threads 1\n") != (addr == stage.addr()),
            "{text}"
        );
    }
}

#[tokio::test]
async fn the_format_is_the_one_that_is_asked_for() {
    let mut stage = Stage::with_redis(patient).await;
    stage.start_worker().await;
    for addr in [stage.addr(), stage.worker.as_ref().unwrap().addr()] {
        let (kind, text) = metrics(&addr, "*/*").await;
        assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
        assert!(text.contains("# TYPE headroom_jobs_done_total counter\n"));
        let prometheus =
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
        let (kind, text) = metrics(&addr, prometheus).await;
        assert_eq!(
            kind,
            "application/openmetrics-text; version=1.0.0; charset=utf-8"
        );
        assert!(text.contains("# TYPE headroom_jobs_done counter\n"));
        assert!(text.ends_with("# EOF\n"));
    }
}

#[tokio::test]
async fn proxy_and_worker_say_the_same_of_the_queue() {
    let namespaced = |launch| patient(launch).set("HEADROOM_NAMESPACE", "headroom");
    let mut stage = Stage::with_redis(namespaced).await;
    stage.start_worker().await;
    stage.exchange(&cold_start("queue").call()).await;
    stage.until_done(1).await;
    let of_queue = async |addr: String| {
        let (_, text) = metrics(&addr, "text/plain").await;
        let lines = text
            .lines()
            .filter(|line| line.contains(r#"{queue="headroom""#));
        lines.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let of_proxy = of_queue(stage.addr()).await;
    assert_eq!(of_proxy.len(), 5 + 8, "{of_proxy:?}");
    let done = r#"headroom_jobs_done_total{queue="headroom"} 1"#;
    assert!(of_proxy.contains(done), "{of_proxy:?}");
    let worker = stage.worker.as_ref().unwrap().addr();
    assert_eq!(of_queue(worker).await, of_proxy);
}

#[tokio::test]
async fn what_a_provider_refuses_saves_nothing() {
    let stage = Stage::embedded(patient).await;
    let addr = stage.addr();
    for (status, name) in [(400, "4xx"), (529, "5xx"), (200, "2xx")] {
        let saved = sample(&addr, "headroom_text_bytes_saved_total").await;
        if status != 200 {
            stage.provider.script(Reply::fixed(status, &[], "{}"));
        }
        let call = compressible(&format!("refused {status}")).call();
        let (decision, _) = stage.exchange(&call).await;
        assert_eq!(decision, "compressed");
        let saves = sample(&addr, "headroom_text_bytes_saved_total").await - saved;
        assert_eq!(saves > 0.0, status == 200, "{status}");
        let class =
            format!(r#"headroom_upstream_responses_total{{family="claude-opus",status="{name}"}}"#);
        assert_eq!(sample(&addr, &class).await, 1.0);
    }
    let family = r#"{family="claude-opus"}"#;
    for (histogram, count) in [
        ("added_seconds_count", 3.0),
        ("entry_seconds_count", 3.0),
        (&format!("upstream_first_byte_seconds_count{family}"), 3.0),
    ] {
        let counted = sample(&addr, &format!("headroom_{histogram}")).await;
        assert_eq!(counted, count, "{histogram}");
    }
    assert!(sample(&addr, "headroom_store_read_seconds_count").await >= 1.0);
    assert!(sample(&addr, "headroom_store_write_seconds_count").await >= 1.0);
}

#[tokio::test]
async fn requests_without_forms_count_by_why() {
    let stage = Stage::embedded(patient).await;
    let hi = Conversation::new(Dialect::Messages, "why").user("hi");
    stage.exchange(&hi.call()).await;
    stage
        .exchange(&hi.call().header("x-headroom-bypass", "1"))
        .await;
    stage.exchange(&Call::post("/v1/messages", "[]")).await;
    stage.exchange(&cold_start("why cold").call()).await;
    stage.exchange(&compressible("why not").call()).await;
    for (reason, count) in [
        ("no_blocks", 1.0),
        ("bypass", 1.0),
        ("not_in_dialect", 1.0),
        ("cold_start", 1.0),
        ("off", 0.0),
        ("memory", 0.0),
    ] {
        let name = format!(r#"headroom_requests_uncompressed_total{{reason="{reason}"}}"#);
        assert_eq!(sample(&stage.addr(), &name).await, count, "{reason}");
    }
}
