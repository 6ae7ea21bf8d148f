//! `headroom-proxy`: stands between a coding agent and its LLM provider, forwards at once, and sends less.
//!
//! The way of a request through the folders:
//!
//! | folder | what |
//! |---|---|
//! | `http/` | `server` accepts connections; `routes` sends a request to `handler` (a dialect's) or to `passthrough` and `websocket` (all others). `handler` has `execute_plan` prepare what goes out, `upstream/` send it, and `usage/` read the response |
//! | `dialect/` | what each provider's request format means |
//! | `scan/` | finds blocks in the raw bytes and names the prefixes |
//! | `records/` | looks up what was sent before, in the local cache and the store, and keeps what is sent now |
//! | `plan/` | decides what goes out: pure, without a task, a store or a server |
//! | `jobs/` | builds jobs for workers and pushes them to the queue |
//! | `retrieval/` | the tool by which a model fetches the originals of shortened texts |
//! | `upstream/` | sends requests to providers, over warm connections |
//! | `usage/` | reads the token usage from a provider's response |
//! | `prices/` | what tokens cost |
//! | `bill/` | what requests cost, and what they would have cost in the originals |
//! | `totals/` | what the proxies of a deployment have counted together: how often conversations go on, and what requests and retrievals cost |
//! | `activity/` | the last requests and conversations, for the page |
//! | `metrics/` | what is counted and timed, for `/stats` and `/metrics` |
//! | `replay/` | `headroom-proxy replay`: what a user's own sessions cost, and what they would have cost through the proxy |
//! | `simulation/` | plays sessions without a server, with a model of the providers' caches |
//! | `demo/` | a made-up session in a simulation |
//! | `running/` | asks a proxy that runs what it is and has counted |
//! | `doctor/` | `headroom-proxy doctor`: says what is wrong on this machine and around it |
//! | `wrap/` | `headroom-proxy wrap`: runs a client through a proxy |
//!
//! A request is handled in one task; what it need not wait for (jobs, records) runs in the [`background`]. No folder imports from one that
//! imports from it.
//!
//! Not here: how jobs are claimed and done (`headroom-worker`), how texts are compressed and where things are kept
//! (`headroom-shared`).

mod activity;
mod app;
mod backend;
mod background;
mod background_limit;
mod bill;
mod commands;
mod content_encoding;
pub mod demo;
mod deployment_secret;
mod dialect;
#[cfg(unix)]
pub mod doctor;
mod header_list;
#[doc(hidden)]
pub mod hot_path;
mod http;
mod jobs;
mod memory;
mod metrics;
mod own_hosts;
mod page_token;
mod plan;
pub mod prices;
pub mod queue_command;
mod records;
pub mod replay;
mod retrieval;
mod running;
pub mod scan;
mod separation;
mod settings;
pub mod simulation;
mod startup;
mod tables;
mod totals;
mod upstream;
mod usage;
#[cfg(unix)]
pub mod wrap;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, bail};
use headroom_shared::runtime::config::warn_of_unknown;
use headroom_shared::runtime::{shutdown, telemetry};
use headroom_shared::traces::Traces;
use headroom_worker::panics;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::app::{App, Rules};
use self::backend::Backend;
use self::background::BackgroundRuntime;
use self::memory::MemoryBudget;
use self::own_hosts::OwnHosts;
use self::page_token::PageToken;
use self::plan::Planner;
use self::records::Records;
use self::running::Published;
use self::separation::Separation;
use self::totals::sharing;
use self::upstream::Upstream;

pub use self::commands::Command;
#[cfg(unix)]
pub use self::commands::{DoctorArgs, WrapArgs};
pub use self::settings::Settings;

/// For every program that serves as the proxy. Bodies come and go by the megabyte: the system's allocator gives each back to the
/// kernel, which then clears it again page by page (2 MB on 8 connections: less than half of the CPU time, `docs/benchmarks.md`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What the process does when it is started to serve: it logs as the settings say, and [`start`]s on a runtime of its own.
///
/// # Errors
/// Those of [`start`], and where the system gives no threads.
pub fn serve_alone(settings: Settings) -> anyhow::Result<()> {
    serve_with(settings, start)
}

/// Logs as the settings say, and has `start` serve on a runtime of its own.
fn serve_with<T>(settings: Settings, start: impl FnOnce(Settings) -> T) -> anyhow::Result<()>
where
    T: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let _log = telemetry::start(&settings.log);
    let _traces = Traces::start("headroom-proxy", env!("CARGO_PKG_VERSION"));
    panics::hide_messages();
    startup::log(&settings);
    warn_of_unknown();
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    // It runs where all that it spawns runs: the thread that waits here would have to wake another one for each connection.
    let ended = runtime.block_on(TaskTracker::new().spawn_on(start(settings), runtime.handle()));
    // After a second signal, work that can't be interrupted is not waited for.
    runtime.shutdown_background();
    ended?
}

/// The program: listens where the settings say, tells how to use it, and serves until it is told to stop.
///
/// # Errors
/// When it can't listen there, or can't begin to serve ([`run`]).
async fn start(settings: Settings) -> anyhow::Result<()> {
    let listener = listen(&settings).await?;
    let show = |text: String| {
        // This is for the person at the terminal, not for the log.
        let _ = writeln!(io::stdout(), "{text}");
    };
    run_until_stopped(settings, listener, show, CancellationToken::new()).await
}

/// Listens where the settings say.
async fn listen(settings: &Settings) -> anyhow::Result<TcpListener> {
    let (host, port) = (settings.host.as_str(), settings.port);
    let listener = TcpListener::bind((host, port)).await;
    listener.with_context(|| {
        format!("can't listen on {host} port {port} (HEADROOM_HOST, HEADROOM_PORT)")
    })
}

/// Serves as [`run`] does until `stop` is cancelled or a signal comes; a second one ends it at once, with an error.
async fn run_until_stopped(
    settings: Settings,
    listener: TcpListener,
    started: impl FnOnce(String),
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let stopped = stop.clone().cancelled_owned();
    let running = Box::pin(run(settings, listener, started, stopped));
    let ended = shutdown::until_second_signal(running, stop).await;
    ended.unwrap_or_else(|| {
        bail!("ended at once by a second signal: what was on its way is cut off")
    })
}

/// Serves on `listener` until `stop` is done, and drains then. `started` is given what a person at the terminal wants to know.
///
/// # Errors
/// When the prices' file can't be taken, or the backend can't be opened.
pub async fn run(
    settings: Settings,
    listener: TcpListener,
    started: impl FnOnce(String),
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let address: SocketAddr = listener.local_addr()?;
    let prices = settings.prices()?;
    let runtime = BackgroundRuntime::start()?;
    let backend = Backend::open(&settings, &runtime.handle()).await?;
    let upstream = Upstream::new(&settings.upstreams)?;
    let records = Records::new(
        backend.store.clone(),
        settings.limits.store_budget(),
        settings.store.retention(),
    )
    .with_bound_budget(settings.limits.bound_store_budget());
    let token = PageToken::new();
    let rules = rules(&settings, &backend, &token);
    let queues = (backend.queue.clone(), backend.admin.clone());
    let memory = MemoryBudget::new(settings.limits.max_memory());
    let background = runtime.handle();
    let app = Arc::new(App::new(
        rules, upstream, records, queues, background, memory, prices,
    ));
    let stopping = CancellationToken::new();
    let background = TaskTracker::new();
    if let Some(worker) = backend.start(&settings, (&background, &runtime.handle()), &stopping) {
        app.counts.show_worker(worker);
    }
    // Not in the background runtime: on a busy machine that would be late, and other replicas would not know which forms this one sent.
    let (records, stopped) = (app.records.clone(), stopping.clone());
    background.spawn(records.run_writer(stopped));
    let sweep = async move |app: Arc<App>| app.upstream.sweep().await;
    background.spawn(
        stopping
            .clone()
            .run_until_cancelled_owned(sweep(app.clone())),
    );
    if app.rules.asks_after_workers() {
        let watch = async move |app: Arc<App>| app.jobs.watch_fleet(&app.counts.fleet).await;
        let watch = stopping
            .clone()
            .run_until_cancelled_owned(watch(app.clone()));
        background.spawn_on(watch, &runtime.handle());
    }
    let share = async move |app: Arc<App>, stop: CancellationToken| {
        sharing::share_until(app.totals.clone(), &**app.records.store(), stop).await;
    };
    background.spawn(share(app.clone(), stopping.clone()));
    background.spawn(deployment_secret::check_until(
        app.clone(),
        stopping.clone(),
    ));
    let published = backend.folder.as_deref();
    let published = published.map(|folder| Published::in_folder(folder, address, Some(&token)));
    started(startup::text(&settings, &backend, (address, &token)));
    http::serve(app.clone(), listener, stop).await;
    drop(published);
    stopping.cancel();
    background.close();
    background.wait().await;
    app.billing.costs.log_if_any();
    Ok(())
}

/// What these settings ask of every request.
fn rules(settings: &Settings, backend: &Backend, token: &PageToken) -> Rules {
    Rules {
        compress: settings.background.on,
        planner: Planner {
            refresh_tokens: settings.background.refresh_tokens,
            tail_tokens: settings.background.tail_tokens,
            tier: settings.background.tier,
            ..Planner::new(settings.background.min_tokens.get())
        },
        max_body_bytes: settings.limits.max_body_bytes,
        body_timeout: settings.limits.body_timeout(),
        entry_budget: settings.limits.entry_budget(),
        fleet_wait: settings.background.fleet_wait(),
        separation: Separation::new(
            settings.limits.tenant_header.clone(),
            settings.limits.shared_records,
            &settings.host,
        ),
        websocket: settings.websocket,
        drain_time: settings.limits.drain_time(),
        own_hosts: OwnHosts::new(&settings.host, &settings.allowed_hosts),
        show_text: settings.show_text,
        page_token: token.clone(),
        store_name: backend.name,
        queue_name: backend.queue_name.clone(),
    }
}
