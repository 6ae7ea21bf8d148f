//! Anthropic's prefix check on thinking: how to recognise a refusal, and how a request asks to have thinking dropped that does not belong to
//! what stands before it.
//!
//! Source: Anthropic's pages "Preserved thinking", "Prefix checks on thinking blocks" and "Fix a thinking block bound to a different
//! conversation", November 2026.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use memchr::memchr;
use serde::Deserialize;

use crate::header_list::items;
use crate::scan::{Cursor, NotInDialect};

/// In the message of each refusal. The same status and type with another message (a signature that was tampered with, thinking that was
/// edited) means an error that dropping thinking does not repair.
const REFUSAL: &str = "bound to a different conversation";
/// The member of `thinking` that asks for dropping.
const DROP_BLOCK: &str = r#""block_binding":{"prefix_mismatch_behavior":"drop_block"}"#;
const BETAS: HeaderName = HeaderName::from_static("anthropic-beta");
/// The beta without which the API refuses that member.
const BETA: &str = "thinking-binding-controls-2026-08-01";

#[derive(Deserialize)]
struct Refusal<'a> {
    #[serde(borrow)]
    error: Error<'a>,
}

#[derive(Deserialize)]
struct Error<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    message: Cow<'a, str>,
}

/// Whether the body of a response with status 400 says that thinking is bound to something else than stands before it.
pub(crate) fn is_refusal(body: &[u8]) -> bool {
    let refusal: Result<Refusal<'_>, _> = serde_json::from_slice(body);
    refusal.is_ok_and(|Refusal { error }| {
        error.kind == "invalid_request_error" && error.message.contains(REFUSAL)
    })
}

/// The edit by which a request's body asks for dropping; `None` where its `thinking` does not allow that: thinking is disabled, or the
/// client itself says what to do with thinking that does not belong.
pub(crate) fn drop_block(body: &[u8]) -> Option<(Range<usize>, Bytes)> {
    let mut cursor = Cursor::new(body);
    let mut thinking = None;
    let read = cursor.object(|cursor, name| {
        let value = cursor.value()?;
        let again = name == b"thinking" && thinking.replace(value).is_some();
        if again { Err(NotInDialect) } else { Ok(()) }
    });
    read.ok()?;
    // The models that bind their thinking think adaptively unless they are told otherwise.
    let adaptive = format!(r#"{{"type":"adaptive",{DROP_BLOCK}}}"#);
    let (span, text) = match thinking {
        None => {
            let start = memchr(b'{', body)? + 1;
            (start..start, format!(r#""thinking":{adaptive},"#))
        }
        Some(span) if cursor.slice(&span) == b"null" => (span, adaptive),
        Some(span) => {
            let start = span.start + 1;
            accepts_binding(cursor.slice(&span))
                .then(|| (start..start, format!("{DROP_BLOCK},")))?
        }
    };
    Some((span, Bytes::from(text)))
}

/// Whether a value of `thinking` lets the model think, and does not say what to do with thinking that does not belong.
fn accepts_binding(thinking: &[u8]) -> bool {
    let mut cursor = Cursor::new(thinking);
    let mut thinks = false;
    let read = cursor.object(|cursor, name| {
        let value = cursor.value()?;
        match name {
            b"block_binding" => Err(NotInDialect),
            b"type" => {
                thinks = matches!(cursor.slice(&value), br#""adaptive""# | br#""enabled""#);
                Ok(())
            }
            _ => Ok(()),
        }
    });
    read.is_ok() && thinks
}

/// Adds the beta that asking for dropping needs, behind those that the client names.
pub(crate) fn add_beta(headers: &mut HeaderMap) {
    let named: Vec<&[u8]> = headers.get_all(BETAS).iter().flat_map(items).collect();
    if named.contains(&BETA.as_bytes()) {
        return;
    }
    let all = [named, vec![BETA.as_bytes()]].concat().join(&b","[..]);
    if let Ok(all) = HeaderValue::from_bytes(&all) {
        headers.insert(BETAS, all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::splice::Rope;

    #[test]
    fn only_the_prefix_check_s_refusal_is_one() {
        let error = |kind: &str, message: &str| {
            serde_json::json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}).to_string()
        };
        let refusal = "messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to a different conversation. Remove the block, or set `thinking.block_binding.prefix_mismatch_behavior` to \"drop_block\".";
        let more = format!(
            "{refusal} That setting requires the `thinking-binding-controls-2026-08-01` value in the `anthropic-beta` header. The `system` prompt differs."
        );
        for message in [refusal, &more] {
            assert!(is_refusal(
                error("invalid_request_error", message).as_bytes()
            ));
            assert!(!is_refusal(error("api_error", message).as_bytes()));
            assert!(!is_refusal(message.as_bytes()));
        }
        for message in [
            "messages.1.content.0: Invalid `signature` in `thinking` block",
            "messages.3.content.8: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified.",
            "thinking.adaptive.block_binding: Extra inputs are not permitted",
            "prompt is too long",
        ] {
            assert!(!is_refusal(
                error("invalid_request_error", message).as_bytes()
            ));
        }
    }

    #[test]
    fn dropping_is_asked_for_where_thinking_allows_it() {
        const ADDED: &str = r#""block_binding":{"prefix_mismatch_behavior":"drop_block"},"#;
        for (body, asks) in [
            (
                r#"{"a": 1, "thinking": { "type" : "adaptive" }, "a": 2}"#,
                Some(format!(
                    r#"{{"a": 1, "thinking": {{{ADDED} "type" : "adaptive" }}, "a": 2}}"#
                )),
            ),
            (
                r#"{"thinking":{"budget_tokens":9,"type":"enabled"}}"#,
                Some(format!(
                    r#"{{"thinking":{{{ADDED}"budget_tokens":9,"type":"enabled"}}}}"#
                )),
            ),
            (
                r#" { "messages":[{"thinking":1}]}"#,
                Some(format!(
                    r#" {{"thinking":{{"type":"adaptive",{DROP_BLOCK}}}, "messages":[{{"thinking":1}}]}}"#
                )),
            ),
            (
                r#"{"thinking":null}"#,
                Some(format!(
                    r#"{{"thinking":{{"type":"adaptive",{DROP_BLOCK}}}}}"#
                )),
            ),
            (r#"{"thinking":{"type":"disabled"}}"#, None),
            (r#"{"thinking":{}}"#, None),
            (r#"{"thinking":true}"#, None),
            (
                r#"{"thinking":{"type":"adaptive","block_binding":{"prefix_mismatch_behavior":"error"}}}"#,
                None,
            ),
            (r#"{"thinking":null,"thinking":null}"#, None),
            (r#"{"thinking":null"#, None),
            ("[]", None),
        ] {
            let body = Bytes::from(body);
            let asked = drop_block(&body).map(|asks| {
                let rope = Rope::splice(&body, [asks]);
                let slices: Vec<u8> = rope.slices().flatten().copied().collect();
                String::from_utf8(slices).unwrap()
            });
            assert_eq!(asked, asks);
        }
    }

    #[test]
    fn the_beta_is_named_once_and_with_the_others() {
        let betas = |given: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in given {
                headers.append(BETAS, HeaderValue::from_static(value));
            }
            add_beta(&mut headers);
            let values = headers.get_all(BETAS).iter();
            values
                .map(|value| value.to_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(betas(&[]), [BETA]);
        let both = "a-1,b-2,thinking-binding-controls-2026-08-01";
        assert_eq!(betas(&["a-1, b-2"]), [both]);
        assert_eq!(betas(&["a-1", "b-2"]), [both]);
        assert_eq!(betas(&[both]), [both]);
    }
}
