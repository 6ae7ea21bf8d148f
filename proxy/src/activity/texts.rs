//! What the blocks of the last conversations look like: as the client sent them, and as they went out. These are prompts, so nothing is kept
//! unless the operator asks for it.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use headroom_shared::contract::prefix::unescaped;
use serde::Serialize;

use super::ConversationId;
use crate::plan::blocks;
use crate::scan::Scan;

/// Of so many conversations the last request is kept.
const MAX_CONVERSATIONS: usize = 16;
/// Bytes that these requests may have together; those that went out longest ago are dropped.
const MAX_BYTES: usize = 64 << 20;

/// The last requests of the last conversations.
#[derive(Debug, Clone, Default)]
pub(crate) struct Texts(Arc<Mutex<VecDeque<Request>>>);

/// The last request of a conversation.
#[derive(Debug)]
struct Request {
    conversation: ConversationId,
    body: Bytes,
    blocks: Vec<Block>,
}

/// Where a block stands in the body, and its form, escaped.
#[derive(Debug)]
struct Block {
    tool: Option<String>,
    original: Range<usize>,
    form: Option<Bytes>,
}

/// A block in a list.
#[derive(Debug, Serialize)]
pub(crate) struct BlockSummary {
    /// The tool whose output it is, where that is known.
    tool: Option<String>,
    /// Bytes of its text, escaped, as the client sent it.
    bytes: usize,
    /// The same of its form; `None` where it went out in the original.
    form_bytes: Option<usize>,
}

/// The texts of a block.
#[derive(Debug, Serialize)]
pub(crate) struct BlockTexts {
    /// As the client sent it.
    original: String,
    /// As it went out, if that is another text.
    form: Option<String>,
}

impl Texts {
    /// Keeps a request that goes out with these forms in place of the one before.
    pub(super) fn keep(
        &self,
        conversation: ConversationId,
        (body, scan): (&Bytes, &Scan),
        forms: &[(usize, Bytes)],
    ) {
        let mut forms = forms.iter().peekable();
        let blocks = scan.blocks.iter().enumerate().map(|(index, block)| Block {
            tool: blocks::tool(body, scan, block),
            original: block.span.clone(),
            form: forms
                .next_if(|(at, _)| *at == index)
                .map(|(_, form)| form.clone()),
        });
        let request = Request {
            conversation,
            // A copy: the body itself counts in HEADROOM_MAX_MEMORY for as long as any part of it is held.
            body: Bytes::copy_from_slice(body),
            blocks: blocks.collect(),
        };
        let mut requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        requests.retain(|it| it.conversation != conversation);
        requests.push_front(request);
        requests.truncate(MAX_CONVERSATIONS);
        let mut bytes = 0;
        requests.retain(|it| {
            bytes += it.body.len();
            bytes <= MAX_BYTES
        });
    }

    /// The blocks of a conversation, where its last request is kept.
    pub(crate) fn blocks(&self, conversation: ConversationId) -> Option<Vec<BlockSummary>> {
        self.with(conversation, |request| {
            let summary = |block: &Block| BlockSummary {
                tool: block.tool.clone(),
                bytes: block.original.len(),
                form_bytes: block.form.as_ref().map(Bytes::len),
            };
            Some(request.blocks.iter().map(summary).collect())
        })
    }

    /// The texts of one of them, by its position.
    pub(crate) fn block(&self, conversation: ConversationId, index: usize) -> Option<BlockTexts> {
        self.with(conversation, |request| {
            let block = request.blocks.get(index)?;
            Some(BlockTexts {
                original: unescaped(&request.body[block.original.clone()])?,
                form: block.form.as_ref().and_then(|form| unescaped(form)),
            })
        })
    }

    fn with<T>(
        &self,
        conversation: ConversationId,
        read: impl FnOnce(&Request) -> Option<T>,
    ) -> Option<T> {
        let requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        read(requests.iter().find(|it| it.conversation == conversation)?)
    }
}
