//! Finds the proxy that a client is to ask, or starts one.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use headroom_shared::contract::tier::Tier;
use headroom_shared::runtime::terminal::sanitized;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use url::Url;

use super::args::Client;
use super::environment::Environment;
use super::lease::{self, Lease, Starting};
use super::upstreams::{self, Asked, target_variable};
use crate::running::{self, Stats, shown};
use crate::settings::Settings;

/// The log of started proxies, in the data folder.
const LOG: &str = "wrap.log";
/// The log before this one.
const OLD_LOG: &str = "wrap.log.old";
/// A log that is longer, in bytes, is put aside when a proxy is started.
const MAX_LOG: u64 = 8 << 20;
/// How long a proxy may take to start: a model is loaded in seconds, and after a kill a large store is read once.
const START: Duration = Duration::from_secs(120);

/// The proxy that a client is to ask.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) url: Url,
    /// What it had counted before the client was started.
    pub(super) before: Stats,
    lease: Lease,
    /// The log, where this `wrap` has started the proxy.
    log: Option<PathBuf>,
}

impl Found {
    /// Whether a request can be sent shortened that offers the tool to fetch the rest.
    pub(super) fn offers_tool(&self) -> bool {
        self.before.proxy.tier == Tier::Recoverable.name()
    }

    /// Whether nobody else has had this proxy since it was started.
    pub(super) fn is_alone(&self) -> bool {
        self.log.is_some() && self.lease.is_last()
    }

    /// Where to read what went wrong.
    pub(super) fn see_log(&self) -> String {
        let see = |log: &PathBuf| format!("; its log is {}", log.display());
        self.log.as_ref().map(see).unwrap_or_default()
    }
}

/// Finds the proxy that a client is to ask which would ask others without us: one that it asks already, the one where the settings listen, or
/// the one that has the data folder open. Where none runs, starts one that sends there.
///
/// # Errors
/// When a proxy that runs sends elsewhere, or none can be started.
pub(super) async fn find_or_start(
    settings: &Settings,
    tier: Option<Tier>,
    client: Client<'_>,
    environment: &Environment,
) -> anyhow::Result<Found> {
    let folder = settings.limits.data_folder()?;
    let starting = Starting::wait(&folder).await?;
    let lease = Lease::take(&folder, &starting).await?;
    let own = settings.url()?;
    let mut elsewhere = Vec::new();
    let mut candidates = Vec::new();
    for asked in client.would_ask(environment)? {
        let base = origin(&asked.base);
        if base.scheme() == "http"
            && let Ok(stats) = running::stats(&base).await
        {
            candidates.push((base, Some(stats)));
        } else if base != own {
            elsewhere.push(asked);
        }
    }
    // What our own setting says goes before what a client was told.
    elsewhere.retain(|asked| {
        environment
            .variable(target_variable(asked.provider))
            .is_none()
    });
    let targets = upstreams::targets(client.providers(), &settings.upstreams, environment);
    // What a client was told to ask was somebody's choice. These addresses anybody may have taken.
    let ours = running::published_in(&folder).into_iter();
    let ours = std::iter::once(own).chain(ours);
    let ours = ours.filter(|url| !running::is_of_another_user(url));
    candidates.extend(ours.map(|url| (url, None)));
    for (url, known) in candidates {
        let stats = match known {
            Some(stats) => Some(stats),
            None => running::stats(&url).await.ok(),
        };
        if let Some(before) = stats.filter(|stats| is_wanted(stats, settings)) {
            upstreams::check(&url, &before.proxy, elsewhere.iter().chain(&targets))?;
            check_tier(&url, &before, tier)?;
            return Ok(Found {
                url,
                before,
                lease,
                log: None,
            });
        }
    }
    let log = folder.join(LOG);
    let url = start(&folder, &log, tier, &elsewhere).await?;
    let before = running::stats(&url).await;
    let before = before
        .with_context(|| format!("the proxy that was started; its log is {}", log.display()))?;
    let log = Some(log);
    Ok(Found {
        url,
        before,
        lease,
        log,
    })
}

/// Whether a proxy has the kind of store that the settings ask for, or the settings leave that open.
fn is_wanted(stats: &Stats, settings: &Settings) -> bool {
    settings.store.redis_url.is_none() || stats.store == "redis"
}

/// Checks that a proxy that runs sends what the tier asks for.
fn check_tier(url: &Url, stats: &Stats, tier: Option<Tier>) -> anyhow::Result<()> {
    let Some(tier) = tier.filter(|tier| tier.name() != stats.proxy.tier) else {
        return Ok(());
    };
    bail!(
        "the proxy that runs at {} has the tier {}: stop it, or start it with HEADROOM_TIER={}, or leave out --tier",
        shown(url),
        sanitized(&stats.proxy.tier),
        tier.name()
    )
}

/// Starts a proxy that sends where these say, and gives its base URL.
async fn start(
    folder: &Path,
    log: &Path,
    tier: Option<Tier>,
    elsewhere: &[Asked],
) -> anyhow::Result<Url> {
    if fs::metadata(log).is_ok_and(|log| log.len() > MAX_LOG) {
        let _ = fs::rename(log, folder.join(OLD_LOG));
    }
    let mut written = lease::open(folder, LOG)?;
    let begin = written.seek(SeekFrom::End(0))?;
    let program = std::env::current_exe().context("this program's own path")?;
    let mut command = std::process::Command::new(program);
    command
        .arg("wrap-proxy")
        .env("HEADROOM_HOST", "127.0.0.1")
        .env("HEADROOM_PORT", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(written.try_clone()?)
        .process_group(0);
    if let Some(tier) = tier {
        command.env("HEADROOM_TIER", tier.name());
    }
    for asked in elsewhere {
        command.env(target_variable(asked.provider), asked.base.as_str());
    }
    let mut proxy = tokio::process::Command::from(command).spawn()?;
    let said = proxy.stdout.take().context("its output")?;
    let mut said = BufReader::new(said).lines();
    let first = tokio::time::timeout(START, said.next_line()).await;
    let url = first.ok().and_then(Result::ok).flatten();
    let url = url.and_then(|line| line.parse().ok());
    url.with_context(|| {
        let last = last_line(&mut written, begin);
        let last = last.map_or_else(String::new, |line| format!(": {}", sanitized(&line)));
        format!(
            "no proxy could be started{last} (its log is {})",
            log.display()
        )
    })
}

/// The last line of a log behind this position.
fn last_line(log: &mut File, begin: u64) -> Option<String> {
    let mut bytes = Vec::new();
    log.seek(SeekFrom::Start(begin)).ok()?;
    log.read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let last = text.lines().rfind(|line| !line.trim().is_empty())?;
    Some(
        last.trim_start_matches("headroom-proxy: error: ")
            .to_owned(),
    )
}

/// A base URL without its path, which is where the proxy's own paths are.
fn origin(base: &Url) -> Url {
    let mut origin = base.clone();
    origin.set_path("/");
    origin
}
