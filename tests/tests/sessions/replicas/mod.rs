//! 64 sessions at once through two replicas on one Redis, each turn through either of them, while the replicas' lines to Redis
//! are slowed, trickled, cut, and left half-open: every turn goes out at once, and every block keeps its form.
//!
//! Think time and growth of each session, who serves each turn, and the order of the faults come from a printed seed.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod dropped_read;
mod faults;
mod late_write;
mod plan;
mod session;
mod site;
mod tally;

use std::sync::Arc;
use std::time::{Duration, Instant};

use headroom_tests::random::Random;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::faults::Faults;
use self::plan::Plan;
use self::session::Session;
use self::site::Site;
use self::tally::{Figures, Tally, spread};

const SESSIONS: usize = 64;
/// Turns of each session while a replica is killed.
const LAST_TURNS: usize = 2;
/// How long a request may wait for the store, in all; twice as long where thinking is bound.
const STORE_BUDGET: Duration = Duration::from_millis(200);
/// What else a turn may take on a loaded machine. With the budget it is less than the two seconds after which Redis
/// itself gives a call up, so that a wait for that would show.
const ALLOWANCE: Duration = Duration::from_millis(1500);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_the_store_does_no_turn_waits_and_no_form_changes() {
    let begun = Instant::now();
    let mut random = Random::seeded();
    let plans: Vec<Plan> = (0..SESSIONS)
        .map(|number| Plan::drawn(&mut random, number))
        .collect();
    let faults = Faults::drawn(&mut random);
    say(&format!("{faults:?}"));
    let site = Arc::new(Site::start(STORE_BUDGET).await);
    let tally = Arc::new(Tally::default());
    let sessions = plans
        .into_iter()
        .map(|plan| Session::begin(plan, &site, &tally))
        .collect();

    let over = CancellationToken::new();
    let under_faults = all(sessions, |session| session.go_on(over.clone()));
    let strike = async {
        faults.strike(&site, &tally).await;
        over.cancel();
    };
    let (sessions, ()) = tokio::join!(under_faults, strike);
    let mut misses = 0;
    for replica in &site.replicas {
        misses += replica.store_misses().await.expect("it runs");
    }

    let fresh = Arc::new(site.fresh_replica().await);
    let sessions = all(sessions, |session| {
        let fresh = Arc::clone(&fresh);
        async move { session.go_over(&fresh).await }
    })
    .await;

    let without_one = all(sessions, |session| session.take(LAST_TURNS));
    let kill = async {
        tally.until_turns(tally.turns() + SESSIONS / 2).await;
        site.replicas[0].process.signal("KILL");
    };
    let (sessions, ()) = tokio::join!(without_one, kill);
    sessions.into_iter().for_each(Session::end);

    let seen = tally.sum();
    say(&report(&seen, misses, begun.elapsed()));
    assert!(misses > 0, "the faults were felt");
    assert!(seen.again > 0, "the kill was felt");
    assert!(
        seen.repeated > SESSIONS / 2,
        "most sessions ended undisturbed"
    );
    assert!(
        seen.entered > 100 && seen.landed > 10,
        "blocks were compressed"
    );
    let longest = seen.calm.iter().chain(&seen.disturbed).max();
    assert!(
        longest < Some(&(2 * STORE_BUDGET + ALLOWANCE)),
        "no turn waits"
    );
    assert!(seen.bill <= seen.direct, "dearer than going direct");
}

/// Lets all sessions do the same at the same time.
async fn all<F>(sessions: Vec<Session>, what: impl Fn(Session) -> F) -> Vec<Session>
where
    F: Future<Output = Session> + Send + 'static,
{
    let running: JoinSet<Session> = sessions.into_iter().map(what).collect();
    running.join_all().await
}

fn report(seen: &Figures, misses: u64, took: Duration) -> String {
    let Figures {
        decisions,
        repeated,
        again,
        entered,
        landed,
        originals,
        dearer,
        ..
    } = seen;
    let lines = [
        format!("calm: {}", spread(&seen.calm)),
        format!("disturbed: {}", spread(&seen.disturbed)),
        format!("{decisions:?}, {misses} without the store"),
        format!("{repeated} repeated on a fresh replica, {again} again after a kill"),
        format!(
            "blocks: {entered} entered, {landed} landed, {originals} once more in the original"
        ),
        format!(
            "bill: {:.1} % of going direct, {dearer} sessions dearer",
            100.0 * seen.bill / seen.direct
        ),
        format!("in {took:.1?}"),
    ];
    lines.join("\n")
}

#[expect(
    clippy::print_stdout,
    reason = "the figures are what a reader of the test's output wants"
)]
fn say(text: &str) {
    println!("{text}");
}
