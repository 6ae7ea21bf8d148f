//! The forms in which blocks of a conversation were last sent, wherever they stood: where a client edits what stands before a block, its
//! place is no longer known, but this is.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use bytes::Bytes;
use headroom_shared::contract::id::{FormId, SentBlockId};
use headroom_shared::contract::prefix::Form;
use headroom_shared::store::Key;

use crate::scan::Scan;

/// The most blocks behind a client's edit whose forms are asked for at once.
const MAX_BLOCKS: usize = 512;

/// The keys under which these blocks' forms stand, each with the block's position in the scan; the last [`MAX_BLOCKS`] alone, because
/// they are the likeliest to stand behind the client's edit.
pub(crate) fn keys(scan: &Scan, blocks: Range<usize>) -> Vec<(usize, Key)> {
    let Some(opening) = scan.opening() else {
        return Vec::new();
    };
    let first = blocks.start.max(blocks.end.saturating_sub(MAX_BLOCKS));
    let duplicates_before = scan.duplicates_before();
    let key = |at: usize| SentBlockId::of(opening, scan.blocks[at].id, duplicates_before[at]);
    let blocks = first..blocks.end;
    blocks.map(|at| (at, Key::SentForm(key(at)))).collect()
}

/// The form that the value of such a key names.
pub(crate) fn form_id(value: &[u8]) -> Option<FormId> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// Those forms whose texts are there and are the blocks' own.
pub(crate) fn forms(
    scan: &Scan,
    sent: BTreeMap<usize, FormId>,
    texts: &HashMap<FormId, Bytes>,
) -> BTreeMap<usize, Form> {
    let form = |(at, id): (usize, FormId)| {
        let form = Form::of_escaped(scan.blocks[at].id, texts.get(&id)?)?;
        (form.id == id).then_some((at, form))
    };
    sent.into_iter().filter_map(form).collect()
}
