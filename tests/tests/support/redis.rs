//! A throw-away redis-server.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use headroom_shared::config::RedisUrl;

/// A redis-server of the test's own, with an append-only file in a folder that goes with it.
pub(crate) struct RedisServer {
    port: u16,
    folder: tempfile::TempDir,
    process: Option<Child>,
}

impl RedisServer {
    /// Keeps a free port for a server that does not run yet.
    pub(crate) fn absent() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self {
            port: listener.local_addr().unwrap().port(),
            folder: tempfile::tempdir().unwrap(),
            process: None,
        }
    }

    /// A server that answers.
    pub(crate) async fn started() -> Self {
        let mut server = Self::absent();
        server.start().await;
        server
    }

    /// Starts the server on its data and waits until it answers.
    pub(crate) async fn start(&mut self) {
        let process = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "yes"])
            .args(["--appendfsync", "everysec", "--dir"])
            .arg(self.folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        self.process = Some(process);
        crate::eventually("redis-server answers", async || {
            self.command(&["PING"]).await.is_ok()
        })
        .await;
    }

    /// Ends the server as a crash would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.process.as_ref().unwrap().id().to_string();
        let status = Command::new("kill").args([name, &pid]).status().unwrap();
        assert!(status.success());
    }

    /// Where it is.
    pub(crate) fn url(&self) -> RedisUrl {
        self.text_url().parse().unwrap()
    }

    /// Runs one command on a connection of its own.
    pub(crate) async fn command(&self, words: &[&str]) -> redis::RedisResult<redis::Value> {
        let client = redis::Client::open(self.text_url())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let mut command = redis::cmd(words[0]);
        for word in &words[1..] {
            command.arg(word);
        }
        command.query_async(&mut connection).await
    }

    fn text_url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
