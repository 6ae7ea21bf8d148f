//! Containers that are killed, cut off and restarted while they work, under a load whose every job must be done.

use std::time::Duration;

use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::stage::Stage;
use headroom_tests::wait;
use redis::aio::MultiplexedConnection;
use serde_json::Value;

use crate::containers::{Compose, docker};

/// Jobs of a burst, and bytes of tool output in each: seconds of work for three workers, so that each holds a job.
const JOBS: u64 = 12;
const BYTES: usize = 4 << 20;
/// How often a burst is tried until a worker is hit while it holds a job.
const BURSTS: usize = 5;
/// Longer than all of a burst takes, a dead worker's silence and the look for it included.
const LIMIT: Duration = Duration::from_secs(180);

/// The cold starts offered so far.
#[derive(Debug)]
pub(crate) struct Load<'a> {
    compose: &'a Compose,
    stage: &'a Stage,
    offered: u64,
}

impl<'a> Load<'a> {
    /// A load on top of so many jobs that are done.
    pub(crate) fn after(done: u64, compose: &'a Compose, stage: &'a Stage) -> Self {
        Self {
            compose,
            stage,
            offered: done,
        }
    }

    /// `docker kill -s KILL` of a worker's container that holds a job: another does it.
    pub(crate) async fn a_container_is_killed_in_mid_job(&mut self) {
        let before = self.reaped();
        let kill = |container: &str| drop(docker(&["kill", "--signal", "KILL", container]));
        let start = |container: &str| drop(docker(&["start", container]));
        self.hit(kill, start).await;
        self.all_is_done().await;
        assert!(self.reaped() > before, "its job was taken back");
        // Docker does not start again what a hand has killed.
        self.three_workers_again().await;
    }

    /// Off the network for longer than a heartbeat may be old: others do its job. Then it returns, and works alone.
    pub(crate) async fn a_container_is_cut_off_and_returns(&mut self) {
        let network = self.compose.network();
        let before = self.reaped();
        let cut = |container: &str| drop(docker(&["network", "disconnect", &network, container]));
        let mend = |container: &str| drop(docker(&["network", "connect", &network, container]));
        let worker = self.hit(cut, mend).await;
        wait::until("its job is taken back", LIMIT, async || {
            self.reaped() > before
        })
        .await;
        self.all_is_done().await;
        mend(container(&worker));
        wait::until("its heartbeat is back", LIMIT, async || {
            is_alive(&mut self.compose.connection().await, &worker).await
        })
        .await;
        for other in self.compose.ids("worker") {
            if !other.starts_with(container(&worker)) {
                docker(&["stop", &other]);
            }
        }
        self.offer().await;
        self.all_is_done().await;
        self.three_workers_again().await;
    }

    /// `docker-compose restart redis` while workers hold jobs and more wait: a pause sees to it that they still do.
    pub(crate) async fn redis_is_restarted(&mut self) {
        let mut redis = self.burst().await;
        holder(&mut redis).await;
        let _: () = ask(&mut redis, &["SET", "headroom:paused", "1"]).await;
        self.compose.show("restart redis");
        let waiting = self.compose.redis("llen headroom:jobs");
        assert_ne!(waiting, "0", "the workers were faster than the pause");
        self.compose.redis("del headroom:paused");
        self.all_is_done().await;
        self.compose.all_are_healthy(5).await;
    }

    /// Every job offered has left its result, and nothing else.
    pub(crate) async fn nothing_is_left(&self) {
        let stats = self.stage.stats().await;
        assert_eq!(stats["queue"]["dead"], 0, "{stats}");
        let mut redis = self.compose.connection().await;
        for (pattern, count) in [
            ("headroom:compressed:*", self.offered),
            ("headroom:active:*", 0),
            ("headroom:pending:*", 0),
            ("headroom:job:*", 0),
            ("headroom:crashes", 0),
            ("headroom:attempts", 0),
        ] {
            let left: Vec<String> = ask(&mut redis, &["KEYS", pattern]).await;
            assert_eq!(left.len() as u64, count, "{pattern}: {left:?}");
        }
    }

    /// Breaks a container whose worker holds a job and goes on holding it, and gives that worker's id.
    async fn hit(&mut self, breaks: impl Fn(&str), mends: impl Fn(&str)) -> String {
        for _ in 0..BURSTS {
            let mut redis = self.burst().await;
            let worker = holder(&mut redis).await;
            breaks(container(&worker));
            if held(&mut redis, &worker).await > 0 {
                return worker;
            }
            // It was between two jobs.
            mends(container(&worker));
            self.all_is_done().await;
        }
        panic!("no worker was hit in mid-job in {BURSTS} bursts");
    }

    /// Offers many jobs that wait behind a pause, lets the workers at them, and gives what to watch them with.
    async fn burst(&mut self) -> MultiplexedConnection {
        let mut redis = self.compose.connection().await;
        let _: () = ask(&mut redis, &["SET", "headroom:paused", "1"]).await;
        for _ in 0..JOBS {
            self.offer().await;
        }
        let _: u64 = ask(&mut redis, &["DEL", "headroom:paused"]).await;
        redis
    }

    /// Sends a cold start, and waits until the queue has its job.
    async fn offer(&mut self) {
        self.offered += 1;
        let offered = self.offered;
        let conversation = Conversation::new(Dialect::Messages, "load")
            .unmarked()
            .user(&format!("Find bug {offered}."))
            .reads(usize::try_from(offered).expect("a small number"), BYTES);
        let (call, body) = (conversation.call(), conversation.body());
        wait::until("it is deferred", wait::DEADLINE, async || {
            let (decision, got) = self.stage.exchange(&call).await;
            assert!(got == body.bytes, "it goes out as it came");
            // Where the store has not answered within its budget, as on a loaded machine, nobody knows that it is new.
            assert!(["deferring", "deferred", "forwarded"].contains(&decision.as_str()));
            headroom_tests::http::is_deferred(&decision)
        })
        .await;
        self.until("the queue has the job", |stats| {
            stats["jobs"]["enqueued"] == offered
        })
        .await;
    }

    async fn all_is_done(&self) {
        let offered = self.offered;
        self.until("all jobs are done", |stats| {
            let left = ["waiting", "active", "delayed"].map(|state| &stats["queue"][state]);
            stats["jobs"]["done"] == offered && left.iter().all(|jobs| **jobs == 0)
        })
        .await;
    }

    async fn until(&self, what: &str, condition: impl Fn(&Value) -> bool) {
        let holds = wait::within(LIMIT, || async {
            condition(&self.stage.stats().await).then_some(())
        });
        if holds.await.is_none() {
            let stats = self.stage.stats().await;
            panic!(
                "waited {LIMIT:?} in vain until {what}, {} offered: {stats}",
                self.offered
            );
        }
    }

    /// How many jobs were taken back from dead workers.
    fn reaped(&self) -> u64 {
        let reaped = self.compose.redis("hget headroom:stats reaped");
        reaped.parse().unwrap_or(0)
    }

    async fn three_workers_again(&self) {
        self.compose
            .show("up --detach --no-recreate --scale worker=3");
        self.compose.all_are_healthy(5).await;
    }
}

/// The id of a worker's container, which is its host's name.
fn container(worker: &str) -> &str {
    worker.split(':').next().expect("a host")
}

async fn ask<T: redis::FromRedisValue>(redis: &mut MultiplexedConnection, words: &[&str]) -> T {
    let mut command = redis::Cmd::new();
    for word in words {
        command.arg(word);
    }
    command.query_async(redis).await.expect("Redis answers")
}

/// A live worker that holds a job, by its id, which begins with its container's.
async fn holder(redis: &mut MultiplexedConnection) -> String {
    wait::eventually("a worker that holds a job", || {
        let mut redis = redis.clone();
        async move {
            let workers: Vec<String> =
                ask(&mut redis, &["ZRANGE", "headroom:workers", "0", "-1"]).await;
            for worker in workers {
                if is_alive(&mut redis, &worker).await && held(&mut redis, &worker).await > 0 {
                    return Some(worker);
                }
            }
            None
        }
    })
    .await
}

/// How many jobs a worker holds.
async fn held(redis: &mut MultiplexedConnection, worker: &str) -> u64 {
    ask(redis, &["LLEN", &format!("headroom:active:{worker}")]).await
}

/// Whether its last heartbeat is younger than a worker's may be.
async fn is_alive(redis: &mut MultiplexedConnection, worker: &str) -> bool {
    let score: Option<f64> = ask(redis, &["ZSCORE", "headroom:workers", worker]).await;
    let (seconds, _): (f64, f64) = ask(redis, &["TIME"]).await;
    score.is_some_and(|ms| seconds - ms / 1000.0 < 10.0)
}
