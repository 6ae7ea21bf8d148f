//! The folder of the embedded store.

use bytesize::ByteSize;
use url::Url;

use super::check::Check;
use crate::running::shown;

const FOLDER: &str = "data_folder";
const STORE: &str = "store";
/// With less room on the disk than this a store can't be opened.
const LEAST: ByteSize = ByteSize::mib(16);
/// With less room than this the disk is full after some sessions.
const LITTLE: ByteSize = ByteSize::mib(512);

/// What was found of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folder {
    pub(super) path: String,
    /// Whether it is there.
    pub(super) exists: bool,
    /// Why nothing can be written in it, or in the one in which it would be made.
    pub(super) unwritable: Option<String>,
    /// Whether others than its user may read the store's file in it.
    pub(super) is_open: bool,
    /// Bytes that are free on its disk, where that is known.
    pub(super) free: Option<u64>,
}

/// What was found of the store's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StoreFile {
    /// There is none yet.
    Missing,
    /// A proxy that runs has it open, and listens there.
    HeldAt(Url),
    /// It could be opened and read.
    Opens,
    /// It could not, and why.
    Fails(String),
}

/// What that means of the folder.
pub(super) fn folder(folder: &Folder) -> Check {
    let path = &folder.path;
    if let Some(error) = &folder.unwritable {
        return Check::failed(
            FOLDER,
            format!("{path} can't be written: {error}"),
            "let this user write there, or set HEADROOM_DATA_DIR to another folder",
        );
    }
    let free = folder.free.map(ByteSize::b);
    if let Some(free) = free.filter(|free| *free < LITTLE) {
        let detail = format!("{free} are free on the disk of {path}");
        let fix = "make room there, or set HEADROOM_DATA_DIR to a folder on another disk";
        return if free < LEAST {
            Check::failed(FOLDER, detail, fix)
        } else {
            Check::warning(FOLDER, detail, fix)
        };
    }
    if folder.is_open {
        return Check::warning(
            FOLDER,
            format!("others may read the store in {path}, which holds texts of prompts"),
            format!("chmod 600 {path}/headroom.*"),
        );
    }
    let free = free.map_or_else(String::new, |free| format!(", {free} free"));
    let detail = if folder.exists {
        format!("{path}{free}")
    } else {
        format!("{path} will be made{free}")
    };
    Check::ok(FOLDER, detail)
}

/// What that means of the store.
pub(super) fn store(file: &StoreFile) -> Check {
    match file {
        StoreFile::Missing => Check::ok(STORE, "no embedded store yet: the first start makes it"),
        StoreFile::HeldAt(url) => {
            let url = shown(url);
            Check::ok(
                STORE,
                format!("the proxy at {url} has the embedded store open"),
            )
        }
        StoreFile::Opens => Check::ok(STORE, "the embedded store opens, and no proxy has it"),
        StoreFile::Fails(error) => Check::failed(
            STORE,
            error.clone(),
            "the proxy that has it may listen elsewhere, or hang: look for headroom-proxy among the processes; otherwise do what the error says",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Status;
    use super::*;

    fn good() -> Folder {
        Folder {
            path: "/data".to_owned(),
            exists: true,
            unwritable: None,
            is_open: false,
            free: Some(ByteSize::gib(3).as_u64()),
        }
    }

    #[test]
    fn a_folder_needs_rights_and_room() {
        assert_eq!(folder(&good()).detail, "/data, 3.0 GiB free");
        for (found, status, says) in [
            (
                Folder {
                    exists: false,
                    free: None,
                    ..good()
                },
                Status::Ok,
                "will be made",
            ),
            (
                Folder {
                    unwritable: Some("denied".to_owned()),
                    ..good()
                },
                Status::Failed,
                "can't be written: denied",
            ),
            (
                Folder {
                    is_open: true,
                    ..good()
                },
                Status::Warning,
                "others may read",
            ),
            (
                Folder {
                    free: Some(100 << 20),
                    ..good()
                },
                Status::Warning,
                "100.0 MiB are free",
            ),
            (
                Folder {
                    free: Some(1 << 20),
                    ..good()
                },
                Status::Failed,
                "1.0 MiB are free",
            ),
        ] {
            let check = folder(&found);
            assert_eq!(check.status, status, "{says}");
            assert!(check.detail.contains(says), "{}", check.detail);
        }
    }
}
