//! What all sessions together have seen.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use headroom_tests::client::Turn;
use headroom_tests::forms::Forms;
use headroom_tests::wait;

/// The figures.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Figures>);

/// The figures of all sessions.
#[derive(Debug, Default, Clone)]
pub(crate) struct Figures {
    pub(crate) decisions: BTreeMap<String, usize>,
    /// From the client to the provider, of each turn whose replica was not disturbed.
    pub(crate) calm: Vec<Duration>,
    /// The same of each turn whose replica was.
    pub(crate) disturbed: Vec<Duration>,
    /// Requests that the fresh replica got just as another one had got them.
    pub(crate) repeated: usize,
    /// Turns whose replica was killed.
    pub(crate) again: usize,
    pub(crate) bill: f64,
    /// What it would have been without the proxies.
    pub(crate) direct: f64,
    /// Sessions that cost more than that: without its store, a replica may send what another one sent compressed in the original.
    pub(crate) dearer: usize,
    pub(crate) entered: usize,
    pub(crate) landed: usize,
    pub(crate) originals: usize,
}

impl Tally {
    fn figures(&self) -> MutexGuard<'_, Figures> {
        self.0.lock().expect("no panic")
    }

    /// How many turns were served.
    pub(crate) fn turns(&self) -> usize {
        let figures = self.figures();
        figures.calm.len() + figures.disturbed.len()
    }

    /// Waits until so many turns were served.
    pub(crate) async fn until_turns(&self, enough: usize) {
        wait::until("turns to be served", wait::DEADLINE, async || {
            self.turns() >= enough
        })
        .await;
    }

    pub(crate) fn turn(&self, turn: &Turn, calm: bool) {
        let mut figures = self.figures();
        *figures.decisions.entry(turn.decision.clone()).or_default() += 1;
        if calm {
            figures.calm.push(turn.way);
        } else {
            figures.disturbed.push(turn.way);
        }
    }

    pub(crate) fn repeated(&self) {
        self.figures().repeated += 1;
    }

    pub(crate) fn again(&self) {
        self.figures().again += 1;
    }

    pub(crate) fn session(&self, forms: &Forms, [bill, direct]: [f64; 2]) {
        let mut figures = self.figures();
        figures.entered += forms.entered;
        figures.landed += forms.landed;
        figures.originals += forms.originals;
        figures.bill += bill;
        figures.direct += direct;
        figures.dearer += usize::from(bill > direct);
    }

    /// All of them, with the ways in order.
    pub(crate) fn sum(&self) -> Figures {
        let mut figures = self.figures().clone();
        figures.calm.sort();
        figures.disturbed.sort();
        figures
    }
}

/// Median, 99 % and longest.
pub(crate) fn spread(sorted: &[Duration]) -> String {
    let at = |share: usize| sorted.get(sorted.len() * share / 100).copied();
    let [half, most] = [50, 99].map(at).map(Option::unwrap_or_default);
    let longest = sorted.last().copied().unwrap_or_default();
    format!(
        "{} turns, p50 {half:.1?}, p99 {most:.1?}, longest {longest:.1?}",
        sorted.len()
    )
}
