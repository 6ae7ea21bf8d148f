//! Which form each block of a request is sent in, and seeing to it that a new choice is stored before it is used.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use headroom_shared::id::SentBlockId;
use headroom_shared::prefix::Form;
use headroom_shared::store::{Entry, Key};
use tokio::sync::mpsc;

use crate::app::App;
use crate::entry::{self, Outcome, Undecided};
use crate::landing;
use crate::ledger::Ledger;
use crate::memory::{Budget, Known, Waiting};
use crate::scan::Scan;
use crate::uncompressed::{self, Left, Uncompressed};

/// The texts that go out in place of blocks: position in the scan and escaped text.
pub(crate) type Chosen = Vec<(usize, Bytes)>;

/// One request whose forms are to be chosen.
#[derive(Debug)]
pub(crate) struct Choosing<'a> {
    pub(crate) app: &'a App,
    pub(crate) body: &'a Bytes,
    pub(crate) scan: &'a Arc<Scan>,
    pub(crate) known: &'a Known,
    pub(crate) budget: Budget,
}

impl Choosing<'_> {
    /// The blocks that were sent in a compressed form before, in that form.
    pub(crate) fn recorded(&self) -> Chosen {
        let mut chosen = Vec::new();
        for (index, block) in self.scan.blocks.iter().enumerate() {
            let Some(form) = self.known.forms.get(&block.place) else {
                continue;
            };
            match self.known.texts.get(form) {
                Some(text) => chosen.push((index, text.clone())),
                None => drop(self.app.counts.forms_missing.inc()),
            }
        }
        chosen
    }

    /// The recorded forms, a landing if one is due, and forms for new blocks, all of it stored.
    /// With them, which new blocks go out in the original.
    pub(crate) async fn all(&mut self, ledger: &mut Ledger, now_ms: u64) -> (Chosen, Left) {
        let mut chosen = self.recorded();
        let before = ledger.clone();
        let landed = self.land(ledger, now_ms).await;
        let (entered, mut left) = self.enter(ledger).await;
        if landed.is_empty() && entered.is_empty() {
            return (chosen, left);
        }
        let mut entries = self.form_entries(&entered, !landed.is_empty());
        entries.extend(ledger.entries());
        match self.app.memory.write(&entries, &mut self.budget).await {
            Ok(()) => {
                ledger.stored();
                if !landed.is_empty() {
                    self.app.counts.landed.inc();
                    tracing::info!(blocks = landed.len(), "a compressed prefix landed");
                }
                for (index, form) in entered {
                    let text = Bytes::from(form.text);
                    self.app.memory.keep_form(form.id, text.clone());
                    chosen.push((index, text));
                }
                chosen.extend(landed);
                chosen.sort_unstable_by_key(|(index, _)| *index);
            }
            Err(error) => {
                tracing::debug!(%error, "could not store new forms in time: the originals go out");
                self.app.counts.store_misses.inc();
                ledger.withdraw(before);
                let late = |(index, _): (usize, Form)| (index, Uncompressed::StoreLate);
                left.extend(entered.into_iter().map(late));
            }
        }
        (chosen, left)
    }

    /// The new blocks of a request of which none is compressed: all of them go out in the original.
    pub(crate) fn not_entered(&self, reason: Uncompressed) -> Left {
        uncompressed::new_blocks(self.scan, self.first_undecided(), reason)
    }

    /// The first message of which no record tells, and that this process has not sent without one.
    fn first_undecided(&self) -> usize {
        self.known.frozen.max(self.known.sent_unsure.messages)
    }

    /// Lands the waiting prefix if that is safe, and gives the texts that go out for it.
    async fn land(&mut self, ledger: &mut Ledger, now_ms: u64) -> Chosen {
        let Some((Waiting { prefix, .. }, compressed)) =
            landing::ready(self.scan, self.known, now_ms)
        else {
            return Vec::new();
        };
        let ids = compressed.blocks.iter().map(|block| block.form);
        let (texts, _) = self.app.memory.forms(ids, &mut self.budget).await;
        let text = |place| {
            compressed
                .blocks
                .iter()
                .find(|made| made.place == place)
                .map(|made| texts.get(&made.form))
        };
        let made = self
            .scan
            .blocks
            .iter()
            .enumerate()
            .filter_map(|(index, block)| Some((index, text(block.place)?)));
        let Some(chosen) = made
            .map(|(index, text)| Some((index, text?.clone())))
            .collect::<Option<Chosen>>()
        else {
            // A form's text is gone: as a whole or not at all.
            return Vec::new();
        };
        let Some(record) = ledger.record(*prefix) else {
            return Vec::new();
        };
        record.rev += 1;
        record.waiting = false;
        record.forms = compressed
            .blocks
            .iter()
            .map(|made| (made.place, made.form))
            .collect();
        chosen
    }

    /// Compresses new blocks within the entry budget and notes their forms.
    async fn enter(&mut self, ledger: &mut Ledger) -> (Vec<(usize, Form)>, Left) {
        let undecided = self.undecided().await;
        let before = self.scan.blocks_from(self.first_undecided())..undecided.first_new;
        let unsure = before.filter(|index| !undecided.sent.contains_key(index));
        let mut left: Left = unsure.map(|index| (index, Uncompressed::Unsure)).collect();
        let mut entered = Vec::new();
        for (index, outcome) in self.outcomes(undecided).await {
            match outcome {
                Ok(form) => entered.push((index, form)),
                Err(reason) => left.push((index, reason)),
            }
        }
        let noted = entered
            .iter()
            .map(|(index, form): &(usize, Form)| (self.scan.blocks[*index].place, form.id));
        if let Some(own) = ledger.own() {
            own.forms.extend(noted);
        }
        (entered, left)
    }

    /// The blocks whose forms are to be decided. Those between the known prefix and the model's last message are among them where the
    /// client has edited something before them and they were sent compressed: the provider's cache ends at the edit.
    async fn undecided(&mut self) -> Undecided {
        let first_new = entry::first_new(self.scan, self.known);
        let moved = self.scan.blocks_from(self.first_undecided())..first_new;
        let sent = if self.known.frozen == 0 || moved.is_empty() {
            BTreeMap::new()
        } else {
            let memory = &self.app.memory;
            memory
                .forms_sent_elsewhere(self.scan, moved, &mut self.budget)
                .await
        };
        Undecided { first_new, sent }
    }

    /// What becomes of each of these blocks, as far as the entry budget lasts. What is not told by then goes on and is given up at its
    /// next block.
    async fn outcomes(&self, undecided: Undecided) -> BTreeMap<usize, Outcome> {
        let blocks: Vec<usize> = undecided.blocks(self.scan).collect();
        let all = |reason| blocks.iter().map(|index| (*index, Err(reason))).collect();
        let budget = self.app.rules.entry_budget;
        let mut outcomes: BTreeMap<usize, Outcome> = all(Uncompressed::EntryBudget);
        if blocks.is_empty() || budget.is_zero() {
            return outcomes;
        }
        let deadline = Instant::now() + budget;
        let (tell, mut told) = mpsc::unbounded_channel();
        let (body, scan) = (self.body.clone(), self.scan.clone());
        let work = tokio::task::spawn_blocking(move || {
            entry::decide(
                &body,
                &scan,
                &undecided,
                deadline,
                |index, outcome| match tell.send((index, outcome)) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                },
            );
        });
        let received = async {
            while let Some((index, outcome)) = told.recv().await {
                outcomes.insert(index, outcome);
            }
            work.await
        };
        if let Ok(Err(_)) = tokio::time::timeout_at(deadline.into(), received).await {
            // The error is not shown: a panic's message may quote a prompt.
            tracing::warn!("a compressor failed on new blocks: the originals go out");
            return all(Uncompressed::Failed);
        }
        outcomes
    }

    /// The texts of new forms, and which block of this conversation is sent in which form from now on.
    fn form_entries(&self, entered: &[(usize, Form)], has_landed: bool) -> Vec<Entry> {
        let entry = |key, value| Entry { key, rev: 0, value };
        let texts = entered
            .iter()
            .map(|(_, form)| entry(Key::Form(form.id), Bytes::from(form.text.clone())));
        let new = entered
            .iter()
            .map(|(index, form)| (self.scan.blocks[*index].id, form.id));
        let waiting = self.known.waiting.as_ref().filter(|_| has_landed);
        let landed = waiting.and_then(|waiting| waiting.compressed.as_ref());
        let landed = landed.into_iter().flat_map(|it| &it.blocks);
        let sent = new.chain(landed.map(|made| (made.block, made.form)));
        let opening = self.scan.opening();
        let sent = sent.filter_map(|(block, form)| {
            let key = Key::SentForm(SentBlockId::of(opening?, block));
            Some(entry(key, Bytes::from(form.to_string())))
        });
        texts.chain(sent).collect()
    }
}
