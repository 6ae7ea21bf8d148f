//! The threads that run jobs, one job each: compression keeps a processor busy, which an async task must not do.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use headroom_shared::compress::Deadline;
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
    deadline: Deadline,
    outcome: oneshot::Sender<JobOutcome>,
    abandoned: Arc<AtomicBool>,
}

/// A job on its thread.
#[derive(Debug)]
pub(crate) struct RunningJob {
    /// Fails if the threads are gone.
    pub(crate) outcome: oneshot::Receiver<JobOutcome>,
    abandoned: Arc<AtomicBool>,
}

/// The threads. They end when this is dropped and their jobs are over.
pub(crate) struct Threads {
    tasks: mpsc::Sender<Task>,
    waiting: Arc<Mutex<mpsc::Receiver<Task>>>,
    handler: JobHandler,
    started: AtomicUsize,
}

impl Threads {
    /// Starts `count` threads that run `handler`.
    pub(crate) fn start(count: usize, handler: &JobHandler) -> std::io::Result<Self> {
        let (tasks, waiting) = mpsc::channel::<Task>();
        let threads = Self {
            tasks,
            waiting: Arc::new(Mutex::new(waiting)),
            handler: Arc::clone(handler),
            started: AtomicUsize::new(0),
        };
        for _ in 0..count {
            threads.start_one()?;
        }
        Ok(threads)
    }

    fn start_one(&self) -> std::io::Result<()> {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let (waiting, handler) = (Arc::clone(&self.waiting), Arc::clone(&self.handler));
        std::thread::Builder::new()
            .name(format!("job-{number}"))
            .spawn(move || {
                while let Some(task) = next(&waiting) {
                    let outcome = match panics::catch(|| handler(&task.job, task.deadline)) {
                        Ok(Ok(result)) => JobOutcome::Completed(result),
                        Ok(Err(failure)) => JobOutcome::Failed(failure),
                        Err(place) => JobOutcome::Panicked(place),
                    };
                    // Nobody waits any more when the grace for a stop is over.
                    let _ = task.outcome.send(outcome);
                    if task.abandoned.load(Ordering::Acquire) {
                        break;
                    }
                }
            })
            .map(drop)
    }

    /// Runs a job on a free thread.
    pub(crate) fn run(&self, job: Arc<Job>, deadline: Deadline) -> RunningJob {
        let (sender, outcome) = oneshot::channel();
        let abandoned = Arc::new(AtomicBool::new(false));
        let _ = self.tasks.send(Task {
            job,
            deadline,
            outcome: sender,
            abandoned: Arc::clone(&abandoned),
        });
        RunningJob { outcome, abandoned }
    }

    /// Starts a thread in place of the one that runs this job, which ends when the job does.
    pub(crate) fn replace(&self, running: &RunningJob) -> std::io::Result<()> {
        running.abandoned.store(true, Ordering::Release);
        self.start_one()
    }
}

impl std::fmt::Debug for Threads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Threads").finish_non_exhaustive()
    }
}

fn next(waiting: &Mutex<mpsc::Receiver<Task>>) -> Option<Task> {
    let waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
    waiting.recv().ok()
}
