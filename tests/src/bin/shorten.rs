//! Leaves words out of a text as a worker with a model does. The text is read from the standard input; the shorter one is printed, or the text
//! itself where nothing is left out, and to the standard error what that took.
//!
//! With `--threads N`, as many threads do the same at once, so that its cost to each other is seen.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its output")]

use std::io::Read as _;
use std::num::NonZeroUsize;
use std::time::Instant;

use anyhow::Context as _;
use clap::Parser;
use headroom_shared::compress::Deadline;
use headroom_shared::runtime::config::ModelSettings;
use headroom_tests::footprint::figure;
use headroom_worker::model::Model;
use headroom_worker::shortener::{Shortener as _, TokensLeft};

/// Leaves words out of the text on the standard input.
#[derive(Debug, Parser)]
struct Args {
    #[command(flatten)]
    model: ModelSettings,

    /// Threads that do it at once.
    #[arg(long, default_value = "1")]
    threads: NonZeroUsize,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let threads = args.threads.get();
    let dir = args
        .model
        .dir
        .as_deref()
        .context("--model DIR is missing")?;
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let begun = Instant::now();
    let model = Model::load(dir, &args.model, threads)?;
    say("loaded", begun);
    let begun = Instant::now();
    let shorter = std::thread::scope(|scope| {
        let shorten = || {
            let mut tokens = TokensLeft::new(usize::MAX);
            model.shorten(&text, &mut tokens, Deadline::NEVER)
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(shorten)).collect();
        let ended = running.into_iter().map(|it| it.join());
        ended.collect::<Result<Vec<_>, _>>()
    });
    let shorter = shorter.ok().context("a thread panicked")?;
    say("shortened", begun);
    let shorter = shorter.into_iter().next().context("there is a thread")?;
    let shorter = shorter?.unwrap_or_else(|| text.clone());
    eprintln!(
        "{} of {} words stay; model {}",
        shorter.split_whitespace().count(),
        text.split_whitespace().count(),
        model.identity()
    );
    print!("{shorter}");
    Ok(())
}

/// Says how long it took, and how much memory this process has and had at most.
fn say(what: &str, begun: Instant) {
    let mib = |name| figure(std::process::id(), name).unwrap_or(0) / 1024;
    eprintln!(
        "{what} in {:.2} s; memory {} MiB, at most {} MiB",
        begun.elapsed().as_secs_f64(),
        mib("VmRSS"),
        mib("VmHWM")
    );
}
