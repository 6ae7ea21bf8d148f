//! Blocks as compressors and jobs take them: each with the tool call whose output it is.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use headroom_shared::compress::Source;
use headroom_shared::compress::shorten::{Fetched, original_fetched};
use headroom_shared::contract::id::{OriginalId, PrefixId};
use headroom_shared::contract::job::{EscapedText, JobBlock, JobCall, Payload, VERSION};
use headroom_shared::contract::output_kind::OutputKinds;
use headroom_shared::contract::retrieval::TOOL;
use headroom_shared::contract::tier::Tier;

use super::call_parts::{LONGEST_INPUT, ReadInput, input, input_or_abridged, name};
use crate::scan::{Block, Call, Scan};

/// A tool call's input that is shorter than this holds no text that a block may refer to.
const SHORTEST_INPUT: usize = 256;

/// The blocks of a request as a compressor takes them. They are asked for in order.
#[derive(Debug)]
pub(crate) struct Blocks<'a> {
    body: &'a [u8],
    scan: &'a Scan,
    calls: Calls<'a>,
    /// How many bytes of calls may still be given with blocks: as many as the body has. Many blocks may name one call.
    left: usize,
}

impl<'a> Blocks<'a> {
    pub(crate) fn new(body: &'a [u8], scan: &'a Scan) -> Self {
        Self {
            body,
            scan,
            calls: Calls::default(),
            left: body.len(),
        }
    }

    /// The block at this position in the scan, unescaped; `None` for one whose text is no Unicode (a lone surrogate).
    pub(crate) fn unescaped(&mut self, index: usize) -> Option<JobBlock> {
        self.with_call(index, |quoted| serde_json::from_slice(quoted).ok())
    }

    /// The block at this position in the scan, with its tool call alone.
    pub(crate) fn without_text(&mut self, index: usize) -> Option<JobBlock<()>> {
        self.with_call(index, |_| Some(()))
    }

    fn with_call<Text>(
        &mut self,
        index: usize,
        text: impl Fn(&'a [u8]) -> Option<Text>,
    ) -> Option<JobBlock<Text>> {
        let (body, block) = (self.body, self.scan.blocks.get(index)?);
        let text = text(&body[block.span.start - 1..block.span.end + 1])?;
        let call = self.calls.of(body, self.scan, block).filter(|call| {
            let bytes = call.name.len() + call.input.len().min(LONGEST_INPUT);
            let left = self.left.checked_sub(bytes);
            self.left = left.unwrap_or(self.left);
            left.is_some()
        });
        Some(with_call(body, block, text, call))
    }
}

/// The tool calls that stand before a block, by their ids.
#[derive(Debug, Default)]
struct Calls<'a> {
    by_id: HashMap<&'a [u8], &'a Call>,
    /// How many of the scan's calls are in it.
    count: usize,
}

impl<'a> Calls<'a> {
    /// The call whose output a block is. Of several with the same id it is the last one before the block, whatever comes later.
    fn of(&mut self, body: &'a [u8], scan: &'a Scan, block: &Block) -> Option<&'a Call> {
        let later = &scan.calls[self.count..];
        let before = later
            .iter()
            .take_while(|call| call.id.start < block.span.start);
        for call in before {
            self.by_id.insert(&body[call.id.clone()], call);
            self.count += 1;
        }
        self.by_id.get(&body[block.call.clone()?]).copied()
    }
}

/// All blocks of a request that are Unicode, each with its position in the scan.
pub(crate) fn unescaped<'a>(
    body: &'a [u8],
    scan: &'a Scan,
) -> impl Iterator<Item = (usize, JobBlock)> + 'a {
    let mut blocks = Blocks::new(body, scan);
    (0..scan.blocks.len()).filter_map(move |index| Some((index, blocks.unescaped(index)?)))
}

/// The payload of a job: the blocks of a request up to the message that `prefix` ends with; their texts stay where they are in the body.
/// What the model no longer sees is no part of it. Its forms may leave out what `tier` says, of blocks of other kinds than these. `None`
/// where no message ends with `prefix`.
pub(crate) fn payload<'a>(
    body: &'a [u8],
    scan: &'a Scan,
    prefix: PrefixId,
    (tier, whole_kinds): (Tier, OutputKinds),
) -> Option<Payload<EscapedText<'a>>> {
    let mut messages = scan.messages.iter();
    let last = messages.position(|message| message.boundary == prefix)?;
    let in_sight = scan.blocks_from(scan.first_visible_message())..scan.blocks_from(last + 1);
    let turns = turns(scan);
    // Which texts are old is told by the calls after them, short ones and very long ones too.
    let (shortest, read): (usize, ReadInput) = match tier {
        Tier::Lossless => (SHORTEST_INPUT, input),
        Tier::Recoverable => (0, input_or_abridged),
    };
    let has_calls = scan.references || !tier.is_lossless();
    let mut next_call = scan.calls_before(scan.first_visible_message());
    // The calls before this message that were not given yet.
    let mut calls_before = |message: usize| -> Vec<JobCall> {
        if !has_calls {
            return Vec::new();
        }
        let calls = next_call..scan.calls_before(message);
        next_call = calls.end;
        calls_from((body, scan), calls, shortest, read).collect()
    };
    let mut blocks = Blocks::new(body, scan);
    let blocks = in_sight.filter_map(|index| {
        let mut block = blocks.with_call(index, EscapedText::new)?;
        let message = block.place.message as usize;
        block.turn = turns[message];
        block.calls = calls_before(message);
        Some(block)
    });
    let blocks = blocks.collect();
    Some(Payload {
        v: VERSION,
        references: scan.references,
        tier,
        whole_kinds,
        provisional: false,
        useful_until_ms: 0,
        blocks,
        calls_after: calls_before(last + 1),
        turns: turns[last],
    })
}

/// The payload of a job for some blocks of a request alone, by their positions in order. Their forms refer to nothing: a form names a block
/// by the tool call before it and, where there are several such calls, their count, which the job can't know.
pub(crate) fn payload_of_part<'a>(
    body: &'a [u8],
    scan: &'a Scan,
    part: &[usize],
) -> Payload<EscapedText<'a>> {
    let mut blocks = Blocks::new(body, scan);
    let blocks = part
        .iter()
        .filter_map(|index| blocks.with_call(*index, EscapedText::new));
    Payload {
        v: VERSION,
        references: false,
        tier: Tier::Lossless,
        whole_kinds: OutputKinds::NONE,
        provisional: true,
        useful_until_ms: 0,
        blocks: blocks.collect(),
        calls_after: Vec::new(),
        turns: 0,
    }
}

/// The payload of a job for some new blocks of a request alone, whose forms may leave out what `tier` says, of blocks of other kinds than these.
/// After `useful_until_ms` (milliseconds since 1970) nobody needs its result.
pub(crate) fn payload_of_tail<'a>(
    body: &'a [u8],
    scan: &'a Scan,
    blocks: &[usize],
    (tier, whole_kinds): (Tier, OutputKinds),
    useful_until_ms: u64,
) -> Payload<EscapedText<'a>> {
    Payload {
        tier,
        whole_kinds,
        provisional: false,
        useful_until_ms,
        ..payload_of_part(body, scan, blocks)
    }
}

/// For each message how many turns the model has had up to it: a turn is what it wrote in one message or in several that follow each other.
fn turns(scan: &Scan) -> Vec<u32> {
    let (mut turns, mut is_in_turn) = (0, false);
    let messages = scan.messages.iter();
    let turns = messages.map(|message| {
        let from_model = message.may_be_from_model();
        turns += u32::from(from_model && !is_in_turn);
        is_in_turn = from_model;
        turns
    });
    turns.collect()
}

/// The originals that those of a request's tool calls fetch, by their positions.
pub(crate) fn retrieved<'a>(
    body: &'a [u8],
    scan: &'a Scan,
    calls: Range<usize>,
) -> impl Iterator<Item = OriginalId> + 'a {
    // Most calls need not be read to know that they are none.
    let may_fetch = |call: &&Call| body[call.name.clone()].ends_with(TOOL.as_bytes());
    let calls = scan.calls.get(calls).unwrap_or_default().iter();
    let calls = calls.filter(may_fetch);
    calls.filter_map(|call| original_fetched(&name(body, call)?, &input(body, call)?))
}

/// The first block of a request that has each of these originals, with its tool call alone: a later one may be what fetched it.
pub(crate) fn of_originals(
    body: &[u8],
    scan: &Scan,
    originals: &HashSet<OriginalId>,
) -> Vec<(OriginalId, JobBlock<()>)> {
    let mut blocks = Blocks::new(body, scan);
    let mut left = originals.clone();
    let named = scan.blocks.iter().enumerate();
    let named = named.map(|(at, block)| (at, OriginalId::of(block.id)));
    let named = named.filter(|(_, original)| left.remove(original));
    let found = named.filter_map(|(at, original)| Some((original, blocks.without_text(at)?)));
    found.collect()
}

/// A block as its call tells of it.
pub(crate) fn call_alone(block: &JobBlock<()>) -> Source<'_> {
    Source {
        text: "",
        tool: block.tool.as_deref(),
        input: block.input.as_deref(),
    }
}

/// What the agent has fetched again in the conversation of a request.
pub(crate) fn fetched(body: &[u8], scan: &Scan) -> Fetched {
    let originals: HashSet<OriginalId> = retrieved(body, scan, 0..scan.calls.len()).collect();
    if originals.is_empty() {
        return Fetched::default();
    }
    let blocks = of_originals(body, scan, &originals);
    let sources = blocks.iter();
    let sources = sources.map(|(original, block)| (*original, call_alone(block)));
    Fetched::of(originals, sources)
}

/// Those of a request's tool calls, by their positions, to whose inputs a block may refer.
pub(crate) fn long_calls<'a>(
    body: &'a [u8],
    scan: &'a Scan,
    calls: Range<usize>,
) -> impl Iterator<Item = JobCall> + 'a {
    calls_from((body, scan), calls, SHORTEST_INPUT, input)
}

/// Those whose inputs have at least so many bytes.
fn calls_from<'a>(
    (body, scan): (&'a [u8], &'a Scan),
    calls: Range<usize>,
    shortest: usize,
    read: ReadInput,
) -> impl Iterator<Item = JobCall> + 'a {
    let calls = scan.calls.get(calls).unwrap_or_default().iter();
    let calls = calls.filter(move |call| call.input.len() >= shortest);
    calls.filter_map(move |call| {
        Some(JobCall {
            tool: name(body, call)?,
            input: read(body, call)?,
        })
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

fn with_call<Text>(body: &[u8], block: &Block, text: Text, call: Option<&Call>) -> JobBlock<Text> {
    JobBlock {
        place: block.place,
        block: block.id,
        text,
        tool: call.and_then(|call| name(body, call)),
        input: call.and_then(|call| input(body, call)),
        turn: 0,
        calls: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::DIALECTS;
    use crate::scan::scan;
    use headroom_shared::contract::id::DigestKey;
    use serde_json::{Value, json};

    #[test]
    fn calls_that_very_many_blocks_name_take_no_more_than_the_body() {
        let call = json!({"type": "tool_use", "id": "c", "name": "Bash", "input": {"command": "x".repeat(50_000)}});
        let result =
            json!({"type": "tool_result", "tool_use_id": "c", "content": "text ".repeat(60)});
        let messages = json!([
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": vec![result; 2000]},
        ]);
        let body = json!({"model": "claude-opus-4-6", "messages": messages}).to_string();
        let key = DigestKey::from_bytes([7; 32]);
        let scan = scan(body.as_bytes(), DIALECTS[0], &key).unwrap();
        let payload = payload(
            body.as_bytes(),
            &scan,
            scan.full_prefix().unwrap(),
            (Tier::Lossless, OutputKinds::NONE),
        )
        .unwrap();
        assert_eq!(payload.blocks.len(), 2000);
        let inputs = payload.blocks.iter().filter_map(|it| it.input.as_ref());
        let bytes: usize = inputs.map(String::len).sum();
        assert!(bytes > 50_000 && bytes <= body.len(), "{bytes}");
    }

    #[test]
    fn a_job_that_may_leave_something_out_knows_of_all_calls() {
        let turn = |id: &str, name: &str, answer: &str| {
            let call = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
            let result = json!({"type": "tool_result", "tool_use_id": id, "content": answer});
            [
                json!({"role": "assistant", "content": [call]}),
                json!({"role": "user", "content": [result]}),
            ]
        };
        let text = "text ".repeat(200);
        let turns = [
            turn("1", "Read", &text),
            turn("2", "Read", &text),
            turn("3", "Edit", "ok"),
        ];
        let messages: Vec<_> = turns.into_iter().flatten().collect();
        let body = json!({"model": "claude-opus-4-6", "messages": messages}).to_string();
        let key = DigestKey::from_bytes([7; 32]);
        let scan = scan(body.as_bytes(), DIALECTS[0], &key).unwrap();
        let payload = |prefix, tier| {
            payload(body.as_bytes(), &scan, prefix, (tier, OutputKinds::NONE)).unwrap()
        };
        let whole = payload(scan.full_prefix().unwrap(), Tier::Recoverable);
        let after: Vec<&str> = whole.calls_after.iter().map(|it| &*it.tool).collect();
        assert_eq!((after, whole.turns), (vec!["Edit"], 3));
        let turns: Vec<u32> = whole.blocks.iter().map(|block| block.turn).collect();
        assert_eq!(turns, [1, 2]);
        let first = payload(scan.messages[1].boundary, Tier::Recoverable);
        assert_eq!((first.calls_after.len(), first.turns), (0, 1));
        let lossless = payload(scan.full_prefix().unwrap(), Tier::Lossless);
        assert!(lossless.calls_after.is_empty());
    }

    #[test]
    fn a_job_that_may_leave_something_out_knows_the_files_of_very_long_calls() {
        let content = "a line of the file\n".repeat(LONGEST_INPUT / 8);
        let input = json!({"file_path": "/srv/a.rs", "content": content});
        let call = json!({"type": "tool_use", "id": "1", "name": "Write", "input": input});
        let messages = json!([
            {"role": "user", "content": "text ".repeat(2000)},
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "ok"}]},
        ]);
        let body = json!({"model": "claude-opus-4-6", "messages": messages}).to_string();
        let scan = scan(
            body.as_bytes(),
            DIALECTS[0],
            &DigestKey::from_bytes([7; 32]),
        )
        .unwrap();
        let calls = |tier| {
            let prefix = scan.full_prefix().unwrap();
            let tiers = (tier, OutputKinds::NONE);
            let payload = payload(body.as_bytes(), &scan, prefix, tiers).unwrap();
            payload.calls_after
        };
        assert!(calls(Tier::Lossless).is_empty());
        let known = calls(Tier::Recoverable);
        let input: Value = serde_json::from_str(&known[0].input).unwrap();
        assert_eq!(known[0].tool, "Write");
        assert_eq!(
            input,
            json!({"file_path": "/srv/a.rs", "content": "a line of the file"})
        );
    }

    #[test]
    fn a_block_belongs_to_the_last_call_with_its_id_before_it() {
        let call = |name: &str| {
            let call = json!({"type": "tool_use", "id": "call_1", "name": name, "input": {}});
            json!({"role": "assistant", "content": [call]})
        };
        let result = json!({"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "call_1", "content": "text ".repeat(200)},
        ]});
        let messages = [
            result.clone(),
            call("Read"),
            result.clone(),
            call("Bash"),
            result,
        ];
        let body = json!({"model": "claude-opus-4-6", "messages": messages}).to_string();
        let key = DigestKey::from_bytes([7; 32]);
        let scan = scan(body.as_bytes(), DIALECTS[0], &key).unwrap();
        let tools: Vec<_> = unescaped(body.as_bytes(), &scan)
            .map(|(_, block)| block.tool)
            .collect();
        assert_eq!(tools, [None, Some("Read".into()), Some("Bash".into())]);
    }
}
