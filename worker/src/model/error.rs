//! Why a model can't be used.

use std::path::PathBuf;

/// Why a model can't be used. Each says what was expected.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// ONNX Runtime is not there, or too old.
    #[error(
        "ONNX Runtime can't be loaded from {path}: set ORT_DYLIB_PATH to the file libonnxruntime.so (.dylib, onnxruntime.dll) of version \
         1.{minor} or later, such as the one in PyPI's package onnxruntime: {reason}",
        path = path.display(), minor = ort::MINOR_VERSION
    )]
    Runtime {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A file is missing or can't be read.
    #[error("{path} can't be read: {error}; a model's folder holds model.onnx, tokenizer.json and config.json", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// A file is not of its kind, or says what this program can't do.
    #[error("{path} is not usable: {reason}", path = path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What was expected, and what is there.
        reason: String,
    },
}

/// The first line of what another library says.
pub(super) fn first_line(said: &dyn std::fmt::Display) -> String {
    let said = said.to_string();
    said.lines().next().unwrap_or_default().to_owned()
}
