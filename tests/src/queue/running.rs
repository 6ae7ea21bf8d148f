//! A worker's engine inside the test.

use std::sync::Arc;

use headroom_shared::queue::{Timing, WorkQueue};
use headroom_worker::pool::{JobHandler, Pool};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::SOON;

/// A pool that runs inside the test.
#[derive(Debug)]
pub struct Running {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Running {
    pub fn start(
        worker: Arc<dyn WorkQueue>,
        threads: &str,
        timing: Timing,
        work: JobHandler,
    ) -> Self {
        let pool = Pool::new(worker, threads.parse().unwrap(), work).with_timing(timing);
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let until_stopped = stop.clone();
        tasks.spawn(async move { pool.run(until_stopped).await.unwrap() });
        Self { stop, tasks }
    }

    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        tokio::time::timeout(SOON, self.tasks.wait()).await.unwrap();
    }
}
