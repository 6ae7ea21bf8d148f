//! Virtual environments of Python with pinned packages, made once under `target/` and shared by all runs.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of a virtual environment that holds exactly the packages that a requirements file pins, which names all that
/// they need. `name` tells it from others in `target/`.
///
/// # Errors
/// When it can't be made; the message tells a missing Python from a missing package index.
///
/// # Panics
/// When the requirements can't be read or `target/` can't be written.
pub fn with(name: &str, requirements: &Path) -> Result<PathBuf, String> {
    let pinned = fs::read_to_string(requirements).expect("the requirements are readable");
    let mut hasher = DefaultHasher::new();
    pinned.hash(&mut hasher);
    let folder = target().join(format!("{name}-venv-{:016x}", hasher.finish()));
    let lock = File::create(folder.with_extension("lock")).expect("target/ is writable");
    // Held by this process alone until it returns, so that runs side by side make it once.
    lock.lock().expect("a lock in target/");
    if !folder.exists() {
        make(&folder, requirements)?;
    }
    Ok(folder)
}

/// Makes it under another name, so that one that is there is whole.
fn make(folder: &Path, requirements: &Path) -> Result<(), String> {
    let making = folder.with_extension("making");
    let _ = fs::remove_dir_all(&making);
    run(
        Command::new("python3").args(["-m", "venv"]).arg(&making),
        "no Python with venv: this test needs python3 (3.11 or later) and, on Debian, python3-venv; ./scripts/test installs them",
    )?;
    run(
        Command::new(making.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--no-deps"])
            .args(["--disable-pip-version-check", "--no-cache-dir"])
            .arg("--requirement")
            .arg(requirements),
        "Python is there, but its packages could not be installed: this test needs PyPI once, or a mirror of it that \
         PIP_INDEX_URL names",
    )?;
    fs::rename(&making, folder).expect("a folder in target/ can be renamed");
    Ok(())
}

fn run(command: &mut Command, what_it_needs: &str) -> Result<(), String> {
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!(
            "{what_it_needs}\n--- {command:?}: {}\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )),
        Err(error) => Err(format!("{what_it_needs}\n--- {command:?}: {error}")),
    }
}

/// The test executables stand in target/<profile>/deps.
fn target() -> PathBuf {
    let test = std::env::current_exe().expect("the running program's own path");
    let target = test.ancestors().nth(3);
    target.expect("target/<profile>/deps").to_owned()
}
