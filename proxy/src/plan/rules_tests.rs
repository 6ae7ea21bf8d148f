//! The rules of entry and landing, case by case.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use headroom_shared::contract::id::{BlockId, FormId, PrefixId};
use headroom_shared::contract::job::Place;
use headroom_shared::contract::model::Model;
use headroom_shared::contract::prefix::{CompressedBlock, CompressedPrefix};
use headroom_shared::contract::record::SentRecord;
use headroom_shared::contract::tier::Tier;
use headroom_shared::contract::usage::Usage;

use crate::jobs::overdue::OverdueJobs;
use crate::plan::first_send::first_new_block;
use crate::plan::known_prefix::{DeferredPrefix, KnownPrefix, Unrecorded};
use crate::plan::landing::{Circumstances, Landing, binds, decide, warm_until_ms};
use crate::prices::Prices;
use crate::scan::{Block, CacheLife, Message, Scan};
use crate::totals::continuations::Continuations;

const HOUR_MS: u64 = 3_600_000;
const NOW: u64 = 100 * HOUR_MS;
const MARKED: CacheLife = CacheLife::Marked(Duration::from_secs(300));
const AUTOMATIC: CacheLife = CacheLife::Automatic(Duration::from_secs(3600));

/// A conversation written as one letter a message: `u`ser, `a`ssistant, `t`hinking assistant; each user message is a block.
fn scan(story: &str, model: &str, cache: CacheLife) -> Scan {
    let messages = story.bytes().map(|letter| Message {
        compacts: false,
        boundary: PrefixId::from_bytes([letter; 16]),
        from_model: letter != b'u',
        thinking: letter == b't',
        is_reference: false,
        is_appended: false,
        offers_retrieval: false,
        calls: 0,
        parts: 0,
    });
    let users = story
        .bytes()
        .enumerate()
        .filter(|(_, letter)| *letter == b'u');
    let blocks = users.map(|(message, _)| Block {
        place: place(message),
        span: 0..0,
        id: block(message),
        call: None,
    });
    Scan {
        model: model.to_owned(),
        facts: Model::named(model),
        messages: messages.collect(),
        blocks: blocks.collect(),
        cache,
        references: true,
        ..Scan::default()
    }
}

fn place(message: usize) -> Place {
    Place {
        message: u32::try_from(message).unwrap(),
        part: 0,
        inner: 0,
    }
}

fn block(message: usize) -> BlockId {
    BlockId::from_bytes([u8::try_from(message).unwrap(); 16])
}

fn record(start: u32, usage: Option<Usage>) -> SentRecord {
    SentRecord {
        v: 1,
        rev: 0,
        start,
        forms: [].into(),
        originals: BTreeSet::new(),
        sent_ms: NOW - 10_000,
        warm_until_ms: 0,
        caches: None,
        waiting: start == 0,
        tail: false,
        untried: 0,
        bound: false,
        lost: false,
        usage,
        bill: None,
    }
}

/// A deferred first turn of `aua…` that a worker has done, and these records after it.
fn known(frozen: usize, root: SentRecord, later: &[SentRecord]) -> KnownPrefix {
    let compressed = CompressedPrefix {
        v: 1,
        compressor: 1,
        model: None,
        references: true,
        blocks: vec![CompressedBlock {
            place: place(1),
            block: block(1),
            form: FormId::from_bytes([9; 16]),
            from_bytes: 2,
            to_bytes: 1,
            saved_tokens: 0,
            shortened: false,
        }],
    };
    let prefix = PrefixId::from_bytes([1; 16]);
    let root = Arc::new(root);
    let mut chain: Vec<_> = later
        .iter()
        .rev()
        .map(|record| (prefix, Arc::new(record.clone())))
        .collect();
    chain.push((prefix, root.clone()));
    let deferred = Some(DeferredPrefix {
        prefix,
        record: root,
        compressed: Some(compressed),
    });
    KnownPrefix {
        complete: true,
        frozen,
        chain,
        deferred,
        ..KnownPrefix::default()
    }
}

const SILENT: Option<Usage> = Some(Usage {
    read: 0,
    written: 0,
    written_hour: 0,
    input: 60_000,
    output: 0,
});
const CACHED: Option<Usage> = Some(Usage {
    read: 50_000,
    written: 0,
    written_hour: 0,
    input: 60_000,
    output: 0,
});

#[track_caller]
fn lands(expected: bool, scan: &Scan, known: &KnownPrefix) {
    let circumstances = Circumstances {
        prices: &Prices::built_in(),
        continuations: &Continuations::NONE,
        now_ms: NOW,
    };
    let landing = decide(scan, known, circumstances);
    assert_eq!(landing.is_some_and(Landing::lands), expected);
}

#[test]
fn without_markers_it_lands_when_the_response_showed_no_cache() {
    let turn = scan("auau", "claude-opus-4-6", CacheLife::None);
    lands(true, &turn, &known(2, record(0, SILENT), &[]));
    lands(false, &turn, &known(2, record(0, CACHED), &[]));
    lands(false, &turn, &known(2, record(0, None), &[]));
    let warm = SentRecord {
        warm_until_ms: NOW + 1,
        ..record(0, SILENT)
    };
    lands(false, &turn, &known(2, warm, &[]));
    let no_response_long_ago = SentRecord {
        sent_ms: NOW - 2 * HOUR_MS,
        ..record(0, None)
    };
    lands(true, &turn, &known(2, no_response_long_ago, &[]));
}

#[test]
fn with_markers_it_lands_when_the_longest_has_run_out() {
    let turn = scan("auau", "claude-opus-4-6", MARKED);
    let sent = |ago| SentRecord {
        warm_until_ms: warm_until_ms(MARKED, NOW - ago),
        ..record(0, CACHED)
    };
    lands(false, &turn, &known(2, sent(0), &[]));
    lands(false, &turn, &known(2, sent(360_000), &[]));
    lands(true, &turn, &known(2, sent(360_001), &[]));
    // No marker ever, and then one: nothing of it is in any cache yet.
    lands(true, &turn, &known(2, record(0, SILENT), &[]));
}

#[test]
fn where_caching_needs_no_marker_one_response_without_cached_tokens_proves_nothing() {
    let turn = scan("auauau", "gpt-6.1-sol", AUTOMATIC);
    let root = |ago| SentRecord {
        warm_until_ms: warm_until_ms(AUTOMATIC, NOW - ago),
        ..record(0, SILENT)
    };
    lands(false, &turn, &known(2, root(0), &[]));
    lands(true, &turn, &known(4, root(0), &[record(2, SILENT)]));
    // Between both the provider may have forgotten it.
    let long_before = SentRecord {
        sent_ms: NOW - 310_000,
        ..root(0)
    };
    lands(false, &turn, &known(4, long_before, &[record(2, SILENT)]));
    lands(false, &turn, &known(4, root(0), &[record(2, CACHED)]));
    lands(false, &turn, &known(4, root(0), &[record(2, None)]));
    lands(
        false,
        &turn,
        &known(6, root(0), &[record(2, CACHED), record(4, SILENT)]),
    );
    lands(true, &turn, &known(2, root(HOUR_MS + 1), &[]));
}

#[test]
fn it_never_lands_before_thinking_that_is_bound() {
    let silent = || known(2, record(0, SILENT), &[]);
    for (story, model, expected) in [
        ("autu", "claude-opus-5-5", false),
        ("autu", "claude-fable-5-1", false),
        ("autu", "some-new-model", false),
        ("autu", "", false),
        ("autu", "claude-opus-4-6", true),
        ("autu", "claude-mythos-5", true),
        ("autu", "claude-mythos-5-1", false),
        ("autu", "gpt-6.1-sol", false),
        ("autu", "o3", true),
        ("auau", "claude-opus-5-5", true),
        ("tuau", "claude-opus-5-5", true),
    ] {
        lands(expected, &scan(story, model, CacheLife::None), &silent());
    }
}

#[test]
fn thinking_seen_on_any_branch_binds_the_prefix_for_every_model() {
    // The session thought on a model that binds, and goes on for a while on one that does not.
    let turn = scan("auau", "claude-opus-4-6", CacheLife::None);
    let bound = SentRecord {
        bound: true,
        ..record(0, SILENT)
    };
    lands(false, &turn, &known(2, bound, &[]));
    for (story, model, asks, expected) in [
        ("autu", "claude-opus-5-5", false, true),
        ("tu", "claude-opus-5-5", false, false),
        ("au", "claude-opus-5-5", true, true),
        ("au", "claude-opus-5-5", false, false),
        ("autu", "claude-opus-4-6", true, false),
        ("a", "claude-opus-5-5", true, false),
    ] {
        let mut request = scan(story, model, CacheLife::None);
        request.asks_thinking = asks;
        assert_eq!(binds(&request), expected, "{story} {model} {asks}");
    }
}

#[test]
fn the_job_of_a_deferred_prefix_without_a_result_is_requeued_now_and_then() {
    let minute = 60_000;
    let mut known = known(2, record(0, SILENT), &[]);
    let sent = record(0, SILENT).sent_ms;
    let overdue = OverdueJobs::new();
    let done = overdue.to_requeue(&known, Tier::Lossless, sent + 10 * minute);
    assert!(done.is_none(), "it has a result");
    known.deferred.as_mut().unwrap().compressed = None;
    for (tier, minutes, again) in [
        (Tier::Lossless, 0, false),
        (Tier::Lossless, 1, false),
        (Tier::Recoverable, 10, false),
        (Tier::Lossless, 2, true),
        (Tier::Lossless, 3, false),
        (Tier::Lossless, 12, false),
        (Tier::Recoverable, 13, true),
    ] {
        let requeued = overdue.to_requeue(&known, tier, sent + minutes * minute);
        assert_eq!(requeued.is_some(), again, "{tier:?} {minutes}");
    }
}

#[test]
fn it_does_not_land_on_references_where_blocks_may_be_dropped() {
    let mut turn = scan("auau", "claude-opus-4-6", CacheLife::None);
    turn.references = false;
    lands(false, &turn, &known(2, record(0, SILENT), &[]));
}

#[test]
fn it_lands_only_on_the_blocks_it_was_made_from_and_where_all_is_known() {
    let mut turn = scan("auau", "claude-opus-4-6", CacheLife::None);
    let incomplete = KnownPrefix {
        complete: false,
        ..known(2, record(0, SILENT), &[])
    };
    lands(false, &turn, &incomplete);
    turn.blocks[0].id = block(77);
    lands(false, &turn, &known(2, record(0, SILENT), &[]));
}

#[test]
fn what_went_out_while_the_store_did_not_answer_is_neither_new_nor_cold() {
    let turn = scan("auau", "claude-opus-4-6", CacheLife::None);
    let older = || SentRecord {
        sent_ms: NOW - 3 * HOUR_MS,
        ..record(0, SILENT)
    };
    for (minutes_ago, cold) in [(0, false), (10, false), (60, false), (62, true)] {
        let unrecorded = Unrecorded {
            messages: 4,
            at_ms: NOW - minutes_ago * 60_000,
        };
        let with = |record| KnownPrefix {
            unrecorded,
            ..known(2, record, &[])
        };
        lands(cold, &turn, &with(older()));
        // Ten seconds ago it was sent with a record.
        lands(minutes_ago > 0, &turn, &with(record(0, SILENT)));
    }
    let unrecorded = Unrecorded {
        messages: 3,
        at_ms: NOW,
    };
    for frozen in [0, 1] {
        let known = KnownPrefix {
            complete: true,
            frozen,
            unrecorded,
            ..KnownPrefix::default()
        };
        let turn = scan("uauu", "claude-opus-4-6", CacheLife::None);
        assert_eq!(turn.blocks[first_new_block(&turn, &known)].place.message, 3);
    }
}

#[test]
fn a_block_is_new_after_the_model_s_last_word() {
    let unknown = || KnownPrefix {
        complete: true,
        ..KnownPrefix::default()
    };
    let first = |story, cache, known: &KnownPrefix| {
        let scan = scan(story, "claude-opus-4-6", cache);
        scan.blocks
            .get(first_new_block(&scan, known))
            .map(|block| block.place.message)
    };
    assert_eq!(first("u", MARKED, &unknown()), Some(0));
    // A conversation that began elsewhere: its cache may be warm, unless nothing was ever cached.
    assert_eq!(first("uauau", MARKED, &unknown()), Some(4));
    assert_eq!(first("uauau", AUTOMATIC, &unknown()), Some(4));
    assert_eq!(first("uauau", CacheLife::None, &unknown()), Some(0));
    assert_eq!(first("utuau", CacheLife::None, &unknown()), Some(2));
    // Known up to the second message; the fourth was sent by somebody else.
    let frozen = |frozen| KnownPrefix {
        complete: true,
        frozen,
        ..KnownPrefix::default()
    };
    assert_eq!(first("uauauu", CacheLife::None, &frozen(2)), Some(4));
    assert_eq!(first("uu", CacheLife::None, &frozen(1)), Some(1));
    assert_eq!(first("ua", CacheLife::None, &frozen(1)), None);
    // The store is away: nothing is known to be new.
    assert_eq!(first("uau", CacheLife::None, &KnownPrefix::default()), None);
}
