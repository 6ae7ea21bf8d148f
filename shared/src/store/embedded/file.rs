//! Opens the file, with an error that says what to do if that fails.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use redb::{Database, DatabaseError, ReadableTable, StorageError};

use super::key_filter::KeyFilter;
use super::tables::{META, USED, VALUES};
use crate::contract::id::DigestKey;
use crate::store::StoreError;

/// The file's name in the data folder.
const FILE_NAME: &str = "headroom.redb";
/// The version of the file's format.
const FORMAT: u32 = 1;
/// The database's cache in bytes. The proxy has a cache of its own in front.
const CACHE_BYTES: usize = 64 << 20;
/// Its cache while the file is repaired and its keys are read, in bytes.
const OPENING_CACHE_BYTES: usize = 1 << 20;

/// Opens or creates the database in `dir`. Returns it with the deployment's secret and the filter of its keys.
pub(super) fn open(dir: &Path) -> Result<(Database, DigestKey, KeyFilter), StoreError> {
    let path = dir.join(FILE_NAME);
    let failed = |cause: String| {
        StoreError::other(
            "opening the embedded store",
            format!("{}: {cause}", path.display()),
        )
    };
    // The database may panic on a damaged file.
    let opened = catch_unwind(AssertUnwindSafe(|| {
        // Opened twice, because the pages that a repair and the walk over the keys read stay in the database's cache.
        let walked = database(dir, &path, OPENING_CACHE_BYTES)?;
        let (secret, filter) = (
            check_format(&walked)?,
            KeyFilter::of(&walked).map_err(text)?,
        );
        drop(walked);
        Ok((database(dir, &path, CACHE_BYTES)?, secret, filter))
    }));
    opened
        .unwrap_or_else(|_| Err(DAMAGED.to_owned()))
        .map_err(failed)
}

/// The database in `dir`, with a cache of so many bytes.
fn database(dir: &Path, path: &Path, cache: usize) -> Result<Database, String> {
    let file = open_file(dir, path).map_err(|error| error.to_string())?;
    Database::builder()
        .set_cache_size(cache)
        .create_file(file)
        .map_err(explained)
}

const DAMAGED: &str = "the file is damaged: move it away to begin with an empty one";

fn explained(error: DatabaseError) -> String {
    match error {
        DatabaseError::DatabaseAlreadyOpen => {
            "another process has it open: stop the other proxy, or \
            set HEADROOM_DATA_DIR to another folder, or HEADROOM_REDIS_URL to share a Redis"
                .to_owned()
        }
        DatabaseError::Storage(StorageError::Corrupted(_)) => DAMAGED.to_owned(),
        DatabaseError::Storage(StorageError::Io(error))
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
            ) =>
        {
            DAMAGED.to_owned()
        }
        other => other.to_string(),
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

/// Checks the format's version, or creates the tables of a new file. Returns the secret.
fn check_format(database: &Database) -> Result<DigestKey, String> {
    let transaction = database.begin_write().map_err(text)?;
    let secret = {
        let mut meta = transaction.open_table(META).map_err(text)?;
        let format = meta
            .get("format")
            .map_err(text)?
            .map(|found| found.value().to_vec());
        match format.as_deref().map(<[u8; 4]>::try_from) {
            None => {
                let fresh = DigestKey::random();
                meta.insert("format", &FORMAT.to_le_bytes()[..])
                    .map_err(text)?;
                meta.insert("secret", &fresh.as_bytes()[..]).map_err(text)?;
            }
            Some(Ok(found)) if u32::from_le_bytes(found) > FORMAT => {
                return Err(format!(
                    "it has format {}, and this program knows none above {FORMAT}: use a newer one",
                    u32::from_le_bytes(found)
                ));
            }
            Some(Ok(_)) => {}
            Some(Err(_)) => return Err(DAMAGED.to_owned()),
        }
        let secret = meta.get("secret").map_err(text)?;
        let bytes = secret.and_then(|found| found.value().try_into().ok());
        DigestKey::from_bytes(bytes.ok_or(DAMAGED)?)
    };
    transaction.open_table(VALUES).map_err(text)?;
    transaction.open_table(USED).map_err(text)?;
    transaction.commit().map_err(text)?;
    Ok(secret)
}

fn text(error: impl Into<redb::Error>) -> String {
    error.into().to_string()
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

    #[test]
    fn a_newer_format_is_refused_and_the_file_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (_, secret, _) = open(dir.path()).unwrap();
        meta(dir.path(), "format", &7_u32.to_le_bytes());
        let error = open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("it has format 7"), "{error}");
        meta(dir.path(), "format", &FORMAT.to_le_bytes());
        assert_eq!(open(dir.path()).unwrap().1.as_bytes(), secret.as_bytes());
    }

    #[test]
    fn a_bad_secret_is_refused_and_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        drop(open(dir.path()).unwrap());
        meta(dir.path(), "secret", b"hunter2");
        let error = open(dir.path()).unwrap_err().to_string();
        assert!(
            error.contains("damaged") && !error.contains("hunter2"),
            "{error}"
        );
    }
}
