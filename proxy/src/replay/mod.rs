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
//! | `retrievals` | what it costs that the agent fetches shortened texts again |
//! | `sources` | where the savings come from |
//! | `report/` | what came out: for the terminal, as JSON, as a page |

mod conversation;
mod options;
mod policy;
#[cfg(test)]
mod property_tests;
mod report;
mod retrievals;
mod session;
mod sources;
pub(crate) mod transcripts;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use anyhow::{Context as _, bail};
use headroom_shared::runtime::output;
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;

use self::options::Options;
pub use self::options::ReplayArgs;
use self::report::Report;
use self::session::{Outcome, play};
use self::transcripts::{Reader, Session, find};

/// How many files' sessions may be read ahead of those that are played: they are in memory.
const READ_AHEAD: usize = 4;

/// Reads transcripts, plays them, and prints what came out.
///
/// # Errors
/// When there is no transcript, one that was named can't be read, or the report can't be written.
pub fn run(args: &ReplayArgs) -> anyhow::Result<()> {
    let report = report(args)?;
    if let Some(file) = &args.html {
        let page = report::html(&report);
        fs::write(file, page)
            .with_context(|| format!("--html {}: can't write it", file.display()))?;
    }
    let text = if args.json {
        format!("{:#}\n", report::json(&report))
    } else {
        report::table(&report)
    };
    output::print(&text).context("can't write to the standard output")
}

/// The sessions of a transcript, and how large that is in bytes.
type Transcript = (Vec<Session>, u64);

/// Plays the transcripts that the user asks for.
fn report(args: &ReplayArgs) -> anyhow::Result<Report> {
    let options = Options::new(args)?;
    let mut reader = Reader::default();
    let files = find(&args.paths, &mut reader.skipped)?;
    let progress = progress_bar(&files);
    let (to_play, transcripts) = sync_channel(READ_AHEAD);
    let played = thread::scope(|scope| {
        let (reader, files) = (&mut reader, &files);
        let reading = scope.spawn(move || read_all(reader, (files, &args.paths), &to_play));
        let play = |transcript| play_all(transcript, &options, &progress);
        let played: anyhow::Result<Vec<Vec<Outcome>>> =
            transcripts.into_iter().par_bridge().map(play).collect();
        match reading.join() {
            Ok(read) => read.and(played),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })?;
    progress.finish_and_clear();
    let sessions: Vec<Outcome> = played.into_iter().flatten().collect();
    let report = Report::new(sessions, options.policies(), reader.skipped);
    if report.sessions.is_empty() {
        let unread = report::unread(&report).unwrap_or_default();
        bail!("there is no transcript with a request to play\n{unread}");
    }
    Ok(report)
}

/// Reads files one after the other, and gives their sessions to be played.
///
/// # Errors
/// When a file that the user has named can't be read. Others are skipped.
fn read_all(
    reader: &mut Reader,
    (files, named): (&[PathBuf], &[PathBuf]),
    to_play: &SyncSender<Transcript>,
) -> anyhow::Result<()> {
    for file in files {
        match reader.read(file) {
            Ok(sessions) => {
                if to_play.send((sessions, size(file))).is_err() {
                    // Playing has failed, which is told instead.
                    break;
                }
            }
            Err(error) if named.contains(file) => {
                return Err(error.context(format!("{}", file.display())));
            }
            Err(error) => reader
                .skipped
                .files
                .push((file.clone(), format!("{error:#}"))),
        }
    }
    Ok(())
}

fn play_all(
    (sessions, bytes): Transcript,
    options: &Options<'_>,
    progress: &ProgressBar,
) -> anyhow::Result<Vec<Outcome>> {
    let outcomes = sessions.iter().map(|session| play(session, options));
    let outcomes: anyhow::Result<Vec<Option<Outcome>>> = outcomes.collect();
    progress.inc(bytes);
    Ok(outcomes?.into_iter().flatten().collect())
}

fn size(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |metadata| metadata.len())
}

/// A bar on the terminal, as long as the files are; none where the standard error is no terminal.
fn progress_bar(files: &[PathBuf]) -> ProgressBar {
    let bar = ProgressBar::new(files.iter().map(|file| size(file)).sum());
    let style = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {eta} left");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
