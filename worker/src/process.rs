//! The job handler of the product: makes a compressed prefix of a job's payload. The result depends on the payload and the compressors alone.

use std::sync::Arc;

use headroom_shared::compress::shorten::Selection;
use headroom_shared::compress::{self, Deadline, Earlier, NoForm, Prepared, estimated_millitokens};
use headroom_shared::contract::id::OriginalId;
use headroom_shared::contract::job::{JobBlock, Payload};
use headroom_shared::contract::prefix::{self, CompressedBlock, CompressedPrefix, Form, JobResult};
use headroom_shared::contract::tier::Tier;

use crate::handler::{Failure, JobHandler};
use crate::stale;

/// The handler that compresses a job's blocks.
#[must_use]
pub fn handler() -> JobHandler {
    Arc::new(|job, deadline| process(&job.payload, deadline))
}

/// Compresses the blocks, in the order of the conversation.
///
/// # Errors
/// Where the deadline is over first: there is no part of a result.
pub fn process(payload: &Payload, deadline: Deadline) -> Result<JobResult, Failure> {
    let mut earlier = Earlier::default().until(deadline);
    let mut blocks = Vec::new();
    let mut forms = Vec::new();
    for (block, prepared) in payload.blocks.iter().zip(prepared(payload)) {
        if payload.references {
            for call in &block.calls {
                earlier.push_call(&call.tool, &call.input);
            }
        }
        match prepared.compress(&earlier) {
            Ok(text) => {
                let form = Form::new(block.block, &text);
                blocks.push(compressed(block, &text, &form));
                forms.push(form);
            }
            Err(NoForm::OutOfTime) => return Err(Failure::OutOfTime),
            Err(NoForm::NoGain | NoForm::BelowFloor) => {}
        }
        if payload.references {
            earlier.push_prepared(prepared);
        }
    }
    Ok(JobResult {
        compressed: CompressedPrefix {
            references: payload.references,
            v: prefix::VERSION,
            compressor: compress::VERSION,
            blocks,
        },
        forms,
    })
}

/// The blocks of a payload, each with what its form may leave out.
fn prepared(payload: &Payload) -> Vec<Prepared<'_>> {
    let blocks = payload.blocks.iter();
    match payload.tier {
        Tier::Lossless => blocks.map(|block| Prepared::of(block.source())).collect(),
        Tier::Recoverable => {
            let selections = stale::selections(&payload.blocks);
            let blocks = blocks.zip(selections);
            blocks
                .map(|(block, selection)| shorter(block, selection))
                .collect()
        }
    }
}

/// A block whose form may leave out what the agent can fetch again: all but this selection, if there is one.
fn shorter(block: &JobBlock, selection: Option<Selection>) -> Prepared<'_> {
    let (prepared, original) = (Prepared::of(block.source()), OriginalId::of(block.block));
    match selection {
        Some(selection) => prepared.with_selection(original, selection),
        None => prepared.with_original(original),
    }
}

/// What is told of a block's form, which shows `text`.
fn compressed(block: &JobBlock, text: &str, form: &Form) -> CompressedBlock {
    let [original, shorter] = [&*block.text, text].map(estimated_millitokens);
    CompressedBlock {
        place: block.place,
        block: block.block,
        form: form.id,
        from_bytes: block.text.len() as u64,
        to_bytes: text.len() as u64,
        saved_tokens: original.saturating_sub(shorter) / 1000,
        shortened: form.original.is_some(),
    }
}
