//! Reads the corpus: tool outputs, sessions and probes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use headroom_shared::compress::Source;
use headroom_tests::conversation::recorded::{Session, sessions_in};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::probes::Probes;

/// Outputs that are files of their own: the folder, and the kind.
const FILES: [(&str, &str); 3] = [("json", "json"), ("logs", "log"), ("tables", "csv")];

/// A folder with recorded outputs.
#[derive(Debug)]
pub(crate) struct Corpus(PathBuf);

/// The output of a tool.
#[derive(Debug, Deserialize)]
pub(crate) struct Output {
    pub(crate) kind: String,
    tool: Option<String>,
    input: Option<Box<RawValue>>,
    pub(crate) text: String,
}

impl Output {
    /// The output as a compressor sees it.
    pub(crate) fn source(&self) -> Source<'_> {
        Source {
            text: &self.text,
            tool: self.tool.as_deref(),
            input: self.input.as_deref().map(RawValue::get),
        }
    }
}

impl Corpus {
    /// # Errors
    /// When there is no such folder.
    pub(crate) fn new(folder: &Path) -> anyhow::Result<Self> {
        ensure!(
            folder.is_dir(),
            "--corpus {}: no such folder",
            folder.display()
        );
        Ok(Self(folder.to_owned()))
    }

    /// All tool outputs, in the order of their kinds.
    ///
    /// # Errors
    /// When a file can't be read.
    pub(crate) fn outputs(&self) -> anyhow::Result<Vec<Output>> {
        let mut outputs: Vec<Output> = Vec::new();
        for file in self.files("tool_outputs")? {
            outputs.extend(json_lines::<Output>(&file)?);
        }
        for (folder, kind) in FILES {
            for file in self.files(folder)? {
                outputs.push(Output {
                    kind: kind.to_owned(),
                    tool: None,
                    input: None,
                    text: read(&file)?,
                });
            }
        }
        // Sorting keeps the order of the files within a kind.
        outputs.sort_by(|a, b| a.kind.cmp(&b.kind));
        Ok(outputs)
    }

    /// The recorded sessions.
    ///
    /// # Errors
    /// When the folder is there and can't be read.
    pub(crate) fn sessions(&self) -> anyhow::Result<Vec<Session>> {
        let folder = self.0.join("sessions");
        if !folder.exists() {
            return Ok(Vec::new());
        }
        sessions_in(&folder).with_context(|| format!("can't read {}", folder.display()))
    }

    /// The probes of recorded sessions.
    ///
    /// # Errors
    /// When the file can't be read.
    pub(crate) fn probes(&self) -> anyhow::Result<Probes> {
        Ok(Probes::new(self.fidelity("usage_probes")?))
    }

    /// The lines of a file of probes; none where it is not there.
    ///
    /// # Errors
    /// When it can't be read.
    pub(crate) fn fidelity<T: DeserializeOwned>(&self, name: &str) -> anyhow::Result<Vec<T>> {
        let path = self.0.join("fidelity").join(name).with_extension("jsonl");
        if path.exists() {
            json_lines(&path)
        } else {
            Ok(Vec::new())
        }
    }

    /// The files of a folder in the order of their names; none where it is not there.
    fn files(&self, folder: &str) -> anyhow::Result<Vec<PathBuf>> {
        let folder = self.0.join(folder);
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let entries = fs::read_dir(&folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let entries = entries.with_context(|| format!("can't read {}", folder.display()))?;
        let mut files: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
        files.sort();
        Ok(files)
    }
}

fn json_lines<T: DeserializeOwned>(file: &Path) -> anyhow::Result<Vec<T>> {
    let text = read(file)?;
    let lines = text.lines().enumerate().map(|(index, line)| {
        let place = || format!("{}, line {}", file.display(), index + 1);
        serde_json::from_str(line).with_context(place)
    });
    lines.collect()
}

fn read(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))
}
