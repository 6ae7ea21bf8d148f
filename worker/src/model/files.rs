//! The files of a model's folder, as in a Hugging Face repository: where they are, what their bytes are, and what the configuration says.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::error::{ModelError, first_line};
use super::select::Limits;

/// The files of a model.
#[derive(Debug, Clone)]
pub(super) struct Files {
    /// The graph and its weights.
    pub(super) graph: PathBuf,
    pub(super) tokenizer: PathBuf,
    pub(super) config: PathBuf,
}

impl Files {
    /// Those in this folder.
    pub(super) fn of(dir: &Path) -> Self {
        Self {
            graph: dir.join("model.onnx"),
            tokenizer: dir.join("tokenizer.json"),
            config: dir.join("config.json"),
        }
    }

    /// What tells these files, used with these limits, from others, in hexadecimal digits: a BLAKE3 digest of the digests of each, and of the
    /// limits.
    ///
    /// # Errors
    /// Where one can't be read.
    pub(super) fn identity(&self, limits: Limits) -> Result<String, ModelError> {
        let mut identity = blake3::Hasher::new();
        for path in [&self.graph, &self.tokenizer, &self.config] {
            identity.update(digest(path)?.as_bytes());
        }
        for limit in [limits.threshold, limits.keep_rate] {
            identity.update(&limit.to_le_bytes());
        }
        Ok(identity.finalize().to_hex().to_string())
    }

    /// Reads the configuration.
    ///
    /// # Errors
    /// Where it can't be read, or is none.
    pub(super) fn read_config(&self) -> Result<Config, ModelError> {
        let path = &self.config;
        let bytes = std::fs::read(path).map_err(|error| unreadable(path, error))?;
        serde_json::from_slice(&bytes).map_err(|error| ModelError::Content {
            path: path.clone(),
            reason: format!(
                "the JSON of a model's configuration was expected: {}",
                first_line(&error)
            ),
        })
    }
}

fn digest(path: &Path) -> Result<blake3::Hash, ModelError> {
    let read = || {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(File::open(path)?)?;
        Ok(hasher.finalize())
    };
    read().map_err(|error| unreadable(path, error))
}

fn unreadable(path: &Path, error: std::io::Error) -> ModelError {
    ModelError::File {
        path: path.to_owned(),
        error,
    }
}

/// What is read of a model's configuration.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Config {
    /// How many tokens the model can read at once.
    max_position_embeddings: Option<usize>,
    /// The names of the labels by their numbers.
    #[serde(default)]
    id2label: BTreeMap<String, String>,
}

/// Words in the name of the label of what is kept.
const KEEP: [&str; 4] = ["keep", "kept", "preserve", "retain"];

impl Config {
    /// How many tokens a window has, with the special ones at its ends.
    pub(super) fn window(&self) -> usize {
        /// Attention takes time that grows with the square of this.
        const MAX: usize = 512;
        self.max_position_embeddings.unwrap_or(MAX).min(MAX)
    }

    /// The number of the label that says to keep a token: the one that is named so, or 1.
    pub(super) fn keep_label(&self) -> usize {
        let is_keep = |number: &str| {
            let name = self.id2label.get(number).map(|name| name.to_lowercase());
            name.is_some_and(|name| KEEP.iter().any(|keep| name.contains(keep)))
        };
        usize::from(!is_keep("0") || is_keep("1"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &str) -> Config {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_window_has_at_most_what_the_model_reads() {
        for (json, window) in [
            ("{}", 512),
            (r#"{"max_position_embeddings": 8192}"#, 512),
            (r#"{"max_position_embeddings": 128, "other": [1]}"#, 128),
        ] {
            assert_eq!(config(json).window(), window, "{json}");
        }
    }

    #[test]
    fn the_label_to_keep_is_1_unless_0_is_named_so() {
        for (json, label) in [
            ("{}", 1),
            (r#"{"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}"#, 1),
            (r#"{"id2label": {"0": "DROP", "1": "KEEP"}}"#, 1),
            (r#"{"id2label": {"0": "Keep", "1": "drop"}}"#, 0),
            (
                r#"{"id2label": {"0": "not preserved", "1": "preserved"}}"#,
                1,
            ),
        ] {
            assert_eq!(config(json).keep_label(), label, "{json}");
        }
    }

    #[test]
    fn the_identity_changes_with_each_file_and_each_limit() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::of(dir.path());
        let limits = Limits {
            threshold: 0.5,
            keep_rate: 0.5,
        };
        let missing = files.identity(limits).unwrap_err().to_string();
        assert!(missing.contains("model.onnx can't be read"), "{missing}");
        let paths = [&files.graph, &files.tokenizer, &files.config];
        for path in paths {
            std::fs::write(path, "a").unwrap();
        }
        let mut identities = vec![files.identity(limits).unwrap()];
        for path in paths {
            std::fs::write(path, "b").unwrap();
            identities.push(files.identity(limits).unwrap());
        }
        for (threshold, keep_rate) in [(0.6, 0.5), (0.5, 0.6), (0.6, 0.6)] {
            let limits = Limits {
                threshold,
                keep_rate,
            };
            identities.push(files.identity(limits).unwrap());
        }
        assert!(identities.iter().all(|it| it.len() == 64));
        identities.sort();
        identities.dedup();
        assert_eq!(identities.len(), 7);
    }
}
