//! Checks what goes out in a session, turn by turn, against what the client sent.

use std::collections::HashMap;

use anyhow::{Context, ensure};
use bytes::Bytes;
use headroom_shared::compress::{Earlier, Prepared};
use headroom_shared::contract::id::{BlockId, FormId};
use headroom_shared::contract::job::{JobBlock, Place};
use headroom_shared::contract::prefix::{Form, unescaped};
use headroom_shared::contract::retrieval;

use super::turn::Turn;
use crate::plan::blocks;
use crate::scan::Scan;

/// What was sent so far.
#[derive(Debug, Default)]
pub(crate) struct Checker {
    /// The form of each block, by its place and its text; `None` is the original.
    sent: HashMap<(Place, BlockId), Option<FormId>>,
    /// Whether one was shortened, or may have been: from then on a landing may change all.
    has_shortened: bool,
}

impl Checker {
    /// Checks that what went out for a body is that body but for its forms, that each of these gives its block back, and that none
    /// has changed but by landing: once from the original to a form, and more often where texts are shortened.
    ///
    /// # Errors
    /// When one of that is not so.
    pub(crate) fn check(&mut self, body: &Bytes, turn: &Turn) -> anyhow::Result<()> {
        let scan = &turn.scan;
        let forms: HashMap<usize, &str> = sent_forms(body, turn)?.into_iter().collect();
        self.has_shortened |= forms.values().any(|form| form.contains(retrieval::TOOL));
        let mut earlier = Earlier::default();
        let (mut in_sight, mut calls) = (0, 0);
        let blocks: Vec<(usize, JobBlock)> = blocks::unescaped(body, scan).collect();
        for (index, block) in &blocks {
            if in_sight != first_in_sight(scan, block.place) {
                // Forms refer to nothing before a compaction.
                in_sight = first_in_sight(scan, block.place);
                earlier = Earlier::default();
                calls = scan.calls_before(in_sight);
            }
            let next_calls = scan.calls_before(block.place.message as usize);
            for call in blocks::long_calls(body, scan, calls..next_calls) {
                earlier.push_call(&call.tool, &call.input);
            }
            calls = next_calls;
            let form = forms.get(index);
            let form = form.map(|form| Form::of_escaped(block.block, form.as_bytes()));
            let form = form.map(|form| form.context("a form is no JSON string"));
            self.check_form(turn, block, (form.transpose()?, &earlier))?;
            earlier.push(block.source());
        }
        Ok(())
    }

    /// Checks what went out for one block, given what stands before it.
    fn check_form(
        &mut self,
        turn: &Turn,
        block: &JobBlock,
        (form, earlier): (Option<Form>, &Earlier),
    ) -> anyhow::Result<()> {
        if let Some(form) = &form {
            let prepared = match form.original {
                Some(original) => Prepared::of(block.source()).with_original(original),
                None => Prepared::of(block.source()),
            };
            let text = unescaped(form.text.as_bytes()).context("a form is no JSON string")?;
            ensure!(
                prepared.gives_back(&text, earlier),
                "the form at {} does not give its block back",
                block.place
            );
        }
        let form = form.map(|form| form.id);
        let before = self.sent.insert((block.place, block.block), form);
        let may_land = before.flatten().is_none() || self.has_shortened;
        ensure!(
            before.is_none_or(|before| before == form) || may_land && turn.landed > 0,
            "the form at {} has changed",
            block.place
        );
        Ok(())
    }
}

/// The forms in what went out, each with its block's position in the scan. Outside of them it is the client's body, byte for byte.
fn sent_forms<'a>(body: &Bytes, turn: &'a Turn) -> anyhow::Result<Vec<(usize, &'a str)>> {
    let sent = turn.sent.to_vec();
    let (mut sent, mut body_at) = (sent.as_slice(), 0);
    let mut forms = Vec::new();
    for (index, form) in &turn.forms {
        let span = &turn.scan.blocks[*index].span;
        let rest = sent.strip_prefix(&body[body_at..span.start]);
        let rest = rest.and_then(|rest| rest.strip_prefix(&form[..]));
        sent = rest.context("it is not the client's body with its forms")?;
        body_at = span.end;
        forms.push((*index, std::str::from_utf8(form)?));
    }
    ensure!(sent == &body[body_at..], "it does not end as the client's");
    Ok(forms)
}

/// The first message that the model sees together with this place.
fn first_in_sight(scan: &Scan, place: Place) -> usize {
    let messages = &scan.messages[..=place.message as usize];
    let last = messages.iter().rposition(|message| message.compacts);
    last.unwrap_or(0)
}
