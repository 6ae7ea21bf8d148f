//! The project's containers, by way of compose and docker.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use headroom_tests::wait;
use redis::aio::MultiplexedConnection;

/// Longer than a container takes from its start to its first answer on a loaded machine.
const HEALTHY: Duration = Duration::from_secs(90);

/// The project's containers. They and their volume are removed when dropped.
#[derive(Debug)]
pub(crate) struct Compose {
    program: Vec<String>,
    project: String,
    env: BTreeMap<&'static str, String>,
}

impl Compose {
    /// A project of this test's own, with these settings.
    pub(crate) fn new(env: BTreeMap<&'static str, String>) -> Self {
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
    pub(crate) fn run(&self, words: &str) -> String {
        printed(self.command(words).output().expect("compose runs"), words)
    }

    /// Runs redis-cli in Redis's container and gives what it printed.
    pub(crate) fn redis(&self, words: &str) -> String {
        self.run(&format!("exec -T redis redis-cli {words}"))
    }

    /// Runs it with its output going to the test's.
    pub(crate) fn show(&self, words: &str) {
        let status = self.command(words).status().expect("compose runs");
        assert!(status.success(), "compose {words}");
    }

    /// The ids of a service's containers that run.
    pub(crate) fn ids(&self, service: &str) -> Vec<String> {
        let ids = self.run(&format!("ps --quiet {service}"));
        ids.lines().map(str::to_owned).collect()
    }

    /// The network that all of them are in.
    pub(crate) fn network(&self) -> String {
        format!("{}_default", self.project)
    }

    /// A connection to Redis, which is reached from its own machine without a published port.
    pub(crate) async fn connection(&self) -> MultiplexedConnection {
        let addr = docker(&[
            "inspect",
            "--format",
            "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
            &self.ids("redis")[0],
        ]);
        let client = redis::Client::open(format!("redis://{addr}")).expect("an address");
        let connection = client.get_multiplexed_async_connection().await;
        connection.expect("Redis answers")
    }

    /// Waits until so many containers are healthy.
    pub(crate) async fn all_are_healthy(&self, count: usize) {
        wait::until("containers are healthy", HEALTHY, async || {
            let states = self.states();
            states.matches("(healthy)").count() == count
        })
        .await;
    }

    /// Each of so many containers has ended with success.
    pub(crate) fn all_ended_by_themselves(&self, count: usize) {
        let states = self.states();
        let clean = states.matches("Exited (0)").count();
        assert_eq!(clean, count, "each ends by itself when asked to:\n{states}");
    }

    /// Name and state of each container, those that have ended too.
    fn states(&self) -> String {
        let label = format!("label=com.docker.compose.project={}", self.project);
        let format = "{{.Names}} {{.Status}}";
        docker(&["ps", "--all", "--filter", &label, "--format", format])
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

/// Runs docker and gives what it printed.
pub(crate) fn docker(words: &[&str]) -> String {
    let output = Command::new("docker")
        .args(words)
        .output()
        .expect("docker runs");
    printed(output, &words.join(" "))
}

/// The gateway of Docker's own bridge, read in a container: old engines do not tell it otherwise.
pub(crate) fn host_seen_from_containers() -> String {
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
