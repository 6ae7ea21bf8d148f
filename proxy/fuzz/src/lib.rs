//! What must hold of the hot path for any bytes. The fuzz targets run it, and so does an ordinary test over the corpus.

use bytes::Bytes;
use headroom_proxy::hot_path;
use serde::de::IgnoredAny;

/// All ways to find a string's end agree with the simplest one.
pub fn string_end(text: &[u8]) {
    let end = naive_string_end(text);
    assert_eq!(hot_path::string_end(text), end);
    assert_eq!(hot_path::string_end_portable(text), end);
}

/// A scan never panics, its spans are texts of the body, its blocks stand in order and each at a place of its own, and what
/// it takes is JSON.
pub fn scan(body: &[u8]) {
    for dialect in 0..hot_path::DIALECT_COUNT {
        let Some(found) = hot_path::scan(body, dialect) else {
            continue;
        };
        assert!(found.places.is_sorted_by(|a, b| a < b), "{found:?}");
        let mut at = 0;
        for block in &found.blocks {
            assert!(at <= block.start && block.start < block.end, "{found:?}");
            let quoted = (
                body[block.start - 1],
                naive_string_end(&body[block.start..]),
            );
            assert_eq!(quoted, (b'"', Some(block.len())), "{found:?}");
            at = block.end;
        }
        assert!(
            found
                .others
                .iter()
                .all(|span| body.get(span.clone()).is_some())
        );
        let skeleton = skeleton(body);
        if depth(&skeleton) < 100 {
            let read = serde_json::from_slice::<IgnoredAny>(&skeleton);
            assert!(read.is_ok(), "{read:?}");
        }
    }
}

/// A splice changes the blocks and nothing else, knows its length, and is JSON where the body is.
pub fn splice(body: &[u8]) {
    let body = Bytes::copy_from_slice(body);
    let is_json = serde_json::from_slice::<IgnoredAny>(&body).is_ok();
    for dialect in 0..hot_path::DIALECT_COUNT {
        let Some(found) = hot_path::scan(&body, dialect) else {
            continue;
        };
        // Every other block, and all of them.
        for step in [2, 1] {
            let blocks = found.blocks.iter().step_by(step);
            let forms = blocks.enumerate().map(|(index, span)| {
                let form = ["short", "with \\\"escapes\\\"\\n", "", "é"][index % 4];
                (span.clone(), Bytes::from_static(form.as_bytes()))
            });
            let mut expected = Vec::new();
            let mut at = 0;
            for (span, form) in forms.clone() {
                expected.extend_from_slice(&body[at..span.start]);
                expected.extend_from_slice(&form);
                at = span.end;
            }
            expected.extend_from_slice(&body[at..]);
            let (length, slices) = hot_path::splice(&body, forms);
            assert_eq!(length, expected.len());
            assert_eq!(slices.concat(), expected);
            assert!(!is_json || serde_json::from_slice::<IgnoredAny>(&expected).is_ok());
        }
    }
}

/// A scan that goes on from that of a body much like it, or from its own beginning, finds what a scan from the start finds.
pub fn turns(body: &[u8]) {
    let (head, tail) = body.split_at(body.len() / 3);
    let (middle, end) = tail.split_at(tail.len() / 2);
    let shorter = [head, tail.get(1..).unwrap_or_default()].concat();
    let changed = [head, middle, b" ", end].concat();
    for dialect in 0..hot_path::DIALECT_COUNT {
        for other in [body, &shorter, &changed] {
            let (body, other) = (Bytes::copy_from_slice(body), Bytes::copy_from_slice(other));
            let [from_start, from_other, from_begun] = hot_path::every_way(&other, &body, dialect);
            assert_eq!(from_other, from_start);
            assert_eq!(from_begun, from_start);
        }
    }
}

/// A string's end, said as simply as possible.
fn naive_string_end(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The body without what a scan does not look at: each string empty, and each number 0.
fn skeleton(body: &[u8]) -> Vec<u8> {
    let mut skeleton = Vec::new();
    let mut rest = body;
    while let Some((first, behind)) = rest.split_first() {
        let number = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
        let word = |byte: &u8| byte.is_ascii_alphabetic() || number(byte);
        if *first == b'"' {
            let Some(end) = naive_string_end(behind) else {
                skeleton.extend_from_slice(rest);
                break;
            };
            skeleton.extend_from_slice(b"\"\"");
            rest = &behind[end + 1..];
        } else if word(first) {
            let length = rest.iter().take_while(|byte| word(byte)).count();
            let (run, behind) = rest.split_at(length);
            let is_number = run.iter().all(number) && run.iter().any(u8::is_ascii_digit);
            skeleton.extend_from_slice(if is_number { b"0" } else { run });
            rest = behind;
        } else {
            skeleton.push(*first);
            rest = behind;
        }
    }
    skeleton
}

/// How deep a skeleton nests: `serde_json` stops at 128.
fn depth(skeleton: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in skeleton {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}
