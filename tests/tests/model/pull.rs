//! `headroom-worker model pull`.

use std::fs;
use std::path::Path;
use std::process::Output;

use headroom_tests::process::Launch;
use headroom_tests::tiny_model::Output as ModelOutput;
use tempfile::TempDir;

use crate::hub::{Hub, REPOSITORY};
use crate::tiny;

const FILES: [&str; 3] = ["model.onnx", "tokenizer.json", "config.json"];

async fn pull(hub: &Hub, to: &Path) -> Output {
    let words = ["model", "pull", REPOSITORY, "--to", to.to_str().unwrap()];
    let launch = Launch::worker("").unset("HEADROOM_REDIS_URL").args(&words);
    launch.set("HF_ENDPOINT", hub.url()).run().await
}

/// A hub with the files of a tiny model; its graph is at this path.
fn hub_with(graph: &str) -> (Hub, TempDir) {
    let (hub, dir) = (Hub::start(), tiny(ModelOutput::FinalScores));
    for (file, path) in FILES
        .into_iter()
        .zip([graph, "tokenizer.json", "config.json"])
    {
        hub.add(path, &fs::read(dir.path().join(file)).unwrap());
    }
    (hub, dir)
}

#[tokio::test]
#[ignore = "needs the programs with the model: scripts/model"]
async fn a_model_is_downloaded_whole() {
    for graph in ["model.onnx", "onnx/model.onnx"] {
        let (hub, original) = hub_with(graph);
        hub.add("model.safetensors", b"not needed");
        let to = TempDir::new().unwrap();
        let to = to.path().join("made/for it");
        let ended = pull(&hub, &to).await;
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(ended.status.success(), "{said}");
        for file in FILES {
            let downloaded = fs::read(to.join(file)).unwrap();
            assert_eq!(downloaded, fs::read(original.path().join(file)).unwrap());
        }
        assert_eq!(fs::read_dir(&to).unwrap().count(), FILES.len());
        assert!(
            String::from_utf8(ended.stdout)
                .unwrap()
                .contains("HEADROOM_MODEL=")
        );
        assert!(
            !hub.requests()
                .iter()
                .any(|path| path.contains("safetensors"))
        );
    }
}

#[tokio::test]
#[ignore = "needs the programs with the model: scripts/model"]
async fn a_file_that_is_not_what_the_hub_says_is_refused() {
    let (hub, _original) = hub_with("model.onnx");
    hub.add_tagged("model.onnx", b"something else", "0".repeat(64));
    let to = TempDir::new().unwrap();
    let ended = pull(&hub, to.path()).await;
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(
        said.contains("can't download model.onnx of owner/a-model: "),
        "{said}"
    );
    assert!(said.contains("another SHA-256 digest"), "{said}");
    assert!(FILES.iter().all(|file| !to.path().join(file).exists()));
}

#[tokio::test]
#[ignore = "needs the programs with the model: scripts/model"]
async fn a_repository_without_a_graph_is_refused() {
    let hub = Hub::start();
    hub.add("config.json", b"{}");
    let to = TempDir::new().unwrap();
    let ended = pull(&hub, to.path()).await;
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("owner/a-model has no model.onnx"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}
