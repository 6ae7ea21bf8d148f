//! Whether this worker is ready, and why not. Errors of the queue are logged here: once when they begin and once when they are over, however
//! many tasks meet them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A worker's readiness.
#[derive(Debug, Default)]
pub struct Status {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    /// Steps that failed when they were last tried, with their errors.
    errors: BTreeMap<&'static str, String>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    #[default]
    Starting,
    Working,
    Stopping,
    /// A thread can't be stopped: this process ends once its other jobs are done.
    Stuck,
}

impl Status {
    /// Whether this worker claims jobs.
    ///
    /// # Errors
    /// The reason why not.
    pub fn ready(&self) -> Result<(), String> {
        let state = self.state();
        if let Some((step, error)) = state.errors.iter().next() {
            return Err(format!("{step}: {error}"));
        }
        match state.phase {
            Phase::Working => Ok(()),
            Phase::Starting => Err("starting".to_owned()),
            Phase::Stopping => Err("stopping".to_owned()),
            Phase::Stuck => Err("ending: a job's thread can't be stopped".to_owned()),
        }
    }

    pub(crate) fn started(&self) {
        self.state().phase = Phase::Working;
    }

    pub(crate) fn stopping(&self) {
        self.state().phase = Phase::Stopping;
    }

    pub(crate) fn stuck(&self) {
        self.state().phase = Phase::Stuck;
    }

    pub(crate) fn failed(&self, step: &'static str, error: &impl std::fmt::Display) {
        let mut state = self.state();
        let first = state.errors.is_empty();
        let known = state.errors.insert(step, error.to_string()).is_some();
        drop(state);
        if first {
            tracing::warn!(queue.step = step, error.message = %error, "the queue is in trouble: tries again");
        } else if !known {
            tracing::debug!(queue.step = step, error.message = %error, "the queue is in trouble");
        }
    }

    pub(crate) fn works(&self, step: &'static str) {
        let mut state = self.state();
        let over = state.errors.remove(step).is_some() && state.errors.is_empty();
        drop(state);
        if over {
            tracing::info!("the queue works again");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use headroom_shared::store::StoreError;

    use super::*;

    #[test]
    fn it_is_ready_when_every_step_works_again() {
        let status = Status::default();
        assert_eq!(status.ready().unwrap_err(), "starting");
        status.started();
        status.failed("claim", &StoreError::other("wait", "away"));
        status.failed("reap", &StoreError::other("look", "away"));
        status.works("claim");
        assert_eq!(status.ready().unwrap_err(), "reap: look: away");
        status.works("reap");
        assert_eq!(status.ready(), Ok(()));
        status.stopping();
        assert!(status.ready().is_err());
    }
}
