//! The programs with a model, and with one that can't be used: they do lossless work all the same.

use std::path::Path;

use headroom_tests::process::{Launch, Process};
use headroom_tests::provider::Provider;
use headroom_tests::queue::jobs::TEXT;
use headroom_tests::queue::watch::{done, offer, stored};
use headroom_tests::redis_server::RedisServer;
use headroom_tests::tiny_model::Output;

use crate::{load, tiny, with_runtime};
use headroom_worker::shortener::Shortener as _;

/// Whether a worker compresses a job.
async fn works(redis: &RedisServer) {
    let producer = redis.producer(10);
    offer(&producer, 1, TEXT).await;
    done(&producer, 1).await;
    assert!(!stored(redis, 1).await.unwrap().blocks.is_empty());
}

/// With the model in this folder, and the settings of [`load`].
fn with_model(launch: Launch, dir: &Path) -> Launch {
    let launch = launch.set("HEADROOM_MODEL", dir.display());
    with_runtime(launch.set("HEADROOM_MODEL_KEEP_RATE", 0))
}

/// Stops it, and gives the errors that it logged.
async fn errors(mut process: Process) -> Vec<String> {
    let log = process.whole_log().await;
    let errors = log.lines().filter(|line| line.contains("ERROR"));
    errors.map(str::to_owned).collect()
}

#[tokio::test]
#[ignore = "needs ONNX Runtime: scripts/model"]
async fn a_worker_loads_its_model_and_says_which_it_is() {
    let (redis, dir) = (RedisServer::start().await, tiny(Output::FinalScores));
    let launch = with_model(Launch::worker(&redis.url()), dir.path());
    let worker = launch.start().await;
    let identity = load(dir.path()).unwrap().identity().to_owned();
    worker.logged(&identity, 1).await;
    works(&redis).await;
    assert_eq!(errors(worker).await, [""; 0]);
}

#[tokio::test]
#[ignore = "needs ONNX Runtime: scripts/model"]
async fn an_embedded_proxy_loads_its_model_and_says_which_it_is() {
    let (provider, dir) = (Provider::start().await, tiny(Output::FinalScores));
    let launch = with_model(Launch::proxy(&provider), dir.path());
    let proxy = launch.start().await;
    let identity = load(dir.path()).unwrap().identity().to_owned();
    proxy.logged(&identity, 1).await;
    assert_eq!(errors(proxy).await, [""; 0]);
}

#[tokio::test]
#[ignore = "needs the programs with the model: scripts/model"]
async fn without_onnx_runtime_a_worker_says_what_to_set_and_works() {
    let (redis, dir) = (RedisServer::start().await, tiny(Output::FinalScores));
    let worker = Launch::worker(&redis.url())
        .set("HEADROOM_MODEL", dir.path().display())
        .set("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so")
        .start()
        .await;
    works(&redis).await;
    let errors = errors(worker).await;
    assert_eq!(errors.len(), 1, "{errors:?}");
    for says in [
        "set ORT_DYLIB_PATH",
        "/nowhere/libonnxruntime.so",
        "stays lossless",
    ] {
        assert!(errors[0].contains(says), "{says}: {errors:?}");
    }
}

#[tokio::test]
#[ignore = "needs the programs with the model: scripts/model"]
async fn without_its_files_a_worker_names_them_and_works() {
    let (redis, dir) = (RedisServer::start().await, tiny(Output::FinalScores));
    std::fs::remove_file(dir.path().join("tokenizer.json")).unwrap();
    let launch = Launch::worker(&redis.url()).set("HEADROOM_MODEL", dir.path().display());
    let worker = with_runtime(launch).start().await;
    works(&redis).await;
    let errors = errors(worker).await;
    assert!(
        errors.len() == 1 && errors[0].contains("tokenizer.json can't be read"),
        "{errors:?}"
    );
}
