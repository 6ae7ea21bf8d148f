//! Which files are transcripts.

use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use directories::UserDirs;

use super::Skipped;

/// Folders in folders are walked so deep: clients go no deeper than six.
const MAX_DEPTH: usize = 32;

/// The transcripts at these paths: a file as it is, of a folder all files `*.jsonl` and `*.jsonl.zst` in it and below, without following links. Without a path,
/// those of the clients whose folders are known: Claude Code's and Codex', in the user's home or where `CLAUDE_CONFIG_DIR` and `CODEX_HOME`
/// say. Sorted by name, sub-agents' own files last: they may repeat the session that they belong to. Folders that can't be read are
/// `skipped`.
///
/// # Errors
/// When a path does not exist, or none is given and there is no folder of a client.
pub(crate) fn find(paths: &[PathBuf], skipped: &mut Skipped) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    if paths.is_empty() {
        let folders = client_folders(|name| std::env::var(name).ok(), home().as_deref());
        let known: Vec<&PathBuf> = folders.iter().filter(|path| path.is_dir()).collect();
        if known.is_empty() {
            let folders = folders.iter().map(|path| path.display().to_string());
            bail!(
                "there are no transcripts at {}: give the path of a file or folder",
                folders.collect::<Vec<_>>().join(" or ")
            );
        }
        for folder in known {
            walk(folder, MAX_DEPTH, &mut files, skipped);
        }
    }
    for path in paths {
        let metadata = path.metadata();
        let metadata = metadata.with_context(|| format!("can't read {}", path.display()))?;
        if metadata.is_dir() {
            walk(path, MAX_DEPTH, &mut files, skipped);
        } else {
            files.push(path.clone());
        }
    }
    files.sort_by_cached_key(|file| (is_agents(file), file.clone()));
    files.dedup();
    Ok(files)
}

/// Names Claude Code's folders, with commas between.
const CLAUDE_FOLDERS: &str = "CLAUDE_CONFIG_DIR";

/// Where clients keep their transcripts: folders that may not be there. `variable` looks up the environment.
///
/// Source: `ccusage` for Claude Code; `codex-rs/core/src/rollout` for Codex.
fn client_folders(variable: impl Fn(&str) -> Option<String>, home: Option<&Path>) -> Vec<PathBuf> {
    let set = |name: &str| {
        let value = variable(name).unwrap_or_default();
        let is_list = name == CLAUDE_FOLDERS;
        let folders = value.split(|sign| is_list && sign == ',').map(str::trim);
        let folders = folders.filter(|folder| !folder.is_empty());
        folders.map(PathBuf::from).collect::<Vec<_>>()
    };
    let clients = [
        (
            CLAUDE_FOLDERS,
            &[".claude", ".config/claude"][..],
            "projects",
        ),
        ("CODEX_HOME", &[".codex"][..], "sessions"),
    ];
    let folders = clients.into_iter().flat_map(|(name, usual, below)| {
        let mut folders = set(name);
        if let Some(home) = home.filter(|_| folders.is_empty()) {
            folders.extend(usual.iter().map(|folder| home.join(folder)));
        }
        folders.into_iter().map(move |folder| folder.join(below))
    });
    folders.collect()
}

fn home() -> Option<PathBuf> {
    Some(UserDirs::new()?.home_dir().to_owned())
}

/// Whether a file is a sub-agent's of Claude Code.
fn is_agents(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default();
    name.as_encoded_bytes().starts_with(b"agent-")
}

/// Whether a file is one by its name: `*.jsonl`, or `*.jsonl.zst` where the same is not there plain.
fn is_transcript(file: &Path) -> bool {
    let is_plain = |file: &Path| file.extension().is_some_and(|end| end == "jsonl");
    let compressed = file.extension().is_some_and(|end| end == "zst");
    let plain = file.with_extension("");
    is_plain(file) || compressed && is_plain(&plain) && !plain.exists()
}

fn walk(folder: &Path, depth: usize, files: &mut Vec<PathBuf>, skipped: &mut Skipped) {
    if depth == 0 {
        let reason = format!("is deeper than {MAX_DEPTH} folders");
        return skipped.files.push((folder.to_owned(), reason));
    }
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<DirEntry>>>);
    let entries = match entries {
        Ok(entries) => entries,
        Err(error) => {
            let reason = format!("can't be read: {error}");
            return skipped.files.push((folder.to_owned(), reason));
        }
    };
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type());
        match kind {
            Ok(kind) if kind.is_dir() => walk(&path, depth - 1, files, skipped),
            Ok(kind) if kind.is_file() && is_transcript(&path) => files.push(path),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_keep_transcripts_at_home_or_where_the_environment_says() {
        let folders = |claude: &str, codex: &str, home: Option<&str>| {
            let variable = |name: &str| match name {
                "CLAUDE_CONFIG_DIR" => Some(claude.to_owned()),
                "CODEX_HOME" => Some(codex.to_owned()),
                _ => None,
            };
            client_folders(variable, home.map(Path::new))
        };
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(
            folders("", " ", Some("/me")),
            paths(&[
                "/me/.claude/projects",
                "/me/.config/claude/projects",
                "/me/.codex/sessions"
            ])
        );
        assert_eq!(
            folders("/a, /b", "/c", Some("/me")),
            paths(&["/a/projects", "/b/projects", "/c/sessions"])
        );
        assert!(folders("", "", None).is_empty());
    }
}
