//! What it costs that the agent fetches shortened texts again: one more turn, in which the whole context is read, and the original from then
//! on. Which ones it would fetch is not known, so each one is charged its share.

use std::collections::HashMap;

use bytes::Bytes;
use headroom_shared::contract::job::Place;
use headroom_shared::contract::prefix::Form;

use crate::prices::Rates;
use crate::simulation::turn::Turn;
use crate::totals::continuations::EXPECTED_READS;

/// Tokens of output for the call of the retrieval tool.
const CALL_TOKENS: f64 = 80.0;

/// The retrievals of one session.
#[derive(Debug)]
pub(super) struct Retrievals {
    /// The part of the shortened texts that are fetched again.
    part: f64,
    /// The forms that were sent, by their places.
    sent: HashMap<Place, Bytes>,
}

impl Retrievals {
    /// Those of a session in which so many of a hundred shortened texts are fetched again.
    pub(super) fn new(percent: u32) -> Self {
        Self {
            part: f64::from(percent) / 100.0,
            sent: HashMap::new(),
        }
    }

    /// What the retrievals of the texts cost that a request shows shortened for the first time, in dollars.
    pub(super) fn cost(&mut self, turn: &Turn, rates: &Rates) -> f64 {
        let mut cost = 0.0;
        for (at, form) in &turn.forms {
            let block = &turn.scan.blocks[*at];
            if self.sent.insert(block.place, form.clone()).as_ref() == Some(form) {
                continue;
            }
            let form = Form::of_escaped(block.id, form);
            if form.is_some_and(|form| form.original.is_some()) {
                let tokens = turn.scan.facts.tokens(block.span.len()) as f64;
                let context = turn.usage.input as f64 * rates.read;
                let original = tokens * (rates.write + EXPECTED_READS * rates.read);
                cost += context + original + CALL_TOKENS * rates.output;
            }
        }
        self.part * cost / 1e6
    }
}
