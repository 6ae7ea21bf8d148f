//! The ids of fixed documents under a fixed key: records in the stores of running deployments are found by them.

use headroom_shared::contract::id::DigestKey;

use super::document_generator::DocumentGenerator;
use super::scan;
use crate::dialect::DIALECTS;

/// One document of each dialect that has each shape which the digests tell apart.
const DOCUMENTS: [&str; 3] = [
    r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"tool_use","id":"t1","name":"Read","input":{"a":[1,{"b":2}]}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","cache_control":{"type":"ephemeral"},"content":"LONG"},{"type":"tool_result","is_error":true,"tool_use_id":"t2","content":[{"type":"text","text":"LONG"},{"type":"image","source":{"data":"LONG"}},7]},{"type":"text","text":"LONG"}]},{"content":null,"role":"system","x":"LONG"},{"role":"user","content":[3,{}]}]}"#,
    r#"{"messages":[{"role":"system","content":"s"},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":"LONG"},{"role":"user","content":[{"type":"text","text":"LONG"},{"type":"text","text":"short"}]}],"model":"m"}"#,
    r#"{"input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"LONG"}]},{"role":"user","content":"u"},{"type":"function_call","call_id":"c1","name":"f","arguments":"LONG"},{"type":"function_call_output","call_id":"c1","output":"LONG"},{"type":"reasoning","encrypted_content":"LONG","summary":[]}],"model":"m","previous_response_id":"r1"}"#,
];

/// Everything that scans find in `bodies`, in one digest.
fn found(bodies: &[String], dialect: usize) -> String {
    let key = DigestKey::from_bytes([7; 32]);
    let mut all = blake3::Hasher::new();
    for body in bodies {
        let scan = scan(body.as_bytes(), DIALECTS[dialect], &key).unwrap();
        let mut text = format!("{} {} {:?}", scan.model, scan.text_bytes, scan.cache);
        text += &format!(" {} {}", scan.asks_thinking, scan.references);
        for message in &scan.messages {
            text += &format!(" {} {}", message.boundary, message.from_model);
            text += &format!(" {}", message.thinking);
        }
        for block in &scan.blocks {
            text += &format!(" {} {:?}", block.place, block.span);
            text += &format!(" {} {:?}", block.id, block.call);
        }
        for call in &scan.calls {
            text += &format!(" {:?} {:?} {:?}", call.id, call.name, call.input);
        }
        all.update(text.as_bytes());
    }
    all.finalize().to_hex()[..32].to_owned()
}

#[test]
fn what_is_found_in_fixed_documents_never_changes() {
    let line = r#"line of \"output\"\n"#;
    let found = [0, 1, 2].map(|dialect| {
        let bodies = [600, 1024, 3000, 70_000].map(|long| {
            let text = line.repeat(long / line.len() + 1);
            DOCUMENTS[dialect].replace("LONG", &text[..long])
        });
        found(&bodies, dialect)
    });
    let digests = [
        "9cb37f806c44aa0f90fc346922a64abe",
        "f4189a601204b6e8c355c8824bc69629",
        "0fd7fb04c51f0a8793b075b8cabae9ea",
    ];
    assert_eq!(found, digests);
}

#[test]
fn what_is_found_in_written_documents_never_changes() {
    let found = [0, 1, 2].map(|dialect| {
        let body = |seed| DocumentGenerator::document(seed, dialect).text(None);
        let bodies: Vec<String> = (0..200).map(body).collect();
        found(&bodies, dialect)
    });
    let digests = [
        "86231c2737a3f66b09c2de24de20f885",
        "fe7c42f10dffa2f94a97891f757f2d93",
        "7ed20ba43c0feea53ffdbf07fc44fd5a",
    ];
    assert_eq!(found, digests);
}
