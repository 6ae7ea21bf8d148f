//! The open file, or why it is closed.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, TryLockError};
use std::time::Duration;

use tokio::sync::watch;

use super::file::{self, Opened};
use super::open_file::Open;
use crate::contract::id::DigestKey;
use crate::runtime::clock::now_ms;
use crate::store::{Generation, SecretCheck, StoreError};

/// What all that read and write the file share. The writer's thread alone opens and closes it.
#[derive(Debug)]
pub(super) struct Access {
    dir: PathBuf,
    max_bytes: u64,
    /// The file; or why there is none now.
    state: RwLock<Result<Open, String>>,
    /// Whether there is one.
    is_open: watch::Sender<bool>,
    secret: Mutex<Secret>,
    /// When an entry was last asked for or written, in milliseconds since 1970.
    last_use_ms: AtomicU64,
}

#[derive(Debug)]
struct Secret {
    /// The secret; none while the file could never be read.
    key: Option<DigestKey>,
    /// How often the file was opened anew, and how often an empty one was found then, which was given this secret.
    reopened: u64,
    emptied: u64,
}

impl Access {
    /// Opens the file in this folder. Where the disk is full, it is closed.
    pub(super) fn open(dir: PathBuf, max_bytes: u64) -> Result<Self, StoreError> {
        let (state, key) = match file::open(&dir, max_bytes, None) {
            Ok(Opened { open, secret, .. }) => (Ok(open), Some(secret)),
            Err(failed) if failed.is_disk_full => (Err(failed.error.to_string()), failed.secret),
            Err(failed) => return Err(failed.error),
        };
        Ok(Self {
            dir,
            max_bytes,
            is_open: watch::Sender::new(state.is_ok()),
            state: RwLock::new(state),
            secret: Mutex::new(Secret {
                key,
                reopened: 0,
                emptied: 0,
            }),
            last_use_ms: AtomicU64::new(now_ms()),
        })
    }

    /// Gives the open file to `work`, which keeps it open until it returns.
    pub(super) fn with<T>(&self, work: impl FnOnce(&Open) -> T) -> Result<T, StoreError> {
        let state = match self.state.try_read() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Only for as long as reads that have begun take to end.
            Err(TryLockError::WouldBlock) => return Err(self.away("it is being closed or opened")),
        };
        match &*state {
            Ok(open) => Ok(work(open)),
            Err(reason) => Err(self.away(reason)),
        }
    }

    /// Closes the file for everybody but the caller, once reads that have begun have ended.
    pub(super) fn close(&self, reason: &str) -> Option<Open> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        self.is_open.send_replace(false);
        std::mem::replace(&mut *state, Err(reason.to_owned())).ok()
    }

    /// Opens it for everybody again.
    pub(super) fn reopen_with(&self, open: Open) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Ok(open);
        self.is_open.send_replace(true);
    }

    /// Opens the file anew, if its disk can be written.
    pub(super) fn reopen(&self) -> Result<(), StoreError> {
        file::check_disk(&self.dir)?;
        let known = self.secret().key.clone();
        let opened = file::open(&self.dir, self.max_bytes, known.as_ref());
        let opened = opened.map_err(|failed| failed.error)?;
        let mut secret = self.secret();
        secret.reopened += 1;
        secret.emptied += u64::from(opened.is_new);
        secret.key = Some(opened.secret);
        drop(secret);
        self.reopen_with(opened.open);
        Ok(())
    }

    /// Makes a file longer that this has closed, by so many bytes at least, and opens it for everybody again.
    pub(super) fn lengthen(&self, open: Open, at_least_by: u64) -> Result<(), String> {
        let open = file::lengthen(&self.dir, self.max_bytes, open, at_least_by)?;
        self.reopen_with(open);
        Ok(())
    }

    /// Waits until the file is open.
    pub(super) async fn opened(&self) {
        // The sender lives as long as this.
        let _ = self.is_open.subscribe().wait_for(|is_open| *is_open).await;
    }

    /// Why the file is closed, if it is.
    pub(super) fn why_closed(&self) -> Option<String> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.as_ref().err().cloned()
    }

    /// The deployment's secret, as the file had it when it was last open.
    pub(super) fn digest_key(&self) -> Result<DigestKey, StoreError> {
        let key = self.secret().key.clone();
        key.ok_or_else(|| self.away("it could not be opened yet"))
    }

    /// Compares a process's secret with the file's.
    pub(super) fn check_secret(&self, own: &DigestKey) -> Result<SecretCheck, StoreError> {
        let key = self.digest_key()?;
        if key.as_bytes() != own.as_bytes() {
            return Ok(SecretCheck::Replaced(key));
        }
        let secret = self.secret();
        Ok(SecretCheck::Same(Generation {
            name: Some(secret.emptied.to_string().into()),
            interruptions: secret.reopened,
        }))
    }

    fn secret(&self) -> std::sync::MutexGuard<'_, Secret> {
        self.secret.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that an entry is asked for or written.
    pub(super) fn note_use(&self) {
        self.last_use_ms.store(now_ms(), Ordering::Relaxed);
    }

    /// Whether no entry was asked for or written for so long.
    pub(super) fn is_idle_for(&self, time: Duration) -> bool {
        let last_use = self.last_use_ms.load(Ordering::Relaxed);
        u128::from(now_ms().saturating_sub(last_use)) >= time.as_millis()
    }

    /// The file's path, for people.
    pub(super) fn path(&self) -> PathBuf {
        file::path(&self.dir)
    }

    fn away(&self, reason: &str) -> StoreError {
        let path = self.path();
        StoreError::away(
            "the embedded store",
            format!("{} is closed: {reason}", path.display()),
        )
    }
}
