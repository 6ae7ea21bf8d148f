//! One run with one count of workers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use bytes::Bytes;
use headroom_tests::process::{Launch, Process};
use headroom_tests::queue::watch::all_idle_within;
use headroom_tests::queue::workers;
use headroom_tests::redis_server::RedisServer;
use headroom_tests::stage::Stage;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::args::Args;
use crate::cpu::free_cores;
use crate::figures::{Kind, Measured};
use crate::model::{self, LOADING, LONGEST_JOB};
use crate::sessions::{Session, Source};
use crate::watch::{Notices, drained};

/// Smaller than any of the cold starts.
const MIN_TOKENS: u64 = 2000;
/// How long a queue may stand still beyond what is added to the jobs.
const STILL: Duration = Duration::from_secs(60);
/// A human's pause between a session's turns is between the first and the sum of both, another one for each session, so that
/// the turns do not come all at once again.
const PAUSE: Duration = Duration::from_secs(2);
const PAUSE_MORE: Duration = Duration::from_secs(2);

/// Runs all sessions with so many workers.
///
/// # Errors
/// When a cold start is not deferred, or the queue stands still.
pub(crate) async fn run(args: &Args, source: &Source, workers: u32) -> anyhow::Result<Measured> {
    let bar = bar(args, workers);
    let free_before = tokio::task::spawn_blocking(free_cores).await?;
    let stage = Arc::new(stage(args).await);
    let processes = start_workers(args, &stage, workers).await?;
    let notices = Notices::listen(stage.redis()).await;
    let emptied = CancellationToken::new();
    let mut playing = play_all(args, source, &stage, &emptied);

    let with_model = args.model.as_ref().map_or(Duration::ZERO, |_| LONGEST_JOB);
    let patience = STILL + with_model + (args.added.work() + args.added.sleep()) * workers;
    let watched = async {
        let at = drained(stage.redis(), args.sessions.into(), patience, &bar).await?;
        emptied.cancel();
        anyhow::Ok(at)
    };
    let played = async {
        let mut all = Vec::new();
        while let Some(ended) = playing.join_next().await {
            all.push(ended??);
        }
        anyhow::Ok(all)
    };
    let (at, played) = tokio::try_join!(watched, played)?;

    let requests: Vec<&str> = played.iter().map(|one| one.request.as_str()).collect();
    let there = notices.of_requests(&processes, &requests).await;
    let wait = |one: &Played| there[&one.request].saturating_duration_since(one.sent);
    let first = played.iter().map(|one| one.sent).min().unwrap_or(at);
    let answered = played.iter().map(|one| one.answered).max().unwrap_or(at);
    let free_after = tokio::task::spawn_blocking(free_cores).await?;
    bar.finish_and_clear();
    Ok(Measured {
        drain: at - first,
        sending: answered - first,
        waits: played.iter().map(wait).collect(),
        uncompressed_turns: played.iter().map(|one| one.uncompressed).sum(),
        free_cores: f64::midpoint(free_before, free_after),
    })
}

fn bar(args: &Args, workers: u32) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:>16} {bar:40} {pos}/{len} jobs, {elapsed}");
    let bar = ProgressBar::new(args.sessions.into());
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(format!("{workers} {}", args.kind().name(workers)));
    bar.tick();
    bar
}

async fn stage(args: &Args) -> Stage {
    let set = |launch: Launch| {
        model::in_proxy(launch, args.model.as_deref())
            .itself(&["proxy"])
            .set("HEADROOM_LOG", "warn")
            .set("HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS", MIN_TOKENS)
            .set("HEADROOM_BACKGROUND_COMPRESSION_MAX_QUEUE", args.sessions)
            .set("HEADROOM_STORE_BUDGET_MS", 5000)
            // A turn is to be compressed by what a worker made of its session's cold start, and by nothing else.
            .set("HEADROOM_ENTRY_BUDGET_MS", 0)
    };
    let stage = Stage::over(RedisServer::start().await, set).await;
    stage.provider.cache(|cache| cache.turn_off());
    stage
}

/// Starts the workers and waits until all of them wait for a job.
///
/// # Errors
/// When one can't load its model.
async fn start_workers(args: &Args, stage: &Stage, workers: u32) -> anyhow::Result<Vec<Process>> {
    let (processes, threads) = match args.kind() {
        Kind::Threads => (1, workers as usize),
        Kind::Processes => (workers as usize, 1),
    };
    let [work, sleep] = args.added.arguments();
    let launch = model::in_worker(workers::real(stage.redis(), threads), args.model.as_deref())
        .itself(&["worker".to_owned(), work, sleep])
        // The line for each job that is done is the only one that names both the request and its prefix.
        .set("HEADROOM_LOG", "headroom_worker=info")
        .set("HEADROOM_LOG_FORMAT", "json");
    let started: Vec<Process> = (0..processes).map(|_| launch.spawn()).collect();
    all_idle_within(LOADING, stage.redis(), processes).await;
    model::ensure_loaded(&started)?;
    Ok(started)
}

/// What became of one session.
#[derive(Debug)]
struct Played {
    /// The proxy's id of the cold start.
    request: String,
    sent: Instant,
    answered: Instant,
    /// Turns after the cold start that went out uncompressed.
    uncompressed: usize,
    /// What the provider got at the first turn that went out compressed.
    got: Bytes,
}

fn play_all(
    args: &Args,
    source: &Source,
    stage: &Arc<Stage>,
    emptied: &CancellationToken,
) -> JoinSet<anyhow::Result<Played>> {
    let count = args.sessions as usize;
    let sessions: Vec<Session> = (0..count).map(|number| source.session(number)).collect();
    let all_ready = Arc::new(Barrier::new(count));
    let mut playing = JoinSet::new();
    for (number, session) in sessions.into_iter().enumerate() {
        let (stage, emptied) = (Arc::clone(stage), emptied.clone());
        let all_ready = Arc::clone(&all_ready);
        let pause = PAUSE + PAUSE_MORE * u32::try_from(number).unwrap_or(0) / args.sessions;
        let has_model = args.model.is_some();
        playing.spawn(async move {
            all_ready.wait().await;
            let played = play(session, &stage, pause, &emptied).await?;
            if has_model {
                model::ensure_used(&played.got)?;
            }
            Ok(played)
        });
    }
    playing
}

async fn play(
    mut session: Session,
    stage: &Stage,
    pause: Duration,
    emptied: &CancellationToken,
) -> anyhow::Result<Played> {
    let sent = Instant::now();
    let turn = session.client.turn(stage).await;
    let answered = Instant::now();
    let id = &session.client.conversation.id;
    ensure!(
        headroom_tests::http::is_deferred(&turn.decision),
        "the cold start of {id} was {} and not deferred",
        turn.decision
    );
    let mut uncompressed = 0;
    let compressed = loop {
        let human = tokio::time::timeout(pause, emptied.cancelled()).await;
        if human.is_ok() {
            break session.client.until_compressed(stage).await;
        }
        let next = session.next_turn(stage).await;
        if next.decision == "compressed" {
            break next;
        }
        uncompressed += 1;
    };
    Ok(Played {
        got: compressed.got,
        request: turn.request,
        sent,
        answered,
        uncompressed,
    })
}
