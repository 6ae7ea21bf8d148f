//! The files for Prometheus and Grafana: a real Prometheus reads a real proxy and worker, takes every alert and every query of the dashboard, and
//! has each metric that they name.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::http::Call;
use headroom_tests::ports::free_port;
use headroom_tests::process::Launch;
use headroom_tests::promtool;
use headroom_tests::stage::Stage;
use headroom_tests::wait;
use serde_json::Value;
use tempfile::TempDir;

fn deploy(file: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    root.join("deploy").join(file)
}

/// A Prometheus that reads one proxy and one worker. It ends when it is dropped.
struct Prometheus {
    addr: String,
    child: Child,
    folder: TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    async fn start(proxy: &str, worker: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let of_compose = fs::read_to_string(deploy("prometheus/prometheus.yml")).unwrap();
        let job = |name: &str, addr: &str| {
            let name = format!("job_name: {name}");
            assert!(of_compose.contains(&name), "{name}");
            format!("  - {name}\n    static_configs: [{{targets: [\"{addr}\"]}}]\n")
        };
        let rules = deploy("prometheus/alerts.yml");
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{}]\nscrape_configs:\n{}{}",
            rules.display(),
            job("headroom-proxy", proxy),
            job("headroom-worker", worker)
        );
        let file = folder.path().join("prometheus.yml");
        fs::write(&file, config).unwrap();
        let addr = format!("127.0.0.1:{}", free_port());
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={addr}"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("prometheus is there: scripts/test installs it");
        let started = Self {
            addr,
            child,
            folder,
        };
        let ready = || async {
            let answer = Call::get("/-/ready").try_send(&started.addr).await.ok()?;
            (answer.status() == 200).then_some(())
        };
        if wait::within(wait::DEADLINE, ready).await.is_none() {
            let log = fs::read_to_string(started.folder.path().join("log"));
            panic!("Prometheus does not start: {log:?}");
        }
        started
    }

    /// What it answers to a GET.
    async fn get(&self, path: &str) -> Value {
        Call::get(path).send(&self.addr).await.json().await
    }

    /// Why it does not take a query.
    async fn refusal(&self, query: &str) -> Option<Value> {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = self.get(&format!("/api/v1/query?query={encoded}")).await;
        (answer["status"] != "success").then_some(answer)
    }

    /// The names of all metrics that it has.
    async fn names(&self) -> BTreeSet<String> {
        let answer = self.get("/api/v1/label/__name__/values").await;
        let names = answer["data"].as_array().into_iter().flatten();
        names
            .map(|name| name.as_str().unwrap().to_owned())
            .collect()
    }
}

/// The names of metrics in a query: they all begin so, but for those that Prometheus makes.
fn metrics_in(query: &str) -> impl Iterator<Item = &str> {
    let words = query.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    words.filter(|word| word.starts_with("headroom_") || word.starts_with("process_"))
}

/// The queries of the dashboard, as Grafana sends them.
fn queries_of_dashboard() -> Vec<String> {
    let dashboard = fs::read_to_string(deploy("grafana/headroom.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    targets
        .map(|target| {
            let query = target["expr"].as_str().unwrap();
            query.replace("$__rate_interval", "1m")
        })
        .collect()
}

#[test]
fn promtool_takes_the_configuration_and_the_alerts_fire_when_they_should() {
    let config = deploy("prometheus/prometheus.yml");
    let rules = deploy("prometheus/alerts.yml");
    let cases = deploy("prometheus/alerts_test.yml");
    for (does, what, file) in [
        ("check", "config", config),
        ("check", "rules", rules),
        ("test", "rules", cases),
    ] {
        let args = [does, what, file.to_str().unwrap()];
        assert_eq!(promtool::complaint(&args, ""), None);
    }
}

#[tokio::test]
async fn alerts_and_the_dashboard_ask_for_what_there_is() {
    let deferring = |launch: Launch| {
        launch
            .set("HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS", 5000)
            .patient()
    };
    let mut stage = Stage::with_redis(deferring).await;
    stage.start_worker().await;
    let conversation = Conversation::new(Dialect::Messages, "prometheus").user("Read them.");
    let conversation = (0..4).fold(conversation, |it, seed| it.reads(seed, 20_000));
    let conversation = conversation.assistant("Done.").user("Go on.");
    stage.exchange(&conversation.call()).await;
    stage.until_done(1).await;
    let billed = |stats: &Value| stats["cost"]["requests"] == 1;
    stage.until("the request to be billed", billed).await;

    let worker = stage.worker.as_ref().unwrap().addr();
    let prometheus = Prometheus::start(&stage.addr(), &worker).await;
    let groups = prometheus.get("/api/v1/rules").await;
    let groups = groups["data"]["groups"].as_array().unwrap().clone();
    let alerts = groups.iter().flat_map(|it| it["rules"].as_array().unwrap());
    let alerts: Vec<String> = alerts
        .map(|rule| rule["query"].as_str().unwrap().to_owned())
        .collect();
    let queries = queries_of_dashboard();
    assert!(
        alerts.len() > 10 && queries.len() > 20,
        "{alerts:?} {queries:?}"
    );
    let queries: Vec<String> = alerts.into_iter().chain(queries).collect();
    for query in &queries {
        assert_eq!(prometheus.refusal(query).await, None, "{query}");
    }
    let named: BTreeSet<&str> = queries.iter().flat_map(|it| metrics_in(it)).collect();
    let all_there = || async {
        let names = prometheus.names().await;
        named.iter().all(|name| names.contains(*name)).then_some(())
    };
    if wait::within(wait::DEADLINE, all_there).await.is_none() {
        let names = prometheus.names().await;
        let missing = named.iter().filter(|name| !names.contains(**name));
        panic!("there is no {:?}", missing.collect::<Vec<_>>());
    }
    let up = prometheus.get("/api/v1/targets?state=active").await;
    for target in up["data"]["activeTargets"].as_array().unwrap() {
        assert_eq!(target["health"], "up", "{target}");
    }
    // Evaluated by now: nothing is wrong here.
    let rules = prometheus.get("/api/v1/rules").await;
    for group in rules["data"]["groups"].as_array().unwrap() {
        for rule in group["rules"].as_array().unwrap() {
            assert_ne!(rule["state"], "firing", "{rule}");
        }
    }
}
