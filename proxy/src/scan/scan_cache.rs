//! A cache of the last scan of each conversation. A conversation grows at its end: the beginning that the next body has in common with the
//! last one is compared and not scanned again.
//!
//! A conversation is known by its opening, the messages before the model's first. Two with the same opening replace each other in the cache,
//! and have little more in common than that. Whatever is taken from an earlier scan stands in the new body byte for byte.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use headroom_shared::contract::id::PrefixId;
use quick_cache::Weighter;
use quick_cache::unsync::Cache;

use super::cached_settings::{CacheSettings, SettingsMembers};
use super::digest::RollingDigest;
use super::{Block, Call, Scan};

/// Bytes of bodies that are kept, about.
const BYTES: u64 = 32 << 20;
/// Bytes that a body may keep in memory besides its own: the rest of the buffer it was read into.
const OVERHEAD: usize = 256 << 10;
/// Scanning a smaller body takes less time than looking it up.
const MIN_BODY: usize = 8 << 10;
/// Bytes that are compared at once.
const CHUNK: usize = 8 << 10;

/// The last scan of each conversation.
#[derive(Debug)]
pub(crate) struct ScanCache {
    scans: Mutex<Cache<PrefixId, CachedScan, Weights>>,
    min_body: usize,
}

/// A body and what was found in it.
#[derive(Debug, Clone)]
pub(super) struct CachedScan {
    body: Bytes,
    scan: Arc<Scan>,
}

/// From where the next scan of the same conversation can continue.
#[derive(Debug, Default)]
pub(crate) struct ResumePoints {
    /// Where the array of messages begins.
    pub(super) messages_at: usize,
    /// One after each message; empty where the scan can't be continued.
    pub(super) points: Vec<ResumePoint>,
    /// Where the cache markers stand.
    pub(super) markers: Vec<Range<usize>>,
    /// Where the settings stand that the provider's cache depends on.
    pub(super) settings: SettingsMembers,
}

impl ResumePoints {
    /// Where the messages stand in the body; `None` where that is not known.
    pub(crate) fn messages(&self) -> Option<Range<usize>> {
        Some(self.messages_at..self.points.last()?.end)
    }

    /// Where the first `messages` messages end; `None` where that is not known.
    pub(crate) fn message_end(&self, messages: usize) -> Option<usize> {
        Some(self.points.get(messages.checked_sub(1)?)?.end)
    }
}

/// The state of a scan when it had read some message.
#[derive(Debug, Clone)]
pub(super) struct ResumePoint {
    /// Where the message ends.
    pub(super) end: usize,
    /// The digest of the conversation up to it.
    pub(super) digest: RollingDigest,
    /// [`Scan::text_bytes`] up to it.
    pub(super) text_bytes: usize,
    /// Blocks, calls and markers up to it.
    pub(super) blocks: usize,
    pub(super) calls: usize,
    pub(super) markers: usize,
}

#[derive(Debug, Clone)]
struct Weights;

impl Weighter<PrefixId, CachedScan> for Weights {
    fn weight(&self, _: &PrefixId, cached: &CachedScan) -> u64 {
        (cached.body.len() + OVERHEAD + cached.scan.memory()) as u64
    }
}

impl ScanCache {
    pub(crate) fn new() -> Self {
        Self::with_min_body(MIN_BODY)
    }

    /// An empty cache for bodies of at least so many bytes.
    pub(crate) fn with_min_body(min_body: usize) -> Self {
        Self {
            scans: Mutex::new(Cache::with_weighter(256, BYTES, Weights)),
            min_body,
        }
    }

    /// The last scan of the conversation with this opening.
    pub(super) fn find(&self, opening: PrefixId) -> Option<CachedScan> {
        let scans = self.scans.lock().unwrap_or_else(PoisonError::into_inner);
        scans.get(&opening).cloned()
    }

    /// Keeps the scan of a body as the last one of its conversation.
    pub(super) fn keep(&self, body: &Bytes, scan: &Arc<Scan>) {
        let resumable = scan.resume_points.points.len() == scan.messages.len();
        let Some(opening) = scan
            .opening()
            .filter(|_| resumable && body.len() >= self.min_body)
        else {
            return;
        };
        let cached = CachedScan {
            body: body.clone(),
            scan: scan.clone(),
        };
        let mut scans = self.scans.lock().unwrap_or_else(PoisonError::into_inner);
        scans.insert(opening, cached);
    }
}

impl CachedScan {
    /// What names the settings of the earlier body, where those of `body` are the same to the letter.
    pub(super) fn settings(&self, body: &[u8], members: &SettingsMembers) -> Option<CacheSettings> {
        let earlier = &self.scan.resume_points.settings;
        let are_same = members.are_same(body, (earlier, &self.body));
        self.scan.settings.filter(|_| are_same)
    }

    /// Copies into `scan` what was found in the messages that `body` has in common with the earlier body, beyond those that `scan` has
    /// already, and into `markers` the spans of the markers in them. The array of messages begins where `scan.resume_points` says.
    pub(super) fn resume(&self, body: &[u8], scan: &mut Scan, markers: &mut Vec<Range<usize>>) {
        let earlier = &self.scan;
        let (here, there) = (
            scan.resume_points.messages_at,
            earlier.resume_points.messages_at,
        );
        let common = common(&body[here..], &self.body[there..]);
        let points = &earlier.resume_points.points;
        let count = points.partition_point(|point| point.end - there <= common);
        let done = scan.messages.len();
        if count <= done {
            return;
        }
        let moved = |span: &Range<usize>| here + span.start - there..here + span.end - there;
        let (from, to) = (&points[done - 1], &points[count - 1]);
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
            is_from_code: call.is_from_code,
        }));
        let before = markers.len();
        let passed = earlier.resume_points.markers[from.markers..to.markers].iter();
        markers.extend(passed.map(moved));
        let passed = points[done..count].iter();
        scan.resume_points
            .points
            .extend(passed.map(|point| ResumePoint {
                end: here + point.end - there,
                markers: before + point.markers - from.markers,
                ..point.clone()
            }));
    }
}

/// How many bytes at the start are the same.
fn common(one: &[u8], other: &[u8]) -> usize {
    let chunks = one.chunks(CHUNK).zip(other.chunks(CHUNK));
    let same = chunks.take_while(|(one, other)| one == other);
    let at = same.map(|(chunk, _)| chunk.len()).sum();
    let rest = one[at..].iter().zip(&other[at..]);
    at + rest.take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::DIALECTS;
    use crate::scan::{ScanProgress, scan, scan_until, scan_with_cache};
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
        let long = vec![b'a'; 3 * CHUNK + 5];
        for at in [0, 1, CHUNK - 1, CHUNK, 2 * CHUNK + 1, 3 * CHUNK + 4] {
            let mut other = long.clone();
            other[at] = b'b';
            assert_eq!(common(&long, &other), at);
            assert_eq!(common(&long, &long[..at]), at);
        }
        assert_eq!(common(&long, &long), long.len());
    }

    proptest! {
        #[test]
        fn a_scan_that_continues_another_is_the_same_as_one_from_the_start(
            texts in prop::collection::vec(1_usize..2000, 3..12),
            kept in 0_usize..12,
            changed in prop::collection::vec(1_usize..2000, 0..4),
            moved in 0_usize..3,
        ) {
            let scans = ScanCache::with_min_body(0);
            let system = format!(r#""system":"{}","#, "s".repeat(moved * 100));
            let (head, tail) = if moved == 1 { (system.as_str(), "") } else { ("", r#","max_tokens":5"#) };
            let first = body("", &texts, "");
            scan_with_cache(&first, DIALECTS[0], &KEY, &scans).unwrap();
            let next: Vec<usize> = texts.iter().take(kept.max(1)).chain(&changed).copied().collect();
            let next = body(head, &next, tail);
            let again = scan_with_cache(&next, DIALECTS[0], &KEY, &scans).unwrap();
            prop_assert_eq!(shown(&again), shown(&scan(&next, DIALECTS[0], &KEY).unwrap()));
        }
    }

    /// How many messages were scanned of a body of a dialect when the scan may stop after so many; `None` if all were.
    fn scanned_messages(
        body: &Bytes,
        dialect: usize,
        scans: &ScanCache,
        stop_after: usize,
    ) -> Option<usize> {
        let stop_when = |scan: &Scan| scan.messages.len() >= stop_after;
        match scan_until(body, DIALECTS[dialect], &KEY, scans, &stop_when).unwrap() {
            ScanProgress::Partial(scan) => Some(scan.messages.len()),
            ScanProgress::Whole(_) => None,
        }
    }

    proptest! {
        #[test]
        fn a_scan_that_continues_a_stopped_one_is_the_same_as_one_from_the_start(
            texts in prop::collection::vec(1_usize..2000, 1..12),
            stop_after in 0_usize..14,
        ) {
            let scans = ScanCache::with_min_body(0);
            let body = body("", &texts, r#","max_tokens":5"#);
            let stops = (stop_after.max(2) <= texts.len()).then_some(stop_after.max(2));
            prop_assert_eq!(scanned_messages(&body, 0, &scans, stop_after), stops);
            let again = scan_with_cache(&body, DIALECTS[0], &KEY, &scans).unwrap();
            prop_assert_eq!(shown(&again), shown(&scan(&body, DIALECTS[0], &KEY).unwrap()));
        }
    }

    #[test]
    fn a_cached_conversation_is_scanned_to_its_end() {
        let scans = ScanCache::with_min_body(0);
        scan_with_cache(&body("", &[9, 9, 9], ""), DIALECTS[0], &KEY, &scans).unwrap();
        let next = body("", &[9, 9, 9, 9, 9], "");
        assert_eq!(scanned_messages(&next, 0, &scans, 0), None);
        assert_eq!(
            scanned_messages(&body("", &[8, 9, 9], ""), 0, &scans, 0),
            Some(2)
        );
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
            assert_eq!(
                scanned_messages(&body(tail), 2, &ScanCache::new(), 0),
                stops,
                "{tail}"
            );
        }
    }

    #[test]
    fn a_scan_that_continues_another_knows_the_calls_that_code_made() {
        let call = r#"{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"n","input":{},"caller":{"type":"code"}}]}"#;
        let user = message("user", "Go.", false);
        let result = format!(
            r#"{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"t","content":"{}"}}]}}"#,
            "x".repeat(2000)
        );
        let answer = message("assistant", "Done.", false);
        let body =
            |messages: &[&str]| Bytes::from(format!(r#"{{"messages":[{}]}}"#, messages.join(",")));
        let scans = ScanCache::with_min_body(0);
        let first = body(&[&user, &answer, &user, call]);
        scan_with_cache(&first, DIALECTS[0], &KEY, &scans).unwrap();
        let next = body(&[&user, &answer, &user, call, &result]);
        let again = scan_with_cache(&next, DIALECTS[0], &KEY, &scans).unwrap();
        assert_eq!(again.messages.len(), 5);
        assert!(again.blocks.is_empty());
        assert_eq!(
            shown(&again),
            shown(&scan(&next, DIALECTS[0], &KEY).unwrap())
        );
    }

    #[test]
    fn only_what_is_new_is_scanned() {
        let scans = ScanCache::with_min_body(0);
        let first = body("", &[900, 900, 900, 900], "");
        let kept = scan_with_cache(&first, DIALECTS[0], &KEY, &scans).unwrap();
        let mut scan = Scan {
            messages: kept.messages[..2].to_vec(),
            ..Scan::default()
        };
        scan.resume_points.messages_at = kept.resume_points.messages_at;
        scan.resume_points.points = kept.resume_points.points[..2].to_vec();
        let next = body("", &[900, 900, 900, 5], "");
        let found = scans.find(kept.opening().unwrap()).unwrap();
        found.resume(&next, &mut scan, &mut Vec::new());
        assert_eq!(scan.messages.len(), 3);
    }
}
