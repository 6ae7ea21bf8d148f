//! A small disk: a tmpfs in a mount namespace of its own, which ends with the process that holds it.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};

/// Mounts the disk, says so, and holds it.
const SCRIPT: &str =
    "mount -t tmpfs -o size=\"$1\" none /mnt && echo mounted && exec sleep infinity";

/// The disk. It is gone when this is dropped.
#[derive(Debug)]
pub struct SmallDisk {
    holder: Child,
    path: PathBuf,
}

impl SmallDisk {
    /// Mounts one of this size, as `mount` takes it: `512k`, `4m`.
    ///
    /// # Errors
    /// When there can be none here, and why.
    pub fn mount(size: &str) -> anyhow::Result<Self> {
        let impossible = "there can be no small disk here: `unshare --mount` and a tmpfs in it need root on Linux";
        let mut holder = Command::new("unshare")
            .args(["--mount", "sh", "-c", SCRIPT, "sh", size])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context(impossible)?;
        let said = holder.stdout.take().context("no output")?;
        // What the holder sees, which nobody else does.
        let path = PathBuf::from(format!("/proc/{}/root/mnt", holder.id()));
        let disk = Self { holder, path };
        let mut line = String::new();
        BufReader::new(said).read_line(&mut line)?;
        ensure!(line == "mounted\n", impossible);
        Ok(disk)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes all the room that is left, until the result is dropped.
    ///
    /// # Panics
    /// When it can't be written for another reason.
    #[must_use]
    pub fn fill(&self) -> Filler {
        let path = self.path.join("filler");
        let mut file = File::create(&path).expect("a file on the small disk");
        let page = [0; 4096];
        let error = loop {
            if let Err(error) = file.write_all(&page) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
        Filler(path)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A file that fills a disk until it is dropped.
#[derive(Debug)]
pub struct Filler(PathBuf);

impl Drop for Filler {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
