//! The real programs through the real proxy: Claude Code and Codex CLI, driven by a scripted model.
//!
//! A session of 25 tool calls in a folder made for it, then the same session resumed with a proxy that knows nothing of it. At
//! each turn the provider got the client's bytes but for replaced texts, every form expands to its original, and none has ever
//! flipped. Tables by kind of tool result say what was saved, and why the rest was left.
//!
//! The programs come from `PyPI` (`requirements.txt`), 800 MB once installed under `target/`. `scripts/real-clients` runs these
//! tests where they can be had.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod folder;
mod lost;
mod programs;
mod session;
mod steps;
mod table;

use headroom_shared::compress::{Earlier, Source, compress};

use crate::folder::Folder;
use crate::programs::{Client, Words};
use crate::session::{Sent, Session};
use crate::steps::{JSON, READ_AGAIN};
use crate::table::Tally;

/// The first words of a session, and those that resume it.
const PROMPTS: [&str; 2] = ["Look around.", "And what else?"];

#[test]
#[ignore = "installs the programs from PyPI: scripts/real-clients"]
fn the_programs_can_be_had() {
    programs::installed().unwrap();
}

#[tokio::test]
#[ignore = "needs programs from PyPI: scripts/real-clients"]
async fn claude_code_on_a_model_that_does_not_bind_thinking() {
    let session = play(
        "Claude Code, Sonnet 4.5",
        Client::Claude("claude-sonnet-4-5"),
    )
    .await;
    let json = session.results.iter().filter(|result| result.kind == JSON);
    let more: Vec<String> = json.filter_map(more_than_without_trailer).collect();
    assert_eq!(
        more, [""; 0],
        "JSON before a trailer is compressed as without it"
    );
    saves(&session, READ_AGAIN, 90.0);
    saves(&session, ALL, 20.0);
}

#[tokio::test]
#[ignore = "needs programs from PyPI: scripts/real-clients"]
async fn claude_code_on_a_model_that_binds_thinking() {
    let session = play("Claude Code, Opus 5.5", Client::Claude("claude-opus-5-5")).await;
    saves(&session, READ_AGAIN, 90.0);
    saves(&session, ALL, 20.0);
}

#[tokio::test]
#[ignore = "needs programs from PyPI: scripts/real-clients"]
async fn codex_with_a_shell_tool() {
    let session = play("Codex, gpt-5.5", Client::Codex("gpt-5.5")).await;
    saves(&session, ALL, 21.0);
}

#[tokio::test]
#[ignore = "needs programs from PyPI: scripts/real-clients"]
async fn codex_with_scripts_that_call_the_shell() {
    let session = play("Codex, gpt-6.1-sol", Client::Codex("gpt-6.1-sol")).await;
    saves(&session, ALL, 21.0);
}

/// A session, and the same resumed with a proxy that has never seen it.
async fn play(name: &str, client: Client) -> Session {
    let folder = Folder::new();
    let mut plan = match client {
        Client::Claude(_) => steps::with_file_tools(&folder),
        Client::Codex(_) => steps::with_shell(&folder),
    };
    assert_eq!(plan.len(), 25);
    let words = |resumes| Words {
        prompt: PROMPTS[usize::from(resumes)],
        resumes,
        env: &[],
    };
    let session = Session::run(client, &folder, words(false), &plan).await;
    say(&table::of(name, &session));
    plan.extend(steps::resumed(&folder));
    let resumed = Session::run(client, &folder, words(true), &plan).await;
    say(&table::of(
        &format!("{name}, resumed with a new proxy"),
        &resumed,
    ));
    assert!(
        resumed.results.len() > session.results.len(),
        "{:?}",
        resumed.turns
    );
    session
}

/// Stands for every kind of result.
const ALL: &str = "all";

/// At least so many percent of these results are saved.
fn saves(session: &Session, kind: &str, percent: f64) {
    let wanted = |result: &&Sent| kind == ALL || result.kind == kind;
    let tally = Tally::of(session.results.iter().filter(wanted));
    let saved = tally.saved();
    assert!(saved >= percent, "{kind}: {saved:.1} % saved of {tally:?}");
}

/// A result that is longer than its form without the trailer and the trailer together; the slack is for what joins them.
fn more_than_without_trailer(result: &Sent) -> Option<String> {
    let at = result.original.find("\n\n<system-reminder>")?;
    let (json, trailer) = result.original.split_at(at);
    let block = Source {
        text: json,
        tool: Some(&result.call.0),
        input: Some(&result.call.1),
    };
    let form = compress(block, &Earlier::default());
    let escaped = |text: &str| serde_json::Value::from(text).to_string().len() - 2;
    let wanted = escaped(form.as_deref().unwrap_or(json)) + escaped(trailer) + 100;
    (result.sent > wanted).then(|| {
        format!(
            "{} {}: {} bytes, not {wanted}",
            result.kind, result.call.1, result.sent
        )
    })
}

#[expect(
    clippy::print_stdout,
    reason = "the table is what a reader of the test's output wants"
)]
fn say(text: &str) {
    println!("{text}\n");
}
