//! What compressing new blocks adds to a request before it is sent on, at its worst: whether `HEADROOM_ENTRY_BUDGET_MS` holds for any body.
//!
//! Two proxies of this build get the same bodies by turns, one with the budget and one without any, which differ in nothing else. A time is
//! that from the client's first byte to the arrival of the request's head at the provider. What is added is the difference between the two
//! at the same percentile, so that what else the machine does is in both.
//!
//! | file | what |
//! |---|---|
//! | `bodies` | requests that are hard to compress in time |
//! | `table` | the report for people |

mod bodies;
mod table;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use headroom_shared::runtime::config;
use headroom_tests::process::{Launch, Process};
use headroom_tests::provider::Sink;
use headroom_tests::random::Random;
use headroom_tests::redis_server::RedisServer;
use headroom_tests::report::run_program;

use self::bodies::Hard;
use self::table::Row;

/// The settings' default.
const BUDGET_MS: u64 = 20;

/// Measures what compressing new blocks adds to the hardest requests.
#[derive(Debug, Parser)]
#[command(
    name = "entry-budget",
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
struct Args {
    #[command(subcommand)]
    role: Option<Role>,

    /// How often each body is sent to each proxy.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,

    /// Only bodies whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
}

/// What else this program can be.
#[derive(Debug, Subcommand)]
enum Role {
    /// The proxy.
    #[command(hide = true)]
    Proxy,
}

fn main() -> ExitCode {
    let args = match config::parse::<Args>(std::env::args_os()) {
        Ok(args) => args,
        Err(refused) => return refused.report(),
    };
    match args.role {
        Some(Role::Proxy) => headroom_tests::roles::proxy(),
        None => run_program("entry-budget", measure(args)),
    }
}

async fn measure(args: Args) -> anyhow::Result<()> {
    let provider = Sink::start().await;
    let redis = [RedisServer::start().await, RedisServer::start().await];
    let with = proxy(&provider, &redis[0], BUDGET_MS).await;
    let without = proxy(&provider, &redis[1], 0).await;
    let mut random = Random::seeded();
    let mut rows = Vec::new();
    for mut hard in bodies::all() {
        if !hard.name.contains(&args.only) {
            continue;
        }
        let mut row = Row::new(hard.name, hard.bytes.len());
        // The first sending makes known what is to be known.
        for number in 0..=args.rounds {
            let mut turns = [(true, &with), (false, &without)];
            if random.below(2) == 0 {
                turns.reverse();
            }
            for (has_budget, proxy) in turns {
                let time = send(&mut hard, number, proxy, &provider).await?;
                if number > 0 {
                    row.add(has_budget, time);
                }
            }
        }
        rows.push(row);
    }
    writeln!(std::io::stdout(), "{}", table::of(&rows, BUDGET_MS))?;
    Ok(())
}

/// A proxy that leaves nothing to a worker, with a store that waits for no disk.
async fn proxy(provider: &Sink, redis: &RedisServer, budget_ms: u64) -> Process {
    Launch::proxy_to(provider.url())
        .itself(&["proxy"])
        .set("HEADROOM_LOG", "warn")
        .set("HEADROOM_REDIS_URL", redis.url())
        .set("HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS", 1_000_000_000)
        .set("HEADROOM_ENTRY_BUDGET_MS", budget_ms)
        .start()
        .await
}

/// Sends a body as the one with this number; how long it took to the provider.
async fn send(
    hard: &mut Hard,
    number: u32,
    proxy: &Process,
    provider: &Sink,
) -> anyhow::Result<Duration> {
    let call = hard.call(number);
    let began = Instant::now();
    let answer = call.send(&proxy.addr()).await;
    anyhow::ensure!(answer.status() == 200, "{} is refused", hard.name);
    answer.bytes().await;
    let arrived = provider.last_head().context("nothing arrived")?;
    Ok(arrived.saturating_duration_since(began))
}
