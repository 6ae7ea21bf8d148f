//! The clients as `headroom-proxy wrap` starts them: through the proxy, past which their own settings would lead, and with the retrieval tool.

use std::fs;
use std::time::Duration;

use headroom_tests::process::Launch;
use headroom_tests::provider::{Provider, Step};
use headroom_tests::retrieval::TOOL;

use crate::folder::Folder;
use crate::programs;
use crate::retrieval::write_test;

/// Longer than a run takes on a loaded machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Has the client of this name run a long test in a session through `wrap`, and fetch what its output lacks; gives what `wrap` said.
///
/// # Panics
/// When it fails, or did not fetch it.
pub(crate) async fn session(name: &str, args: &[&str], settings: Option<(&str, &str)>) -> String {
    let provider = Provider::start().await;
    let folder = Folder::new();
    write_test(&folder);
    let run_tests = folder.path("run-tests").display().to_string();
    provider.take_steps(vec![Step::Shell(run_tests), Step::Retrieve]);
    let codex_home = folder.home().join(".codex");
    fs::create_dir_all(&codex_home).expect("the home is writable");
    fs::create_dir_all(folder.home().join(".claude")).expect("the home is writable");
    if let Some((file, text)) = settings {
        let path = folder.home().join(file);
        let text = text.replace("PROVIDER", &provider.url());
        fs::write(path, text).expect("the home is writable");
    }
    let path = std::env::var("PATH").expect("a PATH");
    let mut launch = Launch::proxy(&provider)
        .patient()
        .set("PATH", format!("{}:{path}", programs::folders()))
        .set("HOME", folder.home().display())
        .set("CODEX_HOME", codex_home.display())
        .set("ANTHROPIC_API_KEY", "sk-ant-fake")
        .set("OPENAI_API_KEY", "sk-fake")
        .set("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        .set("DISABLE_AUTOUPDATER", "1");
    if settings.is_some_and(|(_, text)| text.contains("PROVIDER")) {
        launch = launch
            .unset("ANTHROPIC_TARGET_API_URL")
            .unset("OPENAI_TARGET_API_URL");
    }
    let launch = launch
        .args(&["wrap", "--tier", "recoverable", name])
        .args(args);
    let mut wrapped = launch.spawn();
    let status = wrapped.ended(LIMIT).await;
    let said = wrapped.log();
    assert!(status.success(), "{name}: {status}: {said}");
    assert_fetched(&provider).await;
    said
}

/// The provider got the output shortened, and then an answer of the tool.
async fn assert_fetched(provider: &Provider) {
    let mut bodies = Vec::new();
    while provider.untaken() > 0 {
        let request = provider.next().await;
        bodies.push(String::from_utf8_lossy(&request.body).into_owned());
    }
    let has = |text: &str| bodies.iter().any(|body| body.contains(text));
    assert!(
        has(r#"headroom_retrieve(\""#),
        "{} requests, none shortened",
        bodies.len()
    );
    assert!(has("[lines "), "{} requests, nothing fetched", bodies.len());
}

/// The arguments with which Claude Code runs without a terminal.
pub(crate) fn claude_args() -> [String; 7] {
    let allowed = format!("Bash {TOOL}");
    [
        "-p",
        "--model",
        "claude-sonnet-4-5",
        "--allowedTools",
        &allowed,
        "--",
        "Find out why the tests fail.",
    ]
    .map(str::to_owned)
}

/// The same for Codex.
pub(crate) const CODEX_ARGS: [&str; 6] = [
    "exec",
    "--skip-git-repo-check",
    "--model",
    "gpt-5.5",
    "--dangerously-bypass-approvals-and-sandbox",
    "Find out why the tests fail.",
];
