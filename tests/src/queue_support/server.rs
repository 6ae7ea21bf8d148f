//! A redis-server of the test's own, on a free port and in a folder of its own.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use headroom_shared::config::RedisUrl;
use headroom_shared::keys::Keys;
use headroom_shared::queue::redis::{RedisQueue, RedisWork, WorkerInfo, connect};
use headroom_shared::queue::{Bounds, Depth, JobQueue, Timing, Totals};
use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, ToRedisArgs};
use tempfile::TempDir;

#[derive(Debug)]
pub struct RedisServer {
    child: Child,
    port: u16,
    folder: TempDir,
    args: Vec<String>,
}

impl RedisServer {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    pub fn start_with(args: &[&str]) -> Self {
        Self::start_at(free_port(), args)
    }

    pub fn start_at(port: u16, args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        let child = spawn(port, &folder, &args);
        Self {
            child,
            port,
            folder,
            args,
        }
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again, with what its files hold.
    pub fn start_again(&mut self) {
        self.child = spawn(self.port, &self.folder, &self.args);
    }

    pub async fn connection(&self) -> MultiplexedConnection {
        let client = redis::Client::open(self.url()).unwrap();
        let config =
            redis::AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(10)));
        client
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .unwrap()
    }

    /// Runs one command, its words separated by blanks.
    pub async fn run<T: FromRedisValue>(&self, words: &str) -> T {
        self.run_args(&words.split(' ').collect::<Vec<_>>()).await
    }

    pub async fn run_args<T: FromRedisValue>(&self, words: &[impl ToRedisArgs]) -> T {
        let mut cmd = redis::Cmd::new();
        for word in words {
            cmd.arg(word);
        }
        cmd.query_async(&mut self.connection().await).await.unwrap()
    }

    pub fn producer(&self, max_queue: u64) -> RedisQueue {
        let url: RedisUrl = self.url().parse().unwrap();
        RedisQueue::new(connect(&url).unwrap(), keys(), max_queue, bounds())
    }

    pub fn worker(&self, timing: Timing) -> Arc<RedisWork> {
        worker_at(&self.url(), timing)
    }

    pub async fn counts(&self) -> (Depth, Totals) {
        self.producer(0).counts().await.unwrap()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The queue of a worker that reaches Redis by this URL.
pub fn worker_at(url: &str, timing: Timing) -> Arc<RedisWork> {
    let url: RedisUrl = url.parse().unwrap();
    let info = WorkerInfo {
        host: "test".to_owned(),
        pid: std::process::id(),
        threads: 1,
        version: "0".to_owned(),
        started: 0,
    };
    let pool = connect(&url).unwrap();
    Arc::new(RedisWork::new((pool, url), keys(), &info, bounds(), timing))
}

pub fn keys() -> Keys {
    Keys::new("headroom")
}

pub fn bounds() -> Bounds {
    Bounds::new(Duration::from_secs(3600))
}

pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn spawn(port: u16, folder: &TempDir, args: &[String]) -> Child {
    let child = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--dir"])
        .arg(folder.path())
        .args(args)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let since = Instant::now();
    while !answers(port) {
        assert!(
            since.elapsed() < Duration::from_secs(10),
            "redis-server does not start"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}

fn answers(port: u16) -> bool {
    redis::Client::open(format!("redis://127.0.0.1:{port}"))
        .and_then(|client| client.get_connection_with_timeout(Duration::from_millis(200)))
        .and_then(|mut connection| redis::cmd("PING").query::<String>(&mut connection))
        .is_ok()
}
