//! Whole sessions through the real proxy and worker on a real redis-server, each turn as the client would have sent it.
//!
//! After each turn: the provider got a valid body; outside the replaced blocks it is the client's, byte for byte; no form
//! ever changed except by landing; every replaced block expands to its original; nothing changed before bound thinking. After
//! each session: it cost no more than going direct.
#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::cmp::Reverse;
use std::sync::Arc;

use headroom_proxy::prices::Rates;
use headroom_proxy::simulation::prompt_cache::PromptCache;
use headroom_tests::client::Client;
use headroom_tests::conversation::Dialect;
use headroom_tests::conversation::recorded::{Session, Step, made_up};
use headroom_tests::process::Launch;
use headroom_tests::stage::Stage;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// How the sessions are replayed.
#[derive(Debug, Clone, Copy)]
struct Variant {
    name: &'static str,
    /// The client marks what shall be cached, and the provider caches.
    cached: bool,
    /// Every Claude session asks this model.
    model: Option<&'static str>,
    /// The share of each session, in percent, that happened before the proxy came.
    before: usize,
    min_tokens: &'static str,
}

#[derive(Debug, Default, Clone)]
struct Outcome {
    id: String,
    turns: usize,
    bytes_in: usize,
    bytes_sent: usize,
    deferred: usize,
    entered: usize,
    landed: usize,
    /// What the provider bills, and what it would have billed for the client's own bytes.
    bill: f64,
    direct: f64,
}

/// Two accounts at a provider that caches: one gets what the proxy sends, the other what the client sent.
#[derive(Debug, Default)]
struct Bills {
    sent: PromptCache,
    direct: PromptCache,
}

const AS_SENT: Variant = Variant {
    name: "as clients send them",
    cached: true,
    model: None,
    before: 0,
    min_tokens: "50000",
};

const RESUMED: Variant = Variant {
    name: "resumed in the middle, never cached",
    cached: false,
    model: None,
    before: 40,
    min_tokens: "2000",
};

const BOUND: Variant = Variant {
    name: "claude-opus-5-5, resumed, never cached",
    cached: false,
    model: Some("claude-opus-5-5"),
    before: 40,
    min_tokens: "2000",
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_clients_send_them() {
    let total = replay_all(made_up(), AS_SENT).await;
    assert_eq!(total.landed, 0, "nothing lands on a warm prefix");
    assert!(total.entered > 40, "new blocks are compressed: {total:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resumed_and_uncached() {
    let total = replay_all(made_up(), RESUMED).await;
    assert!(total.deferred >= 4, "cold starts are deferred: {total:?}");
    assert!(
        total.landed > 10,
        "results land on cold prefixes: {total:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_model_that_binds_thinking() {
    replay_all(made_up(), BOUND).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the recorded sessions beside the checkout: scripts/test runs it where they are"]
async fn recorded_as_clients_send_them() {
    let total = replay_all(recorded(), AS_SENT).await;
    assert_eq!(total.landed, 0, "nothing lands on a warm prefix");
    assert!(total.entered > 100, "new blocks are compressed: {total:?}");
    assert!(
        total.bill < total.direct * 0.925,
        "the provider's bill is smaller by a thirteenth: {total:?}"
    );
    // Parts of files that are read again stay where they are, for the edit that follows (docs/forms.md).
    assert!(
        total.bytes_sent * 1000 < total.bytes_in * 925,
        "and so are the bytes: {total:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the recorded sessions beside the checkout: scripts/test runs it where they are"]
async fn recorded_resumed_and_uncached() {
    let total = replay_all(recorded(), RESUMED).await;
    assert!(total.deferred > 10, "cold starts are deferred: {total:?}");
    assert!(
        total.landed > 50,
        "results land on cold prefixes: {total:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the recorded sessions beside the checkout: scripts/test runs it where they are"]
async fn recorded_on_a_model_that_binds_thinking() {
    replay_all(recorded(), BOUND).await;
}

fn recorded() -> Vec<Session> {
    headroom_tests::conversation::recorded::recorded()
        .expect("recorded sessions in ../shared/corpus/sessions")
}

/// Replays sessions, a few at a time, and prints the table.
async fn replay_all(mut sessions: Vec<Session>, variant: Variant) -> Outcome {
    let set = |launch: Launch| {
        launch
            .set(
                "HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS",
                variant.min_tokens,
            )
            // No turn may miss the store or a form on a loaded machine: what is lost to budgets is not under test here.
            .set("HEADROOM_STORE_BUDGET_MS", 5000)
            .set("HEADROOM_ENTRY_BUDGET_MS", 2000)
    };
    let mut stage = Stage::with_redis(set).await;
    stage.start_worker().await;
    if !variant.cached {
        stage.provider.cache(|cache| cache.turn_off());
    }
    let stage = Arc::new(stage);
    // The longest first, so that none is left to run alone at the end.
    sessions.sort_by_key(|session| Reverse(session.steps.len()));
    let replays = sessions
        .into_iter()
        .map(|session| replay(session, variant, Arc::clone(&stage)));
    let mut outcomes = a_few_at_a_time(replays).await;
    outcomes.sort_by(|a, b| a.id.cmp(&b.id));
    let total = sum(&outcomes);
    outcomes.push(total.clone());
    say(&table(variant, &outcomes));
    let stats = stage.stats().await;
    assert_eq!(stats["wire_bytes"]["in"], total.bytes_in, "{stats}");
    assert_eq!(stats["wire_bytes"]["sent"], total.bytes_sent, "{stats}");
    assert_eq!(stats["requests"]["total"], total.turns, "{stats}");
    total
}

async fn a_few_at_a_time<F>(replays: impl Iterator<Item = F>) -> Vec<Outcome>
where
    F: Future<Output = Outcome> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(4));
    let mut running = JoinSet::new();
    for replay in replays {
        let places = Arc::clone(&places);
        running.spawn(async move {
            let _place = places.acquire().await;
            replay.await
        });
    }
    running.join_all().await
}

#[expect(
    clippy::print_stdout,
    reason = "the table is what a reader of the test's output wants"
)]
fn say(text: &str) {
    println!("{text}");
}

fn table(variant: Variant, outcomes: &[Outcome]) -> String {
    let mut text = format!(
        "{}\n{:<36} {:>6} {:>11} {:>11} {:>6} {:>8} {:>7} {:>6} {:>6}",
        variant.name,
        "session",
        "turns",
        "bytes in",
        "bytes sent",
        "saved",
        "deferred",
        "entered",
        "landed",
        "bill"
    );
    for outcome in outcomes {
        let saved = 100.0 * (1.0 - outcome.bytes_sent as f64 / outcome.bytes_in as f64);
        let bill = 100.0 * outcome.bill / outcome.direct;
        text.push_str(&format!(
            "\n{:<36} {:>6} {:>11} {:>11} {saved:>5.1}% {:>8} {:>7} {:>6} {bill:>5.1}%",
            outcome.id,
            outcome.turns,
            outcome.bytes_in,
            outcome.bytes_sent,
            outcome.deferred,
            outcome.entered,
            outcome.landed
        ));
    }
    text
}

fn sum(outcomes: &[Outcome]) -> Outcome {
    let mut total = Outcome {
        id: format!("{} sessions", outcomes.len()),
        ..Outcome::default()
    };
    for outcome in outcomes {
        total.turns += outcome.turns;
        total.bytes_in += outcome.bytes_in;
        total.bytes_sent += outcome.bytes_sent;
        total.deferred += outcome.deferred;
        total.entered += outcome.entered;
        total.landed += outcome.landed;
        total.bill += outcome.bill;
        total.direct += outcome.direct;
    }
    total
}

async fn replay(session: Session, variant: Variant, stage: Arc<Stage>) -> Outcome {
    let mut client = Client::new(session.begin());
    client.conversation.marked = variant.cached;
    client.allowed.landing = !variant.cached;
    let mut bills = Bills::default();
    if !variant.cached {
        bills.sent.turn_off();
        bills.direct.turn_off();
    }
    let turns = session
        .steps
        .iter()
        .filter(|step| matches!(step, Step::Turn(_)))
        .count();
    let mut before = turns * variant.before / 100;
    let mut outcome = Outcome {
        id: session.id.clone(),
        ..Outcome::default()
    };
    for step in session.steps {
        match step {
            Step::Message(element) => client.conversation.push(element),
            Step::Reset(keep) => client.conversation.messages.truncate(keep),
            Step::Turn(_) if before > 0 => before -= 1,
            Step::Turn(recorded) => {
                let model = match session.dialect {
                    Dialect::Messages => variant.model.map(str::to_owned).or(recorded.model),
                    Dialect::Chat | Dialect::Responses => recorded.model,
                };
                if let Some(model) = model {
                    client.conversation.model = model;
                }
                one_turn(&mut client, &stage, &mut bills, &mut outcome).await;
            }
        }
    }
    assert!(
        outcome.bill <= outcome.direct,
        "dearer than going direct: {outcome:?}"
    );
    outcome.entered = client.forms.entered;
    outcome.landed = client.forms.landed;
    outcome
}

async fn one_turn(client: &mut Client, stage: &Stage, bills: &mut Bills, outcome: &mut Outcome) {
    let turn = client.turn(stage).await;
    let path = client.conversation.dialect.path();
    outcome.bill += Rates::RATIOS.cost(bills.sent.serve(path, &turn.got));
    outcome.direct += Rates::RATIOS.cost(bills.direct.serve(path, &turn.sent.bytes));
    outcome.turns += 1;
    outcome.bytes_in += turn.sent.bytes.len();
    outcome.bytes_sent += turn.got.len();
    if headroom_tests::http::is_deferred(&turn.decision) {
        outcome.deferred += 1;
        stage
            .until("the job to be done", |stats| {
                let count = |of: &str, name: &str| stats[of][name].as_u64().unwrap_or_default();
                let offered = count("jobs", "enqueued")
                    + count("jobs", "coalesced")
                    + count("jobs", "dropped");
                count("requests", "deferring") == 0
                    && offered >= count("requests", "deferred")
                    && count("jobs", "done") + count("jobs", "failed") >= count("jobs", "enqueued")
            })
            .await;
    }
}
