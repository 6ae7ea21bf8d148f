//! Properties of scan and splice, over documents of each dialect written in every way that JSON allows.

use bytes::Bytes;
use headroom_shared::id::DigestKey;
use http_body_util::BodyExt;
use proptest::prelude::*;

use super::{MIN_USER_BYTES, Scan, scan};
use crate::dialect::DIALECTS;
use crate::splice::Rope;

/// Writes documents with odd white space, escapes, numbers, duplicate keys and nesting, drawn from a seed.
struct Writer {
    state: u64,
    /// What has been written: fixed text, and the texts of blocks.
    pieces: Vec<Piece>,
}

enum Piece {
    Fixed(String),
    Block(String),
}

impl Writer {
    fn draw(&mut self, below: usize) -> usize {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.state >> 33).unwrap() % below
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        let at = self.draw(from.len());
        from[at]
    }

    fn put(&mut self, text: &str) {
        let space = self.pick(&["", "", "", " ", "\n", "\t \r\n"]);
        self.pieces.push(Piece::Fixed(format!("{space}{text}")));
        let space = self.pick(&["", "", " ", "\n  "]);
        self.pieces.push(Piece::Fixed(space.to_owned()));
    }

    fn escaped(&mut self, bytes: usize) -> String {
        const PIECES: [&str; 14] = [
            "plain words ",
            "\\n",
            "\\\"",
            "\\\\",
            "\\u00e9",
            "\\ud83d\\ude00",
            "\\/",
            "é",
            "😀",
            "{[",
            "]}",
            "\\t",
            ":,",
            "\\u005c",
        ];
        let mut text = String::new();
        while text.len() < bytes {
            text.push_str(self.pick(&PIECES));
        }
        text
    }

    fn block(&mut self) {
        let bytes = MIN_USER_BYTES + self.draw(500);
        let text = self.escaped(bytes);
        let space = self.pick(&["", " ", "\n"]);
        self.pieces.push(Piece::Fixed(format!("{space}\"")));
        self.pieces.push(Piece::Block(text));
        self.pieces.push(Piece::Fixed("\"".to_owned()));
    }

    fn small(&mut self) {
        let bytes = self.draw(60);
        let text = self.escaped(bytes);
        self.put(&format!("\"{text}\""));
    }

    /// A member that means nothing to the dialects, with a comma behind it; perhaps twice, perhaps deep.
    fn noise(&mut self) {
        for _ in 0..self.draw(3) {
            let depth = self.draw(200);
            let (open, close) = ("[".repeat(depth), "]".repeat(depth));
            let value = self.pick(&[
                "1.0",
                "-0",
                "1e5",
                "1234567890123456789012345678901234567890",
                "null",
                "true",
                "\"\\u00e9\\/\"",
                "{\"content\":[],\"content\":2}",
            ]);
            self.put("\"x\"");
            self.put(":");
            self.put(&format!("{open}{value}{close}"));
            self.put(",");
        }
    }

    fn text_part(&mut self, kind: &str, block: bool) {
        self.put("{");
        self.put(&format!("\"type\":\"{kind}\",\"text\":"));
        if block {
            self.block()
        } else {
            self.small()
        }
        self.put("}");
    }

    fn content(&mut self, kind: &str, block: bool) {
        if self.draw(2) == 0 {
            if block {
                self.block()
            } else {
                self.small()
            }
            return;
        }
        self.put("[");
        self.text_part(kind, block);
        if self.draw(2) == 0 {
            self.put(",");
            self.put("{\"type\":\"image\",\"source\":{\"data\":\"AAAA\"}}");
        }
        self.put("]");
    }

    fn anthropic_message(&mut self) {
        let block = self.draw(2) == 0;
        self.put("{");
        self.noise();
        match self.draw(3) {
            0 => {
                self.put("\"role\":\"user\",\"content\":");
                self.content("text", block);
            }
            1 => {
                self.put("\"content\":[{\"type\":\"tool_result\",\"cache_control\":{\"type\":\"ephemeral\"},");
                self.noise();
                self.put("\"tool_use_id\":\"t1\",\"content\":");
                self.content("text", block);
                self.put("}],\"role\":\"user\"");
            }
            _ => {
                self.put(
                    "\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":",
                );
                let text = self.escaped(3000);
                self.put(&format!("\"{text}\",\"signature\":\"s\"}},{{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"Read\",\"input\":{{\"content\":1.0}}}}]"));
            }
        }
        self.put("}");
    }

    fn chat_message(&mut self) {
        let block = self.draw(2) == 0;
        self.put("{");
        self.noise();
        match self.draw(3) {
            0 => {
                self.put("\"role\":\"user\",\"content\":");
                self.content("text", block);
            }
            1 => {
                self.put("\"content\":");
                self.content("text", block);
                self.put(",\"role\":\"tool\",\"tool_call_id\":\"c1\"");
            }
            _ => self.put("\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c1\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]"),
        }
        self.put("}");
    }

    fn responses_item(&mut self) {
        let block = self.draw(2) == 0;
        self.put("{");
        self.noise();
        match self.draw(3) {
            0 => {
                self.put("\"type\":\"message\",\"role\":\"user\",\"content\":");
                self.content("input_text", block);
            }
            1 => {
                self.put("\"type\":\"function_call_output\",\"call_id\":\"c1\",\"output\":");
                self.content("input_text", block);
            }
            _ => self.put("\"type\":\"reasoning\",\"encrypted_content\":\"AAAA\",\"summary\":[]"),
        }
        self.put("}");
    }

    fn document(seed: u64, dialect: usize) -> Self {
        let mut writer = Self {
            state: seed,
            pieces: Vec::new(),
        };
        let (member, message): (&str, fn(&mut Self)) = [
            ("messages", Self::anthropic_message as fn(&mut Self)),
            ("messages", Self::chat_message),
            ("input", Self::responses_item),
        ][dialect];
        writer.put("{");
        writer.noise();
        writer.put(&format!("\"model\":\"m\",\"{member}\":["));
        for index in 0..writer.draw(8) {
            if index > 0 {
                writer.put(",");
            }
            message(&mut writer);
        }
        writer.put("]");
        writer.put(",\"y\":[]}");
        writer
    }

    /// The document, with `form` in place of each block if there is one.
    fn text(&self, form: Option<&str>) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Fixed(text) => text.clone(),
            Piece::Block(text) => form.unwrap_or(text).to_owned(),
        };
        self.pieces.iter().map(piece).collect()
    }
}

fn flat(rope: Rope) -> Vec<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async { rope.collect().await.unwrap().to_bytes().to_vec() })
}

fn scanned(body: &[u8], dialect: usize) -> Option<Scan> {
    scan(body, DIALECTS[dialect], &DigestKey::from_bytes([7; 32])).ok()
}

proptest! {
    #[test]
    fn splicing_changes_the_blocks_and_nothing_else(seed: u64, dialect in 0_usize..3) {
        let writer = Writer::document(seed, dialect);
        let body = Bytes::from(writer.text(None));
        let valid = serde_json::from_slice::<serde::de::IgnoredAny>(&body);
        prop_assert!(valid.is_ok(), "the generator wrote no JSON: {valid:?}");
        let scan = scanned(&body, dialect).expect("a document of the dialect");
        let found: Vec<&[u8]> = scan.blocks.iter().map(|block| &body[block.span.clone()]).collect();
        let written: Vec<&[u8]> = writer.pieces.iter().filter_map(|piece| match piece {
            Piece::Block(text) => Some(text.as_bytes()),
            Piece::Fixed(_) => None,
        }).collect();
        prop_assert_eq!(found, written);
        prop_assert_eq!(flat(Rope::splice(&body, [])), body.to_vec());
        let form = Bytes::from_static(b"a \\\"form\\\"");
        let spans = scan.blocks.iter().map(|block| (block.span.clone(), form.clone()));
        prop_assert_eq!(flat(Rope::splice(&body, spans)), writer.text(Some("a \\\"form\\\"")).into_bytes());
    }

    #[test]
    fn a_cut_document_is_unlike_any(seed: u64, dialect in 0_usize..3, cut: prop::sample::Index) {
        let body = Writer::document(seed, dialect).text(None);
        let end = body.trim_end().len() - 1;
        prop_assert!(scanned(&body.as_bytes()[..cut.index(end)], dialect).is_none());
    }

    #[test]
    fn no_bytes_make_it_panic(body: Vec<u8>, dialect in 0_usize..3) {
        scanned(&body, dialect);
    }

    #[test]
    fn no_change_of_a_byte_makes_it_panic(seed: u64, dialect in 0_usize..3, at: prop::sample::Index, byte: u8) {
        let mut body = Writer::document(seed, dialect).text(None).into_bytes();
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
fn what_decides_and_stands_twice_is_unlike_any_dialect() {
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
