//! What of a request the model sees, and what in it the model wrote.

use super::{ANTHROPIC, RESPONSES, body, scanned};

/// The position of the last item that the model wrote, given the types of the items: `r` for a reference, `a` for an approval, `t` for a
/// trigger of a compaction, `c` for a call, `o` for an output, `u` for a user's message.
fn last_from_model(story: &str) -> Option<usize> {
    let item = |letter| match letter {
        'r' => r#"{"type":"item_reference","id":"i"}"#,
        'a' => r#"{"type":"mcp_approval_response","approval_request_id":"i","approve":true}"#,
        't' => r#"{"type":"compaction_trigger"}"#,
        'c' => r#"{"type":"function_call","call_id":"c","name":"n","arguments":"{}"}"#,
        'o' => r#"{"type":"function_call_output","call_id":"c","output":"@1"}"#,
        _ => r#"{"role":"user","content":"hi"}"#,
    };
    let items: Vec<&str> = story.chars().map(item).collect();
    scanned(RESPONSES, &body(RESPONSES, &items.join(","))).last_from_model()
}

#[test]
fn what_a_client_appends_is_not_the_model_s() {
    for (story, last) in [
        ("uco", Some(1)),
        ("ucora", Some(1)),
        ("ucor", Some(1)),
        ("ucoa", Some(1)),
        ("ucot", Some(1)),
        ("ucoarto", Some(4)),
        ("urro", Some(2)),
        ("urrora", Some(2)),
        ("urroru", Some(4)),
        ("u", None),
        ("r", None),
    ] {
        assert_eq!(last_from_model(story), last, "{story}");
    }
}

#[test]
fn what_a_reference_names_is_not_known() {
    let items = r#"{"role":"user","content":"@1"},{"type":"item_reference","id":"i"},{"type":"function_call_output","call_id":"c","output":"@1"}"#;
    let scan = scanned(RESPONSES, &body(RESPONSES, items));
    assert!(!scan.references, "it may be a compaction");
    assert_eq!(scan.last_thinking(), Some(1), "it may be reasoning");
    assert_eq!(scan.opening_messages().len(), 1);
}

#[test]
fn every_kind_of_compaction_hides_what_stands_before_it() {
    for kind in ["compaction", "compaction_summary", "context_compaction"] {
        let items = format!(
            r#"{{"role":"user","content":"@1"}},{{"type":"{kind}","encrypted_content":"x"}},{{"role":"user","content":"@2"}}"#
        );
        let scan = scanned(RESPONSES, &body(RESPONSES, &items));
        assert_eq!(scan.first_visible_message(), 1, "{kind}");
        assert_eq!(scan.last_thinking(), Some(1), "{kind}");
    }
    let messages = r#"{"role":"user","content":"@1"},{"role":"assistant","content":[{"type":"compaction","content":"x"}]},{"role":"user","content":"@2"}"#;
    let scan = scanned(ANTHROPIC, &body(ANTHROPIC, messages));
    assert_eq!(scan.first_visible_message(), 1);
}
