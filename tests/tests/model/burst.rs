//! The program that measures a burst of cold starts, with a model in its workers.

use headroom_tests::wait;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use headroom_tests::tiny_model::{self, Output};

/// A model that leaves out a third of the words of made-up prose.
fn model() -> TempDir {
    let dir = TempDir::new().unwrap();
    let words = ["the", "and", "so", "people", "of", "place"].map(|word| (word, 0.1));
    tiny_model::write(dir.path(), &words, Output::FinalScores, 8192);
    dir
}

/// The program with the model in this folder.
fn burst(model: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_burst"));
    command
        .args(["--sessions=2", "--workers=2", "--model"])
        .arg(model)
        .kill_on_drop(true);
    command
}

#[tokio::test]
#[ignore = "needs ONNX Runtime: scripts/model"]
async fn workers_with_a_model_are_measured() {
    let (model, folder) = (model(), TempDir::new().unwrap());
    let file = folder.path().join("report");
    let mut command = burst(model.path());
    command.arg("--json").arg(&file);
    let ended = wait::soon("the runs", command.output()).await.unwrap();
    let complained = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{complained}");
    let report: Value = std::fs::read_to_string(file).unwrap().parse().unwrap();
    let workers = [0, 1].map(|run| report["runs"][run]["workers"].as_u64());
    assert_eq!(workers, [Some(1), Some(2)]);
}

#[tokio::test]
#[ignore = "needs ONNX Runtime: scripts/model"]
async fn a_model_that_is_not_used_is_an_error() {
    let model = model();
    std::fs::remove_file(model.path().join("tokenizer.json")).unwrap();
    let ended = wait::soon("the error", burst(model.path()).output()).await;
    let ended = ended.unwrap();
    let complained = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success());
    assert!(complained.contains("tokenizer.json"), "{complained}");
}
