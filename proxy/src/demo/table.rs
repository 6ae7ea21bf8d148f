//! What a person at the terminal reads.

use std::io::{self, Write};
use std::time::Duration;

use super::job::Job;
use super::session::Session;

/// Where it is printed. Each line is there as soon as it is known.
#[derive(Debug)]
pub(super) struct Table<W>(W);

/// One turn.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) bytes_in: usize,
    pub(super) bytes_sent: usize,
    pub(super) decision: String,
    pub(super) added: Duration,
    pub(super) job: Job,
}

/// What was found out in the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Summary {
    /// The turn in which the compressed prefix was used first.
    pub(super) landed: usize,
    /// Outputs that were compressed and expand to their originals.
    pub(super) expanded: usize,
}

impl<W: Write> Table<W> {
    pub(super) const fn new(out: W) -> Self {
        Self(out)
    }

    pub(super) fn opening(&mut self, session: &Session) -> io::Result<()> {
        writeln!(
            self.0,
            "headroom-proxy demo: a made-up coding session of {} tokens is resumed and goes on for {} turns, through a real\n\
             proxy to a scripted provider, all on this machine.\n",
            grouped(usize::try_from(session.tokens()).unwrap_or(usize::MAX)),
            session.turns()
        )?;
        if cfg!(debug_assertions) {
            writeln!(
                self.0,
                "(A build without optimisation: use --release for true times.)\n"
            )?;
        }
        writeln!(
            self.0,
            "turn   bytes in  bytes sent   saved  decision    added ms*  job"
        )?;
        self.0.flush()
    }

    pub(super) fn turn(&mut self, number: usize, turn: &Turn) -> io::Result<()> {
        writeln!(
            self.0,
            "{number:>4} {:>10}  {:>10}  {:>5.1}%  {:<10} {:>10}  {}",
            grouped(turn.bytes_in),
            grouped(turn.bytes_sent),
            percent_saved(turn.bytes_in, turn.bytes_sent),
            turn.decision,
            millis(turn.added),
            turn.job.name()
        )?;
        self.0.flush()
    }

    pub(super) fn job_done(&mut self, after: Duration) -> io::Result<()> {
        let after = after.as_millis();
        writeln!(
            self.0,
            "     ↳ turn 1 went out as it came, at once; a worker compressed it in the background, {after} ms later"
        )?;
        self.0.flush()
    }

    pub(super) fn why_landed(&mut self) -> io::Result<()> {
        writeln!(
            self.0,
            "     ↳ the compressed prefix is in use: the provider has nothing of this session in its cache (no cache\n\
             \x20      markers, none counted in its answer), so changing what was sent before throws nothing away"
        )?;
        self.0.flush()
    }

    pub(super) fn summary(&mut self, turns: &[Turn], summary: Summary) -> io::Result<()> {
        let total = |bytes: fn(&Turn) -> usize| turns.iter().map(bytes).sum::<usize>();
        let (taken, sent) = (total(|turn| turn.bytes_in), total(|turn| turn.bytes_sent));
        let mut added: Vec<Duration> = turns.iter().map(|turn| turn.added).collect();
        added.sort_unstable();
        let median = added.get(added.len() / 2).copied().unwrap_or_default();
        let most = added.last().copied().unwrap_or_default();
        let Summary { landed, expanded } = summary;
        let later = turns.len() - landed;
        writeln!(
            self.0,
            "\n\
             saved     {} of {} bytes ({:.1} %); what your sessions save depends on their tool output\n\
             turn 1    reached the provider byte for byte\n\
             turn {landed:<4} was the first with the compressed prefix; {later} of {later} turns since began with the bytes of the turn before\n\
             lossless  {expanded} of {expanded} compressed tool outputs expand to their originals\n\
             latency   {} ms added in the median, {} ms at most\n\
             \n\
             * time to the answer's first byte through the proxy, less the same request sent straight to the provider",
            grouped(taken.saturating_sub(sent)),
            grouped(taken),
            percent_saved(taken, sent),
            millis(median),
            millis(most),
        )?;
        self.0.flush()
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a percentage with one decimal place"
)]
fn percent_saved(taken: usize, sent: usize) -> f64 {
    100.0 - 100.0 * sent as f64 / taken.max(1) as f64
}

/// Milliseconds with one decimal place. What is below that is noise.
fn millis(time: Duration) -> String {
    if time < Duration::from_micros(100) {
        return "<0.1".to_owned();
    }
    format!("{:.1}", time.as_secs_f64() * 1000.0)
}

/// A number with a comma before every three digits.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
