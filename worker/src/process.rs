//! The job handler of the product: makes a compressed prefix of a job's payload. The result depends on the payload, the compressors and the
//! model, if there is one.

use std::sync::Arc;

use headroom_shared::compress::shorten::is_prose;
use headroom_shared::compress::{self, Deadline, Earlier, NoForm, Prepared, estimated_millitokens};
use headroom_shared::contract::id::OriginalId;
use headroom_shared::contract::job::{JobBlock, Payload};
use headroom_shared::contract::prefix::{self, CompressedBlock, CompressedPrefix, Form, JobResult};
use headroom_shared::contract::tier::Tier;

use crate::handler::{Failure, JobHandler, Work};
use crate::shortener::{ShortenError, Shortener, TokensLeft};
use crate::stale::{self, Stays};
use crate::{Settings, load_model};

/// The handler that compresses a job's blocks, without a model.
#[must_use]
pub fn handler() -> JobHandler {
    handler_with(None)
}

/// Compresses a job's blocks, with the model that the settings name; it is loaded first.
#[must_use]
pub fn work_for(settings: &Settings) -> Work {
    let shortener = load_model::load(&settings.worker);
    let model = shortener.as_ref().map(|it| it.identity().to_owned());
    Work {
        handler: handler_with(shortener),
        model,
    }
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
///
/// # Errors
/// As [`process`]; and where the shortener fails.
pub fn process_with(
    payload: &Payload,
    shortener: Option<&dyn Shortener>,
    deadline: Deadline,
) -> Result<JobResult, Failure> {
    let shortener = shortener.filter(|_| payload.tier == Tier::Recoverable);
    let stays = match payload.tier {
        Tier::Lossless => vec![Stays::All; payload.blocks.len()],
        Tier::Recoverable => stale::stays(payload, deadline),
    };
    if deadline.is_over() {
        return Err(Failure::OutOfTime);
    }
    let mut tokens = TokensLeft::OF_JOB;
    let mut earlier = Earlier::default().until(deadline);
    let mut blocks = Vec::new();
    let mut forms = Vec::new();
    for (block, stays) in payload.blocks.iter().zip(stays) {
        if payload.references {
            for call in &block.calls {
                earlier.push_call(&call.tool, &call.input);
            }
        }
        let prepared = prepared(block, stays, (shortener, &mut tokens), deadline)?;
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
    (shortener, tokens): (Option<&dyn Shortener>, &mut TokensLeft),
    deadline: Deadline,
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
    match shortener.shorten(&block.text, tokens, deadline) {
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

#[cfg(test)]
mod tests {
    use headroom_shared::contract::id::BlockId;
    use headroom_shared::contract::job::{self, Place};
    use headroom_shared::contract::output_kind::OutputKinds;

    use super::*;

    /// Leaves one word out wherever it stands, and looks at a token for each byte.
    #[derive(Debug)]
    struct WithoutPerhaps;

    impl Shortener for WithoutPerhaps {
        fn shorten(
            &self,
            text: &str,
            tokens: &mut TokensLeft,
            _: Deadline,
        ) -> Result<Option<String>, ShortenError> {
            let shorter = text.replace("perhaps ", "");
            Ok(tokens.take(text.len()).then_some(shorter))
        }

        fn identity(&self) -> &'static str {
            "00"
        }
    }

    /// A long text of a person, which says another thing in each line.
    fn report(message: u32) -> JobBlock {
        const SYLLABLES: [&str; 8] = ["ba", "cor", "di", "fen", "go", "lum", "ni", "ster"];
        let mut state = message;
        let mut random = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            SYLLABLES[(state >> 29) as usize]
        };
        let mut line = |_| -> String {
            let words =
                (0..6).map(|_| format!("{} perhaps ", (0..3).map(&mut random).collect::<String>()));
            words.collect::<String>() + "\n"
        };
        JobBlock {
            place: Place {
                message,
                part: 0,
                inner: 0,
            },
            block: BlockId::from_bytes([u8::try_from(message).unwrap(); 16]),
            text: (0..120).map(&mut line).collect(),
            tool: None,
            input: None,
            turn: 0,
            calls: Vec::new(),
        }
    }

    #[test]
    fn what_the_model_looks_at_is_bounded_for_all_texts_of_a_job() {
        let payload = Payload {
            v: job::VERSION,
            references: true,
            tier: Tier::Recoverable,
            whole_kinds: OutputKinds::NONE,
            provisional: false,
            useful_until_ms: 0,
            blocks: (0..4).map(report).collect(),
            calls_after: Vec::new(),
            turns: 0,
        };
        let bytes = payload.blocks[0].text.len();
        assert_eq!((1 << 15) / bytes, 2);
        let made = process_with(&payload, Some(&WithoutPerhaps), Deadline::NEVER).unwrap();
        let shortened = made.compressed.blocks.iter().filter(|it| it.shortened);
        let messages: Vec<u32> = shortened.map(|it| it.place.message).collect();
        assert_eq!(messages, [0, 1]);
        assert!(process_with(&payload, None, Deadline::after(std::time::Duration::ZERO)).is_err());
    }
}
