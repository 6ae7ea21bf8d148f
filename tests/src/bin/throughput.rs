//! How many jobs a second go through the queue: one process, 1 and 16 threads, empty jobs and 200 kB in and out.
//!
//! `cargo run --release -p headroom-tests --bin throughput` starts a redis-server of its own on a free port and runs, for each
//! row, a plain `LMOVE` loop on one connection beside it in time, because machines are noisy: what that loop reaches is what
//! one round trip costs here.
//!
//! What bounds it: Redis runs commands one after the other on one core, and each round trip costs this process and Redis a
//! read and a write. An offer needs one; a job needs two, one that takes it up with its payload and one that ends it and
//! claims the next, and a large result a third. With one thread these are waited for one after the other, so that the time of
//! a round trip is the bound: half of the plain loop at best. With 16 they share reads and writes, so that Redis's core is.
//! With 200 kB in and out it is the copying of the texts, and this process's reading of the payload's JSON.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints its table, and has nobody to report an error to"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use comfy_table::{Table, presets};
use headroom_shared::compress::Deadline;
use headroom_shared::contract::id::{FormId, PrefixId};
use headroom_shared::contract::job::Envelope;
use headroom_shared::contract::prefix::{CompressedPrefix, Form, JobResult};
use headroom_shared::queue::{Job, JobQueue, Timing};
use headroom_tests::queue::jobs::{job_for, json};
use headroom_tests::queue::running::Running;
use headroom_tests::redis_server::RedisServer;
use headroom_worker::pool::JobHandler;
use tokio_util::task::TaskTracker;

/// How many producers offer at once, and how many threads the larger pool has.
const MANY: usize = 16;

/// One kind of job.
struct Load {
    name: &'static str,
    jobs: u32,
    bytes: usize,
}

const LOADS: [Load; 2] = [
    Load {
        name: "empty",
        jobs: 40_000,
        bytes: 0,
    },
    Load {
        name: "200 kB in and out",
        jobs: 1_200,
        bytes: 200_000,
    },
];

#[tokio::main]
async fn main() {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header([
        "jobs",
        "at once",
        "offers/s",
        "claims and ends/s",
        "LMOVE loop/s",
        "commands a job",
    ]);
    for load in &LOADS {
        for threads in [1, MANY] {
            let row = Row::measure(load, threads).await;
            table.add_row([
                load.name.to_owned(),
                threads.to_string(),
                format!("{:.0}", row.offers),
                format!("{:.0}", row.ends),
                format!("{:.0}", row.moves),
                format!("{:.1} + {:.1}", row.commands.0, row.commands.1),
            ]);
        }
    }
    println!("{table}");
    println!(
        "commands a job: those of an offer + those of its claim and end, scripts counted once"
    );
}

/// What was measured, each a second.
struct Row {
    offers: f64,
    ends: f64,
    moves: f64,
    commands: (f64, f64),
}

impl Row {
    async fn measure(load: &Load, threads: usize) -> Self {
        let redis = RedisServer::start().await;
        let moves = plain_loop(&redis, 20_000).await;
        let producer = Arc::new(redis.producer(load.jobs.into()));
        let jobs: Vec<_> = (0..load.jobs)
            .map(|number| numbered(number, load.bytes))
            .collect();

        let before = commands(&redis).await;
        let since = Instant::now();
        offer(&producer, jobs, threads).await;
        let offers = rate(load.jobs, since);
        let between = commands(&redis).await;

        let worker = redis.worker(Timing::default());
        let since = Instant::now();
        let running = Running::start(
            worker,
            &threads.to_string(),
            Timing::default(),
            work(load.bytes),
        );
        while producer.counts().await.unwrap().1.done < load.jobs.into() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let ends = rate(load.jobs, since);
        let after = commands(&redis).await;
        running.stop().await;
        let each = |commands: u64| commands as f64 / f64::from(load.jobs);
        Self {
            offers,
            ends,
            moves,
            commands: (each(between - before), each(after - between)),
        }
    }
}

fn rate(jobs: u32, since: Instant) -> f64 {
    f64::from(jobs) / since.elapsed().as_secs_f64()
}

/// What one connection reaches that waits for each answer.
async fn plain_loop(redis: &RedisServer, moves: u32) -> f64 {
    let mut connection = redis.connection().await;
    let _: () = redis.command(&["LPUSH", "from", "x"]).await;
    let since = Instant::now();
    for _ in 0..moves {
        let _: String = redis::cmd("LMOVE")
            .arg(&["from", "from", "RIGHT", "LEFT"])
            .query_async(&mut connection)
            .await
            .unwrap();
    }
    rate(moves, since)
}

fn numbered(number: u32, bytes: usize) -> (Envelope, Bytes) {
    let mut prefix = [0; 16];
    prefix[..4].copy_from_slice(&number.to_be_bytes());
    let (mut envelope, mut payload) = job_for(PrefixId::from_bytes(prefix), &text(bytes));
    payload.blocks.truncate(1);
    envelope.blocks = 1;
    // So that no bound of bytes holds it back.
    envelope.bytes = 1;
    (envelope, json(&payload))
}

/// A text like a tool's output: lines, quotes and tabs to escape.
fn text(bytes: usize) -> String {
    let line = "src/main.rs:17:\tlet name = \"value\"; // and the rest of a line of code\n";
    line.chars().cycle().take(bytes).collect()
}

async fn offer(
    producer: &Arc<impl JobQueue + 'static>,
    jobs: Vec<(Envelope, Bytes)>,
    at_once: usize,
) {
    let producing = TaskTracker::new();
    let jobs = Arc::new(jobs);
    for part in 0..at_once {
        let (producer, jobs) = (Arc::clone(producer), Arc::clone(&jobs));
        producing.spawn(async move {
            for (envelope, payload) in jobs.iter().skip(part).step_by(at_once) {
                producer.enqueue(envelope, payload.clone()).await.unwrap();
            }
        });
    }
    producing.close();
    producing.wait().await;
}

/// Work that takes no time: a result of so many bytes that is there already.
fn work(bytes: usize) -> JobHandler {
    let text: Arc<str> = text(bytes).into();
    Arc::new(move |job: &Job, _: Deadline| {
        let id = FormId::from_bytes(*job.envelope.prefix.as_bytes());
        let forms = if text.is_empty() {
            vec![]
        } else {
            vec![Form {
                id,
                text: text.to_string(),
                original: None,
            }]
        };
        let compressed = CompressedPrefix {
            references: true,
            v: 1,
            compressor: 1,
            model: None,
            blocks: vec![],
        };
        Ok(JobResult { compressed, forms })
    })
}

/// Commands that Redis was sent, without those that scripts give and without what looks and waits.
async fn commands(redis: &RedisServer) -> u64 {
    let stats: String = redis.command(&["INFO", "commandstats"]).await;
    let calls = |name: &str| -> u64 {
        let line = stats
            .lines()
            .find_map(|line| line.strip_prefix(&format!("cmdstat_{name}:calls=")));
        line.and_then(|line| line.split(',').next()?.parse().ok())
            .unwrap_or(0)
    };
    calls("evalsha") + calls("blmove")
}
