//! The clients' programs: how they are had, and how they are run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use headroom_tests::conversation::Dialect;
use headroom_tests::retrieval::TOOL;
use headroom_tests::venv;
use tokio::process::Command;

/// Longer than a run takes on a loaded machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A client, and the model that it asks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Client {
    /// Claude Code.
    Claude(&'static str),
    /// Codex CLI.
    Codex(&'static str, Transport),
}

/// How Codex sends its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Each with the whole conversation.
    Http,
    /// Each with what is new since the last one.
    WebSocket,
}

/// Where a client works: all that it may read and write. Both folders go when this is dropped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places<'a> {
    /// Its `HOME`.
    pub(crate) home: &'a Path,
    /// Its working folder.
    pub(crate) work: &'a Path,
}

impl Client {
    /// The dialect that it speaks.
    pub(crate) fn dialect(self) -> Dialect {
        match self {
            Self::Claude(_) => Dialect::Messages,
            Self::Codex(..) => Dialect::Responses,
        }
    }

    /// The status with which its requests, or the handshake of their WebSocket, are answered.
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::Codex(_, Transport::WebSocket) => 101,
            Self::Claude(_) | Self::Codex(_, Transport::Http) => 200,
        }
    }

    /// Begins a session with these words, or goes on with the last one, against the provider at `addr`. Gives its output.
    ///
    /// # Panics
    /// When it fails or does not end.
    pub(crate) async fn run(self, places: Places<'_>, addr: &str, words: Words<'_>) -> String {
        let command = match self {
            Self::Claude(model) => claude(model, addr, words),
            Self::Codex(model, transport) => codex(model, transport, addr, words),
        };
        run_in(places, command, words.env).await
    }

    /// The arguments that give it the retrieval tool at `addr` for one session (`docs/retrieval.md`).
    pub(crate) fn retrieval_args(self, addr: &str) -> [String; 2] {
        let url = format!("http://{addr}/mcp");
        match self {
            Self::Claude(_) => [
                "--mcp-config".to_owned(),
                format!(r#"{{"mcpServers":{{"headroom":{{"type":"http","url":"{url}"}}}}}}"#),
            ],
            Self::Codex(..) => [
                "-c".to_owned(),
                format!(
                    r#"mcp_servers.headroom={{url="{url}",omit_tools_from=["deferred","code_mode"]}}"#
                ),
            ],
        }
    }

    /// Adds the retrieval tool at `addr` for all later sessions, with the client's own command (`docs/retrieval.md`).
    ///
    /// # Panics
    /// When it fails or does not end.
    pub(crate) async fn add_retrieval(self, places: Places<'_>, addr: &str) {
        let url = format!("http://{addr}/mcp");
        let mut command = empty(program(match self {
            Self::Claude(_) => CLAUDE,
            Self::Codex(..) => CODEX,
        }));
        command.args(["mcp", "add"]);
        match self {
            Self::Claude(_) => command.args(["--transport", "http", "headroom", &url]),
            Self::Codex(..) => command.args(["headroom", "--url", &url]),
        };
        run_in(places, command, &[]).await;
    }
}

/// Where the packages have the programs.
const CLAUDE: &str = "claude_agent_sdk/_bundled/claude";
const CODEX: &str = "codex_cli_bin/bin/codex";

/// The folders of the programs, as in `PATH`.
pub(crate) fn folders() -> String {
    let folders = [CLAUDE, CODEX].map(|path| {
        let program = program(path);
        program.parent().expect("a folder").display().to_string()
    });
    folders.join(":")
}

/// Runs a command of a client to its end, and gives its output.
async fn run_in(places: Places<'_>, mut command: Command, env: &[(&str, &str)]) -> String {
    command
        .current_dir(places.work)
        .env("HOME", places.home)
        .env("CODEX_HOME", places.home)
        .envs(env.iter().copied());
    output(command).await
}

/// What a client is told.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Words<'a> {
    /// The user's words.
    pub(crate) prompt: &'a str,
    /// Whether it goes on with its last session.
    pub(crate) resumes: bool,
    /// More environment variables.
    pub(crate) env: &'a [(&'a str, &'a str)],
    /// More arguments.
    pub(crate) args: &'a [String],
}

fn claude(model: &str, addr: &str, words: Words<'_>) -> Command {
    let mut command = empty(program(CLAUDE));
    command
        .env("ANTHROPIC_BASE_URL", format!("http://{addr}"))
        .env("ANTHROPIC_API_KEY", "sk-ant-fake")
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        .env("DISABLE_AUTOUPDATER", "1")
        .args(["-p", "--output-format", "json", "--model", model])
        .args([
            "--allowedTools",
            &format!("Bash Read Grep Edit Glob {TOOL}"),
        ])
        .args(words.resumes.then_some("--continue"))
        .args(words.args)
        .args(["--", words.prompt]);
    command
}

fn codex(model: &str, transport: Transport, addr: &str, words: Words<'_>) -> Command {
    let websockets = transport == Transport::WebSocket;
    let provider = format!(
        r#"model_providers.hr={{name="hr",base_url="http://{addr}/v1",env_key="OPENAI_API_KEY",wire_api="responses",supports_websockets={websockets}}}"#
    );
    let mut command = empty(program(CODEX));
    command
        .env("OPENAI_API_KEY", "sk-fake")
        .arg("exec")
        .args(
            words
                .resumes
                .then_some(["resume", "--last"])
                .into_iter()
                .flatten(),
        )
        .args(["--json", "--skip-git-repo-check", "--model", model])
        .arg("--dangerously-bypass-approvals-and-sandbox")
        .args(["-c", r#"model_provider="hr""#, "-c", &provider])
        .args(words.args)
        .arg(words.prompt);
    command
}

/// A command with the environment that every machine has, and no input.
fn empty(program: PathBuf) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

async fn output(mut command: Command) -> String {
    let output = match tokio::time::timeout(LIMIT, command.output()).await {
        Ok(output) => output.expect("the client starts"),
        // The future is dropped by then, and the program with it.
        Err(_) => panic!("the client goes on after {LIMIT:?}: {command:?}"),
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{said}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

/// A file of the pinned packages.
fn program(path: &str) -> PathBuf {
    let venv = match installed() {
        Ok(venv) => venv,
        Err(error) => panic!("{error}"),
    };
    let pythons = fs::read_dir(venv.join("lib")).expect("a virtual environment");
    let mut files = pythons
        .map(|python| python.expect("an entry").path())
        .map(|python| python.join("site-packages").join(path));
    let file = files.find(|file| file.exists());
    file.unwrap_or_else(|| panic!("{path} is not in {}", venv.display()))
}

/// The folder in which the pinned packages are.
pub(crate) fn installed() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real_clients");
    venv::with("real-clients", &folder.join("requirements.txt"))
}
