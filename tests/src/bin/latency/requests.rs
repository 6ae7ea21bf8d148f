//! One size of body and one number of connections: all targets in turn, round after round.

use std::time::Duration;

use headroom_tests::random::Random;

use crate::args::Args;
use crate::bodies::Texts;
use crate::figures::{Idle, Report, Row, median, micros, percentile};
use crate::load::{self, Client};
use crate::targets::{Running, Target};
use crate::{cores, provider, usage};

/// Bytes that all connections of a target send in one turn, about, and how many requests that is at least and at most.
const TURN_BYTES: usize = 16 << 20;
const TURN_REQUESTS: (usize, usize) = (12, 240);

/// A target, its clients, and what its turns took.
struct Runner {
    running: Running,
    clients: Vec<Client>,
    rounds: Vec<Round>,
}

/// One turn of a target. Times in µs.
struct Round {
    times: Vec<f64>,
    whole: Duration,
    cpu: Duration,
}

/// Measures and adds a row for each target.
pub(crate) async fn measure(
    args: &Args,
    texts: &Texts,
    (bytes, connections): (u32, u32),
    report: &mut Report,
) -> anyhow::Result<()> {
    let (size, clients) = (bytes as usize, connections as usize);
    let mut runners = start(args, texts, (size, clients), report).await?;
    let (least, most) = TURN_REQUESTS;
    let requests = (TURN_BYTES / size / clients).clamp(least.div_ceil(clients).max(2), most);
    let mut random = Random::seeded();
    let mut order: Vec<usize> = (0..runners.len()).collect();
    for _ in 0..args.rounds {
        // No target always follows the same other, whose traces in the caches would be its luck.
        for last in (1..order.len()).rev() {
            order.swap(last, random.below(last + 1));
        }
        for target in &order {
            let runner = &mut runners[*target];
            runner.turn(requests)?;
            runner.running.settle().await;
        }
    }
    let nginx = runners
        .iter()
        .position(|runner| runner.running.target == Target::Nginx);
    for runner in &runners {
        let row = row(
            runner,
            &runners[0],
            nginx.map(|nginx| &runners[nginx]),
            (size, connections),
        );
        report.rows.push(row);
    }
    Ok(())
}

/// Starts every target, with its sessions known to it.
async fn start(
    args: &Args,
    texts: &Texts,
    (size, clients): (usize, usize),
    report: &mut Report,
) -> anyhow::Result<Vec<Runner>> {
    let provider = provider::start()?.to_string();
    let mut targets = vec![Running::direct(&provider)];
    targets.extend(Running::nginx(&provider, report.own_core).await?);
    for &store in &args.stores {
        for &target in &args.targets {
            let wrapper = cores::alone(report.own_core);
            let which = (wrapper, args.baseline.as_deref());
            for running in Running::proxies(target, store, &provider, which).await {
                let (build, rss_mb) = (running.build, running.memory_mb().0);
                let same = |idle: &Idle| (idle.store, idle.build) == (store, build);
                if target == Target::KnownPrefix && !report.idle.iter().any(same) {
                    report.idle.push(Idle {
                        build,
                        store,
                        rss_mb,
                    });
                }
                targets.push(running);
            }
        }
    }
    let mut runners = Vec::new();
    for running in targets {
        let body = texts.request(size, running.target.task());
        let session = |number| Client::new(running.address(), body.clone().of_session(number));
        let mut clients: Vec<Client> = (0..clients).map(session).collect::<anyhow::Result<_>>()?;
        running.warm(&mut clients)?;
        running.settle().await;
        runners.push(Runner {
            running,
            clients,
            rounds: Vec::new(),
        });
    }
    Ok(runners)
}

impl Runner {
    fn turn(&mut self, requests: usize) -> anyhow::Result<()> {
        let cpu = || self.running.pid().map(usage::cpu).unwrap_or_default();
        let before = cpu();
        let taken = load::turn(&mut self.clients, requests)?;
        self.rounds.push(Round {
            times: taken.times.iter().copied().map(micros).collect(),
            whole: taken.whole,
            cpu: cpu().saturating_sub(before),
        });
        Ok(())
    }

    fn all(&self) -> Vec<f64> {
        self.rounds
            .iter()
            .flat_map(|round| round.times.iter().copied())
            .collect()
    }

    /// What this target adds to another in each round, at this percentile of the requests.
    fn added(&self, direct: &Self, percent: usize) -> Vec<f64> {
        let rounds = self.rounds.iter().zip(&direct.rounds);
        rounds
            .map(|(own, direct)| {
                percentile(&own.times, percent) - percentile(&direct.times, percent)
            })
            .collect()
    }
}

fn row(
    runner: &Runner,
    direct: &Runner,
    nginx: Option<&Runner>,
    (size, connections): (usize, u32),
) -> Row {
    let added = runner.added(direct, 50);
    let ratios = nginx.map(|nginx| {
        let pairs = added.iter().zip(nginx.added(direct, 50));
        pairs.map(|(own, nginx)| own / nginx).collect::<Vec<f64>>()
    });
    let tail = |runner: &Runner| percentile(&runner.all(), 99) - percentile(&direct.all(), 99);
    #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
    let requests = runner
        .rounds
        .iter()
        .map(|round| round.times.len())
        .sum::<usize>() as f64;
    let whole: Duration = runner.rounds.iter().map(|round| round.whole).sum();
    let cpu: Duration = runner.rounds.iter().map(|round| round.cpu).sum();
    Row {
        target: runner.running.target,
        build: runner.running.build,
        store: runner.running.store,
        body_bytes: size,
        connections,
        p50_us: median(&runner.all()),
        added_p50_us: median(&added),
        added_p90_us: median(&runner.added(direct, 90)),
        added_p99_us: tail(runner),
        ratio_to_nginx: ratios.as_deref().map(median),
        p99_ratio_to_nginx: nginx.map(|nginx| tail(runner) / tail(nginx)),
        ratio_quartiles: ratios.map(|ratios| [percentile(&ratios, 25), percentile(&ratios, 75)]),
        rps: requests / whole.as_secs_f64(),
        cpu_ms: cpu.as_secs_f64() * 1e3 / requests,
        rss_mb: runner.running.memory_mb().1,
    }
}
