//! A cluster of three nodes, each with a third of the slots.

use crate::ports::free_port;
use crate::redis_server::RedisServer;
use crate::wait;

const SLOTS: [(&str, &str); 3] = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];

/// The nodes.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<RedisServer>,
}

impl Cluster {
    /// Starts the nodes and waits until each knows all.
    ///
    /// # Panics
    /// When they do not find each other.
    pub async fn start() -> Self {
        let mut nodes = Vec::new();
        let first_bus = free_port();
        for (first, last) in SLOTS {
            let bus = if nodes.is_empty() {
                first_bus
            } else {
                free_port()
            };
            let node = RedisServer::with(&[
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                &bus.to_string(),
                "--cluster-node-timeout",
                "5000",
            ])
            .await;
            let _: () = node
                .command(&["CLUSTER", "ADDSLOTSRANGE", first, last])
                .await;
            nodes.push(node);
        }
        let (port, bus) = (nodes[0].port().to_string(), first_bus.to_string());
        for node in &nodes[1..] {
            let _: () = node
                .command(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus])
                .await;
        }
        for node in &nodes {
            wait::eventually("a node to know the cluster", || async {
                let info: String = node.command(&["CLUSTER", "INFO"]).await;
                let slots: Vec<redis::Value> = node.command(&["CLUSTER", "SLOTS"]).await;
                (info.contains("cluster_state:ok") && slots.len() == SLOTS.len()).then_some(())
            })
            .await;
        }
        Self { nodes }
    }

    /// The URL of all nodes. The first of the list is away.
    #[must_use]
    pub fn url(&self) -> String {
        let nodes: Vec<String> = self
            .nodes
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port()))
            .collect();
        format!("redis-cluster://127.0.0.1:1,{}", nodes.join(","))
    }

    /// The nodes themselves.
    #[must_use]
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// Gives every node a command, such as one that sets up a user.
    pub async fn tell_all(&self, words: &[&str]) {
        for node in &self.nodes {
            let _: redis::Value = node.command(words).await;
        }
    }

    /// How many keys each node holds.
    pub async fn sizes(&self) -> Vec<u64> {
        let mut sizes = Vec::new();
        for node in &self.nodes {
            sizes.push(node.command(&["DBSIZE"]).await);
        }
        sizes
    }

    /// Moves the slot of `tag`, with all it holds, to another node while it is in use.
    ///
    /// # Panics
    /// When a node refuses.
    pub async fn move_slot(&self, tag: &str) {
        let slot: u64 = self.nodes[0].command(&["CLUSTER", "KEYSLOT", tag]).await;
        let slot = slot.to_string();
        let mut from = 0;
        for (index, (_, last)) in SLOTS.iter().enumerate().rev() {
            if slot.parse::<u64>().unwrap_or(0) <= last.parse().unwrap_or(0) {
                from = index;
            }
        }
        let to = (from + 1) % self.nodes.len();
        let (source, target) = (&self.nodes[from], &self.nodes[to]);
        let source_id: String = source.command(&["CLUSTER", "MYID"]).await;
        let target_id: String = target.command(&["CLUSTER", "MYID"]).await;
        let _: () = target
            .command(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &source_id])
            .await;
        let _: () = source
            .command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target_id])
            .await;
        let port = target.port().to_string();
        loop {
            let keys: Vec<String> = source
                .command(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"])
                .await;
            if keys.is_empty() {
                break;
            }
            let head = ["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
            let words: Vec<&str> = head
                .into_iter()
                .chain(keys.iter().map(String::as_str))
                .collect();
            let _: String = source.command(&words).await;
        }
        for node in [target, source].into_iter().chain(&self.nodes) {
            let _: () = node
                .command(&["CLUSTER", "SETSLOT", &slot, "NODE", &target_id])
                .await;
        }
    }
}
