//! Starts logging, the same way in both programs: nothing that is done for a user waits for whoever reads standard error.

use std::io::{IsTerminal, Write, stderr};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::run_within::run_within;
use crate::runtime::config::{LogFormat, LogSettings};

/// So many lines wait at most while standard error takes none. The line of a request has about 250 bytes, so that they take about 1 MiB.
const MAX_WAITING_LINES: usize = 4096;

/// How long the end of a process waits until the lines that wait are written. The writer itself gives up after 1.1 s, but may say so on a
/// standard output that takes nothing either.
const LAST_LINES: Duration = Duration::from_secs(2);

/// Counts the lines for which there was no room among those that wait.
static WITHOUT_ROOM: OnceLock<ErrorCounter> = OnceLock::new();
/// Lines that standard error did not take, because it is closed or its disk is full.
static NOT_TAKEN: AtomicU64 = AtomicU64::new(0);

/// The log of this process. When it is dropped, the lines that wait are written, as far as standard error takes them within about a second;
/// what is logged after that is lost.
#[must_use = "what is logged is lost once this is dropped"]
#[derive(Debug)]
pub struct Log {
    writer: Option<WorkerGuard>,
}

impl Drop for Log {
    fn drop(&mut self) {
        let writer = self.writer.take();
        // Where there is no thread for it, the writer is dropped here.
        let _ = run_within(LAST_LINES, move || drop(writer));
    }
}

/// Begins to log to standard error as the settings say, from a thread of its own. Only the first call in a process has an effect.
pub fn start(settings: &LogSettings) -> Log {
    let (waiting, writer) = NonBlockingBuilder::default()
        .buffered_lines_limit(MAX_WAITING_LINES)
        .lossy(true)
        .thread_name("log")
        .finish(CountedStderr);
    let without_room = waiting.error_counter();
    let filter = EnvFilter::try_new(&settings.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(stderr().is_terminal())
        .with_writer(waiting);
    let may_show = filter_fn(holds_no_text);
    let started = match settings.format {
        LogFormat::Pretty => log.finish().with(may_show).try_init(),
        LogFormat::Json => {
            let log = log.json().flatten_event(true);
            log.finish().with(may_show).try_init()
        }
    };
    if started.is_ok() {
        let _ = WITHOUT_ROOM.set(without_room);
    }
    Log {
        writer: Some(writer),
    }
}

/// How many lines this process has logged that standard error does not have: there was no room for them among those that wait, or it did not
/// take them.
#[must_use]
pub fn lines_dropped() -> u64 {
    let without_room = WITHOUT_ROOM.get().map_or(0, ErrorCounter::dropped_lines);
    let not_taken = NOT_TAKEN.load(Ordering::Relaxed);
    not_taken.saturating_add(u64::try_from(without_room).unwrap_or(u64::MAX))
}

/// Standard error, which is given whole lines and counts those that it does not take.
#[derive(Debug)]
struct CountedStderr;

impl Write for CountedStderr {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        if stderr().write_all(line).is_err() {
            NOT_TAKEN.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Whether what is logged there holds no texts of users, whatever the settings ask for: `rmcp` logs the messages of its clients and its
/// answers below a warning.
fn holds_no_text(logged: &Metadata<'_>) -> bool {
    let is_rmcp = logged.target().split("::").next() == Some("rmcp");
    !is_rmcp || *logged.level() <= Level::WARN
}
