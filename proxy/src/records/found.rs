//! What was found of a request's records so far, and what to ask the store for.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use headroom_shared::contract::id::PrefixId;
use headroom_shared::contract::prefix::CompressedPrefix;
use headroom_shared::contract::record::SentRecord;
use headroom_shared::store::Key;

use crate::scan::{Block, Scan};

/// Records by the position of their last message, and the compressed prefix of the first.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) records: BTreeMap<usize, Arc<SentRecord>>,
    /// Those that were here and that their maker may have taken back.
    pub(super) unsettled: BTreeSet<usize>,
    pub(super) compressed: Option<CompressedPrefix>,
}

impl Found {
    /// The records of a request's prefixes among those that `local` gives, each with whether its maker may have taken it back: the one of
    /// the longest prefix, and those that it goes on from.
    pub(super) fn of(
        scan: &Scan,
        local: impl Fn(PrefixId) -> Option<(Arc<SentRecord>, bool)>,
    ) -> Self {
        let local = |at: usize| local(scan.messages[at].boundary);
        let mut found = Self {
            records: BTreeMap::new(),
            unsettled: BTreeSet::new(),
            compressed: None,
        };
        let mut next = (0..scan.messages.len())
            .rev()
            .find(|at| local(*at).is_some());
        while let Some(last) = next
            && let Some((record, may_be_withdrawn)) = local(last)
        {
            next = link(last, &record);
            found.records.insert(last, record);
            if may_be_withdrawn {
                found.unsettled.insert(last);
            }
        }
        found
    }
}

/// The position of the last message of the record before this one, whose own last message is at `last`.
pub(super) fn link(last: usize, record: &SentRecord) -> Option<usize> {
    let before = (record.start as usize).checked_sub(1)?;
    (before < last).then_some(before)
}

/// The keys to ask the store for: what is new since the longest prefix found, links that were not found, and whatever may
/// still change. `None` when there is nothing that was not asked for.
pub(super) fn missing(scan: &Scan, found: &Found, asked: &HashSet<Key>) -> Option<Vec<Key>> {
    let boundary = |at: usize| scan.messages[at].boundary;
    let longest = found.records.last_key_value().map(|(last, _)| *last);
    let mut keys = Vec::new();
    let mut next = longest;
    while let Some(last) = next {
        let Some(record) = found.records.get(&last) else {
            keys.extend((0..=last).map(|at| Key::Sent(boundary(at))));
            break;
        };
        if record.start == 0 && record.waiting {
            keys.extend([Key::Sent(boundary(last)), Key::Compressed(boundary(last))]);
        } else if found.unsettled.contains(&last) {
            keys.push(Key::Sent(boundary(last)));
        }
        next = link(last, record);
    }
    // A request ends with something for the model to answer, or with the beginning of its answer.
    let ends = |at: &usize| !scan.messages[*at].from_model || at + 1 == scan.messages.len();
    let tells = first_to_ask(scan, longest, keys.is_empty());
    let new = (tells..scan.messages.len()).filter(ends);
    keys.extend(new.map(|at| Key::Sent(boundary(at))));
    keys.retain(|key| !asked.contains(key));
    (!keys.is_empty()).then_some(keys)
}

/// The first message at whose boundary a record could tell something new: the first one after the longest prefix found. Where
/// nothing of that can change any more (`settled`), a record tells of new blocks alone.
fn first_to_ask(scan: &Scan, longest: Option<usize>, settled: bool) -> usize {
    let Some(longest) = longest else { return 0 };
    let new = |block: &&Block| block.place.message as usize > longest;
    let block = scan.blocks.iter().find(new).filter(|_| settled);
    match block {
        Some(block) => block.place.message as usize,
        None if settled => scan.messages.len(),
        None => longest + 1,
    }
}
