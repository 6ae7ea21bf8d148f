//! The soak: it runs from end to end, and its report has the promised shape.

use headroom_tests::process::interrupt_leaves_nothing_behind;
use headroom_tests::wait;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

fn soak(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_soak"));
    command.args(args).kill_on_drop(true);
    command
}

#[tokio::test]
async fn a_short_soak_says_its_seed_its_faults_and_that_nothing_was_wrong() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("report");
    let mut command = soak(&["--minutes=0.2", "--sessions=3", "--seed=7", "--json"]);
    command.arg(&file);
    command.args(["--faults", "worker-killed,scripts-flushed"]);
    let ended = timeout(4 * wait::DEADLINE, command.output()).await;
    let ended = ended.unwrap().unwrap();
    let said = String::from_utf8(ended.stdout).unwrap();
    let complained = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}{complained}");
    assert!(said.contains("--seed 7 --faults "), "{said}");
    assert!(said.contains("no violations"), "{said}");

    let report: Value = std::fs::read_to_string(file).unwrap().parse().unwrap();
    assert_eq!(report["seed"], 7);
    assert_eq!(report["violations"], Value::Array(Vec::new()));
    for kind in ["worker-killed", "scripts-flushed"] {
        assert!(
            report["faults"][kind]["times"].as_u64() >= Some(1),
            "{report}"
        );
    }
    let replica = &report["footprints"]["replica 1"];
    assert!(replica["most_mib"].as_u64() > Some(0), "{report}");
    assert!(replica["files_ended"].as_u64() > Some(0), "{report}");
}

#[tokio::test]
async fn an_interrupt_leaves_nothing_behind() {
    let running = soak(&["--sessions=1"]).spawn().unwrap();
    // redis-server, two replicas and three workers.
    interrupt_leaves_nothing_behind(running, 6).await;
}
