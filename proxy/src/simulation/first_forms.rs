//! The form of each block from its first send on, as if compressing took no time: what a session could send at best.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use headroom_shared::contract::id::PrefixId;
use headroom_shared::contract::job::Place;

use super::ENTRY_BUDGET;
use crate::plan::first_send::{BlocksToCompress, compress_blocks};
use crate::plan::history::remember;
use crate::plan::history_cache::HistoryCache;
use crate::plan::skip_reason::CompressResult;
use crate::scan::{Block, Scan};

/// A block by the prefix that ends with its message, and where it stands.
type Key = (PrefixId, Place);

/// The forms of a conversation's blocks. A form depends on its block and on what stands before it alone, so each is made once.
#[derive(Debug)]
pub(crate) struct FirstForms {
    histories: HistoryCache,
    forms: HashMap<Key, Option<Bytes>>,
}

impl FirstForms {
    pub(crate) fn new() -> Self {
        Self {
            histories: HistoryCache::new(),
            forms: HashMap::new(),
        }
    }

    /// Notes that blocks of a request stay in the original: those before this message.
    pub(crate) fn keep_originals(&mut self, scan: &Scan, before: usize) {
        let blocks = &scan.blocks[..scan.blocks_from(before)];
        let keys = blocks.iter().map(|block| key(scan, block));
        self.forms.extend(keys.map(|key| (key, None)));
    }

    /// The form of each block of a request; `None` for one that nothing makes cheaper.
    pub(crate) fn of(&mut self, body: &Bytes, scan: &Arc<Scan>) -> Vec<Option<Bytes>> {
        let unknown = |block: &Block| !self.forms.contains_key(&key(scan, block));
        if let Some(first) = scan.blocks.iter().position(unknown) {
            self.compress(body, scan, first);
        }
        let form = |block| self.forms.get(&key(scan, block)).cloned().flatten();
        scan.blocks.iter().map(form).collect()
    }

    fn compress(&mut self, body: &Bytes, scan: &Arc<Scan>, first: usize) {
        let to_compress = BlocksToCompress::new_from(first, scan);
        let deadline = Instant::now() + ENTRY_BUDGET;
        let forms = &mut self.forms;
        let on_result = |index: usize, result: CompressResult| {
            let form = result.ok().map(|form| Bytes::from(form.text));
            forms.entry(key(scan, &scan.blocks[index])).or_insert(form);
            ControlFlow::Continue(())
        };
        let request = (body, &**scan);
        let index = compress_blocks(request, &to_compress, &self.histories, deadline, on_result);
        remember(request, index, &self.histories, deadline);
    }
}

fn key(scan: &Scan, block: &Block) -> Key {
    (scan.prefix_with(block), block.place)
}
