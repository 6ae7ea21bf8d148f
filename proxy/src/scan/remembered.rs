//! The last scan of each conversation: a conversation grows at its end, so what the next body has in common with the last one
//! is compared and not scanned again.
//!
//! A conversation is known by its opening, the messages before the model's first. Two that open alike take each other's place,
//! and have little more in common than that. Whatever is taken over from an earlier scan stands in the new body byte for byte.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use headroom_shared::contract::id::PrefixId;
use quick_cache::Weighter;
use quick_cache::unsync::Cache;

use super::digest::Chain;
use super::{Block, Call, Scan};

/// Bytes of bodies that are remembered, about.
const BYTES: u64 = 32 << 20;
/// What a body may hold on to besides: the rest of the buffer it was read into.
const MORE: u64 = 256 << 10;
/// A smaller body is scanned sooner than looked up.
const SMALLEST: usize = 8 << 10;
/// Bytes that are compared at once.
const STEP: usize = 8 << 10;

/// The last scans.
#[derive(Debug)]
pub(crate) struct Scans {
    scans: Mutex<Cache<PrefixId, Remembered, Weights>>,
    smallest: usize,
}

/// A body and what was found in it.
#[derive(Debug, Clone)]
pub(super) struct Remembered {
    body: Bytes,
    scan: Arc<Scan>,
}

/// What a scan leaves behind for the next one of the same conversation.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    /// Where the array of messages begins.
    pub(super) messages_at: usize,
    /// How far the scan was after each message; empty where it can't be gone on from.
    pub(super) steps: Vec<Step>,
    /// Where the client asks for caching.
    pub(super) markers: Vec<Range<usize>>,
}

/// How far a scan was when it had read some message.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// Where the message ends.
    pub(super) end: usize,
    /// The digest of the conversation up to it.
    pub(super) chain: Chain,
    /// [`Scan::text_bytes`] up to it.
    pub(super) text_bytes: usize,
    /// Blocks, calls and markers up to it.
    pub(super) blocks: usize,
    pub(super) calls: usize,
    pub(super) markers: usize,
}

#[derive(Debug, Clone)]
struct Weights;

impl Weighter<PrefixId, Remembered> for Weights {
    fn weight(&self, _: &PrefixId, remembered: &Remembered) -> u64 {
        remembered.body.len() as u64 + MORE
    }
}

impl Scans {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self::of_bodies_from(SMALLEST)
    }

    /// None yet, of bodies of at least so many bytes.
    pub(crate) fn of_bodies_from(smallest: usize) -> Self {
        Self {
            scans: Mutex::new(Cache::with_weighter(256, BYTES, Weights)),
            smallest,
        }
    }

    /// The last scan of the conversation that opens so.
    pub(super) fn find(&self, opening: PrefixId) -> Option<Remembered> {
        let scans = self.scans.lock().unwrap_or_else(PoisonError::into_inner);
        scans.get(&opening).cloned()
    }

    /// Keeps the scan of a body as the last one of its conversation.
    pub(super) fn keep(&self, body: &Bytes, scan: &Arc<Scan>) {
        let resumable = scan.trail.steps.len() == scan.messages.len();
        let Some(opening) = scan
            .opening()
            .filter(|_| resumable && body.len() >= self.smallest)
        else {
            return;
        };
        let remembered = Remembered {
            body: body.clone(),
            scan: scan.clone(),
        };
        let mut scans = self.scans.lock().unwrap_or_else(PoisonError::into_inner);
        scans.insert(opening, remembered);
    }
}

impl Remembered {
    /// Takes over into `scan` all messages that `body` has in common with the earlier one, beyond those that it has already, and
    /// the spans of the markers in them into `markers`. The array of messages begins where `scan.trail` says.
    pub(super) fn resume(&self, body: &[u8], scan: &mut Scan, markers: &mut Vec<Range<usize>>) {
        let earlier = &self.scan;
        let (here, there) = (scan.trail.messages_at, earlier.trail.messages_at);
        let common = common(&body[here..], &self.body[there..]);
        let steps = &earlier.trail.steps;
        let count = steps.partition_point(|step| step.end - there <= common);
        let done = scan.messages.len();
        if count <= done {
            return;
        }
        let moved = |span: &Range<usize>| here + span.start - there..here + span.end - there;
        let (from, to) = (&steps[done - 1], &steps[count - 1]);
        scan.text_bytes = to.text_bytes;
        scan.messages
            .extend_from_slice(&earlier.messages[done..count]);
        let blocks = earlier.blocks[from.blocks..to.blocks].iter();
        scan.blocks.extend(blocks.map(|block| Block {
            span: moved(&block.span),
            call: block.call.as_ref().map(moved),
            ..*block
        }));
        let calls = earlier.calls[from.calls..to.calls].iter();
        scan.calls.extend(calls.map(|call| Call {
            id: moved(&call.id),
            name: moved(&call.name),
            input: moved(&call.input),
        }));
        let before = markers.len();
        let passed = earlier.trail.markers[from.markers..to.markers].iter();
        markers.extend(passed.map(moved));
        let passed = steps[done..count].iter();
        scan.trail.steps.extend(passed.map(|step| Step {
            end: here + step.end - there,
            markers: before + step.markers - from.markers,
            ..step.clone()
        }));
    }
}

/// How many bytes at the start are the same.
fn common(one: &[u8], other: &[u8]) -> usize {
    let chunks = one.chunks(STEP).zip(other.chunks(STEP));
    let same = chunks.take_while(|(one, other)| one == other);
    let at = same.map(|(chunk, _)| chunk.len()).sum();
    let rest = one[at..].iter().zip(&other[at..]);
    at + rest.take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::DIALECTS;
    use crate::scan::{Scanned, scan, scan_again, scan_enough};
    use headroom_shared::contract::id::DigestKey;
    use proptest::prelude::*;

    const KEY: DigestKey = DigestKey::from_bytes([7; 32]);

    fn message(role: &str, text: &str, marked: bool) -> String {
        let marker = if marked {
            r#","cache_control":{"type":"ephemeral"}"#
        } else {
            ""
        };
        format!(r#"{{"role":"{role}","content":[{{"type":"text","text":"{text}"{marker}}}]}}"#)
    }

    /// A body whose messages have texts of these lengths, and that begins and goes on like this.
    fn body(head: &str, texts: &[usize], tail: &str) -> Bytes {
        let last = texts.len().saturating_sub(1);
        let messages = texts.iter().enumerate().map(|(at, length)| {
            let role = if at % 2 == 0 { "user" } else { "assistant" };
            message(role, &"words\\n".repeat(*length), at == last)
        });
        let messages = messages.collect::<Vec<_>>().join(", ");
        Bytes::from(format!(r#"{{{head}"messages": [{messages}]{tail}}}"#))
    }

    fn shown(scan: &Scan) -> String {
        format!("{scan:?}")
    }

    #[test]
    fn the_common_bytes_are_counted_exactly() {
        let long = vec![b'a'; 3 * STEP + 5];
        for at in [0, 1, STEP - 1, STEP, 2 * STEP + 1, 3 * STEP + 4] {
            let mut other = long.clone();
            other[at] = b'b';
            assert_eq!(common(&long, &other), at);
            assert_eq!(common(&long, &long[..at]), at);
        }
        assert_eq!(common(&long, &long), long.len());
    }

    proptest! {
        #[test]
        fn a_scan_that_goes_on_from_another_is_the_same_as_one_from_the_start(
            texts in prop::collection::vec(1_usize..2000, 3..12),
            kept in 0_usize..12,
            changed in prop::collection::vec(1_usize..2000, 0..4),
            moved in 0_usize..3,
        ) {
            let scans = Scans::of_bodies_from(0);
            let system = format!(r#""system":"{}","#, "s".repeat(moved * 100));
            let (head, tail) = if moved == 1 { (system.as_str(), "") } else { ("", r#","max_tokens":5"#) };
            let first = body("", &texts, "");
            scan_again(&first, DIALECTS[0], &KEY, &scans).unwrap();
            let next: Vec<usize> = texts.iter().take(kept.max(1)).chain(&changed).copied().collect();
            let next = body(head, &next, tail);
            let again = scan_again(&next, DIALECTS[0], &KEY, &scans).unwrap();
            prop_assert_eq!(shown(&again), shown(&scan(&next, DIALECTS[0], &KEY).unwrap()));
        }
    }

    /// How many messages were scanned of a body of a dialect, of which there is enough after so many of them; `None` if all were.
    fn begun(body: &Bytes, dialect: usize, scans: &Scans, enough: usize) -> Option<usize> {
        let enough = |scan: &Scan| scan.messages.len() >= enough;
        match scan_enough(body, DIALECTS[dialect], &KEY, scans, &enough).unwrap() {
            Scanned::Begun(scan) => Some(scan.messages.len()),
            Scanned::Whole(_) => None,
        }
    }

    proptest! {
        #[test]
        fn a_scan_that_goes_on_where_there_was_enough_is_the_same_as_one_from_the_start(
            texts in prop::collection::vec(1_usize..2000, 1..12),
            enough in 0_usize..14,
        ) {
            let scans = Scans::of_bodies_from(0);
            let body = body("", &texts, r#","max_tokens":5"#);
            let stops = (enough.max(2) <= texts.len()).then_some(enough.max(2));
            prop_assert_eq!(begun(&body, 0, &scans, enough), stops);
            let again = scan_again(&body, DIALECTS[0], &KEY, &scans).unwrap();
            prop_assert_eq!(shown(&again), shown(&scan(&body, DIALECTS[0], &KEY).unwrap()));
        }
    }

    #[test]
    fn what_is_remembered_is_scanned_to_its_end() {
        let scans = Scans::of_bodies_from(0);
        scan_again(&body("", &[9, 9, 9], ""), DIALECTS[0], &KEY, &scans).unwrap();
        let next = body("", &[9, 9, 9, 9, 9], "");
        assert_eq!(begun(&next, 0, &scans, 0), None);
        assert_eq!(begun(&body("", &[8, 9, 9], ""), 0, &scans, 0), Some(2));
    }

    #[test]
    fn a_history_that_may_be_named_later_is_looked_for() {
        let body = |tail: &str| {
            let user = r#"{"role":"user","content":"say \"conversation\""}"#;
            let model = r#"{"role":"assistant","content":"conversation"}"#;
            let input = [user, model, user].join(",");
            Bytes::from(format!(r#"{{"input":[{input}]{tail}}}"#))
        };
        for (tail, stops) in [
            ("", Some(2)),
            (r#","previous_response_id":"r""#, None),
            (r#","conversation":null"#, None),
            (r#","conversation_id":1"#, Some(2)),
        ] {
            assert_eq!(begun(&body(tail), 2, &Scans::new(), 0), stops, "{tail}");
        }
    }

    #[test]
    fn only_what_is_new_is_scanned() {
        let scans = Scans::of_bodies_from(0);
        let first = body("", &[900, 900, 900, 900], "");
        let kept = scan_again(&first, DIALECTS[0], &KEY, &scans).unwrap();
        let mut scan = Scan {
            messages: kept.messages[..2].to_vec(),
            ..Scan::default()
        };
        scan.trail.messages_at = kept.trail.messages_at;
        scan.trail.steps = kept.trail.steps[..2].to_vec();
        let next = body("", &[900, 900, 900, 5], "");
        let found = scans.find(kept.opening().unwrap()).unwrap();
        found.resume(&next, &mut scan, &mut Vec::new());
        assert_eq!(scan.messages.len(), 3);
    }
}
