//! A primary, its replica, and a sentinel that watches them.

use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::ports::free_port;
use crate::redis_server::RedisServer;
use crate::wait;

/// The three servers. The sentinel fails over half a second after the primary is gone.
#[derive(Debug)]
pub struct Sentinel {
    /// The primary at the start.
    pub primary: RedisServer,
    /// Its replica, which takes over.
    pub replica: RedisServer,
    sentinel: Child,
    port: u16,
    _folder: TempDir,
}

impl Sentinel {
    /// Starts all three and waits until the sentinel knows the others.
    ///
    /// # Panics
    /// When one of them does not start.
    pub async fn start() -> Self {
        let primary = RedisServer::persistent().await;
        let of = format!("127.0.0.1 {}", primary.port());
        let replica =
            RedisServer::with(&["--replicaof", &of, "--repl-diskless-sync-delay", "0"]).await;
        let (port, folder) = (free_port(), TempDir::new().expect("a temporary folder"));
        let config = folder.path().join("sentinel.conf");
        let lines = format!(
            "bind 127.0.0.1\nport {port}\nsentinel monitor mymaster {of} 1\n\
             sentinel down-after-milliseconds mymaster 500\nsentinel failover-timeout mymaster 5000\n"
        );
        std::fs::write(&config, lines).expect("the folder can be written");
        let sentinel = Command::new("redis-server")
            .arg(&config)
            .arg("--sentinel")
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server starts as a sentinel");
        let all = Self {
            primary,
            replica,
            sentinel,
            port,
            _folder: folder,
        };
        wait::eventually("the sentinel to know the replica", || async {
            let client = redis::Client::open(all.own_url()).ok()?;
            let mut connection = client.get_multiplexed_async_connection().await.ok()?;
            let replicas: Vec<redis::Value> = redis::cmd("SENTINEL")
                .arg("REPLICAS")
                .arg("mymaster")
                .query_async(&mut connection)
                .await
                .ok()?;
            let linked = all.replication().await?;
            (replicas.len() == 1 && linked.contains("master_link_status:up")).then_some(())
        })
        .await;
        all
    }

    /// Where the sentinel itself listens.
    #[must_use]
    pub fn own_url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The URL by which the primary is found.
    #[must_use]
    pub fn url(&self) -> String {
        // One sentinel of the list is away.
        format!(
            "redis-sentinel://127.0.0.1:1,127.0.0.1:{}/?master=mymaster",
            self.port
        )
    }

    /// Waits until the replica has taken over.
    ///
    /// # Panics
    /// When it does not.
    pub async fn failed_over(&self) {
        wait::eventually("the replica to take over", || async {
            let role = self.replication().await?;
            role.contains("role:master").then_some(())
        })
        .await;
    }

    /// What the replica says of its replication; nothing where it is just being made the primary, which disconnects its clients.
    async fn replication(&self) -> Option<String> {
        let asked = self.replica.try_command(&["INFO", "replication"]);
        asked.await.ok()
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        let _ = self.sentinel.kill();
        let _ = self.sentinel.wait();
    }
}
