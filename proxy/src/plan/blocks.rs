//! Blocks as compressors and jobs take them: each with the tool call whose output it is.

use std::collections::HashMap;

use headroom_shared::contract::id::PrefixId;
use headroom_shared::contract::job::{EscapedText, JobBlock, Payload, VERSION};

use crate::scan::{Block, Call, Scan};

/// A tool call's input that is longer than this says little about its output, and is left out.
const LONGEST_INPUT: usize = 4096;

/// The blocks of a request as a compressor takes them, in order, each with its position in the scan. One whose text is no Unicode
/// (a lone surrogate) is left out.
pub(crate) fn unescaped<'a>(
    body: &'a [u8],
    scan: &'a Scan,
) -> impl Iterator<Item = (usize, JobBlock)> + 'a {
    with_calls(body, scan, |quoted| serde_json::from_slice(quoted).ok())
}

/// The payload of a job: the blocks of a request up to the message that `prefix` ends with; their texts stay where they are in the body.
/// What the model no longer sees is no part of it. `None` where no message ends with `prefix`.
pub(crate) fn payload<'a>(
    body: &'a [u8],
    scan: &'a Scan,
    prefix: PrefixId,
) -> Option<Payload<EscapedText<'a>>> {
    let mut messages = scan.messages.iter();
    let last = messages.position(|message| message.boundary == prefix)?;
    let in_sight = scan.first_visible_message();
    let blocks = with_calls(body, scan, EscapedText::new).map(|(_, block)| block);
    let blocks = blocks
        .skip_while(|block| (block.place.message as usize) < in_sight)
        .take_while(|block| block.place.message as usize <= last);
    Some(Payload {
        v: VERSION,
        references: scan.references,
        blocks: blocks.collect(),
    })
}

fn with_calls<'a, Text>(
    body: &'a [u8],
    scan: &'a Scan,
    text: impl Fn(&'a [u8]) -> Option<Text> + 'a,
) -> impl Iterator<Item = (usize, JobBlock<Text>)> + 'a {
    let calls: HashMap<&[u8], &Call> = scan
        .calls
        .iter()
        .map(|call| (&body[call.id.clone()], call))
        .collect();
    scan.blocks
        .iter()
        .enumerate()
        .filter_map(move |(index, block)| {
            let call = block
                .call
                .as_ref()
                .and_then(|id| calls.get(&body[id.clone()]));
            let text = text(&body[block.span.start - 1..block.span.end + 1])?;
            Some((index, with_call(body, block, text, call.copied())))
        })
}

/// The name of the tool whose output a block is, where it is known.
pub(crate) fn tool(body: &[u8], scan: &Scan, block: &Block) -> Option<String> {
    let id = &body[block.call.clone()?];
    let call = scan
        .calls
        .iter()
        .rfind(|call| &body[call.id.clone()] == id)?;
    name(body, call)
}

fn name(body: &[u8], call: &Call) -> Option<String> {
    serde_json::from_slice(&body[call.name.start - 1..call.name.end + 1]).ok()
}

fn with_call<Text>(body: &[u8], block: &Block, text: Text, call: Option<&Call>) -> JobBlock<Text> {
    let input = |call: &Call| {
        let raw = &body[call.input.clone()];
        if raw.len() > LONGEST_INPUT {
            return None;
        }
        // `arguments` is JSON in a string; `input` is JSON as it stands.
        let in_string = raw.starts_with(b"\"").then(|| serde_json::from_slice(raw));
        in_string
            .and_then(Result::ok)
            .or_else(|| String::from_utf8(raw.to_vec()).ok())
    };
    JobBlock {
        place: block.place,
        block: block.id,
        text,
        tool: call.and_then(|call| name(body, call)),
        input: call.and_then(input),
    }
}
