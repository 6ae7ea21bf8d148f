//! When the queue is empty, and when each session's result was there.

use std::collections::HashMap;
use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::bail;
use futures_util::StreamExt as _;
use headroom_tests::process::Process;
use headroom_tests::queue::over_redis::keys;
use headroom_tests::redis_server::RedisServer;
use headroom_tests::wait;
use indicatif::ProgressBar;
use serde_json::Value;
use tokio::task::JoinSet;

/// Between two looks at the queue.
const LOOK: Duration = Duration::from_millis(4);

/// Waits until so many jobs are done and every list is empty, and gives the moment of the look that found it so.
///
/// # Errors
/// When none is done for as long as `patience`, or one is buried.
pub(crate) async fn drained(
    redis: &RedisServer,
    jobs: u64,
    patience: Duration,
    bar: &ProgressBar,
) -> anyhow::Result<Instant> {
    let mut connection = redis.connection().await;
    let (mut seen, mut since) = (0, Instant::now());
    loop {
        let looked = Instant::now();
        let (done, dead): (Option<u64>, Option<u64>) = redis::cmd("HMGET")
            .arg(keys().stats())
            .arg(&["done", "dead"])
            .query_async(&mut connection)
            .await?;
        let done = done.unwrap_or(0);
        if done > seen {
            (seen, since) = (done, looked);
            bar.set_position(done);
        }
        if done >= jobs && is_empty(redis).await {
            return Ok(looked);
        }
        if dead.is_some() || since.elapsed() > patience {
            let (depth, totals) = redis.counts().await;
            bail!("{done} of {jobs} jobs are done and no more will be: {depth:?}, {totals:?}");
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn is_empty(redis: &RedisServer) -> bool {
    let (depth, _) = redis.counts().await;
    depth.left() == 0
}

/// Hears when compressed prefixes are in the store.
#[derive(Debug)]
pub(crate) struct Notices {
    heard: Arc<Mutex<HashMap<String, Instant>>>,
    _listening: JoinSet<()>,
}

impl Notices {
    /// Begins to listen.
    pub(crate) async fn listen(redis: &RedisServer) -> Self {
        let mut notices = redis.subscribe(&keys().done()).await.into_on_message();
        let heard = Arc::<Mutex<HashMap<String, Instant>>>::default();
        let mut listening = JoinSet::new();
        let hears = Arc::clone(&heard);
        listening.spawn(async move {
            while let Some(notice) = notices.next().await {
                let now = Instant::now();
                if let Ok(prefix) = notice.get_payload() {
                    let mut heard = hears.lock().unwrap_or_else(PoisonError::into_inner);
                    heard.entry(prefix).or_insert(now);
                }
            }
        });
        Self {
            heard,
            _listening: listening,
        }
    }

    /// When the results of these requests were there, by the request's id; known once all are.
    pub(crate) async fn of_requests(
        &self,
        workers: &[Process],
        requests: &[&str],
    ) -> HashMap<String, Instant> {
        wait::eventually("a notice of each session's result", || {
            let prefixes = prefixes(workers);
            let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            let when = |request: &&str| {
                let at = heard.get(prefixes.get(*request)?)?;
                Some(((*request).to_owned(), *at))
            };
            ready(requests.iter().map(when).collect())
        })
        .await
    }
}

/// The prefix of each request whose job is done, as the workers' logs name them.
fn prefixes(workers: &[Process]) -> HashMap<String, String> {
    let logs: Vec<String> = workers.iter().map(Process::log).collect();
    let lines = logs.iter().flat_map(|log| log.lines());
    lines.filter_map(done_job).collect()
}

/// Request and prefix of a log line that says that a job is done.
fn done_job(line: &str) -> Option<(String, String)> {
    let line: Value = line.parse().ok()?;
    let text = |name: &str| line[name].as_str().map(str::to_owned);
    Some((text("job.trace")?, text("job.prefix")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_of_done_jobs_name_a_request() {
        let line = r#"{"level":"INFO","message":"job done","job.prefix":"ab","job.trace":"req"}"#;
        assert_eq!(done_job(line), Some(("req".to_owned(), "ab".to_owned())));
        assert_eq!(done_job(r#"{"message":"this worker's id"}"#), None);
        assert_eq!(done_job("not JSON"), None);
    }
}
