//! Which form each block of a request is sent in, and seeing to it that a new choice is stored before it is used.

use std::sync::Arc;

use bytes::Bytes;
use headroom_shared::prefix::Form;
use headroom_shared::store::{Entry, Key};

use crate::app::App;
use crate::entry;
use crate::landing;
use crate::ledger::Ledger;
use crate::memory::{Budget, Known, Waiting};
use crate::scan::Scan;

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
    pub(crate) async fn all(&mut self, ledger: &mut Ledger, now_ms: u64) -> Chosen {
        let mut chosen = self.recorded();
        let before = ledger.clone();
        let landed = self.land(ledger, now_ms).await;
        let entered = self.enter(ledger).await;
        if landed.is_empty() && entered.is_empty() {
            return chosen;
        }
        let forms = entered.iter().map(|(_, form)| Entry {
            key: Key::Form(form.id),
            rev: 0,
            value: Bytes::from(form.text.clone()),
        });
        let entries: Vec<Entry> = forms.chain(ledger.entries()).collect();
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
            }
        }
        chosen
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
    async fn enter(&self, ledger: &mut Ledger) -> Vec<(usize, Form)> {
        let first = entry::first_new(self.scan, self.known);
        let budget = self.app.rules.entry_budget;
        if first == self.scan.blocks.len() || budget.is_zero() {
            return Vec::new();
        }
        let (body, scan) = (self.body.clone(), self.scan.clone());
        let work = move || entry::forms(&body, &scan, first, budget);
        let forms = match tokio::task::spawn_blocking(work).await {
            Ok(forms) => forms,
            Err(_) => {
                // The error is not shown: a panic's message may quote a prompt.
                tracing::warn!("a compressor failed on new blocks: the originals go out");
                Vec::new()
            }
        };
        let noted = forms
            .iter()
            .map(|(index, form)| (self.scan.blocks[*index].place, form.id));
        if let Some(own) = ledger.own() {
            own.forms.extend(noted);
        }
        forms
    }
}
