//! The real programs through the real proxy: Claude Code and Codex CLI, driven by a scripted model.
//!
//! A session of 25 tool calls in a folder made for it, then the same session resumed with a proxy that knows nothing of it. At
//! each turn the provider got the client's bytes but for replaced texts, every form expands to its original, and none has ever
//! flipped. Tables by kind of tool result say what was saved, and why the rest was left. Codex runs over HTTP and on a WebSocket.
//! In sessions of their own the model calls the retrieval tool for what a shortened output lacks.
//!
//! The programs come from `PyPI` (`requirements.txt`), 800 MB once installed under `target/`. `scripts/real-clients` runs these
//! tests where they can be had.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod first_request;
mod folder;
mod lost;
mod outcome;
mod programs;
mod retrieval;
mod session;
mod steps;
mod table;
mod wrap;

use headroom_shared::compress::{Earlier, Source, compress};

use crate::folder::Folder;
use crate::programs::{Client, Transport, Words};
use crate::retrieval::Told;
use crate::session::{Sent, Session};
use crate::steps::{JSON, READ_AGAIN};
use crate::table::Tally;

/// The first words of a session, and those that resume it.
const PROMPTS: [&str; 2] = ["Look around.", "And what else?"];

/// What is saved of files that are read again after an edit, in percent of their bytes: fewer than 5,000 bytes on one side of the edit stay as
/// they are (docs/forms.md).
const MIN_READ_AGAIN: f64 = 85.0;

#[test]
#[ignore = "installs the programs from PyPI: scripts/real-clients"]
fn the_programs_can_be_had() {
    programs::installed().unwrap();
}

#[tokio::test]
#[ignore = "needs programs from PyPI: scripts/real-clients"]
async fn claude_code_on_a_model_that_does_not_bind_thinking() {
    let client = Client::Claude("claude-sonnet-4-5");
    let session = play("Claude Code, Sonnet 4.5", client).await;
    let json = session.results.iter().filter(|result| result.kind == JSON);
    let mut missed: Vec<String> = json.filter_map(more_than_without_trailer).collect();
    missed.extend(less_saved(&session, READ_AGAIN, MIN_READ_AGAIN));
    missed.extend(less_saved(&session, ALL, 20.0));
    assert_eq!(missed, [""; 0]);
}

#[tokio::test]
#[ignore = "needs programs from PyPI: scripts/real-clients"]
async fn claude_code_on_a_model_that_binds_thinking() {
    let client = Client::Claude("claude-opus-5-5");
    let session = play("Claude Code, Opus 5.5", client).await;
    let again = less_saved(&session, READ_AGAIN, MIN_READ_AGAIN);
    let missed: Vec<String> = again
        .into_iter()
        .chain(less_saved(&session, ALL, 20.0))
        .collect();
    assert_eq!(missed, [""; 0]);
}

#[tokio::test]
#[ignore = "needs programs from PyPI: scripts/real-clients"]
async fn codex_with_a_shell_tool() {
    let session = play("Codex, GPT-5.5", Client::Codex("gpt-5.5", Transport::Http)).await;
    assert_eq!(less_saved(&session, ALL, 21.0), None);
}

#[tokio::test]
#[ignore = "needs programs from PyPI: scripts/real-clients"]
async fn codex_with_scripts_that_call_the_shell() {
    let session = play(
        "Codex, GPT-6.1 Sol",
        Client::Codex("gpt-6.1-sol", Transport::Http),
    )
    .await;
    assert_eq!(less_saved(&session, ALL, 21.0), None);
}

#[tokio::test]
#[ignore = "needs programs from PyPI: scripts/real-clients"]
async fn codex_on_a_websocket_with_a_shell_tool() {
    on_a_websocket("GPT-5.5", "gpt-5.5").await;
}

#[tokio::test]
#[ignore = "needs programs from PyPI: scripts/real-clients"]
async fn codex_on_a_websocket_with_scripts_that_call_the_shell() {
    on_a_websocket("GPT-6.1 Sol", "gpt-6.1-sol").await;
}

/// What is saved on a WebSocket, in percent of the bytes of all results: 14.7 with either model. Over HTTP it is twice as much; the rest is in
/// references to earlier results, which a request with the new items alone does not hold.
const MIN_ON_A_WEBSOCKET: f64 = 14.0;

/// A session on a WebSocket, which ends as without the proxy.
async fn on_a_websocket(name: &str, model: &'static str) {
    let client = Client::Codex(model, Transport::WebSocket);
    let session = play(&format!("Codex, {name}, on a WebSocket"), client).await;
    let folder = Folder::new();
    let plan = steps::with_shell(&folder);
    let words = Words {
        prompt: PROMPTS[0],
        ..Words::default()
    };
    let direct = outcome::of(&Session::direct(client, &folder, words, &plan).await);
    assert!(!direct.is_empty());
    assert_eq!(outcome::of(&session.said), direct);
    assert_eq!(
        (session.asked(), session.turns.len()),
        (CALLS + 1, CALLS + 2)
    );
    assert_eq!(less_saved(&session, ALL, MIN_ON_A_WEBSOCKET), None);
}

#[tokio::test]
#[ignore = "needs programs from PyPI: scripts/real-clients"]
async fn wrap_runs_claude_code_also_where_its_settings_lead_elsewhere() {
    let args = wrap::claude_args();
    let args = args.each_ref().map(String::as_str);
    let elsewhere = r#"{"env":{"ANTHROPIC_BASE_URL":"PROVIDER"}}"#;
    for settings in [None, Some((".claude/settings.json", elsewhere))] {
        let said = wrap::session("claude", &args, settings).await;
        assert!(said.contains("headroom: cost $"), "{said}");
    }
}

#[tokio::test]
#[ignore = "needs programs from PyPI: scripts/real-clients"]
async fn wrap_runs_codex_also_with_a_provider_or_a_login_of_its_user_s() {
    let own = "model_provider = \"mine\"\n[model_providers.mine]\nname = \"mine\"\nbase_url = \"PROVIDER/v1\"\nenv_key = \"OPENAI_API_KEY\"\nwire_api = \"responses\"\n";
    let kept_key = r#"{"OPENAI_API_KEY":"sk-kept"}"#;
    for settings in [
        None,
        Some((".codex/config.toml", own)),
        Some((".codex/auth.json", kept_key)),
    ] {
        let said = wrap::session("codex", &wrap::CODEX_ARGS, settings).await;
        assert!(said.contains("headroom: cost $"), "{said}");
    }
}

#[tokio::test]
#[ignore = "needs programs from PyPI: scripts/real-clients"]
async fn claude_code_fetches_what_a_shortened_output_lacks() {
    for (model, told) in [
        ("claude-sonnet-4-5", Told::ByCommand),
        ("claude-opus-5-5", Told::ByArgument),
    ] {
        let session = retrieval::session(Client::Claude(model), told).await;
        session.assert_fetched();
        session.assert_stable();
    }
}

#[tokio::test]
#[ignore = "needs programs from PyPI: scripts/real-clients"]
async fn codex_fetches_what_a_shortened_output_lacks() {
    for (model, told) in [
        ("gpt-5.5", Told::ByArgument),
        ("gpt-6.1-sol", Told::InSettings),
    ] {
        let client = Client::Codex(model, Transport::Http);
        let session = retrieval::session(client, told).await;
        session.assert_fetched();
        session.assert_stable();
    }
}

#[tokio::test]
#[ignore = "needs programs from PyPI: scripts/real-clients"]
async fn nothing_is_left_out_on_a_websocket_where_requests_do_not_say_what_a_tool_did() {
    let client = Client::Codex("gpt-5.5", Transport::WebSocket);
    let session = retrieval::session(client, Told::ByArgument).await;
    session.assert_lossless();
}

#[tokio::test]
#[ignore = "needs programs from PyPI: scripts/real-clients"]
async fn nothing_is_left_out_for_a_client_that_was_not_told_of_the_retrieval_tool() {
    for client in [
        Client::Claude("claude-sonnet-4-5"),
        Client::Codex("gpt-5.5", Transport::Http),
        Client::Codex("gpt-6.1-sol", Transport::Http),
    ] {
        let session = retrieval::session(client, Told::Not).await;
        session.assert_lossless();
    }
}

/// Codex has the model search for the tools of servers that were added by its command.
#[tokio::test]
#[ignore = "needs programs from PyPI: scripts/real-clients"]
async fn nothing_is_left_out_where_the_model_must_search_for_the_retrieval_tool() {
    for model in ["gpt-5.5", "gpt-6.1-sol"] {
        let client = Client::Codex(model, Transport::Http);
        let session = retrieval::session(client, Told::ByCommand).await;
        session.assert_lossless();
    }
}

#[tokio::test]
#[ignore = "needs programs from PyPI: scripts/real-clients"]
async fn claude_code_begins_with_all_tools_only_where_it_is_told_to() {
    let folder = Folder::new();
    let mut requests = Vec::new();
    for model in ["claude-opus-5-5", "claude-opus-4-6", "claude-opus-4-6[1m]"] {
        for env in ENVIRONMENTS {
            requests.push(first_request::of(&folder, model, env).await);
        }
    }
    say(&first_request::table(&requests));
    for requests in requests.chunks(ENVIRONMENTS.len()) {
        let [unset, on, off, ..] = requests else {
            panic!("{requests:?}")
        };
        assert!(on.tools_bytes <= unset.tools_bytes, "{on:?} {unset:?}");
        assert!(on.tools_bytes < off.tools_bytes, "{on:?} {off:?}");
    }
}

/// What may be set beside `ANTHROPIC_BASE_URL`.
const ENVIRONMENTS: [&[(&str, &str)]; 4] = [
    &[],
    &[("ENABLE_TOOL_SEARCH", "true")],
    &[("ENABLE_TOOL_SEARCH", "false")],
    &[
        ("DISABLE_COMPACT", "1"),
        ("CLAUDE_CODE_MAX_CONTEXT_TOKENS", "1000000"),
    ],
];

/// A session, and the same resumed with a proxy that has never seen it.
async fn play(name: &str, client: Client) -> Session {
    let folder = Folder::new();
    let mut plan = match client {
        Client::Claude(_) => steps::with_file_tools(&folder),
        Client::Codex(..) => steps::with_shell(&folder),
    };
    assert_eq!(plan.len(), CALLS);
    let words = |resumes| Words {
        prompt: PROMPTS[usize::from(resumes)],
        resumes,
        ..Words::default()
    };
    let session = Session::run(client, &folder, words(false), &plan).await;
    say(&table::of(name, &session, 0));
    plan.extend(steps::resumed(&folder));
    let resumed = Session::run(client, &folder, words(true), &plan).await;
    let name = format!("{name}, resumed with a new proxy");
    say(&table::of(&name, &resumed, CALLS));
    assert_eq!(resumed.asked(), plan.len() - CALLS + 1, "{resumed:?}");
    session
}

/// The tool calls of a session until it is resumed.
const CALLS: usize = 25;
/// Stands for every kind of result.
const ALL: &str = "all";

/// Says it where less of these results is saved than so many percent.
fn less_saved(session: &Session, kind: &str, percent: f64) -> Option<String> {
    let wanted = |result: &&Sent| kind == ALL || result.kind == kind;
    let tally = Tally::of(session.results.iter().filter(wanted));
    let saved = tally.saved();
    (saved < percent).then(|| format!("{kind}: {saved:.1} % saved, not {percent} %"))
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
