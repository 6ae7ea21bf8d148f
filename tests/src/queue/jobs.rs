//! Jobs to play with.

use bytes::Bytes;
use headroom_shared::compress::Deadline;
use headroom_shared::contract::id::{BlockId, PrefixId};
use headroom_shared::contract::job::{Envelope, EscapedText, JobBlock, Payload, Place, VERSION};
use headroom_shared::contract::output_kind::OutputKinds;
use headroom_shared::contract::prefix::JobResult;
use headroom_shared::contract::tier::Tier;
use headroom_shared::runtime::clock::now_ms;
use headroom_worker::process;
use uuid::Uuid;

/// A text that any compressor makes smaller.
pub const TEXT: &str = include_str!("repeats.txt");

/// The prefix with this number.
pub fn prefix(number: u8) -> PrefixId {
    PrefixId::from_bytes([number; 16])
}

/// A job for the prefix with this number.
pub fn job(number: u8, text: &str) -> (Envelope, Payload) {
    job_for(prefix(number), text)
}

pub fn job_for(prefix: PrefixId, text: &str) -> (Envelope, Payload) {
    let block = |part: u32, text: &str| JobBlock {
        place: Place {
            message: 1,
            part,
            inner: 0,
        },
        block: block_id(text),
        text: text.to_owned(),
        tool: Some("Bash".to_owned()),
        input: None,
        turn: 0,
        calls: Vec::new(),
    };
    let payload = Payload {
        v: VERSION,
        references: true,
        tier: Tier::Lossless,
        whole_kinds: OutputKinds::NONE,
        provisional: false,
        useful_until_ms: 0,
        blocks: vec![block(0, text), block(1, TEXT)],
        calls_after: Vec::new(),
        turns: 0,
    };
    let envelope = Envelope {
        v: VERSION,
        id: Uuid::now_v7().to_string(),
        prefix,
        model: "claude-opus-4-6".to_owned(),
        tokens: 60_000,
        blocks: 2,
        bytes: payload.blocks.iter().map(|b| escaped_bytes(&b.text)).sum(),
        enqueued_ms: now_ms(),
        trace: "trace".to_owned(),
        refresh: false,
        traceparent: None,
    };
    (envelope, payload)
}

/// The same as a refresh.
pub fn refresh(number: u8, text: &str) -> (Envelope, Payload) {
    let (mut envelope, payload) = job(number, text);
    envelope.refresh = true;
    (envelope, payload)
}

/// A payload as a queue takes it.
pub fn json(payload: &Payload) -> Bytes {
    serde_json::to_vec(payload).unwrap().into()
}

fn escaped_bytes(text: &str) -> u64 {
    let quoted = serde_json::to_string(text).unwrap();
    EscapedText::new(quoted.as_bytes()).unwrap().bytes() as u64
}

/// What must come of it.
pub fn result(payload: &Payload) -> JobResult {
    process::process(payload, Deadline::NEVER).unwrap()
}

/// Some id that differs for different texts.
fn block_id(text: &str) -> BlockId {
    let mut bytes = [7; 16];
    for (index, byte) in text.bytes().enumerate() {
        bytes[index % 16] ^= byte.rotate_left((index % 7) as u32);
    }
    BlockId::from_bytes(bytes)
}
