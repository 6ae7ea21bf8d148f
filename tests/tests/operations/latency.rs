//! The program that measures what the proxy adds to a request: it runs from end to end, and its report has the promised shape.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do"
)]

use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

const PROXY: [&str; 4] = ["off", "known-prefix", "half-replaced", "deferred"];

/// The longest that a run may take on a busy machine: some seconds on an idle one.
const DEADLINE: Duration = Duration::from_secs(180);

/// What a run with these arguments reports.
async fn report(args: &str) -> Value {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("latency.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_latency"));
    command.args(args.split(' ')).arg("--json").arg(&file);
    let ended = tokio::time::timeout(DEADLINE, command.kill_on_drop(true).output());
    let ended = ended.await.expect("a run that ends").unwrap();
    let complained = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{complained}");
    std::fs::read_to_string(file).unwrap().parse().unwrap()
}

#[tokio::test]
async fn measures_every_target() {
    let few = "--bodies=20000 --connections=2 --rounds=1 --streams=0 --pauses=0";
    let report = report(few).await;
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows[0]["target"], "direct");
    for store in ["redis", "embedded"] {
        for target in PROXY {
            let is_it = |row: &&Value| row["target"] == target && row["store"] == store;
            let row = rows.iter().find(is_it).unwrap();
            assert_eq!(
                (&row["body_bytes"], &row["connections"]),
                (&20_000.into(), &2.into())
            );
            for figure in ["p50_us", "rps", "cpu_ms", "rss_mb"] {
                assert!(row[figure].as_f64().unwrap() > 0.0, "{figure}: {row}");
            }
            for figure in ["added_p50_us", "added_p90_us", "added_p99_us"] {
                assert!(row[figure].is_f64(), "{figure}: {row}");
            }
            let nginx = rows.iter().any(|row| row["target"] == "nginx");
            assert_eq!(row["ratio_to_nginx"].is_f64(), nginx, "{row}");
        }
    }
}

#[tokio::test]
async fn measures_streams() {
    let few = "--bodies=2000 --connections=1 --rounds=1 --targets=off --stores=redis --streams=5 --pauses=0";
    let report = report(few).await;
    let streams = report["streams"].as_array().unwrap();
    assert!(streams.iter().any(|row| row["target"] == "known-prefix"));
}
