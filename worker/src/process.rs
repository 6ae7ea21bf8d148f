//! The job handler of the product: makes a compressed prefix of a job's payload. The result depends on the payload, the compressors and the
//! model, if there is one.

use std::sync::Arc;

use headroom_shared::compress::shorten::is_prose;
use headroom_shared::compress::{self, Deadline, Earlier, NoForm, Prepared, estimated_millitokens};
use headroom_shared::contract::id::OriginalId;
use headroom_shared::contract::job::{JobBlock, Payload};
use headroom_shared::contract::prefix::{self, CompressedBlock, CompressedPrefix, Form, JobResult};
use headroom_shared::contract::tier::Tier;

use crate::handler::{Failure, JobHandler};
use crate::shortener::{ShortenError, Shortener};
use crate::stale::{self, Stays};
use crate::{Settings, load_model};

/// The handler that compresses a job's blocks, without a model.
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

/// Compresses the blocks, in the order of the conversation, without a model.
///
/// # Errors
/// Where the deadline is over first: there is no part of a result.
pub fn process(payload: &Payload, deadline: Deadline) -> Result<JobResult, Failure> {
    process_with(payload, None, deadline)
}

/// The same with what leaves words out of blocks whose payload allows that.
fn process_with(
    payload: &Payload,
    shortener: Option<&dyn Shortener>,
    deadline: Deadline,
) -> Result<JobResult, Failure> {
    let shortener = shortener.filter(|_| payload.tier == Tier::Recoverable);
    let stays = match payload.tier {
        Tier::Lossless => vec![Stays::All; payload.blocks.len()],
        Tier::Recoverable => stale::stays(&payload.blocks, deadline),
    };
    if deadline.is_over() {
        return Err(Failure::OutOfTime);
    }
    let mut earlier = Earlier::default().until(deadline);
    let mut blocks = Vec::new();
    let mut forms = Vec::new();
    for (block, stays) in payload.blocks.iter().zip(stays) {
        if payload.references {
            for call in &block.calls {
                earlier.push_call(&call.tool, &call.input);
            }
        }
        let prepared = prepared(block, stays, (shortener, deadline))?;
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
            model: shortener.map(|shortener| shortener.identity().to_owned()),
            blocks,
        },
        forms,
    })
}

/// A block with what its form may leave out.
fn prepared<'a>(
    block: &'a JobBlock,
    stays: Stays,
    (shortener, deadline): (Option<&dyn Shortener>, Deadline),
) -> Result<Prepared<'a>, Failure> {
    let prepared = Prepared::of(block.source());
    let original = OriginalId::of(block.block);
    match stays {
        Stays::All => return Ok(prepared),
        Stays::Selected(selection) => return Ok(prepared.with_selection(original, selection)),
        Stays::AsSentFirst => {}
    }
    let Some(shortener) = shortener.filter(|_| is_prose(block.source())) else {
        return Ok(prepared.with_original(original));
    };
    match shortener.shorten(&block.text, deadline) {
        Ok(Some(words)) => Ok(prepared.with_words(original, words)),
        Ok(None) => Ok(prepared.with_original(original)),
        Err(ShortenError::OutOfTime) => Err(Failure::OutOfTime),
        Err(ShortenError::Failed(reason)) => {
            Err(Failure::Transient(format!("the model: {reason}")))
        }
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
