//! Counts and violations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use headroom_tests::forms::Forms;
use serde::Serialize;

use crate::fault::{Fault, Kind};
use crate::say;

/// How much of each line of a violation is printed, in characters: forms are long. The JSON report has all.
const PRINTED: usize = 160;

/// What was violated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Check {
    /// A block changed its form, or bytes around it changed.
    Forms,
    /// The same in a session that has met a loss of all data, later than in its first request after that.
    FormsAfterLoss,
    /// A block changed its form before bound thinking.
    BoundThinking,
    /// A request was lost or doubled.
    Requests,
    /// A job was stuck or given up.
    Jobs,
    /// A process took too much memory, or ever more.
    Memory,
    /// A process kept files open.
    OpenFiles,
    /// A process ended that nobody had killed.
    Processes,
    /// A client or the harness met what it must never meet: no response, or one that is not 200.
    Client,
}

impl std::fmt::Display for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Forms => "forms",
            Self::FormsAfterLoss => "forms after a loss",
            Self::BoundThinking => "bound thinking",
            Self::Requests => "requests",
            Self::Jobs => "jobs",
            Self::Memory => "memory",
            Self::OpenFiles => "open files",
            Self::Processes => "processes",
            Self::Client => "client",
        })
    }
}

/// A violation.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Violation {
    pub(crate) check: Check,
    pub(crate) at_s: f64,
    /// The fault that had come last.
    pub(crate) after: Option<Kind>,
    pub(crate) what: String,
}

/// How blocks were sent in another way than before, or compressed when first sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Changes {
    pub(crate) entered: usize,
    pub(crate) landed: usize,
    pub(crate) originals: usize,
    pub(crate) bound_originals: usize,
    pub(crate) after_loss: usize,
    pub(crate) bound_after_loss: usize,
}

impl std::fmt::Display for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            entered,
            landed,
            originals,
            after_loss,
            ..
        } = self;
        write!(
            f,
            "{entered} entered, {landed} landed, {originals} original again, {after_loss} changed after a loss"
        )
    }
}

impl Changes {
    /// All of a session so far.
    pub(crate) fn of(forms: &Forms) -> Self {
        Self {
            entered: forms.entered,
            landed: forms.landed,
            originals: forms.originals,
            bound_originals: forms.bound_originals,
            after_loss: forms.lost,
            bound_after_loss: forms.bound_lost,
        }
    }

    /// Those that came later.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            entered: self.entered - before.entered,
            landed: self.landed - before.landed,
            originals: self.originals - before.originals,
            bound_originals: self.bound_originals - before.bound_originals,
            after_loss: self.after_loss - before.after_loss,
            bound_after_loss: self.bound_after_loss - before.bound_after_loss,
        }
    }

    fn add(&mut self, more: Self) {
        self.entered += more.entered;
        self.landed += more.landed;
        self.originals += more.originals;
        self.bound_originals += more.bound_originals;
        self.after_loss += more.after_loss;
        self.bound_after_loss += more.bound_after_loss;
    }
}

/// What was seen from the moment in which faults of one kind began, until the next fault of another kind.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct OfKind {
    pub(crate) times: usize,
    pub(crate) turns: usize,
    /// Requests that were cut off.
    pub(crate) cut_off: usize,
    #[serde(flatten)]
    pub(crate) changes: Changes,
    pub(crate) violations: usize,
}

/// The counts.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Figures {
    pub(crate) sessions: usize,
    pub(crate) decisions: BTreeMap<String, usize>,
    pub(crate) no_fault_yet: OfKind,
    pub(crate) faults: BTreeMap<String, OfKind>,
    pub(crate) violations: Vec<Violation>,
}

#[derive(Debug, Default)]
struct Inner {
    figures: Figures,
    last: Option<Kind>,
    /// The ids of requests that were cut off, each of which the provider may have got once.
    cut_off: BTreeSet<String>,
}

/// What all see together.
#[derive(Debug)]
pub(crate) struct Tally {
    begun: Instant,
    inner: Mutex<Inner>,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            begun: Instant::now(),
            inner: Mutex::default(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seconds since it began.
    pub(crate) fn seconds(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    /// A line that begins with the time.
    pub(crate) fn say(&self, line: &str) {
        say(&format!("{:>8.1} s  {line}", self.seconds()));
    }

    /// A fault comes.
    pub(crate) fn fault(&self, fault: Fault) {
        self.say(&fault.describe());
        let mut inner = self.inner();
        inner.last = Some(fault.kind);
        inner.of_last().times += 1;
    }

    pub(crate) fn turn(&self, decision: &str, changes: Changes) {
        let mut inner = self.inner();
        let decisions = &mut inner.figures.decisions;
        *decisions.entry(decision.to_owned()).or_default() += 1;
        let of_kind = inner.of_last();
        of_kind.turns += 1;
        of_kind.changes.add(changes);
    }

    /// A request was cut off.
    pub(crate) fn gone(&self, id: &str) {
        let mut inner = self.inner();
        inner.cut_off.insert(id.to_owned());
        inner.of_last().cut_off += 1;
    }

    /// A session is over.
    pub(crate) fn session(&self) {
        self.inner().figures.sessions += 1;
    }

    pub(crate) fn violation(&self, check: Check, what: &str) {
        let violation = {
            let mut inner = self.inner();
            let violation = Violation {
                check,
                at_s: self.seconds(),
                after: inner.last,
                what: what.to_owned(),
            };
            inner.of_last().violations += 1;
            inner.figures.violations.push(violation.clone());
            violation
        };
        let cut = |line: &str| line.chars().take(PRINTED).collect();
        let printed: Vec<String> = what.lines().map(cut).collect();
        self.say(&format!(
            "VIOLATION of {}: {}",
            violation.check,
            printed.join("\n")
        ));
    }

    /// Takes in the ids of requests that the provider got and no client took: only one that was cut off may be there, once.
    pub(crate) fn untaken(&self, ids: Vec<String>) {
        for id in ids {
            if !self.inner().cut_off.remove(&id) {
                let what = format!("{id}: the provider got it twice, or nobody sent it");
                self.violation(Check::Requests, &what);
            }
        }
    }

    pub(crate) fn figures(&self) -> Figures {
        self.inner().figures.clone()
    }
}

impl Inner {
    fn of_last(&mut self) -> &mut OfKind {
        match self.last {
            Some(kind) => self.figures.faults.entry(kind.to_string()).or_default(),
            None => &mut self.figures.no_fault_yet,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_request_that_was_cut_off_may_be_left_and_once() {
        let tally = Tally::new();
        tally.gone("a/1");
        tally.untaken(vec!["a/1".to_owned()]);
        assert!(tally.figures().violations.is_empty());
        tally.untaken(vec!["a/1".to_owned(), "b/1".to_owned()]);
        assert_eq!(tally.figures().violations.len(), 2);
    }
}
