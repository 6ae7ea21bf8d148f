//! A throw-away redis-server.

use std::process::{Child, Command, Stdio};

use redis::FromRedisValue;
use tempfile::TempDir;

use crate::ports::free_port;
use crate::process::signal;
use crate::wait;

/// A redis-server of one test. It is killed and its data removed when dropped.
#[derive(Debug)]
pub struct RedisServer {
    child: Child,
    folder: TempDir,
    port: u16,
    persistent: bool,
}

impl RedisServer {
    /// Starts one that keeps nothing.
    pub async fn start() -> Self {
        Self::with(false).await
    }

    /// Starts one with an append-only file, written at every command, that outlives a kill.
    pub async fn persistent() -> Self {
        Self::with(true).await
    }

    async fn with(persistent: bool) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let port = free_port();
        let server = Self {
            child: spawn(&folder, port, persistent),
            folder,
            port,
            persistent,
        };
        server.wait_until_ready().await;
        server
    }

    async fn wait_until_ready(&self) {
        wait::eventually("redis-server to answer", || async {
            self.try_command::<String>(&["PING"]).await.ok()
        })
        .await;
    }

    /// Its TCP port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Runs one command, as `redis-cli` would.
    ///
    /// # Panics
    /// When it fails.
    pub async fn command<T: FromRedisValue>(&self, words: &[&str]) -> T {
        match self.try_command(words).await {
            Ok(value) => value,
            Err(error) => panic!("{words:?}: {error}"),
        }
    }

    async fn try_command<T: FromRedisValue>(&self, words: &[&str]) -> redis::RedisResult<T> {
        let client = redis::Client::open(self.url())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query_async(&mut connection).await
    }

    /// Kills it where it stands.
    ///
    /// # Panics
    /// When it can't be killed.
    pub fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Starts it again on the same port, with what it had kept.
    pub async fn start_again(&mut self) {
        self.child = spawn(&self.folder, self.port, self.persistent);
        self.wait_until_ready().await;
    }

    /// Stops it without closing its connections, until [`Self::resume`].
    pub fn pause(&self) {
        signal(self.child.id(), "STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        signal(self.child.id(), "CONT");
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(folder: &TempDir, port: u16, persistent: bool) -> Child {
    let aof = if persistent { "yes" } else { "no" };
    let port = port.to_string();
    Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--port", &port, "--save", ""])
        .args(["--appendonly", aof, "--appendfsync", "always"])
        .arg("--dir")
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server starts: ./scripts/test installs it or says how")
}
