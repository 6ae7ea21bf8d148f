//! Keeps a started proxy for as long as any `wrap` uses it: each has a shared lock on a file in the data folder, and the proxy waits for an
//! exclusive one. The system frees the locks of a process that is killed.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio_util::sync::CancellationToken;

/// The file on which the locks are.
const LEASES: &str = "wrap.leases";
/// The file on which one `wrap` at a time has a lock while it looks for a proxy or starts one.
const STARTING: &str = "wrap.starting";
/// How often a lock that another process has is tried.
const PAUSE: Duration = Duration::from_millis(20);
/// Longer than another `wrap` takes to start a proxy, or a proxy that nobody uses takes to end: a minute's drain and what follows.
const PATIENCE: Duration = Duration::from_secs(90);

/// A lease on the proxies that `wrap` has started over a data folder. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Lease {
    file: File,
    /// The file's length with the byte that this lease has added.
    length: u64,
}

/// The right to look for a proxy and to start one. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Starting(#[expect(dead_code, reason = "its lock counts")] File);

impl Starting {
    /// Waits until no other `wrap` looks for a proxy of this data folder, which is made if it is not there.
    pub(super) async fn wait(folder: &Path) -> anyhow::Result<Self> {
        let file = open(folder, STARTING)?;
        lock(File::try_lock, &file)
            .await
            .context("another `headroom-proxy wrap` starts a proxy")?;
        Ok(Self(file))
    }
}

impl Lease {
    /// Takes one, once a proxy that has had none any more has ended. Each adds a byte to the file, so that others can be told.
    pub(super) async fn take(folder: &Path, _: &Starting) -> anyhow::Result<Self> {
        let mut file = open(folder, LEASES)?;
        lock(File::try_lock_shared, &file)
            .await
            .context("the last proxy of `headroom-proxy wrap` has not ended yet")?;
        file.write_all(b".")?;
        let length = file.metadata()?.len();
        Ok(Self { file, length })
    }

    /// Whether no other lease was taken after this one.
    pub(super) fn is_last(&self) -> bool {
        let length = self.file.metadata().map(|file| file.len());
        length.is_ok_and(|length| length == self.length)
    }
}

/// Cancels `unused` once nobody has a lease any more; to be called while somebody has one. From then on nobody gets one until this process
/// has ended.
pub(super) fn cancel_when_unused(folder: &Path, unused: CancellationToken) -> anyhow::Result<()> {
    let file = open(folder, LEASES)?;
    let wait = move || {
        while let Err(error) = file.lock() {
            if error.kind() != io::ErrorKind::Interrupted {
                tracing::error!(%error, "can't tell whether this proxy is used");
                break;
            }
        }
        let _ = file.set_len(0);
        unused.cancel();
        // The lock must last as long as the process.
        std::mem::forget(file);
    };
    thread::Builder::new()
        .name("leases".to_owned())
        .spawn(wait)?;
    Ok(())
}

/// Opens a file for appending and, where it or the folder is not there, makes it for this user alone.
pub(super) fn open(folder: &Path, name: &str) -> anyhow::Result<File> {
    let path = folder.join(name);
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    let mut options = OpenOptions::new();
    options.append(true).create(true).read(true).mode(0o600);
    let opened = made.and_then(|()| options.open(&path));
    opened.with_context(|| format!("can't write {} (HEADROOM_DATA_DIR)", path.display()))
}

async fn lock(try_lock: fn(&File) -> Result<(), TryLockError>, file: &File) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        match try_lock(file) {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error.into()),
            Err(TryLockError::WouldBlock) if begun.elapsed() > PATIENCE => {
                bail!("waited {} s for it", PATIENCE.as_secs())
            }
            Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_proxy_is_unused_when_the_last_lease_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let starting = Starting::wait(folder).await.unwrap();
        let first = Lease::take(folder, &starting).await.unwrap();
        assert!(first.is_last());
        let unused = CancellationToken::new();
        cancel_when_unused(folder, unused.clone()).unwrap();
        let second = Lease::take(folder, &starting).await.unwrap();
        assert!(!first.is_last() && second.is_last());
        drop(first);
        assert!(!unused.is_cancelled());
        drop(second);
        unused.cancelled().await;
        // The lock lasts as long as the process that had the proxy: here, this one.
        let file = open(folder, LEASES).unwrap();
        assert!(matches!(
            file.try_lock_shared(),
            Err(TryLockError::WouldBlock)
        ));
    }
}
