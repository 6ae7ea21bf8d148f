//! The embedded store's file has a largest size: what was used longest ago makes room for what is new.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use headroom_shared::contract::id::FormId;
use headroom_shared::store::{EmbeddedStore, Entry, Key, Store};
use headroom_tests::random::Random;

const MIB: u64 = 1 << 20;
const MAX_BYTES: u64 = 16 * MIB;
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

fn open(folder: &Path, max_bytes: u64) -> EmbeddedStore {
    EmbeddedStore::open(folder, WEEK, max_bytes).unwrap()
}

fn file_bytes(folder: &Path) -> u64 {
    fs::metadata(folder.join("headroom.redb")).unwrap().len()
}

/// An entry with a key of its own. Its value does not become smaller.
fn entry(random: &mut Random, bytes: usize) -> Entry {
    let id = u128::from(random.any()) << 64 | u128::from(random.any());
    let value: Bytes = random.any().to_le_bytes().repeat(bytes / 8 + 1).into();
    Entry::without_revisions(
        Key::Form(FormId::from_bytes(id.to_be_bytes())),
        value.slice(..bytes),
    )
}

/// Sizes as they come: most forms have a few thousand bytes, few have many.
fn size(random: &mut Random) -> usize {
    let largest = [300, 3_000, 10_000, 30_000, 200_000][random.below(5)];
    1 + random.below(largest)
}

async fn is_there(store: &EmbeddedStore, entry: &Entry) -> bool {
    let found = store.read(&[entry.key]).await.unwrap().remove(0);
    found.is_some_and(|value| value == entry.value)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_never_becomes_larger_than_its_bound_and_what_was_used_last_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::seeded();
    let mut store = open(folder.path(), MAX_BYTES);
    let kept = entry(&mut random, 20_000);
    store.write(std::slice::from_ref(&kept)).await.unwrap();
    let mut written = Vec::new();
    let mut bytes = 0;
    let mut largest_file = 0;
    while bytes < 64 * MIB {
        let new: Vec<Entry> = (0..1 + random.below(20))
            .map(|_| {
                let size = size(&mut random);
                entry(&mut random, size)
            })
            .collect();
        bytes += new.iter().map(|it| it.value.len() as u64).sum::<u64>();
        store.write(&new).await.unwrap();
        written.extend(new);
        store.touch(&[kept.key]).await.unwrap();
        largest_file = largest_file.max(file_bytes(folder.path()));
        assert!(largest_file <= MAX_BYTES, "{largest_file}");
        assert!(is_there(&store, written.last().unwrap()).await);
    }
    assert_eq!(largest_file, MAX_BYTES);
    for reopened in [false, true] {
        if reopened {
            drop(store);
            store = open(folder.path(), MAX_BYTES);
        }
        assert!(is_there(&store, &kept).await);
        assert!(!is_there(&store, &written[0]).await);
        // What is there was written last, and fills a good part of the file.
        let mut there = 0;
        for entry in written.iter().rev() {
            if !is_there(&store, entry).await {
                break;
            }
            there += entry.value.len() as u64;
        }
        assert!(there > MAX_BYTES / 4, "{there} bytes, {reopened}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_never_fit_is_refused_and_nothing_is_deleted_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::seeded();
    let store = open(folder.path(), MAX_BYTES);
    let first = entry(&mut random, 100);
    store.write(std::slice::from_ref(&first)).await.unwrap();
    let refused = store.write(&[entry(&mut random, 3 << 20)]).await;
    let error = refused.unwrap_err();
    let told = ["never fit", "2097152", "HEADROOM_MAX_STORE_BYTES"];
    let error_text = error.to_string();
    assert!(
        told.iter().all(|part| error_text.contains(part)),
        "{error_text}"
    );
    assert!(!error.may_heal());
    store.write(&[entry(&mut random, 2_000_000)]).await.unwrap();
    assert!(is_there(&store, &first).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_too_large_shrinks_while_nobody_uses_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::seeded();
    let store = open(folder.path(), 4 * MAX_BYTES);
    for _ in 0..1_000 {
        store.write(&[entry(&mut random, 30_000)]).await.unwrap();
    }
    let last = entry(&mut random, 30_000);
    store.write(std::slice::from_ref(&last)).await.unwrap();
    drop(store);
    assert!(file_bytes(folder.path()) > 2 * MAX_BYTES);

    let store = open(folder.path(), MAX_BYTES);
    store.write(&[entry(&mut random, 30_000)]).await.unwrap();
    store.compact_if_idle(WEEK).await.unwrap();
    assert!(file_bytes(folder.path()) > 2 * MAX_BYTES);
    store.compact_if_idle(Duration::ZERO).await.unwrap();
    assert!(file_bytes(folder.path()) <= MAX_BYTES);
    assert!(is_there(&store, &last).await);
    store.write(&[entry(&mut random, 30_000)]).await.unwrap();
    store.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_free_is_given_back_while_nobody_uses_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::seeded();
    let life = Duration::from_secs(1);
    let store = EmbeddedStore::open(folder.path(), life, 1 << 30).unwrap();
    for _ in 0..1_000 {
        store.write(&[entry(&mut random, 30_000)]).await.unwrap();
    }
    let full = file_bytes(folder.path());
    let mut deleted = 0;
    while deleted < 1_000 {
        deleted += store.sweep().await.unwrap();
    }
    store.compact_if_idle(Duration::ZERO).await.unwrap();
    let compacted = file_bytes(folder.path());
    assert!(compacted < full / 8, "{full} -> {compacted}");
    let new = entry(&mut random, 30_000);
    store.write(std::slice::from_ref(&new)).await.unwrap();
    assert!(is_there(&store, &new).await);
}
