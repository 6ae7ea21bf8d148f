//! What a hand or another program may put into the list of jobs and under the names of payloads.

use headroom_shared::contract::job::{Envelope, Payload};
use headroom_tests::queue::SOON;
use headroom_tests::queue::jobs::{TEXT, job, prefix};
use headroom_tests::queue::over_redis::keys;
use headroom_tests::queue::watch::{buried, done, empty, offer, push, stored};
use headroom_tests::random::Random;
use headroom_tests::redis_server::RedisServer;
use headroom_tests::wait::until;

use super::worker;

fn line(envelope: &Envelope) -> String {
    serde_json::to_string(envelope).unwrap()
}

/// An envelope's line with something else at one place.
fn changed(from: &str, to: &str) -> Vec<u8> {
    let good = line(&job(1, TEXT).0);
    let changed = good.replacen(from, to, 1);
    assert_ne!(changed, good);
    changed.into_bytes()
}

/// Elements that are no jobs, each with what is said of it.
fn foreign() -> Vec<(Vec<u8>, &'static str)> {
    let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth)).into_bytes();
    let (fields, json, version, long) = (
        "not an envelope: wrong fields",
        "not an envelope: no JSON",
        "this program reads 1",
        "an envelope has at most 16384 bytes",
    );
    vec![
        (b"7".to_vec(), fields),
        (b"-1e300".to_vec(), fields),
        (b"null".to_vec(), fields),
        (b"true".to_vec(), fields),
        (b"\"an envelope\"".to_vec(), fields),
        (b"[]".to_vec(), fields),
        (b"{}".to_vec(), fields),
        (nested(100), fields),
        (nested(5000), fields),
        (nested(100_000), long),
        (vec![b'7'; 1 << 20], long),
        (changed("\"id\":\"", "\"id\":7,\"was\":\""), fields),
        (changed("\"tokens\":", "\"tokens\":-"), fields),
        (changed("\"tokens\":", "\"tokens\":1.5,\"was\":"), fields),
        (changed("\"prefix\":\"", "\"prefix\":\"x"), fields),
        (changed("{", "{\"v\":1,"), fields),
        (changed("\"v\":1,", "\"v\":2,"), version),
        (changed("\"v\":1,", "\"v\":0,"), version),
        (changed("}", ""), json),
        (changed("}", "}}"), json),
        (changed("\"id\"", "id"), json),
        (Vec::new(), json),
        (b" \n".to_vec(), json),
        (b"\xff\xfe\x00\x01".to_vec(), json),
        (b"*1\r\n$4\r\nPING\r\n".to_vec(), json),
    ]
}

#[tokio::test]
async fn foreign_elements_of_every_kind_are_buried_with_their_reasons() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(100);
    let foreign = foreign();
    for (element, _) in &foreign {
        push(&redis, element).await;
        push(&redis, element).await;
    }
    offer(&producer, 9, TEXT).await;
    let mut worker = worker(&redis, 3).await;
    done(&producer, 1).await;
    let all = 2 * foreign.len();
    until("all are buried", SOON, async || {
        redis.counts().await.1.dead == all as u64
    })
    .await;
    let entries = buried(&redis).await;
    assert_eq!(entries.len(), all);
    // Several threads bury them: what counts is that each reason is given as often as there is cause for it.
    for reason in foreign.iter().map(|(_, reason)| reason) {
        let causes = foreign.iter().filter(|(_, other)| other == reason).count();
        let given = entries
            .iter()
            .filter(|entry| entry.contains(reason))
            .count();
        assert_eq!(given, 2 * causes, "{reason}: {entries:?}");
    }
    assert!(!worker.has_ended());
    empty(&redis).await;
}

#[tokio::test]
async fn an_envelope_that_was_changed_anywhere_is_done_or_buried() {
    const ELEMENTS: u64 = 500;
    let mut random = Random::seeded();
    let redis = RedisServer::start().await;
    let (envelope, payload) = job(1, TEXT);
    let payload = serde_json::to_string(&payload).unwrap();
    let set = ["SET", &keys().payload(&envelope.id), &payload];
    let _: () = redis.command(&set).await;
    for _ in 0..ELEMENTS {
        let mut element = line(&envelope).into_bytes();
        for _ in 0..=random.below(3) {
            let at = random.below(element.len());
            match random.below(3) {
                0 => element[at] = random.any().to_le_bytes()[0],
                1 => drop(element.remove(at)),
                _ => element.insert(at, b"\"\\{}[],:0 "[random.below(10)]),
            }
        }
        push(&redis, &element).await;
    }
    let mut worker = worker(&redis, 2).await;
    until("each is done or buried", SOON, async || {
        let (depth, totals) = redis.counts().await;
        (depth.waiting, depth.active) == (0, 0) && totals.done + totals.dead == ELEMENTS
    })
    .await;
    let totals = redis.counts().await.1;
    assert!(totals.dead > ELEMENTS / 4, "{totals:?}");
    assert!(!worker.has_ended());
}

#[tokio::test]
async fn an_envelope_with_fields_of_a_later_program_is_a_job() {
    let redis = RedisServer::start().await;
    let (envelope, payload) = job(1, TEXT);
    let payload = serde_json::to_string(&payload).unwrap();
    let set = ["SET", &keys().payload(&envelope.id), &payload];
    let _: () = redis.command(&set).await;
    let later = r#"{"later":{"tier":[1,null,"x"]},"#;
    let element = line(&envelope).replacen('{', later, 1);
    push(&redis, element.as_bytes()).await;
    let _worker = worker(&redis, 1).await;
    done(&redis.producer(0), 1).await;
    assert!(stored(&redis, 1).await.is_some());
    assert_eq!(redis.counts().await.1.dead, 0);
    empty(&redis).await;
}

#[tokio::test]
async fn the_same_envelope_twice_is_done_twice_with_one_result() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let envelope = offer(&producer, 1, TEXT).await;
    push(&redis, line(&envelope).as_bytes()).await;
    let _worker = worker(&redis, 2).await;
    done(&producer, 2).await;
    assert!(stored(&redis, 1).await.is_some());
    assert_eq!(redis.counts().await.1.dead, 0);
    empty(&redis).await;
}

#[tokio::test]
async fn of_two_prefixes_under_one_id_one_is_done_and_one_is_buried() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let envelope = offer(&producer, 1, TEXT).await;
    let twin = Envelope {
        prefix: prefix(2),
        ..envelope
    };
    push(&redis, line(&twin).as_bytes()).await;
    let _worker = worker(&redis, 1).await;
    until("both have ended", SOON, async || {
        let totals = redis.counts().await.1;
        (totals.done, totals.dead) == (1, 1)
    })
    .await;
    let entries = buried(&redis).await;
    assert!(entries[0].contains("its payload is gone"), "{entries:?}");
    empty(&redis).await;
}

/// What stands under a payload's name instead of it, as the commands that put it there, each with what is said of it.
fn payloads(name: &str) -> Vec<(Vec<String>, &'static str)> {
    let set = |value: &str| vec!["SET".to_owned(), name.to_owned(), value.to_owned()];
    let command = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    let later = Payload {
        v: 2,
        ..job(1, TEXT).1
    };
    let later = serde_json::to_string(&later).unwrap();
    vec![
        (set(&later), "a payload of version 2, this program reads 1"),
        (set("7"), "not a payload: wrong fields"),
        (
            set("{\"v\":1,\"references\":true,\"blocks\":{}}"),
            "not a payload: wrong fields",
        ),
        (set(""), "not a payload: no JSON"),
        (set(&later[..later.len() / 2]), "not a payload: no JSON"),
        (command(&["PEXPIRE", name, "1"]), "its payload is gone"),
        (command(&["LPUSH", name, "x"]), "its payload is gone"),
        (command(&["HSET", name, "x", "y"]), "its payload is gone"),
    ]
}

#[tokio::test]
async fn a_job_whose_payload_is_none_is_buried_with_its_reason() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(100);
    for number in 1..=u8::try_from(payloads("").len()).unwrap() {
        let name = keys().payload(&offer(&producer, number, TEXT).await.id);
        let (command, _) = payloads(&name).remove(usize::from(number) - 1);
        if command[0] == "LPUSH" || command[0] == "HSET" {
            let _: u64 = redis.command(&["DEL", &name]).await;
        }
        let _: redis::Value = redis.command(&command).await;
        if command[0] == "PEXPIRE" {
            until("it has expired", SOON, async || {
                redis.command::<u64>(&["EXISTS", &name]).await == 0
            })
            .await;
        }
    }
    offer(&producer, 99, TEXT).await;
    let mut worker = worker(&redis, 1).await;
    done(&producer, 1).await;
    let entries = buried(&redis).await;
    assert_eq!(entries.len(), payloads("").len(), "{entries:?}");
    for (entry, (_, reason)) in entries.iter().zip(payloads("")) {
        assert!(entry.contains(reason), "{reason}: {entry}");
    }
    assert!(!worker.has_ended());
}
