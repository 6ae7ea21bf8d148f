//! Properties of scan and splice, over written documents of each dialect.

use std::time::Duration;

use bytes::Bytes;
use headroom_shared::contract::id::DigestKey;
use proptest::prelude::*;

use super::document_generator::{DocumentGenerator, Piece};
use super::{CacheLife, Message, Scan, scan};
use crate::dialect::DIALECTS;
use crate::plan::splice::Rope;

fn flat(rope: Rope) -> Vec<u8> {
    rope.slices().flatten().copied().collect()
}

fn scanned(body: &[u8], dialect: usize) -> Option<Scan> {
    scan(body, DIALECTS[dialect], &DigestKey::from_bytes([7; 32])).ok()
}

proptest! {
    #[test]
    fn splicing_changes_the_blocks_and_nothing_else(seed: u64, dialect in 0_usize..3) {
        let document = DocumentGenerator::document(seed, dialect);
        let body = Bytes::from(document.text(None));
        let valid = serde_json::from_slice::<serde::de::IgnoredAny>(&body);
        prop_assert!(valid.is_ok(), "the generator wrote no JSON: {valid:?}");
        let scan = scanned(&body, dialect).expect("a document of the dialect");
        let found: Vec<&[u8]> = scan.blocks.iter().map(|block| &body[block.span.clone()]).collect();
        let written: Vec<&[u8]> = document.pieces.iter().filter_map(|piece| match piece {
            Piece::Block(text) => Some(text.as_bytes()),
            Piece::Fixed(_) => None,
        }).collect();
        prop_assert_eq!(found, written);
        prop_assert_eq!(flat(Rope::splice(&body, [])), body.to_vec());
        let form = Bytes::from_static(b"a \\\"form\\\"");
        let spans = scan.blocks.iter().map(|block| (block.span.clone(), form.clone()));
        prop_assert_eq!(flat(Rope::splice(&body, spans)), document.text(Some("a \\\"form\\\"")).into_bytes());
    }

    #[test]
    fn a_cut_document_is_not_in_the_dialect(seed: u64, dialect in 0_usize..3, cut: prop::sample::Index) {
        let body = DocumentGenerator::document(seed, dialect).text(None);
        let end = body.trim_end().len() - 1;
        prop_assert!(scanned(&body.as_bytes()[..cut.index(end)], dialect).is_none());
    }

    #[test]
    fn no_bytes_make_it_panic(body: Vec<u8>, dialect in 0_usize..3) {
        scanned(&body, dialect);
    }

    #[test]
    fn no_change_of_a_byte_makes_it_panic(seed: u64, dialect in 0_usize..3, at: prop::sample::Index, byte: u8) {
        let mut body = DocumentGenerator::document(seed, dialect).text(None).into_bytes();
        let at = at.index(body.len());
        body[at] = byte;
        if let Some(scan) = scanned(&body, dialect) {
            let body = Bytes::from(body);
            let spans = scan.blocks.iter().map(|block| (block.span.clone(), Bytes::new()));
            flat(Rope::splice(&body, spans));
        }
    }
}

fn boundaries(body: &str) -> Vec<String> {
    let scan = scanned(body.as_bytes(), 0).unwrap();
    scan.messages
        .iter()
        .map(|message| message.boundary.to_string())
        .collect()
}

#[test]
fn shapes_that_clients_change_between_turns_are_the_same_prefix() {
    let long = "line of output\\n".repeat(100);
    let turn = |first: &str, second: &str| {
        format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":{first}}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"t","content":{second}}}]}}]}}"#
        )
    };
    let marked = |text: &str| {
        format!(r#"[{{"type":"text","text":"{text}","cache_control":{{"type":"ephemeral"}}}}]"#)
    };
    let plain = turn("\"hi\"", &format!("\"{long}\""));
    assert_eq!(
        boundaries(&turn(&marked("hi"), &format!("\"{long}\""))),
        boundaries(&plain)
    );
    assert_eq!(
        boundaries(&turn("\"hi\"", &marked(&long))),
        boundaries(&plain)
    );
    let reordered = plain.replace(
        r#"{"role":"user","content":"hi"}"#,
        r#"{ "content" : "hi" , "role":"user"}"#,
    );
    assert_eq!(boundaries(&reordered), boundaries(&plain));
    let marker = plain.replace(
        r#""tool_use_id":"t""#,
        r#""tool_use_id":"t","cache_control":{"type":"ephemeral","ttl":"1h"}"#,
    );
    assert_eq!(boundaries(&marker), boundaries(&plain));
    assert_ne!(
        boundaries(&plain.replace("\"hi\"", "\"ho\""))[0],
        boundaries(&plain)[0]
    );
    assert_ne!(
        boundaries(&plain.replace("\"t\"", "\"u\""))[1],
        boundaries(&plain)[1]
    );
    assert_eq!(
        boundaries(&plain.replace("\"t\"", "\"u\""))[0],
        boundaries(&plain)[0]
    );
}

#[test]
fn a_part_with_a_text_and_a_content_has_no_block() {
    let (long, both) = ("x".repeat(3000), ["text", "content"]);
    for [first, second] in [both, [both[1], both[0]]] {
        let part = |kind| format!(r#"{{"type":"{kind}","{first}":"{long}","{second}":"{long}"}}"#);
        let parts = [part("text"), part("tool_result")].join(",");
        let body = format!(r#"{{"messages":[{{"role":"user","content":[{parts}]}}]}}"#);
        for dialect in 0..2 {
            assert!(scanned(body.as_bytes(), dialect).unwrap().blocks.is_empty());
        }
    }
}

#[test]
fn a_history_counts_wherever_the_body_names_it() {
    let input = r#""input":[{"role":"user","content":"a"},{"role":"user","content":"b"}]"#;
    let boundaries = |body: &str| {
        let scan = scanned(body.as_bytes(), 2).unwrap();
        let boundary = |message: &Message| message.boundary;
        scan.messages.iter().map(boundary).collect::<Vec<_>>()
    };
    let before = boundaries(&format!(r#"{{"previous_response_id":"r",{input}}}"#));
    let behind = boundaries(&format!(r#"{{{input},"previous_response_id":"r"}}"#));
    assert_eq!(before, behind);
    assert_ne!(before, boundaries(&format!("{{{input}}}")));
    let null = boundaries(&format!(r#"{{{input},"previous_response_id":null}}"#));
    assert_eq!(null, boundaries(&format!("{{{input}}}")));
}

#[test]
fn a_marker_counts_wherever_it_stands() {
    let life = |body: &str, dialect| scanned(body.as_bytes(), dialect).unwrap().cache;
    let marked = |minutes: u64| CacheLife::Marked(Duration::from_secs(minutes * 60));
    let short = r#""cache_control":{"type":"ephemeral"}"#;
    let long = r#""cache_control":{"type":"ephemeral","ttl":"1h"}"#;
    for (kind, body) in [short, long].into_iter().enumerate().flat_map(|(kind, marker)| {
        [
            r#"{"messages":[],MARK}"#,
            r#"{"system":[{"type":"text","text":"s",MARK}],"messages":[]}"#,
            r#"{"messages":[],"tools":[{"name":"t","input_schema":{},MARK}]}"#,
            r#"{"messages":[{"role":"user","content":"a",MARK}]}"#,
            r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a",MARK}]}]}"#,
            r#"{"messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"text","text":"a",MARK}]}]}]}"#,
            r#"{"messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"document","source":{"content":[{"type":"text","text":"a",MARK}]}}]}]}]}"#,
        ]
        .map(|body| (kind, body.replace("MARK", marker)))
    }) {
        assert_eq!(life(&body, 0), marked([5, 60][kind]), "{body}");
    }
    let plain = r#"{"messages":[{"role":"user","content":"\"cache_control\":{}"}]}"#;
    assert_eq!(life(plain, 0), CacheLife::None);
    let hours = |hours: u64| CacheLife::Automatic(Duration::from_secs(hours * 3600));
    let asks = r#"{"messages":[],"prompt_cache_retention":"24h"}"#;
    assert_eq!(life(asks, 1), hours(24));
    assert_eq!(life(r#"{"messages":[]}"#, 1), hours(1));
}

#[test]
fn members_that_stand_twice_are_not_in_the_dialect() {
    for body in [
        r#"{"messages":[],"messages":[]}"#,
        r#"{"messages":[{"role":"user","content":"a","content":"b"}]}"#,
        r#"{"messages":[{"role":"user","role":"assistant","content":"a"}]}"#,
        r#"{"messages":[{"role":"us\u0065r","content":"a"}]}"#,
        r#"{"messages":{}}"#,
        r#"{"messages":[1]}"#,
        "[]",
        "{}",
        "",
    ] {
        assert!(scanned(body.as_bytes(), 0).is_none(), "{body}");
    }
}
