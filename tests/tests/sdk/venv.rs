//! A Python with the pinned SDKs, made once under `target/` and shared by all runs.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

const PINNED: &str = include_str!("requirements.txt");

/// The interpreter of a virtual environment that holds exactly the pinned packages.
///
/// # Panics
/// When it can't be made; the message tells a missing Python from a missing package index.
pub(crate) fn python() -> PathBuf {
    let mut hasher = DefaultHasher::new();
    PINNED.hash(&mut hasher);
    let folder = target().join(format!("sdk-venv-{:016x}", hasher.finish()));
    let lock = File::create(folder.with_extension("lock")).expect("target/ is writable");
    // Held by this process alone until it returns, so that runs side by side make it once.
    lock.lock().expect("a lock in target/");
    if !folder.exists() {
        make(&folder);
    }
    folder.join("bin/python")
}

/// Makes it under another name, so that one that is there is whole.
fn make(folder: &Path) {
    let making = folder.with_extension("making");
    let _ = fs::remove_dir_all(&making);
    run(
        Command::new("python3").args(["-m", "venv"]).arg(&making),
        "no Python with venv: the SDK tests need python3 (3.11 or later) and, on Debian, python3-venv; ./scripts/test installs them",
    );
    run(
        Command::new(making.join("bin/python"))
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ])
            .args([
                "--requirement",
                concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/requirements.txt"),
            ]),
        "Python is there, but the SDKs could not be installed: the SDK tests need PyPI once, or a mirror of it that \
         PIP_INDEX_URL names",
    );
    fs::rename(&making, folder).expect("a folder in target/ can be renamed");
}

fn run(command: &mut Command, what_it_needs: &str) {
    match command.output() {
        Ok(output) if output.status.success() => {}
        Ok(output) => panic!(
            "{what_it_needs}\n--- {command:?}: {}\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) => panic!("{what_it_needs}\n--- {command:?}: {error}"),
    }
}

/// The test executables stand in target/<profile>/deps.
fn target() -> PathBuf {
    let test = std::env::current_exe().expect("the running program's own path");
    let target = test.ancestors().nth(3);
    target.expect("target/<profile>/deps").to_owned()
}
