//! The forms that a request changes: of blocks that land, and of blocks that are sent for the first time; and what of them must be stored.

use std::collections::HashMap;

use bytes::Bytes;
use headroom_shared::contract::id::{BlockId, FormId, OriginalId, SentBlockId};
use headroom_shared::contract::prefix::Form;
use headroom_shared::store::{Entry, Key};

use super::Request;
use super::known_prefix::DeferredPrefix;
use super::landing::Landing;
use super::record_updates::RecordUpdates;

impl Request<'_> {
    /// The deferred prefix that lands in it.
    fn landing_prefix(&self) -> Option<&DeferredPrefix> {
        let deferred = self.known.deferred.as_ref();
        deferred.filter(|_| self.landing.is_some_and(Landing::lands))
    }

    /// The forms of the compressed prefix that lands in it, each with its block.
    pub(super) fn landing_forms(&self) -> Vec<(FormId, BlockId)> {
        let landing = self.landing_prefix().into_iter();
        let blocks = landing.flat_map(|_| self.known.to_land());
        blocks.map(|made| (made.form, made.block)).collect()
    }

    /// Lands the deferred prefix if that is safe, as a whole or not at all, given the texts of its forms. Gives the forms of all blocks that
    /// change, by their positions in the scan.
    pub(super) fn land(
        &self,
        record_updates: &mut RecordUpdates,
        texts: &HashMap<FormId, Bytes>,
    ) -> Option<Vec<(usize, Form)>> {
        let prefix = self.landing_prefix()?.prefix;
        let made: HashMap<_, _> = self
            .known
            .to_land()
            .map(|made| (made.place, made.form))
            .collect();
        let blocks = self.scan.blocks.iter().enumerate();
        let forms: Option<Vec<(usize, Form)>> = blocks
            .filter_map(|(at, block)| Some((at, block, *made.get(&block.place)?)))
            .map(|(at, block, id)| {
                let form = Form::of_escaped(block.id, texts.get(&id)?)?;
                (form.id == id).then_some((at, form))
            })
            .collect();
        let mut forms = forms?;
        for at in self.known.to_return(self.scan) {
            forms.push((at, self.form_of_original(at)?));
        }
        let landed = record_updates.record(prefix)?;
        landed.rev += 1;
        landed.waiting = false;
        let ids = forms.iter();
        let ids = ids.map(|(at, form)| (self.scan.blocks[*at].place, form.id));
        landed.forms.extend(ids);
        let originals = forms.iter().filter_map(|(_, form)| form.original);
        landed.originals.extend(originals);
        Some(forms)
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
