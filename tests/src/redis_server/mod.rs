//! A throw-away redis-server.

mod request_keys;

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, FromRedisValue, RedisResult, ToRedisArgs};
use tempfile::TempDir;

use crate::ports::free_port;
use crate::process::signal;
use crate::wait;

/// Redis itself is slow to answer on a loaded machine, and the client's own limit is half a second.
const ANSWER: Duration = Duration::from_secs(10);

/// A redis-server of one test. It is killed and its data removed when dropped.
#[derive(Debug)]
pub struct RedisServer {
    child: Option<Child>,
    folder: TempDir,
    port: u16,
    persistent: bool,
    args: Vec<String>,
}

impl RedisServer {
    /// Starts one that keeps nothing.
    pub async fn start() -> Self {
        let mut server = Self::absent();
        server.start_again().await;
        server
    }

    /// Starts one with an append-only file, written at every command, that outlives a kill.
    pub async fn persistent() -> Self {
        let mut server = Self::absent();
        server.persistent = true;
        server.start_again().await;
        server
    }

    /// Starts one with an append-only file and these arguments more.
    pub async fn with(args: &[&str]) -> Self {
        let mut server = Self::absent();
        server.persistent = true;
        server.args = args.iter().map(|&arg| arg.to_owned()).collect();
        server.start_again().await;
        server
    }

    /// One that keeps nothing and does not run until [`Self::start_again`].
    ///
    /// # Panics
    /// When there is no port or folder for it.
    #[must_use]
    pub fn absent() -> Self {
        Self {
            child: None,
            folder: TempDir::new().expect("a temporary folder"),
            port: free_port(),
            persistent: false,
            args: Vec::new(),
        }
    }

    /// Its TCP port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its URL with credentials: `user:password`.
    #[must_use]
    pub fn url_as(&self, credentials: &str) -> String {
        format!("redis://{credentials}@127.0.0.1:{}", self.port)
    }

    /// Runs one command, as `redis-cli` would, on a connection of its own.
    ///
    /// # Panics
    /// When it fails.
    pub async fn command<T: FromRedisValue>(&self, words: &[impl ToRedisArgs]) -> T {
        match self.try_command(words).await {
            Ok(value) => value,
            Err(error) => panic!("{:?}: {error}", command(words)),
        }
    }

    /// The same, with what Redis said if it refused.
    ///
    /// # Errors
    /// What Redis said.
    pub async fn try_command<T: FromRedisValue>(
        &self,
        words: &[impl ToRedisArgs],
    ) -> RedisResult<T> {
        let mut connection = self.try_connection().await?;
        command(words).query_async(&mut connection).await
    }

    /// Leaves it so many percent of the memory that it uses now, or as much as it likes (0).
    ///
    /// # Panics
    /// When Redis can't be reached.
    pub async fn limit_memory(&self, percent: u64) {
        let info: String = self.command(&["INFO", "memory"]).await;
        let mut lines = info.lines();
        let used = lines.find_map(|line| line.strip_prefix("used_memory:")?.trim().parse().ok());
        let most: u64 = used.expect("how much memory Redis uses");
        let most = (most * percent / 100).to_string();
        let () = self.command(&["CONFIG", "SET", "maxmemory", &most]).await;
    }

    /// How often it was sent a command, which is named in small letters.
    ///
    /// # Panics
    /// When Redis can't be reached.
    pub async fn calls_of(&self, command: &str) -> u64 {
        let stats: String = self.command(&["INFO", "commandstats"]).await;
        let calls = stats.lines().find_map(|line| {
            let numbers = line.strip_prefix(&format!("cmdstat_{command}:calls="))?;
            numbers.split(',').next()?.parse().ok()
        });
        calls.unwrap_or(0)
    }

    /// A connection for many commands.
    ///
    /// # Panics
    /// When there is none.
    pub async fn connection(&self) -> MultiplexedConnection {
        self.try_connection().await.expect("a connection to Redis")
    }

    /// What is published on a channel from now on.
    ///
    /// # Panics
    /// When Redis does not answer.
    pub async fn subscribe(&self, channel: &str) -> PubSub {
        let client = redis::Client::open(self.url()).expect("a good URL");
        let mut published = client.get_async_pubsub().await.expect("a connection");
        published.subscribe(channel).await.expect("a subscription");
        published
    }

    async fn try_connection(&self) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(ANSWER));
        redis::Client::open(self.url())?
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    /// Kills it where it stands.
    ///
    /// # Panics
    /// When it does not run or can't be killed.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
    }

    /// Starts it on its port, with what it had kept, and waits until it answers.
    ///
    /// # Panics
    /// When it can't be started.
    pub async fn start_again(&mut self) {
        self.child = Some(self.spawn());
        wait::eventually("redis-server to answer", || async {
            self.try_command::<String>(&["PING"]).await.ok()
        })
        .await;
    }

    fn spawn(&self) -> Child {
        let aof = if self.persistent { "yes" } else { "no" };
        let port = self.port.to_string();
        Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port, "--save", ""])
            .args(["--appendonly", aof, "--appendfsync", "always"])
            .arg("--dir")
            .arg(self.folder.path())
            .args(&self.args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server starts: ./scripts/test installs it or says how")
    }

    /// Stops it without closing its connections, until [`Self::resume`].
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }
}

/// Looks whether there is a redis-server to start.
///
/// # Errors
/// When there is none; the error says how to get one.
pub fn is_installed() -> anyhow::Result<()> {
    let asked = Command::new("redis-server")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    asked.map(drop).context(
        "redis-server does not run: install it with `apt-get install redis-server` or `brew install redis`, or let ./scripts/test do it",
    )
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn command(words: &[impl ToRedisArgs]) -> redis::Cmd {
    let mut command = redis::Cmd::new();
    for word in words {
        command.arg(word);
    }
    command
}
