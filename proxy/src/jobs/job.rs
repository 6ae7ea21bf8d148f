//! Builds a job from a request: its envelope, and its payload's JSON.

use bytes::Bytes;
use headroom_shared::contract::id::PrefixId;
use headroom_shared::contract::job::{Envelope, EscapedText, Payload, VERSION};
use headroom_shared::runtime::clock::now_ms;
use uuid::Uuid;

use super::{JobSource, Origin, Tail};
use crate::plan::blocks;
use crate::plan::fleet::Part;
use crate::scan::Scan;

/// The job of a request up to the message that its prefix ends with, or of new blocks alone.
pub(super) fn build(source: &JobSource) -> Option<(Envelope, Bytes)> {
    let JobSource {
        body,
        scan,
        prefix,
        tier,
        whole_kinds,
        origin,
        is_refresh,
        tail,
    } = source;
    if let Some(Tail {
        blocks,
        useful_until_ms,
    }) = tail
    {
        let may_leave_out = (*tier, *whole_kinds);
        let payload = blocks::payload_of_tail(body, scan, blocks, may_leave_out, *useful_until_ms);
        let bytes = blocks.iter().map(|at| scan.blocks[*at].span.len());
        let tokens = scan.facts.tokens(bytes.sum());
        return of_payload(scan, (*prefix, tokens), &payload, (origin, *is_refresh));
    }
    let payload = blocks::payload(body, scan, *prefix, (*tier, *whole_kinds))?;
    of_payload(
        scan,
        (*prefix, scan.tokens()),
        &payload,
        (origin, *is_refresh),
    )
}

/// The job of some blocks of a request alone.
pub(super) fn build_part(
    (body, scan): (&Bytes, &Scan),
    part: &Part,
    origin: &Origin,
) -> Option<(Envelope, Bytes)> {
    let prefix = PrefixId::of_part(scan.full_prefix()?, &part.blocks);
    let payload = blocks::payload_of_part(body, scan, &part.blocks);
    let tokens = scan.facts.tokens(part.bytes);
    of_payload(scan, (prefix, tokens), &payload, (origin, false))
}

fn of_payload(
    scan: &Scan,
    (prefix, tokens): (PrefixId, u64),
    payload: &Payload<EscapedText<'_>>,
    (origin, is_refresh): (&Origin, bool),
) -> Option<(Envelope, Bytes)> {
    let texts = payload.blocks.iter().map(|block| block.text.bytes() as u64);
    let envelope = Envelope {
        v: VERSION,
        id: Uuid::now_v7().to_string(),
        prefix,
        model: scan.model.clone(),
        tokens,
        blocks: payload.blocks.len() as u64,
        bytes: texts.sum(),
        enqueued_ms: now_ms(),
        trace: origin.id.clone(),
        traceparent: origin.span.traceparent(),
        refresh: is_refresh,
    };
    Some((envelope, payload.to_json().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::DIALECTS;
    use crate::plan::Planner;
    use crate::scan::{ScanCache, ScanProgress, scan_until};
    use headroom_shared::contract::id::DigestKey;
    use headroom_shared::contract::job::JobBlock;
    use headroom_shared::contract::output_kind::OutputKinds;
    use headroom_shared::contract::tier::Tier;
    use std::sync::Arc;

    const RESPONSE: &[u8] = br#"{"role":"assistant","content":"ok"}"#;

    fn user(text: &[u8]) -> Vec<u8> {
        [br#"{"role":"user","content":""#, text, br#""}"#].concat()
    }

    fn body(messages: &[Vec<u8>]) -> Bytes {
        let messages = messages.join(&b","[..]);
        Bytes::from([br#"{"model":"m","messages":["#, &messages[..], b"]}"].concat())
    }

    fn scan(body: &Bytes) -> Arc<Scan> {
        let key = DigestKey::from_bytes([1; 32]);
        Arc::new(crate::scan::scan(body, DIALECTS[0], &key).unwrap())
    }

    /// The job up to the message at `last`, with its payload as a worker reads it.
    fn read_job(body: &Bytes, scan: &Arc<Scan>, last: usize) -> (Envelope, Payload) {
        let prefix = scan.messages[last].boundary;
        let source = JobSource {
            body: body.clone(),
            scan: scan.clone(),
            prefix,
            tier: Tier::Lossless,
            whole_kinds: OutputKinds::NONE,
            origin: Origin::default(),
            is_refresh: false,
            tail: None,
        };
        let (envelope, payload) = build(&source).unwrap();
        let payload: Payload = serde_json::from_slice(&payload).unwrap();
        assert_eq!(envelope.prefix, prefix);
        assert_eq!(envelope.blocks, payload.blocks.len() as u64);
        (envelope, payload)
    }

    #[test]
    fn a_job_holds_the_blocks_of_its_prefix_and_no_later_ones() {
        let long = |letter: &[u8]| user(&letter.repeat(3000));
        let body = body(&[long(b"a"), RESPONSE.to_vec(), long(b"b")]);
        let scan = scan(&body);
        for (last, blocks) in [(0, 1), (1, 1), (2, 2)] {
            let (envelope, _) = read_job(&body, &scan, last);
            assert_eq!((envelope.blocks, envelope.bytes), (blocks, blocks * 3000));
        }
    }

    #[test]
    fn a_worker_reads_from_a_job_the_blocks_that_the_proxy_would_compress() {
        let long = b"a \\\"quoted\\\" word, \\u00e9 \\ud83e\\udd80 \xc3\xa9\\n".repeat(100);
        let call = br#"{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"Read","input":{"path":"a\tb"}}]}"#;
        let result = [
            br#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":""#,
            &long[..],
            br#""}]}"#,
        ];
        let body = body(&[user(&long), call.to_vec(), result.concat()]);
        let scan = scan(&body);
        let (envelope, payload) = read_job(&body, &scan, 2);
        assert_eq!(envelope.bytes, 2 * long.len() as u64);
        assert_eq!(payload.references, scan.references);
        let turns: Vec<u32> = payload.blocks.iter().map(|block| block.turn).collect();
        assert_eq!((turns, payload.turns), (vec![0, 1], 1));
        let mut compressed = unescaped(&body, &scan);
        compressed[1].turn = 1;
        assert_eq!(payload.blocks, compressed);
        assert_eq!(payload.blocks[1].tool.as_deref(), Some("Read"));
        assert_eq!(
            payload.blocks[1].input.as_deref(),
            Some(r#"{"path":"a\tb"}"#)
        );
    }

    #[test]
    fn a_part_is_a_job_of_its_blocks_alone_under_a_prefix_of_its_own() {
        let long = |letter: &[u8]| user(&letter.repeat(3000));
        let body = body(&[long(b"a"), long(b"b"), RESPONSE.to_vec(), long(b"c")]);
        let scan = scan(&body);
        let job = |blocks: &[usize]| {
            let part = Part {
                blocks: blocks.to_vec(),
                bytes: blocks.len() * 3000,
            };
            let (envelope, payload) =
                build_part((&body, &scan), &part, &Origin::default()).unwrap();
            let payload: Payload = serde_json::from_slice(&payload).unwrap();
            (envelope, payload)
        };
        let (envelope, payload) = job(&[1, 2]);
        assert_eq!((envelope.blocks, envelope.bytes), (2, 6000));
        assert_eq!(payload.blocks, unescaped(&body, &scan)[1..]);
        assert_eq!((payload.references, payload.provisional), (false, true));
        assert_eq!(job(&[1, 2]).0.prefix, envelope.prefix);
        assert_ne!(job(&[1]).0.prefix, envelope.prefix);
        let is_real = |message: &crate::scan::Message| message.boundary == envelope.prefix;
        assert!(!scan.messages.iter().any(is_real));
    }

    #[test]
    fn a_text_that_can_not_be_read_is_left_out_of_its_job() {
        let beginning = b"a".repeat(3000);
        for bad in [&br"\ud83e"[..], br"\udd80\ud83e", br"\x41", b"\n", b"\xff"] {
            let with = |end: &[u8]| user(&[&beginning, end].concat());
            let body = body(&[with(b"first"), with(bad), with(b"last")]);
            let scan = scan(&body);
            assert_eq!(scan.blocks.len(), 3);
            let (_, payload) = read_job(&body, &scan, 2);
            let messages = payload.blocks.iter().map(|block| block.place.message);
            assert_eq!(messages.collect::<Vec<_>>(), [0, 2], "{bad:?}");
            assert_eq!(payload.blocks, unescaped(&body, &scan));
        }
    }

    #[test]
    fn the_model_s_name_is_not_read_again_with_each_message() {
        let name = "claude-".repeat(200_000);
        let messages = [user(&b"a".repeat(3000)), RESPONSE.to_vec()];
        let more = br#"{"role":"user"}"#.repeat(1000);
        let more = String::from_utf8(more).unwrap().replace("}{", "},{");
        let messages = [&messages.join(&b","[..]), more.as_bytes()].join(&b","[..]);
        let start = format!(r#"{{"model":"{name}","messages":["#);
        let body = Bytes::from([start.as_bytes(), &messages, b"]}"].concat());
        let stop_when = |scan: &Scan| Planner::new(u64::MAX).is_large(scan);
        let key = DigestKey::from_bytes([1; 32]);
        let scanned = scan_until(&body, DIALECTS[0], &key, &ScanCache::new(), &stop_when);
        assert!(matches!(scanned, Ok(ScanProgress::Whole(scan)) if scan.messages.len() == 1002));
    }

    fn unescaped(body: &Bytes, scan: &Scan) -> Vec<JobBlock> {
        let blocks = blocks::unescaped(body, scan);
        blocks.map(|(_, block)| block).collect()
    }
}
