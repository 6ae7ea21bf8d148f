//! What may happen to the file of an embedded store.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;

fn refusal(folder: &Path) -> String {
    EmbeddedStore::open(folder, WEEK, MAX_BYTES)
        .unwrap_err()
        .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..5 {
        let mut writer = Command::new(env!("CARGO_BIN_EXE_store_writer"))
            .arg(folder.path())
            .arg(round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        let seen = lines.by_ref().take(20).map(Result::unwrap).last().unwrap();
        writer.kill().unwrap();
        writer.wait().unwrap();
        let last = lines.map_while(Result::ok).last().unwrap_or(seen);
        let last: u32 = last.parse().unwrap();
        assert!(last >= 19);

        let store = EmbeddedStore::open(folder.path(), WEEK, MAX_BYTES).unwrap();
        let keys: Vec<Key> = (0..=last).map(|i| form(&format!("{round}-{i}"))).collect();
        let found = store.read(&keys).await.unwrap();
        assert!(found.iter().all(Option::is_some), "round {round}");
    }
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
}
