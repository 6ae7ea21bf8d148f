//! The job handler of the product: makes a compressed prefix of a job's payload. The result depends on the payload and the compressors alone.

use std::sync::Arc;

use headroom_shared::compress::{self, Earlier};
use headroom_shared::contract::job::Payload;
use headroom_shared::contract::prefix::{self, CompressedBlock, CompressedPrefix, Form, JobResult};

use crate::handler::JobHandler;

/// The handler that compresses a job's blocks.
#[must_use]
pub fn handler() -> JobHandler {
    Arc::new(|job| Ok(process(&job.payload)))
}

/// Compresses the blocks, in the order of the conversation.
#[must_use]
pub fn process(payload: &Payload) -> JobResult {
    let mut earlier = Earlier::default();
    let mut blocks = Vec::new();
    let mut forms = Vec::new();
    for block in &payload.blocks {
        let source = block.source();
        if let Ok(text) = compress::compress(source, &earlier) {
            let form = Form::new(block.block, &text);
            blocks.push(CompressedBlock {
                place: block.place,
                block: block.block,
                form: form.id,
                from_bytes: block.text.len() as u64,
                to_bytes: text.len() as u64,
            });
            forms.push(form);
        }
        if payload.references {
            earlier.push(source);
        }
    }
    JobResult {
        compressed: CompressedPrefix {
            references: payload.references,
            v: prefix::VERSION,
            compressor: compress::VERSION,
            blocks,
        },
        forms,
    }
}
