//! Real worker processes.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::server::RedisServer;

/// A process that is killed when the test ends.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.0.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    pub fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    /// Waits for its end; how long that took, and what it wrote to standard error.
    pub fn ended(&mut self, most: Duration) -> (ExitStatus, Duration, String) {
        let since = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                let took = since.elapsed();
                let mut log = String::new();
                if let Some(mut stderr) = self.0.stderr.take() {
                    stderr.read_to_string(&mut log).unwrap();
                }
                return (status, took, log);
            }
            assert!(since.elapsed() < most, "the process does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The real program, with nothing set.
pub fn program() -> Command {
    built("headroom-worker")
}

/// The worker whose jobs do what they are told, with the real times.
pub fn scripted() -> Command {
    built("scripted-worker")
}

/// The same ten times as quick.
pub fn quick() -> Command {
    let mut command = scripted();
    command.env("SCRIPTED_QUICK", "1");
    command
}

fn built(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().nth(2).unwrap();
    let program = folder.join(name);
    assert!(
        program.exists(),
        "build it first: cargo build -p headroom-worker -p headroom-tests"
    );
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HEADROOM_") {
            command.env_remove(name);
        }
    }
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

pub fn spawn(mut command: Command) -> Process {
    Process(command.spawn().unwrap())
}

/// Starts it on this Redis with so many threads.
pub fn start(mut command: Command, redis: &RedisServer, threads: usize) -> Process {
    command
        .env("HEADROOM_REDIS_URL", redis.url())
        .env(
            "HEADROOM_BACKGROUND_COMPRESSION_WORKERS",
            threads.to_string(),
        )
        .stderr(Stdio::inherit());
    spawn(command)
}
