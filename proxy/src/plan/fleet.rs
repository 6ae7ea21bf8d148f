//! Which new blocks of a request wait for the workers before they are sent for the first time, in which jobs, and whether it is worth asking
//! them: `HEADROOM_FLEET_WAIT_MS`.
//!
//! Only blocks that the provider has certainly not cached wait ([`first_new_block`]). A job has some of a request's blocks and knows
//! nothing of the others, so its forms refer to no earlier block.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bytes::Bytes;
use headroom_shared::contract::id::FormId;
use headroom_shared::contract::prefix::{CompressedPrefix, Form, VERSION};
use headroom_shared::queue::Capacity;

use super::first_send::first_new_block;
use super::history::BYTES_A_MS;
use super::known_prefix::KnownPrefix;
use super::skip_reason::{CompressResult, SkipReason};
use crate::scan::{Block, Scan};

/// What the entry budget leaves over is not waited for if it has fewer bytes of text: 64 KiB take a compressor less than 2 ms
/// (`docs/benchmarks.md`), so only a very busy machine leaves so little.
const MIN_BYTES: usize = 64 << 10;
/// A job has at least so many bytes of text, unless it is the last one: with fewer, pushing and claiming it would take longer than doing it.
const PART_BYTES: usize = 32 << 10;
/// A request is split into so many jobs and one more at most.
const MAX_PARTS: usize = 32;

/// What became of a request that had new blocks for the workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FleetOutcome {
    /// It waited, and all came back in time.
    InTime,
    /// It waited, and some did not come back in time.
    Late,
    /// It did not wait: no worker is alive, or the queue is paused, or can't be reached.
    NoWorker,
    /// It did not wait: the workers have more to do than they get done in time, or there is no room for its jobs.
    Busy,
    /// Its jobs could not be pushed in time.
    Failed,
}

impl FleetOutcome {
    pub(crate) const ALL: [Self; 5] = [
        Self::InTime,
        Self::Late,
        Self::NoWorker,
        Self::Busy,
        Self::Failed,
    ];

    /// Its name in logs and counts.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::InTime => "in_time",
            Self::Late => "late",
            Self::NoWorker => "no_worker",
            Self::Busy => "busy",
            Self::Failed => "failed",
        }
    }
}

/// Blocks of a request, by their positions in the scan, that are one job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Part {
    pub(crate) blocks: Vec<usize>,
    /// Bytes of their text.
    pub(crate) bytes: usize,
}

/// The jobs of a cold start that waits for the workers instead of being left to one. There are none where less than half of its text is
/// certainly new: what a worker makes of the whole prefix saves more then, when it lands.
pub(crate) fn parts_of_cold_start(scan: &Scan, known: &KnownPrefix) -> Vec<Part> {
    let new: Vec<usize> = (first_new_block(scan, known)..scan.blocks.len()).collect();
    let all = bytes(scan, 0..scan.blocks.len());
    if 2 * bytes(scan, new.iter().copied()) < all {
        return Vec::new();
    }
    split(scan, new)
}

/// The jobs of a request whose new blocks were compressed as far as the entry budget lasted.
pub(crate) fn parts_of_rest(
    scan: &Scan,
    known: &KnownPrefix,
    results: &BTreeMap<usize, CompressResult>,
) -> Vec<Part> {
    let new = results.range(first_new_block(scan, known)..);
    let rest = new.filter(|(_, result)| **result == Err(SkipReason::EntryBudget));
    let rest: Vec<usize> = rest.map(|(index, _)| *index).collect();
    if bytes(scan, rest.iter().copied()) < MIN_BYTES {
        return Vec::new();
    }
    split(scan, rest)
}

/// Whether a request may wait for so long, given the workers' capacity, if it is known; if not, what becomes of it. The text that waits is
/// what takes the time, and not the number of jobs: one may have a thousand times as much as another.
pub(crate) fn may_wait(capacity: Option<Capacity>, wait: Duration) -> Result<(), FleetOutcome> {
    let capacity = capacity.unwrap_or_default();
    if capacity.threads == 0 {
        return Err(FleetOutcome::NoWorker);
    }
    let in_time = wait.as_millis() * BYTES_A_MS * u128::from(capacity.threads);
    if u128::from(capacity.queued_bytes) > in_time {
        return Err(FleetOutcome::Busy);
    }
    Ok(())
}

/// What a worker has made of the blocks of a part, given the texts of its forms; `None` where it can't be used.
pub(crate) fn results(
    scan: &Scan,
    part: &Part,
    made: &CompressedPrefix,
    texts: &HashMap<FormId, Bytes>,
) -> Option<Vec<(usize, CompressResult)>> {
    if made.v != VERSION || made.references {
        return None;
    }
    let forms: HashMap<_, _> = made
        .blocks
        .iter()
        .map(|made| ((made.place, made.block), made.form))
        .collect();
    let result = |block: &Block| match forms.get(&(block.place, block.id)) {
        None => Err(SkipReason::NoGain),
        Some(id) => {
            let form = texts
                .get(id)
                .and_then(|text| Form::of_escaped(block.id, text));
            form.filter(|form| form.id == *id)
                .ok_or(SkipReason::FleetLate)
        }
    };
    let blocks = part.blocks.iter();
    Some(
        blocks
            .map(|index| (*index, result(&scan.blocks[*index])))
            .collect(),
    )
}

/// Splits blocks, in their order, into parts of about the same length.
fn split(scan: &Scan, blocks: Vec<usize>) -> Vec<Part> {
    let all = bytes(scan, blocks.iter().copied());
    let enough = PART_BYTES.max(all.div_ceil(MAX_PARTS));
    let mut parts: Vec<Part> = Vec::new();
    for index in blocks {
        let block_bytes = scan.blocks[index].span.len();
        match parts.last_mut().filter(|part| part.bytes < enough) {
            Some(part) => {
                part.blocks.push(index);
                part.bytes += block_bytes;
            }
            None => parts.push(Part {
                blocks: vec![index],
                bytes: block_bytes,
            }),
        }
    }
    parts
}

/// Bytes of text in these blocks.
fn bytes(scan: &Scan, blocks: impl Iterator<Item = usize>) -> usize {
    blocks.map(|index| scan.blocks[index].span.len()).sum()
}

#[cfg(test)]
mod tests {
    use headroom_shared::contract::id::DigestKey;
    use headroom_shared::contract::prefix::CompressedBlock;
    use serde_json::{Value, json};

    use super::*;
    use crate::dialect::DIALECTS;

    fn scan(messages: &[Value]) -> Scan {
        let body = json!({"model": "claude-opus-4-6", "max_tokens": 9, "messages": messages});
        scan_body(&body)
    }

    fn scan_body(body: &Value) -> Scan {
        let body = body.to_string();
        let key = DigestKey::from_bytes([7; 32]);
        crate::scan::scan(body.as_bytes(), DIALECTS[0], &key).unwrap()
    }

    fn user(bytes: usize) -> Value {
        json!({"role": "user", "content": "a".repeat(bytes)})
    }

    fn assistant() -> Value {
        json!({"role": "assistant", "content": "Yes."})
    }

    /// The same with a marker, so that the provider caches it.
    fn marked(bytes: usize) -> Value {
        let text = json!({"type": "text", "text": "a".repeat(bytes), "cache_control": {"type": "ephemeral"}});
        json!({"role": "user", "content": [text]})
    }

    fn new() -> KnownPrefix {
        KnownPrefix {
            complete: true,
            ..KnownPrefix::default()
        }
    }

    fn blocks(parts: &[Part]) -> Vec<Vec<usize>> {
        parts.iter().map(|part| part.blocks.clone()).collect()
    }

    #[test]
    fn a_cold_start_waits_with_what_is_certainly_new_if_that_is_half_of_its_text() {
        let large = 40_000;
        for (messages, waits) in [
            // A first request, or a sub-agent's.
            (vec![user(large), marked(large)], vec![vec![0], vec![1]]),
            // The provider caches only by markers, and there is none.
            (
                vec![user(large), assistant(), user(large)],
                vec![vec![0], vec![1]],
            ),
            // What stands before the model's last message may be cached.
            (vec![user(large), assistant(), marked(large)], vec![vec![1]]),
            (vec![user(large + 1), assistant(), marked(large)], vec![]),
            (vec![user(large), assistant(), marked(10)], vec![]),
        ] {
            let scan = scan(&messages);
            assert_eq!(blocks(&parts_of_cold_start(&scan, &new())), waits);
        }
    }

    #[test]
    fn thinking_keeps_what_stands_before_it_from_waiting() {
        let thinking = json!({"role": "assistant", "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "x"},
        ]});
        let scan = scan(&[user(40_000), thinking, user(40_000)]);
        assert_eq!(blocks(&parts_of_cold_start(&scan, &new())), [[1]]);
    }

    #[test]
    fn nothing_waits_of_which_the_store_has_not_told_what_was_sent() {
        let scan = scan(&[user(40_000), marked(40_000)]);
        let unsure = KnownPrefix::default();
        assert_eq!(parts_of_cold_start(&scan, &unsure), []);
        let results = (0..2).map(|index| (index, Err(SkipReason::EntryBudget)));
        assert_eq!(parts_of_rest(&scan, &unsure, &results.collect()), []);
    }

    #[test]
    fn the_rest_of_the_entry_budget_waits_where_it_is_large_and_new() {
        let scan = scan(&[user(90_000), assistant(), marked(50_000), marked(20_000)]);
        let all = |reasons: [SkipReason; 3]| {
            let results = reasons.into_iter().enumerate();
            let results = results.map(|(index, reason)| (index, Err(reason)));
            blocks(&parts_of_rest(&scan, &new(), &results.collect()))
        };
        use SkipReason::{EntryBudget, NoGain};
        // The first block stands before the model's message: it has its form already, or may be cached.
        assert_eq!(all([EntryBudget; 3]), [[1], [2]]);
        assert!(all([EntryBudget, EntryBudget, NoGain]).is_empty());
        assert!(all([NoGain; 3]).is_empty());
    }

    #[test]
    fn parts_keep_the_order_and_are_of_a_bounded_number() {
        for (count, bytes) in [
            (1, 300),
            (40, 3000),
            (500, 3000),
            (7, 200_000),
            (200, 40_000),
        ] {
            let scan = scan(&vec![user(bytes.max(3000)); count]);
            let parts = split(&scan, (0..count).collect());
            assert!(parts.len() <= MAX_PARTS + 1, "{}", parts.len());
            let joined: Vec<usize> = parts.iter().flat_map(|it| it.blocks.clone()).collect();
            assert_eq!(joined, (0..count).collect::<Vec<_>>());
            let (_, but_last) = parts.split_last().unwrap();
            assert!(but_last.iter().all(|part| part.bytes >= PART_BYTES));
        }
    }

    #[test]
    fn a_request_waits_only_for_workers_that_can_come_to_it_in_time() {
        let wait = Duration::from_millis(100);
        let of = |threads, queued_bytes| {
            let capacity = Capacity {
                threads,
                queued_bytes,
                has_model: false,
            };
            may_wait(Some(capacity), wait)
        };
        assert_eq!(may_wait(None, wait), Err(FleetOutcome::NoWorker));
        assert_eq!(of(0, 0), Err(FleetOutcome::NoWorker));
        assert_eq!(of(1, 0), Ok(()));
        assert_eq!(of(1, 2_000_000), Ok(()));
        assert_eq!(of(1, 2_000_001), Err(FleetOutcome::Busy));
        assert_eq!(of(4, 8_000_000), Ok(()));
        assert_eq!(of(u64::MAX, u64::MAX), Ok(()));
    }

    #[test]
    fn a_part_s_result_is_used_only_for_the_very_blocks_it_was_made_of() {
        let scan = scan(&[user(3000), user(4000), user(5000)]);
        let part = Part {
            blocks: vec![0, 1, 2],
            bytes: 12_000,
        };
        let form = Form::new(scan.blocks[0].id, "short");
        let block = |at: usize, form: FormId| CompressedBlock {
            place: scan.blocks[at].place,
            block: scan.blocks[at].id,
            form,
            from_bytes: 3000,
            to_bytes: 5,
            saved_tokens: 0,
            shortened: false,
        };
        let gone = Form::new(scan.blocks[1].id, "gone");
        let mut made = CompressedPrefix {
            v: VERSION,
            compressor: 1,
            model: None,
            references: false,
            blocks: vec![block(0, form.id), block(1, gone.id)],
        };
        let texts = HashMap::from([(form.id, Bytes::from(form.text.clone()))]);
        let expected = vec![
            (0, Ok(form)),
            (1, Err(SkipReason::FleetLate)),
            (2, Err(SkipReason::NoGain)),
        ];
        assert_eq!(results(&scan, &part, &made, &texts), Some(expected));
        made.blocks[0].block = scan.blocks[1].id;
        let results_of_another = results(&scan, &part, &made, &texts).unwrap();
        assert_eq!(results_of_another[0], (0, Err(SkipReason::NoGain)));
        made.references = true;
        assert_eq!(results(&scan, &part, &made, &texts), None);
    }
}
