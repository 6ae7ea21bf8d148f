//! The job handler of the product: makes a compressed prefix of a job's payload. The result depends on the payload and the compressors alone.

use std::sync::Arc;

use headroom_shared::compress::{self, Deadline, Earlier, NoForm, Prepared, estimated_millitokens};
use headroom_shared::contract::job::Payload;
use headroom_shared::contract::prefix::{self, CompressedBlock, CompressedPrefix, Form, JobResult};

use crate::handler::{Failure, JobHandler};

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
    for block in &payload.blocks {
        if payload.references {
            for call in &block.calls {
                earlier.push_call(&call.tool, &call.input);
            }
        }
        let prepared = Prepared::of(block.source());
        match prepared.compress(&earlier) {
            Ok(text) => {
                let form = Form::new(block.block, &text);
                let [original, shorter] = [&block.text, &text].map(|it| estimated_millitokens(it));
                blocks.push(CompressedBlock {
                    place: block.place,
                    block: block.block,
                    form: form.id,
                    from_bytes: block.text.len() as u64,
                    to_bytes: text.len() as u64,
                    saved_tokens: original.saturating_sub(shorter) / 1000,
                    shortened: false,
                });
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
