//! The kinds of fault, and how each is brought and ended.

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;
use headroom_tests::tcp_proxy::Line;
use serde::{Serialize, Serializer};
use tokio::time::sleep;

use crate::site::{Replica, Site, Worker};

/// How much of the memory that Redis uses it may use when it is filled, in percent: nothing more is taken.
const FULL_PERCENT: u64 = 100;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Kind {
    /// The second replica is killed and started again. The first is never killed, so that its memory shows a leak.
    ReplicaKilled,
    /// A replica stands still.
    ReplicaStopped,
    /// A replica's line to Redis is cut.
    ReplicaCut,
    /// A replica's line to Redis takes everything and passes nothing on.
    ReplicaHalfOpen,
    /// A replica's line to Redis is slow.
    ReplicaSlowed,
    /// A worker is killed and started again. The first is never killed.
    WorkerKilled,
    /// A worker stands still.
    WorkerStopped,
    /// A worker's line to Redis is cut.
    WorkerCut,
    /// A worker's line to Redis is slow.
    WorkerSlowed,
    /// Redis stands still.
    RedisStopped,
    /// Redis is killed and started again with its data.
    RedisRestarted,
    /// Redis forgets its scripts.
    ScriptsFlushed,
    /// Redis has no more memory.
    MemoryFull,
    /// Redis loses all data.
    DataLost,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_possible_value() {
            Some(value) => f.write_str(value.get_name()),
            None => Ok(()),
        }
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    /// Draws the replica or the worker that it hits.
    pub(crate) whom: usize,
    /// How long it lasts, where it does.
    pub(crate) lasts: Duration,
    /// How long each piece takes over a slow line.
    pub(crate) slow: Duration,
}

impl Fault {
    /// What it is, in a line.
    pub(crate) fn describe(self) -> String {
        let lasts = format!("for {:.1} s", self.lasts.as_secs_f64());
        let slow = format!("{} ms a piece", self.slow.as_millis());
        let replica = format!("replica {}", 1 + self.whom % 2);
        let worker = format!("worker {}", 1 + self.whom % 3);
        let what = match self.kind {
            Kind::ReplicaKilled => format!("replica 2, away {lasts}"),
            Kind::WorkerKilled => format!("worker {}, away {lasts}", 2 + self.whom % 2),
            Kind::ReplicaStopped | Kind::ReplicaCut | Kind::ReplicaHalfOpen => {
                format!("{replica}, {lasts}")
            }
            Kind::ReplicaSlowed => format!("{replica}, {slow}, {lasts}"),
            Kind::WorkerStopped | Kind::WorkerCut => format!("{worker}, {lasts}"),
            Kind::WorkerSlowed => format!("{worker}, {slow}, {lasts}"),
            Kind::RedisRestarted => format!("away {lasts}"),
            Kind::RedisStopped | Kind::MemoryFull => lasts,
            Kind::ScriptsFlushed | Kind::DataLost => String::new(),
        };
        format!("{:<17} {what}", self.kind.to_string())
    }

    /// Brings it, waits as long as it lasts, ends it, and waits until the replicas have found Redis again.
    pub(crate) async fn strike(self, site: &Site) {
        let replica = &site.replicas[self.whom % 2];
        let worker = &site.workers[self.whom % 3];
        match self.kind {
            Kind::ReplicaKilled => self.kill_replica(&site.replicas[1]).await,
            Kind::WorkerKilled => self.kill_worker(&site.workers[1 + self.whom % 2]).await,
            Kind::ReplicaStopped => {
                replica.process.signal("STOP");
                sleep(self.lasts).await;
                replica.process.signal("CONT");
            }
            Kind::WorkerStopped => {
                worker.process.signal("STOP");
                sleep(self.lasts).await;
                worker.process.signal("CONT");
            }
            Kind::ReplicaCut => self.disturb_replica(replica, Line::Cut).await,
            Kind::ReplicaHalfOpen => self.disturb_replica(replica, Line::HalfOpen).await,
            Kind::ReplicaSlowed => self.disturb_replica(replica, Line::Slow(self.slow)).await,
            Kind::WorkerCut => self.disturb_worker(worker, Line::Cut).await,
            Kind::WorkerSlowed => self.disturb_worker(worker, Line::Slow(self.slow)).await,
            Kind::RedisStopped
            | Kind::RedisRestarted
            | Kind::ScriptsFlushed
            | Kind::MemoryFull
            | Kind::DataLost => self.strike_redis(site).await,
        }
    }

    async fn kill_replica(self, replica: &Replica) {
        replica.link.disturb(Line::Good);
        replica.process.kill_for(self.lasts).await;
        replica.link.restarted();
        replica.link.mend(&replica.process.addr).await;
    }

    async fn kill_worker(self, worker: &Worker) {
        worker.process.kill_for(self.lasts).await;
    }

    async fn disturb_replica(self, replica: &Replica, line: Line) {
        replica.link.disturb(line);
        sleep(self.lasts).await;
        replica.link.mend(&replica.process.addr).await;
    }

    async fn disturb_worker(self, worker: &Worker, line: Line) {
        worker.line.set(line);
        sleep(self.lasts).await;
        worker.line.set(Line::Good);
    }

    async fn strike_redis(self, site: &Site) {
        match self.kind {
            // The replicas reach their store all the time.
            Kind::DataLost => return site.lose_data().await,
            Kind::ScriptsFlushed => {
                let redis = site.redis.lock().await;
                return redis.command(&["SCRIPT", "FLUSH"]).await;
            }
            _ => {}
        }
        for replica in &site.replicas {
            replica.link.disturb(Line::Good);
        }
        match self.kind {
            Kind::RedisStopped => {
                let redis = site.redis.lock().await;
                redis.pause();
                sleep(self.lasts).await;
                redis.resume();
            }
            Kind::RedisRestarted => site.restart_redis(self.lasts).await,
            _ => {
                let redis = site.redis.lock().await;
                redis.limit_memory(FULL_PERCENT).await;
                sleep(self.lasts).await;
                redis.limit_memory(0).await;
            }
        }
        for replica in &site.replicas {
            replica.link.mend(&replica.process.addr).await;
        }
    }
}
