//! The sessions of a model: one for each thread, because a session does one inference at a time.

use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use headroom_shared::compress::Deadline;
use ort::logging::LogLevel;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::TensorRef;

use super::error::{ModelError, first_line};
use super::head::{Head, INPUTS};
use crate::shortener::ShortenError;

/// How long a wait for a session lasts before the next look at the deadline.
const WAIT: Duration = Duration::from_millis(100);

/// Sessions over the same graph.
#[derive(Debug)]
pub(super) struct Sessions {
    idle: Mutex<Vec<Session>>,
    returned: Condvar,
    head: Head,
}

impl Sessions {
    /// Opens `count` sessions; `keep` is the label that says to keep a token.
    ///
    /// # Errors
    /// Where the graph is none that can be used.
    pub(super) fn open(graph: &Path, keep: usize, count: usize) -> Result<Self, ModelError> {
        let unusable = |reason| ModelError::Content {
            path: graph.to_owned(),
            reason,
        };
        let open_one = || {
            let opened = open_one(graph);
            opened.map_err(|error| {
                unusable(format!(
                    "an ONNX graph was expected: {}",
                    first_line(&error)
                ))
            })
        };
        let mut sessions = vec![open_one()?];
        let head = Head::of(&sessions[0], keep).map_err(unusable)?;
        for _ in 1..count {
            sessions.push(open_one()?);
        }
        Ok(Self {
            idle: Mutex::new(sessions),
            returned: Condvar::new(),
            head,
        })
    }

    /// The probability for each token that it is kept.
    ///
    /// # Errors
    /// Where the deadline is over before a session is free, or the inference fails.
    pub(super) fn scores(&self, ids: &[i64], deadline: Deadline) -> Result<Vec<f32>, ShortenError> {
        let mut session = self.take(deadline).ok_or(ShortenError::OutOfTime)?;
        let scores = infer(&mut session, self.head, ids);
        self.give_back(session);
        scores
    }

    /// A free session, as soon as there is one; nothing where the deadline is over first.
    fn take(&self, deadline: Deadline) -> Option<Session> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(session) = idle.pop() {
                return Some(session);
            }
            if deadline.is_over() {
                return None;
            }
            let waited = self.returned.wait_timeout(idle, WAIT);
            idle = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn give_back(&self, session: Session) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(session);
        self.returned.notify_one();
    }
}

/// Opens a session that keeps one processor busy and gives the same scores each time.
fn open_one(graph: &Path) -> ort::Result<Session> {
    Session::builder()?
        .with_log_level(LogLevel::Error)?
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        .with_parallel_execution(false)?
        .with_deterministic_compute(true)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .commit_from_file(graph)
}

fn infer(session: &mut Session, head: Head, ids: &[i64]) -> Result<Vec<f32>, ShortenError> {
    // What the runtime says may name tokens of the text.
    let failed = |error: ort::Error| {
        ShortenError::Failed(format!("the model's inference failed: {:?}", error.code()))
    };
    let shape = [1, ids.len()];
    let mask = vec![1_i64; ids.len()];
    let [input_ids, attention_mask] = INPUTS;
    let inputs = ort::inputs![
        input_ids => TensorRef::from_array_view((shape, ids)).map_err(failed)?,
        attention_mask => TensorRef::from_array_view((shape, mask.as_slice())).map_err(failed)?,
    ];
    let outputs = session.run(inputs).map_err(failed)?;
    let output = outputs.get(head.output());
    let output =
        output.ok_or_else(|| ShortenError::Failed("the model gave no scores".to_owned()))?;
    let (_, values) = output.try_extract_tensor::<f32>().map_err(failed)?;
    head.scores(values, ids.len()).map_err(ShortenError::Failed)
}
