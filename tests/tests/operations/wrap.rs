//! `headroom-proxy wrap`: a shell script in a client's place, in front of real proxies.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::ports::free_port;
use headroom_tests::process::{Launch, Process};
use headroom_tests::provider::Provider;
use headroom_tests::stage::Stage;
use headroom_tests::wait;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What every client does first: it keeps its arguments and variables, and knows how to `ask`.
const BEGIN: &str = r#"#!/usr/bin/env bash
here=$(dirname "$0")
printf '%s\n' "$@" > "$here/args"
env > "$here/env"
ask() {
    base=${1#http://}
    base=${base%%/*}
    exec 3<>"/dev/tcp/${base%:*}/${base##*:}"
    printf 'POST /v1/messages HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %s\r\nConnection: close\r\n\r\n' \
        "$base" "$(stat -c %s "$here/body" 2>/dev/null || stat -f %z "$here/body")" >&3
    cat "$here/body" >&3
    cat <&3 > "$here/answer"
    exec 3>&-
}
wait_for() { until [ -e "$here/$1" ]; do sleep 0.05; done; }
"#;

/// A client in a folder of its own.
struct Client {
    folder: TempDir,
}

impl Client {
    /// A client of this name that does this.
    fn new(name: &str, does: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let program = folder.path().join(name);
        fs::write(&program, format!("{BEGIN}{does}\n")).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        let conversation = Conversation::new(Dialect::Messages, "wrap").user("Find the bug.");
        let body = conversation.reads(1, 4000).reads(2, 4000).body();
        fs::write(folder.path().join("body"), &body.bytes).unwrap();
        Self { folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self) -> String {
        self.file("client").display().to_string()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }

    /// Lets it go on that waits for this file.
    fn allow(&self, name: &str) {
        fs::write(self.file(name), "").unwrap();
    }

    /// Waits until it has written this file.
    async fn has(&self, name: &str) {
        let path = self.file(name);
        wait::eventually(name, || std::future::ready(path.exists().then_some(()))).await;
    }

    /// A variable that it was given.
    fn variable(&self, name: &str) -> Option<String> {
        let env = self.read("env");
        let value = |line: &str| {
            line.strip_prefix(name)?
                .strip_prefix('=')
                .map(str::to_owned)
        };
        env.lines().find_map(value)
    }

    /// `launch` with this client first in `PATH`.
    fn in_path(&self, launch: Launch) -> Launch {
        let path = std::env::var("PATH").unwrap();
        launch.set("PATH", format!("{}:{path}", self.folder.path().display()))
    }
}

/// Runs `wrap` to its end: the exit code and what it said on standard error.
async fn run(launch: &Launch) -> (i32, String) {
    let output = launch.run().await;
    let said = String::from_utf8(output.stderr).unwrap();
    let code = output.status.code();
    (
        code.unwrap_or_else(|| panic!("{:?}: {said}", output.status)),
        said,
    )
}

/// `wrap -- client`.
fn wrap(launch: Launch, client: &Client) -> Launch {
    launch.args(&["wrap", "--", &client.program()])
}

async fn code(process: &mut Process) -> Option<i32> {
    process.ended(wait::DEADLINE).await.code()
}

/// Waits until nobody listens at this base URL any more.
async fn is_gone(base: &str) {
    let addr = base.trim_start_matches("http://").to_owned();
    wait::eventually("the started proxy to end", || async {
        TcpStream::connect(&addr).await.err()
    })
    .await;
}

#[tokio::test]
async fn a_command_runs_through_a_proxy_that_is_started_for_it() {
    let provider = Provider::start().await;
    let client = Client::new("client", r#"ask "$ANTHROPIC_BASE_URL"; echo said; exit 7"#);
    let launch = wrap(Launch::proxy(&provider), &client).args(&["one", "--tier", "two words"]);
    let output = launch.run().await;
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "said\n");
    assert_eq!(client.read("args"), "one\n--tier\ntwo words\n");
    let base = client.variable("ANTHROPIC_BASE_URL").unwrap();
    assert!(base.starts_with("http://127.0.0.1:"), "{base}");
    assert_eq!(
        client.variable("OPENAI_BASE_URL"),
        Some(format!("{base}/v1"))
    );
    let answer = client.read("answer");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("x-headroom-decision: "), "{answer}");
    assert_eq!(provider.next().await.path(), "/v1/messages");
    let said = String::from_utf8(output.stderr).unwrap();
    let [line] = said.lines().collect::<Vec<_>>()[..] else {
        panic!("{said}")
    };
    assert!(
        line.starts_with("headroom: cost $") && line.contains("; 1 request"),
        "{line}"
    );
    assert!(!line.contains("all clients"), "{line}");
    is_gone(&base).await;
}

#[tokio::test]
async fn claude_code_is_given_the_address_and_the_tool() {
    let provider = Provider::start().await;
    let client = Client::new("claude", "exit 0");
    let args = [
        "wrap",
        "--tier",
        "recoverable",
        "claude",
        "-p",
        "--tier",
        "fix it",
    ];
    let launch = client.in_path(Launch::proxy(&provider)).args(&args);
    let (code, said) = run(&launch).await;
    assert_eq!(
        (code, said.as_str()),
        (0, "headroom: no request went through the proxy\n")
    );
    let base = client.variable("ANTHROPIC_BASE_URL").unwrap();
    assert_eq!(
        client.variable("ENABLE_TOOL_SEARCH").as_deref(),
        Some("true")
    );
    let tool = format!(
        "--mcp-config={{\"mcpServers\":{{\"headroom\":{{\"type\":\"http\",\"url\":\"{base}/mcp\"}}}}}}"
    );
    assert_eq!(client.read("args"), format!("{tool}\n-p\n--tier\nfix it\n"));
}

#[tokio::test]
async fn codex_is_given_a_provider() {
    let provider = Provider::start().await;
    let client = Client::new("codex", "exit 0");
    let launch = client
        .in_path(Launch::proxy(&provider))
        .set("OPENAI_API_KEY", "sk-1");
    let (code, _) = run(&launch.args(&["wrap", "codex", "exec", "fix it"])).await;
    assert_eq!(code, 0);
    let args = client.read("args");
    let args: Vec<&str> = args.lines().collect();
    assert_eq!(args[..3], ["-c", "model_provider=\"headroom\"", "-c"]);
    let provider = args[3];
    assert!(
        provider.contains("base_url=\"http://127.0.0.1:") && provider.contains("env_key="),
        "{provider}"
    );
    assert_eq!(args[4..], ["exec", "fix it"]);
}

#[tokio::test]
async fn signals_and_exit_codes_are_the_client_s() {
    let provider = Provider::start().await;
    let dies = Client::new("client", "kill -KILL $$");
    assert_eq!(run(&wrap(Launch::proxy(&provider), &dies)).await.0, 128 + 9);

    // Both signals to end reach it, and it does with them what it likes.
    let traps = Client::new(
        "client",
        r#"trap 'touch "$here/hup"' HUP; trap 'exit 9' TERM; touch "$here/ready"; wait_for never"#,
    );
    let mut wrapped = wrap(Launch::proxy(&provider), &traps).spawn();
    traps.has("ready").await;
    wrapped.signal("HUP");
    traps.has("hup").await;
    wrapped.signal("TERM");
    assert_eq!(code(&mut wrapped).await, Some(9), "{}", wrapped.log());

    // Ctrl-C reaches the client from the terminal: what reaches `wrap` ends neither.
    let waits = Client::new(
        "client",
        r#"touch "$here/ready"; wait_for go; ask "$ANTHROPIC_BASE_URL"; exit 3"#,
    );
    let mut wrapped = wrap(Launch::proxy(&provider), &waits).spawn();
    waits.has("ready").await;
    wrapped.signal("INT");
    wrapped.signal("QUIT");
    waits.allow("go");
    assert_eq!(code(&mut wrapped).await, Some(3), "{}", wrapped.log());
    assert!(wrapped.log().contains("; 1 request"), "{}", wrapped.log());
}

#[tokio::test]
async fn a_client_that_stops_itself_stops_wrap_too() {
    let provider = Provider::start().await;
    let stops = Client::new("client", r#"kill -STOP $$; exit 5"#);
    let mut wrapped = wrap(Launch::proxy(&provider), &stops).spawn();
    let pid = wrapped.pid();
    wait::eventually("wrap to stop", || {
        std::future::ready(is_stopped(pid).then_some(()))
    })
    .await;
    wrapped.signal("CONT");
    assert_eq!(code(&mut wrapped).await, Some(5), "{}", wrapped.log());
}

fn is_stopped(pid: u32) -> bool {
    let mut asked = std::process::Command::new("ps");
    let output = asked
        .args(["-o", "state=", "-p", &pid.to_string()])
        .output();
    output.unwrap().stdout.starts_with(b"T")
}

/// Runs a program at a terminal of its own, types Ctrl-C once it says `ready`, and shows what it has said.
const TERMINAL: &str = r#"
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
said, typed = b"", False
while True:
    try:
        read = os.read(terminal, 4096)
    except OSError:
        break
    if not read:
        break
    said += read
    if b"ready" in said and not typed:
        os.write(terminal, b"\x03")
        typed = True
sys.stdout.buffer.write(said)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

#[tokio::test]
async fn the_terminal_is_the_client_s() {
    let provider = Provider::start().await;
    let does = r#"trap 'echo interrupted; ask "$ANTHROPIC_BASE_URL"; exit 4' INT
        [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo ready
        wait_for never"#;
    let client = Client::new("client", does);
    let launch = wrap(Launch::proxy(&provider), &client);
    let output = launch.through(&["python3", "-c", TERMINAL]).run().await;
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert_eq!(said.matches("interrupted").count(), 1, "{said}");
    assert!(said.contains("; 1 request"), "{said}");
    assert!(client.read("answer").starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_proxy_that_runs_is_used() {
    let mut stage = Stage::embedded(|launch| launch).await;
    let addr = stage.addr();
    let client = Client::new("client", r#"ask "$ANTHROPIC_BASE_URL"; exit 0"#);
    let port = addr.rsplit(':').next().unwrap().to_owned();
    let by_address = Launch::proxy(&stage.provider).set("HEADROOM_PORT", port);
    let folder = folder_of(&mut stage);
    let by_folder = Launch::proxy(&stage.provider).set("HEADROOM_DATA_DIR", folder);
    let by_variable =
        Launch::proxy(&stage.provider).set("ANTHROPIC_BASE_URL", format!("http://{addr}"));
    for (number, launch) in [by_address, by_folder, by_variable].into_iter().enumerate() {
        let (code, said) = run(&wrap(launch, &client)).await;
        assert_eq!(code, 0, "{said}");
        assert_eq!(
            client.variable("ANTHROPIC_BASE_URL"),
            Some(format!("http://{addr}"))
        );
        assert!(
            said.contains("(all clients of this proxy); 1 request"),
            "{said}"
        );
        assert_eq!(stage.stats().await["requests"]["total"], number as u64 + 1);
    }
    assert!(!stage.proxy().has_ended());
}

/// The data folder of a stage's proxy, as its log says it.
fn folder_of(stage: &mut Stage) -> String {
    let log = stage.proxy().log();
    let rest = log
        .split("data.dir=")
        .nth(1)
        .unwrap_or_else(|| panic!("{log}"));
    let folder = rest.split_whitespace().next().unwrap();
    assert!(Path::new(folder).is_dir(), "{folder}");
    folder.to_owned()
}

#[tokio::test]
async fn two_commands_share_a_proxy_which_outlives_the_first() {
    let provider = Provider::start().await;
    let first = Client::new(
        "client",
        r#"touch "$here/ready"; wait_for go; ask "$ANTHROPIC_BASE_URL""#,
    );
    let second = Client::new(
        "client",
        r#"touch "$here/ready"; wait_for go; ask "$ANTHROPIC_BASE_URL""#,
    );
    let launch = Launch::proxy(&provider);
    let mut one = wrap(launch.clone(), &first).spawn();
    first.has("ready").await;
    let mut two = wrap(launch, &second).spawn();
    second.has("ready").await;
    let base = first.variable("ANTHROPIC_BASE_URL").unwrap();
    assert_eq!(second.variable("ANTHROPIC_BASE_URL"), Some(base.clone()));
    first.allow("go");
    assert_eq!(code(&mut one).await, Some(0), "{}", one.log());
    assert!(
        one.log().contains("all clients of this proxy"),
        "{}",
        one.log()
    );
    second.allow("go");
    assert_eq!(code(&mut two).await, Some(0), "{}", two.log());
    assert!(second.read("answer").starts_with("HTTP/1.1 200 "));
    is_gone(&base).await;
}

#[tokio::test]
async fn a_port_that_another_program_has_is_no_obstacle() {
    let provider = Provider::start().await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut hangs_up = JoinSet::new();
    hangs_up.spawn(async move {
        loop {
            drop(taken.accept().await);
        }
    });
    let client = Client::new("client", r#"ask "$ANTHROPIC_BASE_URL""#);
    let launch = Launch::proxy(&provider).set("HEADROOM_PORT", port);
    let (code, said) = run(&wrap(launch, &client)).await;
    assert_eq!(code, 0, "{said}");
    let base = client.variable("ANTHROPIC_BASE_URL").unwrap();
    assert!(!base.ends_with(&format!(":{port}")), "{base}");
    assert!(client.read("answer").starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_gateway_of_the_user_s_is_where_the_proxy_sends() {
    let (gateway, provider) = (Provider::start().await, Provider::start().await);
    let client = Client::new("client", r#"ask "$ANTHROPIC_BASE_URL""#);
    let launch = Launch::proxy(&provider)
        .unset("ANTHROPIC_TARGET_API_URL")
        .set("ANTHROPIC_BASE_URL", gateway.url());
    let (code, said) = run(&wrap(launch.clone(), &client)).await;
    assert_eq!(code, 0, "{said}");
    // It is asked first whether it is such a proxy itself.
    let asked = [gateway.next().await, gateway.next().await];
    assert_eq!(
        asked.each_ref().map(|it| it.path()),
        ["/stats", "/v1/messages"]
    );
    assert!(asked[0].header("authorization").is_empty());

    // A proxy that runs and sends elsewhere is told, and nothing is sent there.
    let stage = Stage::embedded(|launch| launch).await;
    let port = stage.addr().rsplit(':').next().unwrap().to_owned();
    let (code, said) = run(&wrap(launch.set("HEADROOM_PORT", port), &client)).await;
    assert_eq!(code, 1);
    let says = format!(
        "sends to {}, and ANTHROPIC_BASE_URL says {}",
        stage.provider.url(),
        gateway.url()
    );
    assert!(said.contains(&says), "{said}");
    assert_eq!(stage.stats().await["requests"]["total"], 0);
}

#[tokio::test]
async fn what_can_t_be_run_or_started_is_told() {
    let provider = Provider::start().await;
    let launch = Launch::proxy(&provider).args(&["wrap", "--", "no-such-client"]);
    let (code, said) = run(&launch).await;
    assert_eq!(code, 127);
    assert!(
        said.starts_with("headroom: can't run no-such-client: "),
        "{said}"
    );

    let no_program = Client::new("client", "exit 0");
    fs::set_permissions(no_program.file("client"), Permissions::from_mode(0o644)).unwrap();
    let (code, said) = run(&wrap(Launch::proxy(&provider), &no_program)).await;
    assert_eq!(code, 126, "{said}");

    let client = Client::new("client", "exit 0");
    let launch = Launch::proxy(&provider).set("HEADROOM_PRICES", "/no/such.toml");
    let (code, said) = run(&wrap(launch, &client)).await;
    assert_eq!(code, 1);
    assert!(
        said.contains("HEADROOM_PRICES (or --prices)") && said.contains("wrap.log"),
        "{said}"
    );
    assert!(!client.file("args").exists());
    // The folder is free for the next one.
    let launch = Launch::proxy(&provider).set("HEADROOM_PORT", free_port());
    assert_eq!(run(&wrap(launch, &client)).await.0, 0);
}
