//! One soak from its beginning to its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use headroom_tests::small_disk::SmallDisk;
use headroom_tests::tcp_proxy::Line;
use headroom_tests::wait;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;

use crate::args::Args;
use crate::footprint::Footprints;
use crate::play::Source;
use crate::report::{Drained, Report};
use crate::schedule::Schedule;
use crate::session::Session;
use crate::site::Site;
use crate::tally::{Check, Tally};

/// The last part of the time, in percent, has no faults: sessions go on, and what was broken has to work again.
const CALM_PERCENT: u32 = 12;
/// Sessions on the proxy with the small disk, beside the others.
const ON_SMALL_DISK: u32 = 2;
/// For how long the small disk has room and for how long it is full, in turn.
const DISK_HAS_ROOM: Duration = Duration::from_secs(8);
const DISK_IS_FULL: Duration = Duration::from_secs(4);
/// How soon the queue is empty after the last session. A job of a killed worker is taken back after 20 s, and one that failed
/// waits for 60 s at most before its next attempt.
const DRAINED_WITHIN: Duration = Duration::from_secs(90);
/// How soon files are closed once nobody is at their other end.
const CLOSED_WITHIN: Duration = Duration::from_secs(20);

/// What all that happens in one soak shares.
#[derive(Debug, Clone)]
struct Scene {
    seed: u64,
    source: Arc<Source>,
    site: Arc<Site>,
    tally: Arc<Tally>,
    over: CancellationToken,
}

/// Runs it.
pub(crate) async fn run(args: &Args, seed: u64, disk: Option<SmallDisk>) -> anyhow::Result<Report> {
    let scene = Scene {
        seed,
        source: Arc::new(Source::find()),
        site: Arc::new(Site::start(disk).await),
        tally: Arc::new(Tally::new()),
        over: CancellationToken::new(),
    };
    let Scene { site, tally, .. } = &scene;
    tally.say(&format!(
        "{}, {} at a time",
        scene.source.name, args.sessions
    ));
    let mut footprints = Footprints::begin(site);
    let mut playing = scene.play_all(args.sessions);
    let watching = footprints.watch(site, tally, args.minutes);
    let faults = strike(args, seed, site, tally);
    tokio::select! {
        _ = async { tokio::join!(watching, faults) } => {}
        () = fill_again_and_again(site) => {}
    }
    scene.over.cancel();
    while playing.join_next().await.is_some() {}
    tally.say("sessions are over");
    let drained = drain(site, tally).await;
    tally.untaken(site.provider.untaken_ids());
    let small_disk_misses = match &site.small {
        Some(small) => small.link.store_misses(&small.process.addr).await,
        None => None,
    };
    close(site, &mut footprints).await;
    footprints.check(tally);
    Ok(Report {
        seed,
        minutes: args.minutes.as_secs_f64() / 60.0,
        figures: tally.figures(),
        footprints,
        drained,
        small_disk_misses,
    })
}

impl Scene {
    /// Lets sessions run side by side; where one ends, another begins.
    fn play_all(&self, sessions: u32) -> JoinSet<()> {
        let small = self.site.small.as_ref().map_or(0, |_| ON_SMALL_DISK);
        let next = Arc::new(AtomicUsize::new(0));
        let mut playing = JoinSet::new();
        for place in 0..sessions + small {
            let (scene, next) = (self.clone(), Arc::clone(&next));
            playing.spawn(async move {
                while !scene.over.is_cancelled() {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    scene.play(number, place >= sessions).await;
                }
            });
        }
        playing
    }

    /// Lets one session run to its end.
    async fn play(&self, number: usize, on_small_disk: bool) {
        let session = Session::begin(&self.source, (number, self.seed), &self.site, &self.tally);
        let session = if on_small_disk {
            session.on_small_disk()
        } else {
            session
        };
        // In a task of its own, so that a panic ends this session alone.
        let mut task = JoinSet::new();
        task.spawn(session.run(self.over.clone()));
        if let Some(Err(error)) = task.join_next().await {
            self.tally.violation(Check::Client, &panicked(error));
        }
    }
}

fn panicked(error: JoinError) -> String {
    let Ok(panic) = error.try_into_panic() else {
        return "a session was aborted".to_owned();
    };
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()))
        .unwrap_or_else(|| "a session panicked".to_owned())
}

/// Brings faults until the calm at the end.
async fn strike(args: &Args, seed: u64, site: &Site, tally: &Tally) {
    let mut schedule = Schedule::drawn(seed, args.kinds());
    let until = tokio::time::Instant::now() + args.minutes * (100 - CALM_PERCENT) / 100;
    loop {
        let (pause, fault) = schedule.next();
        let over = timeout_at(until, tokio::time::sleep(pause)).await;
        if over.is_err() {
            tally.say("no more faults");
            return;
        }
        tally.fault(fault);
        fault.strike(site).await;
    }
}

/// Fills the small disk for a while, again and again.
async fn fill_again_and_again(site: &Site) {
    let Some(disk) = &site.disk else {
        return std::future::pending().await;
    };
    loop {
        tokio::time::sleep(DISK_HAS_ROOM).await;
        let _filler = disk.fill();
        tokio::time::sleep(DISK_IS_FULL).await;
    }
}

/// Waits until no job waits, is held or is to be tried again.
async fn drain(site: &Site, tally: &Tally) -> Drained {
    let begun = Instant::now();
    let redis = site.redis.lock().await;
    let empty = wait::within(DRAINED_WITHIN, || async {
        let (depth, _) = redis.counts().await;
        (depth.left() == 0).then_some(())
    });
    let empty = empty.await.is_some();
    let (depth, totals) = redis.counts().await;
    if empty {
        let after = begun.elapsed().as_secs_f64();
        tally.say(&format!("the queue is empty after {after:.1} s"));
    } else {
        let what =
            format!("the queue is not empty after {DRAINED_WITHIN:?}: {depth:?}, {totals:?}");
        tally.violation(Check::Jobs, &what);
    }
    if depth.dead > 0 {
        let last: Vec<String> = redis.command(&["LRANGE", "headroom:dead", "0", "0"]).await;
        let what = format!("{} jobs were given up, the last: {last:?}", depth.dead);
        tally.violation(Check::Jobs, &what);
    }
    Drained {
        after_s: begun.elapsed().as_secs_f64(),
        done: totals.done,
        done_again: totals.done_again,
        retried: totals.retried,
        reaped: totals.reaped,
        dead: depth.dead,
    }
}

/// Hangs up on the processes, so that only what they keep without need is left, and looks at their files until they are closed.
async fn close(site: &Site, footprints: &mut Footprints) {
    site.provider.hang_up();
    for replica in &site.replicas {
        replica.link.disturb(Line::Cut);
        replica.link.mend(&replica.process.addr).await;
    }
    let begun = Instant::now();
    loop {
        footprints.end(site);
        if footprints.with_files_open().next().is_none() || begun.elapsed() > CLOSED_WITHIN {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
