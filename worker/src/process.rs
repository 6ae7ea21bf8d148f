//! The job handler of the product: makes a compressed prefix of a job's payload. The result depends on the payload and the compressors alone.

use std::sync::Arc;

use headroom_shared::compress::{self, Deadline, Earlier, NoForm, Prepared, estimated_millitokens};
use headroom_shared::contract::job::Payload;
use headroom_shared::contract::prefix::{self, CompressedBlock, CompressedPrefix, Form, JobResult};

use crate::handler::{Failure, JobHandler};
use crate::shortener::Shortener;
use crate::{Settings, load_model};

/// The handler that compresses a job's blocks without loss.
#[must_use]
pub fn handler() -> JobHandler {
    handler_with(None)
}

/// The handler that compresses a job's blocks, with the model that the settings name; it is loaded first.
#[must_use]
pub fn handler_for(settings: &Settings) -> JobHandler {
    handler_with(load_model::load(&settings.worker))
}

/// The handler that compresses a job's blocks, with what leaves words out of them where the job allows that.
#[must_use]
pub fn handler_with(shortener: Option<Arc<dyn Shortener>>) -> JobHandler {
    Arc::new(move |job, deadline| process_with(&job.payload, shortener.as_deref(), deadline))
}

/// Compresses the blocks without loss, in the order of the conversation.
///
/// # Errors
/// Where the deadline is over first: there is no part of a result.
pub fn process(payload: &Payload, deadline: Deadline) -> Result<JobResult, Failure> {
    process_with(payload, None, deadline)
}

/// The same with what leaves words out of blocks whose payload allows that: none does.
fn process_with(
    payload: &Payload,
    _shortener: Option<&dyn Shortener>,
    deadline: Deadline,
) -> Result<JobResult, Failure> {
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
