//! Jobs past their time limit. One that is stopped, because its handler looked at the deadline, runs once more, alone in its process, and
//! is moved to the dead-letter list if that takes too long, too. A thread that does not look can't be stopped: it is replaced by another
//! one, or with its process.

use headroom_shared::queue::Job;

use crate::metrics::Outcome;
use crate::queue_step::{dead_letter, repeat};
use crate::state::State;
use crate::threads::RunningJob;
use crate::time_limit::{IfStuck, StuckJob};

/// Has a job that took too long run once more alone. One that did run alone is moved to the dead-letter list.
pub(crate) async fn timed_out(state: &State, job: &Job) {
    state.metrics.timeouts().inc();
    let seconds = state.time_limit.timeout.as_secs();
    if job.crashes > 0 {
        let reason = format!(
            "it took more than {seconds} s (HEADROOM_JOB_TIMEOUT_SECONDS), and so alone in its process"
        );
        dead_letter(state, &job.element, &reason).await;
        return;
    }
    match repeat(state, "isolate", || state.queue.isolate(job)).await {
        Some(Ok(true)) => {
            state.metrics.ended(Outcome::Retried);
            tracing::warn!(
                job.id = job.envelope.id,
                job.timeout_seconds = seconds,
                "job took too long: it is tried once more, alone in its process"
            );
        }
        Some(Ok(false)) => state.metrics.ended(Outcome::Lost),
        Some(Err(error)) => {
            tracing::error!(job.id = job.envelope.id, error.message = %error, "a job that took too long could not be put off");
        }
        None => {}
    }
}

/// The same for a job whose thread goes on long after the deadline. Before the queue has the job back, this process claims no more, or has
/// another thread.
pub(crate) async fn stuck(state: &State, job: &Job, running: &RunningJob) {
    state.metrics.stuck_threads().inc();
    let stuck = StuckJob {
        id: job.envelope.id.clone(),
        seconds: (state.time_limit.timeout + state.timing.stuck_after).as_secs(),
    };
    match state.time_limit.if_stuck {
        IfStuck::ReplaceThread => {
            tracing::error!(
                job.id = stuck.id,
                job.seconds = stuck.seconds,
                "a job's thread could not be stopped: another one takes its place"
            );
            if let Err(error) = state.threads.replace(running) {
                tracing::error!(error.message = %error, "could not start another thread");
            }
        }
        IfStuck::EndProcess => {
            tracing::warn!(
                job.id = stuck.id,
                job.seconds = stuck.seconds,
                "a job's thread could not be stopped: no more claims, this process ends when its other jobs are done"
            );
            state.status.stuck();
            state.queue.announce_end(&stuck.to_string());
            let _ = state.stuck.set(stuck);
            state.stop.cancel();
            // So that the announcement is there at once. The next heartbeat repeats it.
            let _ = state.queue.heartbeat().await;
        }
    }
    timed_out(state, job).await;
}
