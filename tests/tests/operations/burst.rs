//! The program that measures a burst of cold starts: it runs from end to end, and its report has the promised shape.

use headroom_tests::process::interrupt_leaves_nothing_behind;
use headroom_tests::wait;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

fn burst(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_burst"));
    command.args(args).kill_on_drop(true);
    command
}

#[tokio::test]
async fn measures_threads_and_processes() {
    let folder = TempDir::new().unwrap();
    for (kind, more) in [("threads", None), ("processes", Some("--processes"))] {
        let file = folder.path().join(kind);
        let mut command = burst(&["--sessions=4", "--workers=2", "--sleep=20", "--json"]);
        command.arg(&file).args(more);
        let ended = wait::soon("the runs", command.output()).await.unwrap();
        let said = String::from_utf8(ended.stdout).unwrap();
        let complained = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{complained}");
        assert!(said.contains("1 worker was measured as the base"), "{said}");

        let report: Value = std::fs::read_to_string(file).unwrap().parse().unwrap();
        let [base, two] = report["runs"].as_array().unwrap().as_slice() else {
            panic!("{report}");
        };
        assert_eq!((&base["workers"], &two["workers"]), (&1.into(), &2.into()));
        assert_eq!(base["speedup"], 1.0);
        for run in [base, two] {
            assert_eq!(run["kind"], kind);
            assert!(run["uncompressed_turns"].is_u64(), "{run}");
            let time = |name: &str| run[name].as_f64().unwrap();
            assert!(time("wait_p50_s") >= 0.02, "{run}");
            assert!(time("wait_p50_s") <= time("wait_p99_s"), "{run}");
            assert!(time("wait_p99_s") <= time("drain_s") + 0.1, "{run}");
            assert!((time("jobs_per_s") * time("drain_s") - 4.0).abs() < 0.01);
        }
    }
}

#[tokio::test]
async fn an_interrupt_leaves_nothing_behind() {
    let running = burst(&["--sleep=60000"]).spawn().unwrap();
    // redis-server, the proxy and one worker.
    interrupt_leaves_nothing_behind(running, 3).await;
}
