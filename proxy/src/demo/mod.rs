//! The demo: a coding agent's session, planned as the proxy plans it, once for a client whose provider caches and once for one whose
//! provider does not.
//!
//! The session is made up by [`session`]. No server runs, and nothing leaves this machine.

mod report;
mod session;
mod tools;

use std::io::{self, Write};

use anyhow::{Context, ensure};
use headroom_shared::runtime::output::is_broken_pipe;

use self::session::Session;
use crate::dialect::DIALECTS;
use crate::metrics::Decision;
use crate::plan::Planner;
use crate::prices::Rates;
use crate::simulation::Simulation;
use crate::simulation::check::Checker;
use crate::simulation::prompt_cache::PromptCache;
use crate::simulation::turn::Turn;

/// The proxy's default.
const PLANNER: Planner = Planner::new(Planner::DEFAULT_MIN_TOKENS);
/// When the sessions begin: milliseconds since 1970.
const START_MS: u64 = 1_800_000_000_000;
/// From one turn to the next: the model answers, and the agent runs a tool.
const TURN_MS: u64 = 20_000;
/// How long the agent is idle once: longer than the provider keeps its cache, and a minute more.
const PAUSE_MS: u64 = 10 * 60_000;

/// A client, and how its session goes.
#[derive(Debug)]
struct Client {
    /// What is said of it.
    about: &'static str,
    /// Whether it marks what the provider is to cache.
    marks: bool,
    /// The turn before which it is idle for [`PAUSE_MS`].
    pauses_before: Option<usize>,
    /// The turn in which the compressed prefix has to land.
    lands: usize,
    why: &'static str,
}

const CLIENTS: [Client; 2] = [
    Client {
        about: "A client that marks what the provider is to cache, as Claude Code does; it is idle for 10 minutes before turn 6",
        marks: true,
        pauses_before: Some(6),
        lands: 6,
        why: "the pause was longer than the provider keeps its cache (5 minutes)",
    },
    Client {
        about: "The same session by a client without cache markers: the provider caches nothing",
        marks: false,
        pauses_before: None,
        lands: 2,
        why: "the provider has nothing of the session in its cache",
    },
];

/// A session that was played to its end.
#[derive(Debug)]
struct Played {
    turns: Vec<Turn>,
    /// How many turns began with what was sent in the turn before.
    went_on: usize,
}

/// Plays the session for each client, and prints a line a turn.
///
/// # Errors
/// When a turn did not go as the demo says it goes.
pub fn play() -> anyhow::Result<()> {
    match print(io::stdout().lock()) {
        // Whoever reads has seen enough.
        Err(error) if is_broken_pipe(error.as_ref()) => Ok(()),
        printed => printed,
    }
}

fn print(mut out: impl Write) -> anyhow::Result<()> {
    let session = Session::new();
    out.write_all(report::opening(&session).as_bytes())?;
    for (index, client) in CLIENTS.iter().enumerate() {
        let played = play_as(client, &session)?;
        let title = format!("{}. {}.", index + 1, client.about);
        writeln!(out, "\n{title}\n\n{}", report::table(&played.turns))?;
        writeln!(out, "{}", report::summary(client, &played))?;
    }
    out.write_all(report::FOOTNOTE.as_bytes())?;
    Ok(out.flush()?)
}

/// Plays the session as this client has it, and checks every turn.
fn play_as(client: &Client, session: &Session) -> anyhow::Result<Played> {
    let mut simulation = Simulation::new(DIALECTS[0], PLANNER, PromptCache::default());
    simulation.now_ms = START_MS;
    let mut checker = Checker::default();
    let mut before = String::new();
    let (mut turns, mut went_on) = (Vec::new(), 0);
    for number in 1..=session.turns() {
        let pauses = client.pauses_before == Some(number);
        simulation.now_ms += if pauses { PAUSE_MS } else { TURN_MS };
        let body = session.body(number, client.marks);
        let turn = simulation.turn(&body);
        let checked = checker.check(&body, &turn);
        checked.with_context(|| format!("turn {number}"))?;
        check_decision(client, number, &turn)?;
        let sent = session::sent_messages(&turn.sent.to_vec());
        if number != 1 && number != client.lands {
            ensure!(
                sent.starts_with(&before),
                "turn {number} did not begin with the bytes of the turn before it"
            );
            went_on += 1;
        }
        before = sent;
        turns.push(turn);
        let done = simulation.run_jobs();
        ensure!(
            (done == 1) == (number == 1),
            "{done} jobs after turn {number}"
        );
    }
    let cost: f64 = turns
        .iter()
        .map(|turn| Rates::RATIOS.cost(turn.usage))
        .sum();
    let direct: f64 = turns
        .iter()
        .map(|turn| Rates::RATIOS.cost(turn.direct_usage))
        .sum();
    ensure!(cost <= direct, "it cost {cost} tokens, and {direct} direct");
    Ok(Played { turns, went_on })
}

/// The first turn is left to a worker, and its result lands when it has to.
fn check_decision(client: &Client, number: usize, turn: &Turn) -> anyhow::Result<()> {
    let (decision, landed) = (turn.decision, turn.landed);
    let (expected, lands) = match number {
        1 => (Decision::Deferred, false),
        _ => (Decision::Compressed, number == client.lands),
    };
    ensure!(
        decision == expected && (landed > 0) == lands,
        "turn {number} was {}, and {landed} of its blocks landed",
        decision.name()
    );
    Ok(())
}
