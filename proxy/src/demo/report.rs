//! What a person at the terminal reads.

use std::time::Duration;

use super::session::Session;
use super::{Client, Played};
use crate::prices::Rates;
use crate::simulation::turn::Turn;
use crate::tables;
use indicatif::HumanCount;

pub(super) const FOOTNOTE: &str = "
cost  of the input in fresh tokens, by a model of the provider's cache: a cache write counts 1.25, a cache read 0.1
*     from the body to what goes out: scanning it, compressing what is new in it, planning, splicing
";

pub(super) fn opening(session: &Session) -> String {
    let mut text = format!(
        "headroom-proxy demo: a made-up coding session of {} tokens is resumed and goes on for {} turns, without a server, an agent or a\n\
         key. What goes out is decided by the code that the proxy runs.\n",
        HumanCount(session.tokens()),
        session.turns()
    );
    if cfg!(debug_assertions) {
        text += "(A build without optimisation: use --release for true times.)\n";
    }
    text
}

/// A line a turn.
pub(super) fn table(turns: &[Turn]) -> String {
    let header = [
        "turn",
        "bytes in",
        "bytes sent",
        "saved",
        "decision",
        "planning ms*",
        "job",
    ];
    let mut table = tables::table(&header, [0, 1, 2, 3, 5]);
    for (index, turn) in turns.iter().enumerate() {
        let (bytes_in, bytes_sent) = (turn.bytes_in, turn.sent.len());
        table.add_row([
            (index + 1).to_string(),
            HumanCount(bytes_in as u64).to_string(),
            HumanCount(bytes_sent as u64).to_string(),
            format!("{:.1} %", percent_saved(bytes_in, bytes_sent)),
            turn.decision.name().to_owned(),
            millis(turn.planning),
            turn.job.map_or("", |job| job.name()).to_owned(),
        ]);
    }
    table.trim_fmt()
}

/// What the session came to.
pub(super) fn summary(client: &Client, played: &Played) -> String {
    let turns = &played.turns;
    let sum = |count: fn(&Turn) -> usize| turns.iter().map(count).sum::<usize>();
    let cost = |of: fn(&Turn) -> f64| turns.iter().map(of).sum::<f64>();
    let (taken, sent) = (sum(|turn| turn.bytes_in), sum(|turn| turn.sent.len()));
    let share = cost(|turn| Rates::RATIOS.cost(turn.usage))
        / cost(|turn| Rates::RATIOS.cost(turn.direct_usage));
    let forms = turns.last().map_or(0, |turn| turn.forms.len());
    let (lands, went_on) = (client.lands, played.went_on);
    format!(
        "\
saved     {} of {} bytes ({:.1} %); what your sessions save depends on their tool output
cost      {:.1} % of going direct
turn 1    went out as it came, at once; a worker compressed it in the background
turn {lands}    was the first with the compressed prefix: {}
the rest  {went_on} of {went_on} other turns began with the bytes of the turn before
lossless  {forms} of {forms} compressed tool outputs expand to their originals; {} of them were compressed when they were sent first",
        HumanCount(taken.saturating_sub(sent) as u64),
        HumanCount(taken as u64),
        percent_saved(taken, sent),
        100.0 * share,
        client.why,
        sum(|turn| turn.entered),
    )
}

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
