//! The forms that a request changes: of blocks that land, and of blocks that are sent for the first time; and what of them must be stored.

use std::collections::HashMap;

use bytes::Bytes;
use headroom_shared::contract::id::{BlockId, FormId, OriginalId, SentBlockId};
use headroom_shared::contract::prefix::{CompressedBlock, Form};
use headroom_shared::store::{Entry, Key};

use super::Request;
use super::known_prefix::DeferredPrefix;
use super::landing::Landing;
use super::record_updates::RecordUpdates;

impl Request<'_> {
    /// The deferred prefix that lands in it as a whole.
    fn landing_prefix(&self) -> Option<&DeferredPrefix> {
        let deferred = self.known.deferred.as_ref();
        deferred.filter(|_| self.landing.is_some_and(Landing::lands))
    }

    /// The prefix some new blocks of which land in it.
    fn landing_tail(&self) -> Option<&DeferredPrefix> {
        let tail = self.known.tail.as_ref();
        tail.filter(|_| self.tail.is_some_and(Landing::lands))
    }

    /// The forms of the compressed prefixes that land in it, each with its block.
    pub(super) fn landing_forms(&self) -> Vec<(FormId, BlockId)> {
        let whole = self.landing_prefix().into_iter();
        let whole = whole.flat_map(|_| self.known.to_land());
        let tail = self.landing_tail().into_iter();
        let tail = tail.flat_map(|_| self.known.tail_to_land());
        let made = whole.chain(tail);
        made.map(|made| (made.form, made.block)).collect()
    }

    /// Lands what is to land if that is safe, each prefix as a whole or not at all, given the texts of its forms. Gives the forms of all blocks
    /// that change, by their positions in the scan.
    pub(super) fn land(
        &self,
        record_updates: &mut RecordUpdates,
        texts: &HashMap<FormId, Bytes>,
    ) -> Vec<(usize, Form)> {
        let whole = self.landing_prefix().map(|deferred| {
            let mut forms = self.forms_of(self.known.to_land(), texts)?;
            for at in self.known.to_return(self.scan) {
                forms.push((at, self.form_of_original(at)?));
            }
            self.note_landed(deferred, record_updates, &forms)?;
            Some(forms)
        });
        let mut landed = match whole {
            // What lands with it has no other reason to.
            Some(None) => return Vec::new(),
            Some(Some(forms)) => forms,
            None => Vec::new(),
        };
        let tail = self.landing_tail().and_then(|tail| {
            let forms = self.forms_of(self.known.tail_to_land(), texts)?;
            self.note_landed(tail, record_updates, &forms)?;
            Some(forms)
        });
        match (tail, &self.known.tail) {
            (Some(forms), _) => landed.extend(forms),
            // No entry that was left before it is read any more.
            (None, Some(tail)) if !landed.is_empty() => {
                if let Some(waits) = record_updates.record(tail.prefix) {
                    waits.caches = None;
                }
            }
            (None, _) => {}
        }
        landed
    }

    /// The forms of these blocks, by their positions in the scan; `None` where the text of one is missing.
    fn forms_of<'m>(
        &self,
        made: impl Iterator<Item = &'m CompressedBlock>,
        texts: &HashMap<FormId, Bytes>,
    ) -> Option<Vec<(usize, Form)>> {
        let made: HashMap<_, _> = made.map(|made| (made.place, made.form)).collect();
        let blocks = self.scan.blocks.iter().enumerate();
        blocks
            .filter_map(|(at, block)| Some((at, block, *made.get(&block.place)?)))
            .map(|(at, block, id)| {
                let form = Form::of_escaped(block.id, texts.get(&id)?)?;
                (form.id == id).then_some((at, form))
            })
            .collect()
    }

    /// Notes in a prefix's record that these forms have landed.
    fn note_landed(
        &self,
        waited: &DeferredPrefix,
        record_updates: &mut RecordUpdates,
        forms: &[(usize, Form)],
    ) -> Option<()> {
        let landed = record_updates.record(waited.prefix)?;
        landed.rev += 1;
        landed.waiting = false;
        let ids = forms.iter();
        let ids = ids.map(|(at, form)| (self.scan.blocks[*at].place, form.id));
        landed.forms.extend(ids);
        let originals = forms.iter().filter_map(|(_, form)| form.original);
        landed.originals.extend(originals);
        Some(())
    }

    /// A form that is its block's original: what a block goes back to that was sent in another one.
    fn form_of_original(&self, at: usize) -> Option<Form> {
        let block = &self.scan.blocks[at];
        let text = std::str::from_utf8(&self.body[block.span.clone()]).ok()?;
        Some(Form {
            id: FormId::of(block.id, text),
            text: text.to_owned(),
            original: None,
        })
    }

    /// The texts of new forms, the originals of those that are shortened, and which block of this conversation is sent in which form from now
    /// on.
    pub(super) fn form_entries(
        &self,
        newly_compressed: &[(usize, Form)],
        landed: &[(usize, Form)],
    ) -> Vec<Entry> {
        let entry = Entry::without_revisions;
        let all = || newly_compressed.iter().chain(landed);
        if all().next().is_none() {
            return Vec::new();
        }
        // A worker has stored the forms that it has made.
        let is_original = |(at, form): &&(usize, Form)| {
            form.text.as_bytes() == &self.body[self.scan.blocks[*at].span.clone()]
        };
        let returned = landed.iter().filter(is_original);
        let texts = newly_compressed.iter().chain(returned);
        let texts = texts.map(|(_, form)| entry(Key::Form(form.id), form.text.clone().into()));
        let shortened = all().filter(|(_, form)| form.original.is_some());
        let originals = shortened.map(|(at, _)| {
            let block = &self.scan.blocks[*at];
            let key = Key::Original(OriginalId::of(block.id));
            entry(key, self.body.slice(block.span.clone()))
        });
        let forms: HashMap<usize, FormId> = all().map(|(at, form)| (*at, form.id)).collect();
        let opening = self.scan.opening();
        let blocks = self.scan.blocks.iter().zip(self.scan.duplicates_before());
        let sent = blocks.enumerate().filter_map(|(at, (block, duplicates))| {
            let form = forms.get(&at)?;
            let key = Key::SentForm(SentBlockId::of(opening?, block.id, duplicates));
            Some(entry(key, Bytes::from(form.to_string())))
        });
        texts.chain(originals).chain(sent).collect()
    }
}
