//! Which texts are blocks: a test for each row of the tables in `docs/providers.md`.

mod anthropic;
mod openai;
mod seen;

use headroom_shared::contract::id::DigestKey;
use headroom_shared::contract::job::Place;

use super::DIALECTS;
use crate::scan::{Scan, scan};

const ANTHROPIC: usize = 0;
const CHAT: usize = 1;
const RESPONSES: usize = 2;

/// The text that stands for a digit in `@1`: long enough to be a block wherever it stands.
fn long(digit: char) -> String {
    format!("text {digit} ").repeat(400)
}

/// The body with these elements, in which `@1` stands for a long text.
fn body(dialect: usize, elements: &str) -> String {
    let member = if dialect == RESPONSES {
        "input"
    } else {
        "messages"
    };
    let mut body = format!(r#"{{"model":"m","{member}":[{elements}]}}"#);
    for digit in '1'..='9' {
        body = body.replace(&format!("@{digit}"), &long(digit));
    }
    body
}

fn scanned(dialect: usize, body: &str) -> Scan {
    let key = DigestKey::from_bytes([7; 32]);
    scan(body.as_bytes(), DIALECTS[dialect], &key).expect("a body of the dialect")
}

/// The digits of the long texts in these elements that are blocks.
fn blocks(dialect: usize, elements: &str) -> String {
    let body = body(dialect, elements);
    let scan = scanned(dialect, &body);
    let digit = |text: &str| text.chars().nth("text ".len()).unwrap();
    let spans = scan.blocks.iter().map(|block| block.span.clone());
    let texts = spans.map(|span| &body[span]);
    texts
        .map(|text| {
            assert_eq!(text, long(digit(text)), "a block is a whole text");
            digit(text)
        })
        .collect()
}

#[track_caller]
fn check(dialect: usize, rows: &[(&str, &str)]) {
    for (elements, expected) in rows {
        assert_eq!(blocks(dialect, elements), *expected, "{elements}");
    }
}

#[test]
fn what_goes_to_code_is_no_block() {
    let used = |id: &str, caller: &str| {
        format!(
            r#"{{"role":"assistant","content":[{{"type":"tool_use","id":"{id}","name":"n","input":{{}}{caller}}}]}}"#
        )
    };
    let result = |id: &str, digit: &str| {
        format!(
            r#"{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"{id}","content":"@{digit}"}}]}}"#
        )
    };
    let code = r#","caller":{"type":"code_execution_20260120","tool_id":"s"}"#;
    for (caller, expected) in [
        ("", "12"),
        (r#","caller":null"#, "12"),
        (r#","caller":{"type":"direct"}"#, "12"),
        (code, "2"),
        (r#","caller":"unheard of""#, "2"),
    ] {
        let messages = [
            used("a", caller),
            used("b", ""),
            result("a", "1"),
            result("b", "2"),
        ];
        check(ANTHROPIC, &[(&messages.join(","), expected)]);
    }
    let reused = [
        used("a", code),
        result("a", "1"),
        used("a", ""),
        result("a", "2"),
    ];
    check(ANTHROPIC, &[(&reused.join(","), "2")]);
    let call = r#"{"type":"function_call","call_id":"c","name":"n","arguments":"{}","caller":{"type":"program"}}"#;
    let output = r#"{"type":"function_call_output","call_id":"c","output":"@1"}"#;
    let with_caller = output.replace("}", r#","caller":{"type":"program"}}"#);
    check(
        RESPONSES,
        &[
            (&[call, output].join(","), ""),
            (&with_caller, ""),
            (output, "1"),
        ],
    );
}

#[test]
fn no_two_blocks_have_the_same_place() {
    let inner = r#"7,{"type":"search_result","content":[{"type":"text","text":"@1"}]},{"type":"text","text":"@2"},{"type":"search_result","content":[{"type":"text","text":"@3"}]}"#;
    let parts = format!(
        r#"7,{{"type":"tool_result","tool_use_id":"t","content":[{inner}]}},{{"type":"text","text":"@4"}},{{"type":"search_result","content":[{{"type":"text","text":"@5"}},{{"type":"text","text":"@6"}}]}}"#
    );
    let message = format!(r#"{{"role":"user","content":[{parts}]}}"#);
    let shell = r#"{"type":"shell_call_output","call_id":"c","output":[{"stdout":"@1","stderr":"@2"},{"stderr":"@3"}]}"#;
    for (dialect, elements, expected) in [
        (
            ANTHROPIC,
            &*message,
            vec![(1, 1), (1, 2), (1, 3), (2, 0), (3, 0), (3, 1)],
        ),
        (RESPONSES, shell, vec![(0, 0), (0, 1), (1, 1)]),
    ] {
        let scan = scanned(dialect, &body(dialect, elements));
        let place = |place: Place| (place.part, place.inner);
        let places = scan.blocks.iter().map(|block| place(block.place));
        assert_eq!(Vec::from_iter(places), expected);
    }
}

#[test]
fn texts_that_are_no_parts_count_as_text() {
    let shell =
        r#"{"type":"shell_call_output","call_id":"c","output":[{"stdout":"@1","stderr":""}]}"#;
    let scan = scanned(RESPONSES, &body(RESPONSES, shell));
    assert_eq!(scan.text_bytes, long('1').len());
}
