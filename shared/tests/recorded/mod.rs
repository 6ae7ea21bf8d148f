//! The files of the corpus.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The files of a folder, in the order of their names.
pub(crate) fn files(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    let entries = fs::read_dir(root.join(folder)).expect("recorded outputs in ../shared/corpus");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The lines of a file, each of which is JSON.
pub(crate) fn json_lines(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The name of a file without its ending.
pub(crate) fn name(file: &Path) -> String {
    file.file_stem().unwrap().to_string_lossy().into_owned()
}
