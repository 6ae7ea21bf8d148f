//! A disk that fills and has room again: the embedded store goes away and comes back by itself.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use headroom_shared::contract::id::{DigestKey, FormId};
use headroom_shared::store::{EmbeddedStore, Entry, Key, SecretCheck, Store, StoreError};
use headroom_tests::client::Client;
use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::http::Call;
use headroom_tests::process::Launch;
use headroom_tests::small_disk::SmallDisk;
use headroom_tests::stage::Stage;
use headroom_tests::wait;

const SIZE: &str = "8m";
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

fn entry(number: u128) -> Entry {
    Entry::without_revisions(
        Key::Form(FormId::from_bytes(number.to_be_bytes())),
        vec![b'x'; 10_000].into(),
    )
}

fn open(disk: &SmallDisk) -> EmbeddedStore {
    EmbeddedStore::open(disk.path(), WEEK, 1 << 30).unwrap()
}

/// Writes until that fails. Returns which entries were written, and why the last was not.
async fn write_until_it_fails(store: &EmbeddedStore, from: u128) -> (Vec<Key>, StoreError) {
    let mut written = Vec::new();
    for number in from.. {
        let entry = entry(number);
        if let Err(error) = store.write(std::slice::from_ref(&entry)).await {
            return (written, error);
        }
        written.push(entry.key);
    }
    unreachable!("the disk is full before there are no more numbers")
}

async fn until_back(store: &EmbeddedStore) {
    wait::eventually("the store to be back", || async { store.ping().await.ok() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_before_is_there_when_the_disk_has_room_again() {
    let disk = SmallDisk::mount(SIZE).unwrap();
    let store = open(&disk);
    let secret = store.digest_key().await.unwrap();
    let (mut written, mut from) = (Vec::new(), 0);
    for _ in 0..3 {
        let filler = disk.fill();
        let (more, error) = write_until_it_fails(&store, from).await;
        from += more.len() as u128 + 1;
        written.extend(more);
        let error = error.to_string();
        assert!(error.contains("No space left on device"), "{error}");
        // Everything is refused at once, and says why; what can wait waits.
        let away = store.ping().await.unwrap_err().to_string();
        let told = ["headroom.redb", "closed", "No space left on device"];
        assert!(told.iter().all(|part| away.contains(part)), "{away}");
        assert!(store.read(&written).await.is_err());
        assert!(store.check_secret(&secret).await.is_err());
        assert_eq!(
            store.digest_key().await.unwrap().as_bytes(),
            secret.as_bytes()
        );
        let (waited, ()) = tokio::join!(store.read_until_available(&written), async {
            drop(filler);
        });
        assert!(waited.unwrap().iter().all(Option::is_some));
        until_back(&store).await;
        let checked = store.check_secret(&secret).await.unwrap();
        assert!(matches!(checked, SecretCheck::Same(_)));
        store.write(&[entry(from)]).await.unwrap();
    }
    drop(store);
    let found = open(&disk).read(&written).await.unwrap();
    assert!(found.iter().all(Option::is_some));
}

/// What the store says about the secret before and after another file has come into the place of its own.
async fn secret_after(
    disk: &SmallDisk,
    replace: impl FnOnce(&Path),
) -> (DigestKey, [SecretCheck; 2], EmbeddedStore) {
    let store = open(disk);
    let own = store.digest_key().await.unwrap();
    let before = store.check_secret(&own).await.unwrap();
    let filler = disk.fill();
    write_until_it_fails(&store, 0).await;
    replace(&disk.path().join("headroom.redb"));
    drop(filler);
    until_back(&store).await;
    let checked = store.check_secret(&own).await.unwrap();
    store.write(&[entry(0)]).await.unwrap();
    (own, [before, checked], store)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_emptied_meanwhile_gets_the_secret_back() {
    let disk = SmallDisk::mount(SIZE).unwrap();
    let emptied = secret_after(&disk, |file| fs::remove_file(file).unwrap());
    let (own, [before, checked], store) = emptied.await;
    let (SecretCheck::Same(before), SecretCheck::Same(after)) = (before, checked) else {
        unreachable!("the secret was given back")
    };
    assert!(before.is_lost_in(&after), "{before:?}, {after:?}");
    let SecretCheck::Same(again) = store.check_secret(&own).await.unwrap() else {
        unreachable!("nobody has changed it")
    };
    assert_eq!(again, after);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_another_secret_is_known_as_such() {
    let elsewhere = tempfile::tempdir().unwrap();
    let other = EmbeddedStore::open(elsewhere.path(), WEEK, 1 << 30).unwrap();
    let secret = other.digest_key().await.unwrap();
    drop(other);
    let disk = SmallDisk::mount(SIZE).unwrap();
    let copy = disk.path().join("other.redb");
    fs::copy(elsewhere.path().join("headroom.redb"), &copy).unwrap();
    let replaced = secret_after(&disk, |file| fs::rename(copy, file).unwrap());
    let (_, [_, checked], store) = replaced.await;
    let SecretCheck::Replaced(found) = checked else {
        unreachable!("{checked:?}")
    };
    assert_eq!(found.as_bytes(), secret.as_bytes());
    assert_eq!(
        store.digest_key().await.unwrap().as_bytes(),
        secret.as_bytes()
    );
}

fn client(id: &str, seed: usize) -> Client {
    let conversation = Conversation::new(Dialect::Messages, id).user("Read.");
    Client::new(conversation.reads(seed, 9000))
}

async fn ready(stage: &Stage) -> (u16, String) {
    let answer = stage.send(&Call::get("/readyz")).await;
    let status = answer.status();
    let said = answer.bytes().await;
    (status, String::from_utf8(said.to_vec()).unwrap())
}

/// Waits until `/readyz` has this status, and gives what it says.
async fn until_ready_is(stage: &Stage, status: u16) -> String {
    wait::eventually("the proxy to notice", || async {
        let (now, said) = ready(stage).await;
        (now == status).then_some(said)
    })
    .await
}

#[tokio::test]
async fn a_proxy_goes_on_without_it_and_a_session_keeps_its_forms() {
    let disk = SmallDisk::mount(SIZE).unwrap();
    let mut stage = Stage::embedded(|launch| {
        launch
            .set("HEADROOM_DATA_DIR", disk.path().display())
            .patient()
    })
    .await;
    let mut session = client("kept", 1);
    assert_eq!(session.turn(&stage).await.decision, "compressed");

    let filler = disk.fill();
    // What finds no room on the disk has no form, and goes out as it came.
    for seed in 100.. {
        let turn = client(&format!("filling-{seed}"), seed).turn(&stage).await;
        if turn.decision == "forwarded" {
            break;
        }
    }
    let reason = until_ready_is(&stage, 503).await;
    let told = ["store away", "headroom.redb", "No space left on device"];
    assert!(told.iter().all(|part| reason.contains(part)), "{reason}");
    for seed in [10, 11] {
        session.grow(|it| it.reads(seed, 9000));
        session.turn(&stage).await;
        let mut new = client(&format!("new-{seed}"), seed);
        assert_eq!(new.turn(&stage).await.decision, "forwarded");
    }
    assert_eq!(session.forms.entered, 1);

    drop(filler);
    until_ready_is(&stage, 200).await;
    session.grow(|it| it.reads(50, 9000));
    assert_eq!(session.turn(&stage).await.decision, "compressed");
    assert_eq!(session.forms.entered, 2);
    stage.proxy().logged("store is back", 1).await;
    let log = stage.proxy().log();
    for line in [
        "WARN headroom_shared::store::embedded::reopen: the embedded store is away",
        "INFO headroom_shared::store::embedded::reopen: the embedded store is back",
    ] {
        assert_eq!(log.matches(line).count(), 1, "{log}");
    }

    // What only the file can know now.
    stage.proxy().kill();
    stage.proxy().start_again().await;
    session.grow(|it| it.reads(60, 9000));
    assert_eq!(session.turn(&stage).await.decision, "compressed");
    assert_eq!(session.forms.entered, 3);
}

/// The proxy's settings, with its data on this disk.
fn on_disk(launch: Launch, disk: &SmallDisk) -> Launch {
    let folder = disk.path().display();
    launch
        .set("HEADROOM_DATA_DIR", folder)
        .patient()
        .alive_is_enough()
}

/// Checks what a proxy says that was started on a full disk.
async fn is_away_for_want_of_room(stage: &mut Stage) {
    let reason = until_ready_is(stage, 503).await;
    let told = ["store away", "headroom.redb", "No space left on device"];
    assert!(told.iter().all(|part| reason.contains(part)), "{reason}");
    let line = "WARN headroom_shared::store::embedded::reopen: the embedded store is away";
    let log = stage.proxy().logged(line, 1).await;
    assert_eq!(log.matches(line).count(), 1, "{log}");
}

#[tokio::test]
async fn a_proxy_that_was_killed_starts_on_a_full_disk_and_goes_on_when_there_is_room() {
    let disk = SmallDisk::mount(SIZE).unwrap();
    let mut stage = Stage::embedded(|launch| on_disk(launch, &disk)).await;
    let mut session = client("killed", 1);
    assert_eq!(session.turn(&stage).await.decision, "compressed");
    // Once something has reached the disk, what is written waits in the log for up to a second.
    let log = disk.path().join("headroom.wal");
    let mut compressed = 1;
    while fs::metadata(&log).unwrap().len() == 0 {
        session.grow(|it| it.reads(compressed, 9000));
        assert_eq!(session.turn(&stage).await.decision, "compressed");
        compressed += 1;
    }
    stage.proxy().kill();
    let filler = disk.fill();
    stage.proxy().start_again().await;
    is_away_for_want_of_room(&mut stage).await;
    assert_eq!(client("new", 2).turn(&stage).await.decision, "forwarded");

    drop(filler);
    until_ready_is(&stage, 200).await;
    session.grow(|it| it.reads(50, 9000));
    assert_eq!(session.turn(&stage).await.decision, "compressed");
    assert_eq!(session.forms.entered, compressed + 1);
}

#[tokio::test]
async fn a_proxy_starts_for_the_first_time_on_a_full_disk() {
    let disk = SmallDisk::mount(SIZE).unwrap();
    let filler = disk.fill();
    let mut stage = Stage::embedded(|launch| on_disk(launch, &disk)).await;
    is_away_for_want_of_room(&mut stage).await;
    assert_eq!(client("new", 2).turn(&stage).await.decision, "forwarded");
    drop(filler);
    until_ready_is(&stage, 200).await;
    assert_eq!(client("later", 3).turn(&stage).await.decision, "compressed");
}
