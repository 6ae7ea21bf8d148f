//! The model that leaves words out of texts: tiny models with known answers on the real ONNX Runtime, and downloads from a hub of the test's own.
//!
//! `scripts/model` runs these: it installs ONNX Runtime from `PyPI` (`requirements.txt`) and builds the programs with the model.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do"
)]

mod burst;
mod hub;
mod job;
mod program;
mod pull;
mod shortening;
mod tail;
mod unusable;

use std::path::Path;

use headroom_shared::runtime::config::ModelSettings;
use headroom_tests::process::Launch;
use headroom_tests::tiny_model::{self, Output};
use headroom_worker::model::{Model, ModelError};
use tempfile::TempDir;

/// Loads a model for one thread, with which a word stays from a score of 0.5 on.
fn load(dir: &Path) -> Result<Model, ModelError> {
    let settings = ModelSettings {
        dir: None,
        threshold: 0.5,
        keep_rate: 0.0,
    };
    Model::load(dir, &settings, 1)
}

/// The words that the tiny models know, and their scores.
const WORDS: [(&str, f32); 5] = [
    ("the", 0.1),
    ("of", 0.2),
    ("perhaps", 0.49),
    ("engine", 0.51),
    ("not", 0.0),
];

/// The folder of a tiny model that knows [`WORDS`].
fn tiny(output: Output) -> TempDir {
    let dir = TempDir::new().unwrap();
    tiny_model::write(dir.path(), &WORDS, output, 8192);
    dir
}

/// The same program, which finds ONNX Runtime where this one does.
fn with_runtime(launch: Launch) -> Launch {
    let runtime = std::env::var("ORT_DYLIB_PATH");
    launch.set(
        "ORT_DYLIB_PATH",
        runtime.expect("ORT_DYLIB_PATH; scripts/model sets it"),
    )
}
