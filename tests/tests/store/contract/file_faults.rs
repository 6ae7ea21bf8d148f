//! What may happen to the file of an embedded store.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use headroom_tests::random::Random;

use super::*;

fn refusal(folder: &Path) -> String {
    EmbeddedStore::open(folder, WEEK, MAX_BYTES)
        .unwrap_err()
        .to_string()
}

/// Has another process write until it has said so many times that it has written, and kills it that moment. Gives the number of the last
/// write that it told of.
fn last_written_before_a_kill(folder: &Path, name: &str, writes: usize) -> u32 {
    let mut writer = Command::new(env!("CARGO_BIN_EXE_store_writer"))
        .arg(folder)
        .arg(name)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    let seen = lines.by_ref().take(writes).map(Result::unwrap).last();
    writer.kill().unwrap();
    writer.wait().unwrap();
    let last = lines.map_while(Result::ok).last().or(seen).unwrap();
    let last: u32 = last.parse().unwrap();
    assert!(last as usize + 1 >= writes);
    last
}

/// What the writer wrote, up to this number, and the revision of its record.
async fn found(folder: &Path, name: &str, last: u32) -> (Vec<bool>, Option<u32>) {
    let store = EmbeddedStore::open(folder, WEEK, MAX_BYTES).unwrap();
    let names: Vec<String> = (0..=last)
        .map(|number| format!("{name}-{number}"))
        .collect();
    let keys: Vec<Key> = names.iter().map(|name| form(name)).collect();
    let values = store.read(&keys).await.unwrap();
    let values = values.into_iter().zip(names);
    let are_there = values.map(|(value, name)| value.is_some_and(|value| value == name));
    let record: Option<Bytes> = read_one(&store, sent("ssssssssssssssss")).await;
    let revision = record.map(|record| {
        let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
        u32::try_from(record["rev"].as_u64().unwrap()).unwrap()
    });
    (are_there.collect(), revision)
}

fn log_bytes(folder: &Path) -> u64 {
    fs::metadata(folder.join("headroom.wal")).unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_survives_a_kill() {
    let mut random = Random::seeded();
    let folder = tempfile::tempdir().unwrap();
    let mut in_log = 0;
    for round in 0..12 {
        let (name, writes) = (round.to_string(), 1 + random.below(60));
        let last = last_written_before_a_kill(folder.path(), &name, writes);
        in_log += u64::from(log_bytes(folder.path()) > 0);
        let (are_there, revision) = found(folder.path(), &name, last).await;
        assert!(
            are_there.iter().all(|it| *it),
            "round {round}: {are_there:?}"
        );
        assert!(revision >= Some(last), "round {round}: {revision:?}");
        assert_eq!(log_bytes(folder.path()), 0, "round {round}");
    }
    assert!(in_log > 6, "most kills came before a commit to the disk");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_may_lose_the_last_writes_and_none_before_them() {
    let mut random = Random::seeded();
    let mut lost = 0;
    for round in 0..12 {
        let folder = tempfile::tempdir().unwrap();
        let last = last_written_before_a_kill(folder.path(), "cut", 40);
        // What the disk has of the log is cut short somewhere, or holds something else from there on.
        let log = folder.path().join("headroom.wal");
        let mut text = fs::read(&log).unwrap();
        let cut = random.below(text.len() + 1);
        if random.below(2) == 0 {
            text.truncate(cut);
        } else {
            text[cut..].fill(0);
        }
        fs::write(&log, text).unwrap();
        let (are_there, revision) = found(folder.path(), "cut", last).await;
        let kept = are_there.iter().take_while(|it| **it).count();
        assert!(
            are_there[kept..].iter().all(|it| !it),
            "{round}: {are_there:?}"
        );
        lost += are_there.len() - kept;
        if kept < are_there.len() {
            assert_eq!(
                revision,
                u32::try_from(kept).unwrap().checked_sub(1),
                "{round}"
            );
        }
    }
    assert!(lost > 0, "the cuts were felt");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_file_is_gone_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let last = last_written_before_a_kill(folder.path(), "gone", 20);
    assert!(log_bytes(folder.path()) > 0);
    fs::remove_file(folder.path().join("headroom.redb")).unwrap();
    let (are_there, revision) = found(folder.path(), "gone", last).await;
    assert!(!are_there.contains(&true) && revision.is_none());
}

#[test]
fn a_file_in_use_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let first = EmbeddedStore::open(folder.path(), WEEK, MAX_BYTES).unwrap();
    let error = refusal(folder.path());
    for part in ["headroom.redb", "HEADROOM_DATA_DIR", "HEADROOM_REDIS_URL"] {
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(error.lines().count(), 1, "{error}");
    drop(first);
    EmbeddedStore::open(folder.path(), WEEK, MAX_BYTES).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_an_error_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("headroom.redb");
    let store = EmbeddedStore::open(folder.path(), WEEK, MAX_BYTES).unwrap();
    let entries: Vec<Entry> = (0..500).map(|i| record(&i.to_string(), 1)).collect();
    store.write(&entries).await.unwrap();
    drop(store);
    let whole = fs::read(&path).unwrap();

    fs::write(&path, "not a database at all").unwrap();
    assert!(refusal(folder.path()).contains("headroom.redb"));
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(refusal(folder.path()).contains("headroom.redb"));

    // Damage in the middle may show at once or when it is met.
    let keys: Vec<Key> = (0..500).map(|i| sent(&i.to_string())).collect();
    for from in (4096..whole.len()).step_by(whole.len() / 16) {
        let mut damaged = whole.clone();
        let until = (from + 8192).min(damaged.len());
        damaged[from..until].fill(0xA5);
        fs::write(&path, damaged).unwrap();
        if let Ok(store) = EmbeddedStore::open(folder.path(), WEEK, MAX_BYTES) {
            let _ = store.read(&keys).await;
            let _ = store.write(&entries).await;
            let _ = store.sweep().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_deletes_the_expired_and_only_these() {
    let folder = tempfile::tempdir().unwrap();
    let life = Duration::from_millis(300);
    let store = EmbeddedStore::open(folder.path(), life, MAX_BYTES).unwrap();
    let old: Vec<Entry> = (0..2_500)
        .map(|i| entry(form(&i.to_string()), 0, "old"))
        .collect();
    store.write(&old).await.unwrap();
    until("the old expire", IN_TIME, async || {
        read_one(&store, form("0")).await.is_none()
    })
    .await;
    drop(store);
    let store = EmbeddedStore::open(folder.path(), WEEK, MAX_BYTES).unwrap();
    assert_eq!(store.sweep().await.unwrap(), 0);
    drop(store);

    let store = EmbeddedStore::open(folder.path(), life, MAX_BYTES).unwrap();
    assert_eq!(store.sweep().await.unwrap(), 2_500);
    assert_eq!(store.sweep().await.unwrap(), 0);
    drop(store);
    let store = EmbeddedStore::open(folder.path(), WEEK, MAX_BYTES).unwrap();
    assert!(read_one(&store, form("0")).await.is_none());
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_it() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").join("headroom");
    let _store = EmbeddedStore::open(&data, WEEK, MAX_BYTES).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("headroom.redb")), 0o600);
    assert_eq!(mode(&data.join("headroom.wal")), 0o600);
}
