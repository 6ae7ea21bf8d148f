//! The same cases over both stores.

use super::*;

macro_rules! over_both {
    ($($case:ident)*) => {
        mod on_redis {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case(&super::RedisServer::start().await).await;
            })*
        }
        mod on_file {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case(&tempfile::tempdir().unwrap()).await;
            })*
        }
    };
}

over_both! {
    what_is_absent_reads_as_none
    values_come_in_the_order_of_their_keys
    a_lower_revision_is_passed_over
    garbage_counts_as_revision_zero
    immutable_entries_are_written_whatever_is_there
    big_values_survive
    many_keys_at_once
    nothing_to_do_is_done
    a_touch_gives_a_full_life_and_revives_nothing
    a_provisional_entry_goes_unless_it_is_given_a_full_life
    a_provisional_life_is_short_and_shortens_none
    the_secret_stays
    concurrent_writers_leave_the_highest_revision
    a_new_instance_finds_everything
}

async fn what_is_absent_reads_as_none(place: &dyn Place) {
    let store = place.open(WEEK);
    store.ping().await.unwrap();
    let found = store.read(&[form("a"), sent("a"), compressed("a")]).await;
    assert_eq!(found.unwrap(), [None, None, None]);
}

async fn values_come_in_the_order_of_their_keys(place: &dyn Place) {
    let store = place.open(WEEK);
    let entries = [
        entry(form("a"), 0, "the form"),
        entry(compressed("a"), 0, "the prefix"),
        record("a", 0),
    ];
    store.write(&entries).await.unwrap();
    let keys = [
        sent("a"),
        form("b"),
        compressed("a"),
        form("a"),
        compressed("a"),
    ];
    let prefix = Some(Bytes::from("the prefix"));
    let expected = [
        Some(record("a", 0).value),
        None,
        prefix.clone(),
        Some(Bytes::from("the form")),
        prefix,
    ];
    assert_eq!(store.read(&keys).await.unwrap(), expected);
}

async fn a_lower_revision_is_passed_over(place: &dyn Place) {
    let store = place.open(WEEK);
    store.write(&[record("a", 2)]).await.unwrap();
    let both = [record("a", 1), entry(form("a"), 0, "beside it")];
    store.write(&both).await.unwrap();
    assert_eq!(
        read_one(&*store, sent("a")).await,
        Some(record("a", 2).value)
    );
    assert!(read_one(&*store, form("a")).await.is_some());

    let equal = entry(sent("a"), 2, r#"{"rev":2,"waiting":true}"#);
    store.write(std::slice::from_ref(&equal)).await.unwrap();
    assert_eq!(read_one(&*store, sent("a")).await, Some(equal.value));
    store.write(&[record("a", 3)]).await.unwrap();
    assert_eq!(
        read_one(&*store, sent("a")).await,
        Some(record("a", 3).value)
    );
}

async fn garbage_counts_as_revision_zero(place: &dyn Place) {
    let store = place.open(WEEK);
    for garbage in [
        "",
        "{",
        "7",
        "\u{0}",
        "[1]",
        r#"{"rev":"9"}"#,
        "null",
        "{}",
        "\"rev\"",
    ] {
        store.write(&[entry(sent("a"), 7, garbage)]).await.unwrap();
        store.write(&[record("a", 0)]).await.unwrap();
        let found = read_one(&*store, sent("a")).await;
        assert_eq!(found, Some(record("a", 0).value), "{garbage:?}");
    }
}

async fn immutable_entries_are_written_whatever_is_there(place: &dyn Place) {
    let store = place.open(WEEK);
    let stored = entry(compressed("a"), 5, r#"{"rev":5}"#);
    store.write(&[stored]).await.unwrap();
    store
        .write(&[entry(compressed("a"), 0, "new")])
        .await
        .unwrap();
    assert_eq!(read_one(&*store, compressed("a")).await.unwrap(), "new");
}

async fn big_values_survive(place: &dyn Place) {
    let store = place.open(WEEK);
    let big: Bytes = (0_u32..5_000_000).map(|i| (i % 251) as u8).collect();
    store
        .write(&[entry(form("a"), 0, big.clone())])
        .await
        .unwrap();
    assert!(read_one(&*store, form("a")).await == Some(big));
}

async fn many_keys_at_once(place: &dyn Place) {
    let store = place.open(WEEK);
    let names: Vec<String> = (0..2_000).map(|i| i.to_string()).collect();
    let entries: Vec<Entry> = names.iter().map(|name| record(name, 1)).collect();
    store.write(&entries).await.unwrap();
    let keys: Vec<Key> = names.iter().map(|name| sent(name)).collect();
    let found = store.read(&keys).await.unwrap();
    assert!(found.iter().all(Option::is_some) && found.len() == names.len());
    store.touch(&keys).await.unwrap();
}

async fn nothing_to_do_is_done(place: &dyn Place) {
    let store = place.open(WEEK);
    assert!(store.read(&[]).await.unwrap().is_empty());
    store.write(&[]).await.unwrap();
    store.touch(&[]).await.unwrap();
    store.write(&[entry(form("a"), 0, "")]).await.unwrap();
    assert_eq!(read_one(&*store, form("a")).await.unwrap(), "");
}

async fn a_touch_gives_a_full_life_and_revives_nothing(place: &dyn Place) {
    let life = Duration::from_millis(1_500);
    let store = place.open(life);
    let written = Instant::now();
    store
        .write(&[record("a", 9), entry(form("b"), 0, "left alone")])
        .await
        .unwrap();
    while written.elapsed() < life * 2 {
        store.touch(&[sent("a"), form("absent")]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let found = store
        .read(&[sent("a"), form("b"), form("absent")])
        .await
        .unwrap();
    assert_eq!(found, [Some(record("a", 9).value), None, None]);

    until("an entry expires", IN_TIME, async || {
        read_one(&*store, sent("a")).await.is_none()
    })
    .await;
    store.touch(&[sent("a"), form("b")]).await.unwrap();
    let found = store.read(&[sent("a"), form("b")]).await.unwrap();
    assert_eq!(found, [None, None]);
    store.write(&[record("a", 1)]).await.unwrap();
    assert!(
        read_one(&*store, sent("a")).await.is_some(),
        "the expired revision is forgotten"
    );
}

async fn a_provisional_entry_goes_unless_it_is_given_a_full_life(place: &dyn Place) {
    let store = place.open(WEEK);
    let provisional = |entry: Entry| entry.with_life(Life::Provisional);
    let full = [entry(form("full"), 0, "a"), record("full", 0)];
    store.write(&full).await.unwrap();
    let entries = [
        entry(form("full"), 0, "a"),
        record("full", 1),
        entry(form("touched"), 0, "b"),
        record("written", 0),
        entry(form("refused"), 0, "c"),
        record("refused", 0),
    ];
    store.write(&entries.map(provisional)).await.unwrap();
    let keys = [
        form("full"),
        sent("full"),
        form("touched"),
        sent("written"),
        form("refused"),
        sent("refused"),
        form("absent"),
    ];
    let (long, short) = (Some(Life::Full), Some(Life::Provisional));
    assert_eq!(
        store.lives(&keys).await.unwrap(),
        [long, long, short, short, short, short, None]
    );
    let exist = store.touch(&[form("absent"), form("touched")]).await;
    assert_eq!(exist.unwrap(), [false, true]);
    store.write(&[record("written", 0)]).await.unwrap();
    store.remove_provisional(&keys).await.unwrap();
    assert_eq!(
        store.lives(&keys).await.unwrap(),
        [long, long, long, long, None, None, None]
    );
    let kept = store.read(&[sent("full"), form("refused")]).await.unwrap();
    assert_eq!(kept, [Some(record("full", 1).value), None]);
    store.remove_provisional(&[]).await.unwrap();
}

async fn a_provisional_life_is_short_and_shortens_none(place: &dyn Place) {
    // Where the retention is short, a provisional life is half of it.
    let retention = Duration::from_secs(6);
    let store = place.open(retention);
    let written = Instant::now();
    store.write(&[entry(form("full"), 0, "a")]).await.unwrap();
    let entries = ["full", "short"].map(|name| entry(form(name), 0, "a"));
    let entries = entries.map(|entry| entry.with_life(Life::Provisional));
    store.write(&entries).await.unwrap();
    until("a provisional entry expires", IN_TIME, async || {
        read_one(&*store, form("short")).await.is_none()
    })
    .await;
    assert!(written.elapsed() >= retention / 2);
    if written.elapsed() < retention {
        assert!(read_one(&*store, form("full")).await.is_some());
    }
}

async fn the_secret_stays(place: &dyn Place) {
    let store = place.open(WEEK);
    let (one, two) = tokio::join!(store.digest_key(), store.digest_key());
    drop(store);
    let three = place.open(WEEK).digest_key().await.unwrap();
    assert_eq!(one.unwrap().as_bytes(), three.as_bytes());
    assert_eq!(two.unwrap().as_bytes(), three.as_bytes());
    assert_ne!(three.as_bytes(), &[0; 32]);
}

async fn concurrent_writers_leave_the_highest_revision(place: &dyn Place) {
    let store = place.open(WEEK);
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8_u32 {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            for step in 0..25 {
                let rev = step * 8 + (writer * 3 + step) % 8;
                store.write(&[record("shared", rev)]).await.unwrap();
            }
        });
    }
    writers.join_all().await;
    let found = read_one(&*store, sent("shared")).await;
    assert_eq!(found, Some(record("shared", 199).value));
}

async fn a_new_instance_finds_everything(place: &dyn Place) {
    let store = place.open(WEEK);
    store
        .write(&[record("a", 1), entry(form("a"), 0, "kept")])
        .await
        .unwrap();
    drop(store);
    let store = place.open(WEEK);
    let found = store.read(&[sent("a"), form("a")]).await.unwrap();
    assert_eq!(found, [Some(record("a", 1).value), Some("kept".into())]);
}
