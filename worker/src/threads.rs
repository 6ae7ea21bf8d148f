//! The threads that run jobs, one job each: compression keeps a processor busy, which an async task must not do.

use std::sync::{Arc, Mutex, PoisonError, mpsc};

use headroom_shared::contract::prefix::JobResult;
use headroom_shared::queue::Job;
use tokio::sync::oneshot;

use crate::handler::{Failure, JobHandler};
use crate::panics;

/// How a job's run ended.
#[derive(Debug)]
pub(crate) enum JobOutcome {
    Completed(JobResult),
    Failed(Failure),
    /// With the place of the panic, where it is known.
    Panicked(Option<String>),
}

struct Task {
    job: Arc<Job>,
    outcome: oneshot::Sender<JobOutcome>,
}

/// The threads. They end when this is dropped and their jobs are over.
#[derive(Debug)]
pub(crate) struct Threads {
    tasks: mpsc::Sender<Task>,
}

impl Threads {
    /// Starts `count` threads that run `handler`.
    pub(crate) fn start(count: usize, handler: &JobHandler) -> std::io::Result<Self> {
        let (tasks, waiting) = mpsc::channel::<Task>();
        let waiting = Arc::new(Mutex::new(waiting));
        for number in 0..count {
            let (waiting, handler) = (Arc::clone(&waiting), Arc::clone(handler));
            std::thread::Builder::new()
                .name(format!("job-{number}"))
                .spawn(move || {
                    while let Some(task) = next(&waiting) {
                        let outcome = match panics::catch(|| handler(&task.job)) {
                            Ok(Ok(result)) => JobOutcome::Completed(result),
                            Ok(Err(failure)) => JobOutcome::Failed(failure),
                            Err(place) => JobOutcome::Panicked(place),
                        };
                        // Nobody waits any more when the grace for a stop is over.
                        let _ = task.outcome.send(outcome);
                    }
                })?;
        }
        Ok(Self { tasks })
    }

    /// Runs a job on a free thread. The receiver fails if the threads are gone.
    pub(crate) fn run(&self, job: Arc<Job>) -> oneshot::Receiver<JobOutcome> {
        let (sender, receiver) = oneshot::channel();
        let _ = self.tasks.send(Task {
            job,
            outcome: sender,
        });
        receiver
    }
}

fn next(waiting: &Mutex<mpsc::Receiver<Task>>) -> Option<Task> {
    let waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
    waiting.recv().ok()
}
