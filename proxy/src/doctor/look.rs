//! Looks at what there is, each thing in bounded time, and all that is independent at once.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use headroom_shared::queue::redis::admin::QueueAdmin;
use headroom_shared::queue::redis::{check_requirements, diagnose, pool};
use headroom_shared::queue::{AdminQueue as _, Bounds, Timing};
use headroom_shared::runtime::config::RedisUrl;
use headroom_shared::store::{EmbeddedStore, Store as _};
use tokio::net::TcpListener;
use tokio::time::timeout;
use url::Url;

use super::check::Check;
use super::data_folder::{self, Folder, StoreFile};
use super::{clients, listener, providers, redis};
use crate::running::{self, Stats, is_of_another_user, published_in};
use crate::settings::Settings;
use crate::upstream;
use crate::wrap::environment::Environment;

/// How long each of the things may take.
const LIMIT: Duration = Duration::from_secs(6);
/// Of what a file in the data folder begins with that is written to see whether that can be done.
const TRIAL: &str = "headroom.doctor";

/// Looks at everything that these settings concern.
pub(super) async fn at_all(settings: &Settings) -> Vec<Check> {
    let own = match settings.url() {
        Ok(own) => own,
        Err(error) => {
            let fix = "set HEADROOM_HOST to an address of this machine";
            return vec![Check::failed("listener", format!("{error:#}"), fix)];
        }
    };
    let runs = running::stats(&own).await.ok();
    let store = async {
        match &settings.store.redis_url {
            Some(url) => at_redis(settings, url, runs.as_ref()).await,
            None => at_folder(settings, &own, runs.as_ref()).await,
        }
    };
    let (listener, store, providers) = tokio::join!(
        at_listener(settings, &own, runs.as_ref()),
        store,
        at_providers(settings)
    );
    let clients = clients::check(&Environment::read(), &own, runs.is_some());
    [vec![listener], store, providers, clients].concat()
}

async fn at_listener(settings: &Settings, own: &Url, runs: Option<&Stats>) -> Check {
    let bound = match runs {
        Some(_) => Ok(()),
        None => TcpListener::bind((settings.host.as_str(), settings.port))
            .await
            .map(drop),
    };
    let runs = (runs.map(|stats| &stats.proxy), is_of_another_user(own));
    listener::check(own, runs, bound.as_ref().copied())
}

async fn at_providers(settings: &Settings) -> Vec<Check> {
    match timeout(LIMIT, upstream::reach(&settings.upstreams)).await {
        Ok(reached) => reached.iter().map(providers::check).collect(),
        Err(_) => vec![Check::failed(
            "provider",
            format!(
                "not all providers could be reached within {} s",
                LIMIT.as_secs()
            ),
            "look at the network, and whether this machine needs HTTPS_PROXY",
        )],
    }
}

async fn at_redis(settings: &Settings, url: &RedisUrl, runs: Option<&Stats>) -> Vec<Check> {
    let mut checks: Vec<Check> = runs
        .and_then(|stats| redis::other_store(&stats.store))
        .into_iter()
        .collect();
    let looked = timeout(LIMIT, redis_checks(settings, url)).await;
    checks.extend(looked.unwrap_or_else(|_| {
        vec![Check::failed(
            "redis",
            format!(
                "Redis at {url} does not answer within {} s",
                LIMIT.as_secs()
            ),
            "start it, or set HEADROOM_REDIS_URL to where it is",
        )]
    }));
    checks
}

async fn redis_checks(settings: &Settings, url: &RedisUrl) -> Vec<Check> {
    let keys = settings.store.keys();
    let pool = pool(url, &keys);
    let at = url.to_string();
    let unmet = check_requirements(&pool).await.err();
    let mut checks = vec![redis::fits(&at, unmet.as_ref())];
    if unmet.is_some() {
        return checks;
    }
    let bounds = Bounds::new(settings.store.retention());
    let nearly_full = bounds.max_memory_percent;
    let admin = QueueAdmin::new(pool.clone(), keys.clone(), bounds, Timing::default());
    let (found, status) = tokio::join!(diagnose(&pool, &keys), admin.status());
    match found {
        Ok(found) => checks.extend(redis::diagnosis(&found, nearly_full)),
        Err(error) => checks.push(Check::failed(
            "redis_rights",
            error.to_string(),
            "see docs/operations.md, \"a user of its own\"",
        )),
    }
    match status {
        Ok(status) => checks.extend(redis::workers(&status)),
        Err(error) => checks.push(Check::failed(
            "workers",
            error.to_string(),
            "see docs/operations.md, \"a user of its own\"",
        )),
    }
    checks
}

async fn at_folder(settings: &Settings, own: &Url, runs: Option<&Stats>) -> Vec<Check> {
    let path = match settings.limits.data_folder() {
        Ok(path) => path,
        Err(error) => {
            let fix = "set HEADROOM_DATA_DIR to a folder";
            return vec![Check::failed("data_folder", format!("{error:#}"), fix)];
        }
    };
    let folder = data_folder::folder(&folder(&path));
    let file = store_file(settings, &path, own, runs).await;
    vec![folder, data_folder::store(&file)]
}

fn folder(path: &Path) -> Folder {
    // What is not there is made in the nearest folder above that is.
    let there = path.ancestors().find(|folder| folder.is_dir());
    let there = there.unwrap_or(path);
    let disk = rustix::fs::statvfs(there).ok();
    Folder {
        path: path.display().to_string(),
        exists: path.is_dir(),
        unwritable: try_to_write(there).err().map(|error| error.to_string()),
        is_open: fs::metadata(path.join(EmbeddedStore::FILE_NAME))
            .is_ok_and(|file| file.permissions().mode() & 0o077 != 0),
        free: disk.map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)),
    }
}

/// Makes a file there that is of no use, and removes it.
fn try_to_write(folder: &Path) -> io::Result<()> {
    let path = folder.join(format!("{TRIAL}.{}", std::process::id()));
    fs::File::create_new(&path)?;
    fs::remove_file(&path)
}

/// The store's file: a proxy that has it open says so in its folder; nobody but that proxy can open it then.
async fn store_file(
    settings: &Settings,
    folder: &Path,
    own: &Url,
    runs: Option<&Stats>,
) -> StoreFile {
    if let Some(url) = published_in(folder) {
        let answers = url == *own && runs.is_some() || running::stats(&url).await.is_ok();
        if answers {
            return StoreFile::HeldAt(url);
        }
    }
    if !folder.join(EmbeddedStore::FILE_NAME).exists() {
        return StoreFile::Missing;
    }
    let (folder, retention) = (folder.to_owned(), settings.store.retention());
    let max_bytes = settings.limits.max_store_bytes.as_u64();
    let open = move || EmbeddedStore::open(&folder, retention, max_bytes);
    let read = async {
        let store = tokio::task::spawn_blocking(open).await?;
        let store = store?;
        store.ping().await?;
        // Dropping it waits for its thread.
        tokio::task::spawn_blocking(move || drop(store)).await?;
        anyhow::Ok(())
    };
    match timeout(LIMIT, read).await {
        Ok(Ok(())) => StoreFile::Opens,
        Ok(Err(error)) => StoreFile::Fails(format!("{error:#}")),
        Err(_) => StoreFile::Fails(format!(
            "the embedded store could not be read within {} s",
            LIMIT.as_secs()
        )),
    }
}
