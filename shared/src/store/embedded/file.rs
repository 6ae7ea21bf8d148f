//! Opens the file, with an error that says what to do if that fails.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use redb::backends::FileBackend;
use redb::{Database, DatabaseError, ReadableDatabase, StorageError, TableError};

use super::bounded_file::{BoundedFile, FileLength};
use super::commit;
use super::key_filter::KeyFilter;
use super::open_file::Open;
use super::room;
use super::tables::{LOG, META, USED, VALUES};
use super::write_ahead_log::{self, LogName, WriteAheadLog};
use crate::contract::id::DigestKey;
use crate::store::StoreError;

/// The file's name in the data folder.
pub(super) const FILE_NAME: &str = "headroom.redb";
/// The name of the write-ahead log's file.
const LOG_NAME: &str = "headroom.wal";
/// The name of the file that is written to see whether the disk has room again.
const TRIAL_NAME: &str = "headroom.trial";
/// The version of the file's format.
const FORMAT: u32 = 1;
/// The database's cache in bytes. The proxy has a cache of its own in front.
const CACHE_BYTES: usize = 64 << 20;
/// Its cache while the file is repaired and its keys are read, in bytes.
const OPENING_CACHE_BYTES: usize = 1 << 20;

/// What is written to see whether the disk has room again, in bytes.
const TRIAL_BYTES: usize = 1 << 20;

/// The file, just opened.
pub(super) struct Opened {
    pub(super) open: Open,
    /// The deployment's secret.
    pub(super) secret: DigestKey,
    /// Whether the file was empty or not there.
    pub(super) is_new: bool,
}

/// Why the file could not be opened.
#[derive(Debug)]
pub(super) struct NotOpened {
    pub(super) error: StoreError,
    /// Whether that is because the disk is full, and so may pass.
    pub(super) is_disk_full: bool,
    /// The deployment's secret, where that could be read.
    pub(super) secret: Option<DigestKey>,
}

/// Why something with the file failed, in words.
#[derive(Debug)]
struct Failed {
    cause: String,
    is_disk_full: bool,
}

impl From<String> for Failed {
    fn from(cause: String) -> Self {
        Self {
            cause,
            is_disk_full: false,
        }
    }
}

impl From<&str> for Failed {
    fn from(cause: &str) -> Self {
        cause.to_owned().into()
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self {
            cause: error.to_string(),
            is_disk_full: is_full(&error),
        }
    }
}

/// Opens or creates the database in `dir`, of at most so many bytes. A new one is given the deployment's secret, or a fresh one.
pub(super) fn open(
    dir: &Path,
    max_bytes: u64,
    secret: Option<&DigestKey>,
) -> Result<Opened, Box<NotOpened>> {
    let path = path(dir);
    let was_empty = fs::metadata(&path).map_or(true, |file| file.len() == 0);
    let mut found = None;
    // The database may panic on a damaged file.
    let opened = catch_unwind(AssertUnwindSafe(|| {
        // Opened twice, because the pages that a repair and the walk over the keys read stay in the database's cache.
        let (walked, length) = database(dir, &path, max_bytes, OPENING_CACHE_BYTES)?;
        let (is_new, secret) = check_format(&walked, secret)?;
        found = Some(secret.clone());
        let filter = KeyFilter::of(&walked).map_err(text)?;
        // What is in the log was in the file before, so that it has room for it, or nearly.
        length.lift_bound(true);
        let log = open_log(dir, &walked, &filter)?;
        drop(walked);
        let (database, length) = database(dir, &path, max_bytes, CACHE_BYTES)?;
        let open = Open {
            database,
            filter,
            length,
            log: Mutex::new(log),
        };
        Ok(Opened {
            open,
            secret,
            is_new,
        })
    }));
    let opened = opened.unwrap_or_else(|_| Err(DAMAGED.into()));
    opened.map_err(|failed: Failed| {
        if failed.is_disk_full && was_empty {
            // What there is of a new file is no database yet.
            let _ = fs::remove_file(&path);
        }
        let cause = format!("{}: {}", path.display(), failed.cause);
        Box::new(NotOpened {
            error: StoreError::other("opening the embedded store", cause),
            is_disk_full: failed.is_disk_full,
            secret: found,
        })
    })
}

/// Makes an open file as long as it may be, but longer than it is by so many bytes at least. To redb it is a file that was closed, and has
/// become longer since.
pub(super) fn lengthen(
    dir: &Path,
    max_bytes: u64,
    open: Open,
    at_least_by: u64,
) -> Result<Open, String> {
    let path = path(dir);
    let Open {
        database: closed,
        filter,
        length,
        log,
    } = open;
    length.lift_bound(true);
    drop(closed);
    let lengthened = open_file(dir, &path).and_then(|file| {
        let len = file.metadata()?.len() + at_least_by;
        file.set_len(len.max(room::full_length(max_bytes)))
    });
    lengthened.map_err(|error| error.to_string())?;
    let database = database(dir, &path, max_bytes, CACHE_BYTES);
    let (database, length) = database.map_err(|failed| failed.cause)?;
    Ok(Open {
        database,
        filter,
        length,
        log,
    })
}

/// The file's path.
pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join(FILE_NAME)
}

/// Checks that the disk that holds `dir` can be written and has some room. To open the file instead may take a walk over all of it.
pub(super) fn check_disk(dir: &Path) -> Result<(), StoreError> {
    let path = dir.join(TRIAL_NAME);
    let written = File::create(&path).and_then(|mut file| {
        file.write_all(&vec![0; TRIAL_BYTES])?;
        file.sync_all()
    });
    let removed = fs::remove_file(&path);
    written.and(removed).map_err(|error| {
        let cause = format!("writing {TRIAL_BYTES} bytes to {}: {error}", path.display());
        StoreError::other("trying the disk of the embedded store", cause)
    })
}

/// The database in `dir`, with a cache of so many bytes.
fn database(
    dir: &Path,
    path: &Path,
    max_bytes: u64,
    cache: usize,
) -> Result<(Database, FileLength), Failed> {
    let file = open_file(dir, path)?;
    let file = FileBackend::new(file).map_err(explained)?;
    let file = BoundedFile::new(file, max_bytes)?;
    let length = file.length();
    let database = Database::builder()
        .set_cache_size(cache)
        .create_with_backend(file)
        .map_err(explained)?;
    Ok((database, length))
}

/// Opens the write-ahead log, and brings what it has to the disk.
fn open_log(dir: &Path, database: &Database, filter: &KeyFilter) -> Result<WriteAheadLog, Failed> {
    let path = dir.join(LOG_NAME);
    let failed = |error: io::Error| Failed {
        cause: format!("its log {}: {error}", path.display()),
        is_disk_full: is_full(&error),
    };
    let name = log_name(database).map_err(text)?;
    let file = open_file(dir, &path).map_err(failed)?;
    let mut log = WriteAheadLog::new(file, name);
    let entries = log.read().map_err(failed)?;
    let next = if entries.is_empty() {
        name
    } else {
        let next = write_ahead_log::new_name();
        commit::replay(database, filter, &entries, next).map_err(text)?;
        tracing::info!(
            entries = entries.len(),
            "the embedded store has taken over what was written just before the last process was killed"
        );
        Some(next)
    };
    if let Some(next) = next {
        log.restart(next).map_err(failed)?;
    }
    Ok(log)
}

/// The name of the database's log; none where it names none yet.
fn log_name(database: &Database) -> Result<Option<LogName>, redb::Error> {
    let meta = database.begin_read()?.open_table(META)?;
    let name = meta.get(LOG)?;
    Ok(name.and_then(|name| name.value().try_into().ok()))
}

const DAMAGED: &str = "the file is damaged: move it away to begin with an empty one";

/// Whether an error says that the disk, or what this user may have of it, is full.
fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

fn explained(error: DatabaseError) -> Failed {
    match error {
        DatabaseError::DatabaseAlreadyOpen => {
            "another process has it open: stop the other proxy, or \
            set HEADROOM_DATA_DIR to another folder, or HEADROOM_REDIS_URL to share a Redis"
                .into()
        }
        DatabaseError::Storage(StorageError::Corrupted(_)) => DAMAGED.into(),
        DatabaseError::Storage(StorageError::Io(error))
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
            ) =>
        {
            DAMAGED.into()
        }
        other => text(other),
    }
}

#[cfg(unix)]
fn open_file(dir: &Path, path: &Path) -> io::Result<File> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};

    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

#[cfg(not(unix))]
fn open_file(dir: &Path, path: &Path) -> io::Result<File> {
    DirBuilder::new().recursive(true).create(dir)?;
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

/// Checks the format's version, or creates the tables of a new file, with this secret or a fresh one. Returns whether it is new, and its
/// secret.
fn check_format(
    database: &Database,
    known: Option<&DigestKey>,
) -> Result<(bool, DigestKey), Failed> {
    // A file that is not new need not be written, and so may be full.
    if let Some(secret) = stored_secret(database)? {
        return Ok((false, secret));
    }
    let secret = known.cloned().unwrap_or_else(DigestKey::random);
    let transaction = database.begin_write().map_err(text)?;
    {
        let mut meta = transaction.open_table(META).map_err(text)?;
        meta.insert("format", &FORMAT.to_le_bytes()[..])
            .map_err(text)?;
        meta.insert("secret", &secret.as_bytes()[..])
            .map_err(text)?;
    }
    transaction.open_table(VALUES).map_err(text)?;
    transaction.open_table(USED).map_err(text)?;
    transaction.commit().map_err(text)?;
    Ok((true, secret))
}

/// The secret in a file of a format that is known; none in a new file.
fn stored_secret(database: &Database) -> Result<Option<DigestKey>, Failed> {
    let transaction = database.begin_read().map_err(text)?;
    let meta = match transaction.open_table(META) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        meta => meta.map_err(text)?,
    };
    let format = meta.get("format").map_err(text)?;
    let format = format.and_then(|found| found.value().try_into().ok());
    let format = u32::from_le_bytes(format.ok_or(DAMAGED)?);
    if format > FORMAT {
        return Err(format!(
            "it has format {format}, and this program knows none above {FORMAT}: use a newer one"
        )
        .into());
    }
    let secret = meta.get("secret").map_err(text)?;
    let bytes = secret.and_then(|found| found.value().try_into().ok());
    Ok(Some(DigestKey::from_bytes(bytes.ok_or(DAMAGED)?)))
}

fn text(error: impl Into<redb::Error>) -> Failed {
    let error = error.into();
    Failed {
        cause: error.to_string(),
        is_disk_full: matches!(&error, redb::Error::Io(error) if is_full(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(dir: &Path, name: &str, value: &[u8]) {
        let database = Database::create(dir.join(FILE_NAME)).unwrap();
        let transaction = database.begin_write().unwrap();
        let mut table = transaction.open_table(META).unwrap();
        table.insert(name, value).unwrap();
        drop(table);
        transaction.commit().unwrap();
    }

    const MAX_BYTES: u64 = 1 << 30;

    fn opened(dir: &Path) -> Opened {
        open(dir, MAX_BYTES, None).unwrap()
    }

    fn refusal(dir: &Path) -> String {
        let refused = open(dir, MAX_BYTES, None).map(drop);
        refused.unwrap_err().error.to_string()
    }

    #[test]
    fn a_newer_format_is_refused_and_the_file_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let secret = opened(dir.path()).secret;
        meta(dir.path(), "format", &7_u32.to_le_bytes());
        let error = refusal(dir.path());
        assert!(error.contains("it has format 7"), "{error}");
        meta(dir.path(), "format", &FORMAT.to_le_bytes());
        assert_eq!(opened(dir.path()).secret.as_bytes(), secret.as_bytes());
    }

    #[test]
    fn a_bad_secret_is_refused_and_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        drop(opened(dir.path()));
        meta(dir.path(), "secret", b"hunter2");
        let error = refusal(dir.path());
        assert!(
            error.contains("damaged") && !error.contains("hunter2"),
            "{error}"
        );
    }

    #[test]
    fn a_new_file_gets_the_secret_that_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let known = DigestKey::random();
        for is_new in [true, false] {
            let opened = open(dir.path(), MAX_BYTES, Some(&known)).unwrap();
            assert_eq!(opened.is_new, is_new);
            assert_eq!(opened.secret.as_bytes(), known.as_bytes());
        }
        let other = open(dir.path(), MAX_BYTES, Some(&DigestKey::random())).unwrap();
        assert_eq!(other.secret.as_bytes(), known.as_bytes());
    }

    #[test]
    fn a_disk_that_can_be_written_is_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        check_disk(dir.path()).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let error = check_disk(&dir.path().join("gone")).unwrap_err();
        assert!(error.to_string().contains("headroom.trial"), "{error}");
    }
}
