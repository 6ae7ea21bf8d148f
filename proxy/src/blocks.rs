//! Blocks as compressors take them: unescaped, with the tool call they answer.

use std::collections::HashMap;

use headroom_shared::job::JobBlock;

use crate::scan::{Block, Call, Scan};

/// A longer input of a tool call is no help in naming its output, and is not repeated for every block of it.
const LONGEST_INPUT: usize = 4096;

/// The blocks of a request as a job or a compressor takes them, in order. One whose text is no Unicode (a lone surrogate) is
/// left out: it can't be handed on.
pub(crate) fn unescaped<'a>(
    body: &'a [u8],
    scan: &'a Scan,
) -> impl Iterator<Item = (usize, JobBlock)> + 'a {
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
            Some((index, unescape(body, block, call.copied())?))
        })
}

fn unescape(body: &[u8], block: &Block, call: Option<&Call>) -> Option<JobBlock> {
    let quoted = &body[block.span.start - 1..block.span.end + 1];
    let name =
        |call: &Call| serde_json::from_slice(&body[call.name.start - 1..call.name.end + 1]).ok();
    let input = |call: &Call| {
        let raw = &body[call.input.clone()];
        if raw.len() > LONGEST_INPUT {
            return None;
        }
        // `arguments` is JSON in a string; `input` is JSON as it stands.
        serde_json::from_slice::<String>(raw)
            .or_else(|_| String::from_utf8(raw.to_vec()))
            .ok()
    };
    Some(JobBlock {
        place: block.place,
        block: block.id,
        text: serde_json::from_slice(quoted).ok()?,
        tool: call.and_then(name),
        input: call.and_then(input),
    })
}
