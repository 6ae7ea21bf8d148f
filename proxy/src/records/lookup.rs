//! Looking up a request's sent records: which were found so far, which keys to ask the store for next, and what they say together.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use headroom_shared::contract::id::PrefixId;
use headroom_shared::contract::prefix::CompressedPrefix;
use headroom_shared::contract::record::SentRecord;
use headroom_shared::store::Key;

use crate::plan::known_prefix::{DeferredPrefix, KnownPrefix};
use crate::scan::{Block, Scan};

/// The most keys that the store is asked for at once.
pub(super) const MAX_KEYS: usize = 512;

/// What was found so far: records by the position of their last message, and the compressed prefixes of those that wait for them.
#[derive(Debug)]
pub(super) struct Lookup {
    pub(super) records: BTreeMap<usize, Arc<SentRecord>>,
    /// Records from the local cache that the process that made them may have rolled back since.
    may_be_rolled_back: BTreeSet<usize>,
    pub(super) compressed: HashMap<PrefixId, CompressedPrefix>,
    /// Whether another process may have sent what follows the longest local record with blocks in other forms, although nothing in that
    /// record can change any more: it was rolled back here and perhaps not there, or the store has lost its data since.
    pub(super) may_be_contradicted: bool,
}

impl Lookup {
    /// The records of a request's prefixes among those that `local` gives, each with whether it may have been rolled back: the one of the
    /// longest prefix, and those that it continues.
    pub(super) fn locally(
        scan: &Scan,
        local: impl Fn(PrefixId) -> Option<(Arc<SentRecord>, bool)>,
    ) -> Self {
        let local = |at: usize| local(scan.messages[at].boundary);
        let mut found = Self {
            records: BTreeMap::new(),
            may_be_rolled_back: BTreeSet::new(),
            compressed: HashMap::new(),
            may_be_contradicted: false,
        };
        let mut next = (0..scan.messages.len())
            .rev()
            .find(|at| local(*at).is_some());
        while let Some(last) = next
            && let Some((record, may_be_rolled_back)) = local(last)
        {
            next = previous(last, &record);
            found.records.insert(last, record);
            if may_be_rolled_back {
                found.may_be_rolled_back.insert(last);
            }
        }
        found
    }

    /// The longest prefix found, with its record.
    pub(super) fn longest(&self, scan: &Scan) -> Option<(PrefixId, &SentRecord)> {
        let (last, record) = self.records.last_key_value()?;
        Some((scan.messages[*last].boundary, record))
    }

    /// The keys to ask the store for, at most [`MAX_KEYS`], those of the longest prefixes first: what is new since the longest prefix
    /// found, earlier records that were not found, and whatever may still change. `None` when there is nothing that was not asked for.
    pub(super) fn missing_keys(&self, scan: &Scan, asked: &HashSet<Key>) -> Option<Vec<Key>> {
        let boundary = |at: usize| scan.messages[at].boundary;
        let longest = self.records.last_key_value().map(|(last, _)| *last);
        let mut keys = Vec::new();
        let mut awaited = Awaited::default();
        let mut next = longest;
        while let Some(last) = next {
            let Some(record) = self.records.get(&last) else {
                keys.extend((0..=last).rev().map(|at| Key::Sent(boundary(at))));
                break;
            };
            if awaited.is_next(record) {
                keys.extend([Key::Sent(boundary(last)), Key::Compressed(boundary(last))]);
            } else if self.may_be_rolled_back.contains(&last) {
                keys.push(Key::Sent(boundary(last)));
            }
            next = previous(last, record);
            if next.is_none() && awaited.is_behind_the_first {
                // Other branches note in the oldest record how long the provider's cache of what may land lives.
                keys.push(Key::Sent(boundary(last)));
            }
        }
        // A request ends with something for the model to respond to, or with the beginning of its response.
        let ends = |at: &usize| !scan.messages[*at].from_model || at + 1 == scan.messages.len();
        let settled = keys.is_empty() && !self.may_be_contradicted;
        let first = first_to_ask(scan, longest, settled);
        let new = (first..scan.messages.len()).rev().filter(ends);
        keys.extend(new.map(|at| Key::Sent(boundary(at))));
        keys.retain(|key| !asked.contains(key));
        keys.truncate(MAX_KEYS);
        (!keys.is_empty()).then_some(keys)
    }

    /// What the records say together; `complete` is [`KnownPrefix::complete`].
    pub(super) fn known_prefix(mut self, scan: &Scan, complete: bool) -> KnownPrefix {
        let mut known = KnownPrefix {
            complete,
            ..KnownPrefix::default()
        };
        let mut awaited = Awaited::default();
        let mut next = self.records.last_key_value().map(|(last, _)| *last);
        known.frozen = next.map_or(0, |last| last + 1);
        // Where a record is gone, the one before it is taken; what only the lost one knew counts as sent in the original.
        while let Some((last, record)) =
            next.and_then(|last| self.records.range(..=last).next_back())
        {
            if next != Some(*last) {
                known.gap = Some(last + 1);
            }
            let prefix = scan.messages[*last].boundary;
            for (place, form) in &record.forms {
                // What has landed in a later record counts.
                known.forms.entry(*place).or_insert(*form);
            }
            known.originals.extend(&record.originals);
            known.chain.push((prefix, record.clone()));
            if awaited.is_next(record) {
                let left = Some(DeferredPrefix {
                    prefix,
                    record: record.clone(),
                    compressed: self.compressed.remove(&prefix),
                });
                match record.tail {
                    true => known.tail = left,
                    false => known.deferred = left,
                }
            }
            next = previous(*last, record);
        }
        if next.is_some() {
            known.gap = Some(0);
        }
        known.lost = known.latest_record().is_some_and(|record| record.lost);
        if known.lost {
            known.forms.clear();
            known.originals.clear();
            known.deferred = None;
            known.tail = None;
        }
        known
    }
}

/// Which records of a chain wait for results that are to land, going from the longest prefix to the shortest.
#[derive(Debug, Default)]
struct Awaited {
    /// Whether there was one that waits for a result for its whole prefix.
    whole: bool,
    /// Whether one was found that waits for one for its new blocks alone, or none is to be found any more.
    tail: bool,
    /// Whether one of them continues another record.
    is_behind_the_first: bool,
}

impl Awaited {
    /// Whether the result of the next record is to land: of several that wait for the same, that of the longest prefix. Where one for a longer
    /// prefix as a whole has landed, it holds the forms of these new blocks, too.
    fn is_next(&mut self, record: &SentRecord) -> bool {
        self.tail |= record.landed_whole();
        let found = match record.tail {
            true => &mut self.tail,
            false => &mut self.whole,
        };
        let is_next = record.waiting && !*found;
        *found |= is_next;
        self.is_behind_the_first |= is_next && record.start > 0;
        is_next
    }
}

impl KnownPrefix {
    /// What the records that `local` gives say of a request; there are no others.
    pub(crate) fn of_records(
        scan: &Scan,
        local: impl Fn(PrefixId) -> Option<(Arc<SentRecord>, bool)>,
    ) -> Self {
        Lookup::locally(scan, local).known_prefix(scan, true)
    }
}

/// The last message of the record that this one continues, whose own last message is at `last`.
fn previous(last: usize, record: &SentRecord) -> Option<usize> {
    let before = (record.start as usize).checked_sub(1)?;
    (before < last).then_some(before)
}

/// The first message at whose boundary there could be a record that says something new: the first one after the longest prefix found.
/// Where nothing of that can change any more (`settled`), only a record of new blocks would.
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
