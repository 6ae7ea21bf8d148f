//! The compose file as it stands, with two workers: a cold start through the published port, its job, the compressed turn.
#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::process::{Command, Output, Stdio};

use headroom_tests::client::Client;
use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::http::Call;
use headroom_tests::ports::free_port;
use headroom_tests::provider::Provider;
use headroom_tests::stage::Stage;
use headroom_tests::wait;

/// The project's containers. They and their volume are removed when dropped.
#[derive(Debug)]
struct Compose {
    program: Vec<String>,
    project: String,
    env: BTreeMap<&'static str, String>,
}

impl Compose {
    fn new(env: BTreeMap<&'static str, String>) -> Self {
        let program = std::env::var("COMPOSE").unwrap_or_else(|_| "docker-compose".to_owned());
        Self {
            program: program.split_whitespace().map(str::to_owned).collect(),
            project: format!("headroom-test-{}", std::process::id()),
            env,
        }
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(&self.program[0]);
        command
            .args(&self.program[1..])
            .args(["--project-name", &self.project])
            .args(words.split_whitespace())
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .envs(&self.env)
            .stdin(Stdio::null());
        command
    }

    /// Runs it and gives what it printed.
    fn run(&self, words: &str) -> String {
        printed(self.command(words).output().expect("compose runs"), words)
    }

    fn redis(&self, words: &str) -> String {
        self.run(&format!("exec -T redis redis-cli {words}"))
    }

    /// Runs it with its output going to the test's.
    fn show(&self, words: &str) {
        let status = self.command(words).status().expect("compose runs");
        assert!(status.success(), "compose {words}");
    }
}

impl Drop for Compose {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.command("ps").status();
            let _ = self.command("logs --tail 60").status();
        }
        let _ = self.command("down --volumes --remove-orphans").status();
    }
}

fn printed(output: Output, what: &str) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    assert!(output.status.success(), "{what}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn docker(words: &[&str]) -> String {
    let output = Command::new("docker")
        .args(words)
        .output()
        .expect("docker runs");
    printed(output, &words.join(" "))
}

/// The gateway of Docker's own bridge, read in a container: old engines do not tell it otherwise.
fn host_seen_from_containers() -> String {
    let routes = docker(&[
        "run",
        "--rm",
        "debian:bookworm-slim",
        "cat",
        "/proc/net/route",
    ]);
    let default = routes
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .find(|route| route.get(1) == Some(&"00000000"))
        .expect("a default route");
    let gateway = u32::from_str_radix(default[2], 16).expect("a hexadecimal address");
    Ipv4Addr::from(gateway.swap_bytes()).to_string()
}

#[tokio::test]
#[ignore = "needs a Docker engine: ./scripts/compose-test runs it"]
async fn a_cold_start_is_compressed_by_a_worker_in_a_container() {
    let host = host_seen_from_containers();
    let provider = Provider::start_on(&host).await;
    provider.cache(|cache| cache.turn_off());
    let port = free_port();
    let compose = Compose::new(BTreeMap::from([
        ("HEADROOM_PORT", port.to_string()),
        (
            "HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS",
            "5000".to_owned(),
        ),
        ("ANTHROPIC_TARGET_API_URL", provider.url()),
        ("OPENAI_TARGET_API_URL", provider.url()),
    ]));
    compose.show("up --detach --build --scale worker=2");

    let addr = format!("127.0.0.1:{port}");
    wait::eventually("the proxy to be ready", || async {
        let answer = Call::get("/readyz").try_send(&addr).await.ok()?;
        (answer.status() == 200).then_some(())
    })
    .await;
    everything_is_as_the_file_says(&compose, &addr).await;

    let conversation = Conversation::new(Dialect::Messages, "compose").user("Find the bug.");
    let conversation = (0..4).fold(conversation, |it, seed| it.reads(seed, 20_000));
    let mut client = Client::uncached(conversation.assistant("Found it.").user("Fix it."));
    let stage = Stage::elsewhere(&addr, provider);
    assert_eq!(client.turn(&stage).await.decision, "deferred");
    stage.until_done(1).await;
    assert_eq!(compose.redis("llen headroom:jobs"), "0");
    assert_eq!(compose.redis("hget headroom:stats done"), "1");
    let turn = client.until_compressed(&stage).await;
    assert!(turn.got.len() < turn.sent.bytes.len() * 9 / 10);

    compose.show("stop");
    let ended = docker(&[
        "ps",
        "--all",
        "--filter",
        &format!("label=com.docker.compose.project={}", compose.project),
        "--format",
        "{{.Names}} {{.Status}}",
    ]);
    let clean = ended
        .lines()
        .filter(|line| line.contains("Exited (0)"))
        .count();
    assert_eq!(clean, 4, "each ends by itself when asked to:\n{ended}");
}

async fn everything_is_as_the_file_says(compose: &Compose, addr: &str) {
    assert_eq!(
        compose.run("port proxy 8787"),
        addr,
        "published on this machine alone"
    );
    all_are_healthy(compose).await;
    for service in ["proxy", "worker"] {
        assert_ne!(
            compose.run(&format!("exec -T {service} id -u")),
            "0",
            "{service} runs as root"
        );
    }
    assert_eq!(compose.redis("zcard headroom:workers"), "2");
    assert!(
        compose
            .redis("config get maxmemory-policy")
            .contains("noeviction")
    );
    assert!(compose.redis("config get appendfsync").contains("everysec"));
}

async fn all_are_healthy(compose: &Compose) {
    let label = format!("label=com.docker.compose.project={}", compose.project);
    wait::until("four containers are healthy", wait::DEADLINE, async || {
        let states = docker(&["ps", "--filter", &label, "--format", "{{.Status}}"]);
        states.matches("(healthy)").count() == 4
    })
    .await;
}
