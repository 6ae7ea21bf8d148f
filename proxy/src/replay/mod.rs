//! `headroom-proxy replay`: what a user's own sessions cost, and what they would have cost through the proxy. Without a key, a network or a
//! server: transcripts are read from the disk, and their requests are played with the proxy's planner and compressors before a model of
//! the providers' caches.
//!
//! | file | what |
//! |---|---|
//! | `options` | what the user asks for |
//! | `transcripts/` | reads the files in which clients keep their sessions |
//! | `conversation` | makes the requests' bodies |
//! | `session` | plays a session under several policies |
//! | `policy` | the policies: ways to decide what goes out |
//! | `sources` | where the savings come from |
//! | `report/` | what came out: for the terminal, as JSON, as a page |

mod conversation;
mod options;
mod policy;
mod report;
mod session;
mod sources;
pub(crate) mod transcripts;

use std::fs;
use std::io::{self, Write as _};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;

pub use self::options::ReplayArgs;
use self::options::Options;
use self::report::Report;
use self::session::{Outcome, play};
use self::transcripts::Session;

/// Reads transcripts, plays them, and prints what came out.
///
/// # Errors
/// When there is no transcript, one that was named can't be read, or the report can't be written.
pub fn run(args: &ReplayArgs) -> anyhow::Result<()> {
    let report = report(args)?;
    if let Some(file) = &args.html {
        let page = report::html(&report);
        fs::write(file, page).with_context(|| format!("--html {}: can't write it", file.display()))?;
    }
    let text = if args.json {
        format!("{:#}\n", report::json(&report))
    } else {
        report::table(&report)
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("can't write to the standard output"),
    }
}

fn report(args: &ReplayArgs) -> anyhow::Result<Report> {
    let options = Options::new(args)?;
    let sessions: Vec<Vec<Outcome>> = args.paths.par_iter().map(|path| {
        let sessions: Vec<Session> = transcripts::read(path)?;
        let outcomes: anyhow::Result<Vec<Option<Outcome>>> = sessions.iter().map(|session| play(session, &options)).collect();
        Ok(outcomes?.into_iter().flatten().collect())
    }).collect::<anyhow::Result<_>>()?;
    let _ = (ProgressBar::hidden(), ProgressStyle::default_bar());
    Ok(Report::new(sessions.into_iter().flatten().collect(), options.policies(), transcripts::Skipped))
}
