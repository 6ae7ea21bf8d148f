//! Which texts of Anthropic's Messages are blocks.

use super::{ANTHROPIC, check};

/// A message of the user with these parts.
fn user(parts: &str) -> String {
    format!(r#"{{"role":"user","content":[{parts}]}}"#)
}

/// A message of the user with the result of a tool that has these parts.
fn result(parts: &str) -> String {
    user(&format!(
        r#"{{"type":"tool_result","tool_use_id":"t","content":[{parts}]}}"#
    ))
}

/// Checks which texts of a part are blocks, in a message and in the result of a tool.
#[track_caller]
fn check_part(part: &str, expected: &str) {
    check(
        ANTHROPIC,
        &[(&user(part), expected), (&result(part), expected)],
    );
}

#[test]
fn texts() {
    for (part, expected) in [
        (r#"{"type":"text","text":"@1"}"#, "1"),
        (r#"{"type":"text","text":"@1","citations":null}"#, "1"),
        (r#"{"type":"text","text":"@1","citations":[]}"#, "1"),
        (
            r#"{"type":"text","text":"@1","citations":[{"cited_text":"@2"}]}"#,
            "",
        ),
        (r#"{"type":"text","text":"@1","citations":{}}"#, ""),
        (r#"{"type":"text","text":"@1","unknown":null}"#, ""),
        (
            r#"{"type":"image","source":{"type":"base64","data":"@1"}}"#,
            "",
        ),
        (r#"{"type":"container_upload","file_id":"@1"}"#, ""),
    ] {
        check_part(part, expected);
    }
    check(ANTHROPIC, &[(r#"{"role":"user","content":"@1"}"#, "1")]);
    let bare = r#"{"type":"tool_result","tool_use_id":"t","content":"@1"}"#;
    check(ANTHROPIC, &[(&user(bare), "1")]);
}

#[test]
fn documents() {
    for members in [
        r#""title":"@1","context":"@2","source":{"type":"text","media_type":"text/plain","data":"@3"}"#,
        r#""source":{"type":"text","data":"@1"},"citations":{"enabled":false}"#,
        r#""source":{"type":"text","data":"@1"},"citations":{"enabled":true}"#,
        r#""source":{"type":"base64","media_type":"application/pdf","data":"@1"}"#,
        r#""source":{"type":"content","content":[{"type":"text","text":"@1"}]}"#,
    ] {
        check_part(&format!(r#"{{"type":"document",{members}}}"#), "");
    }
}

#[test]
fn search_results() {
    let content = r#""content":[{"type":"text","text":"@3"}]"#;
    for (members, expected) in [
        (r#""source":"@1","title":"@2""#, "3"),
        (r#""citations":{"enabled":false}"#, "3"),
        (
            r#""citations":null,"cache_control":{"type":"ephemeral"}"#,
            "3",
        ),
        (r#""citations":{"enabled":true}"#, ""),
        (r#""citations":{"enabled":false,"unknown":1}"#, ""),
        (
            r#""citations":{"enabled":false},"citations":{"enabled":true}"#,
            "",
        ),
        (r#""citations":{}"#, ""),
    ] {
        let part = format!(r#"{{"type":"search_result",{members},{content}}}"#);
        check_part(&part, expected);
    }
    let cited =
        r#"{"type":"search_result","content":[{"type":"text","text":"@1","citations":[{}]}]}"#;
    check_part(cited, "");
    check_part(r#"{"type":"search_result","content":7}"#, "");
}

#[test]
fn several_in_one_message() {
    let two = r#"{"type":"search_result","content":[{"type":"text","text":"@1"},{"type":"text","text":"@2"}]}"#;
    check(ANTHROPIC, &[(&user(two), "12"), (&result(two), "")]);
    let mixed = [
        r#"{"type":"search_result","content":[{"type":"text","text":"@1"}]}"#,
        r#"{"type":"text","text":"@2"}"#,
        r#"{"type":"document","source":{"type":"text","data":"@3"}}"#,
        r#"{"type":"search_result","content":[{"type":"text","text":"@4"}]}"#,
        r#"{"type":"text","text":"@5"}"#,
    ];
    let mixed = mixed.join(",");
    check(
        ANTHROPIC,
        &[(&result(&mixed), "1245"), (&user(&mixed), "1245")],
    );
}

#[test]
fn what_servers_and_models_wrote() {
    let model = |part: &str| format!(r#"{{"role":"assistant","content":[{part}]}}"#);
    for part in [
        r#"{"type":"text","text":"@1"}"#,
        r#"{"type":"text","text":"@1","citations":null}"#,
        r#"{"type":"tool_use","id":"t","name":"n","input":{"content":"@1"}}"#,
        r#"{"type":"server_tool_use","id":"t","name":"n","input":{"command":"@1"}}"#,
        r#"{"type":"mcp_tool_use","id":"t","name":"n","server_name":"s","input":{"text":"@1"}}"#,
        r#"{"type":"mcp_tool_result","tool_use_id":"t","content":[{"type":"text","text":"@1"}]}"#,
        r#"{"type":"bash_code_execution_tool_result","tool_use_id":"t","content":{"type":"bash_code_execution_result","stdout":"@1","stderr":"@2"}}"#,
        r#"{"type":"text_editor_code_execution_tool_result","tool_use_id":"t","content":{"type":"text_editor_code_execution_view_result","content":"@1"}}"#,
        r#"{"type":"web_search_tool_result","tool_use_id":"t","content":[{"type":"web_search_result","encrypted_content":"@1"}]}"#,
        r#"{"type":"web_fetch_tool_result","tool_use_id":"t","content":{"type":"web_fetch_result","content":{"type":"document","source":{"type":"text","data":"@1"}}}}"#,
        r#"{"type":"document","source":{"type":"text","data":"@1"}}"#,
        r#"{"type":"search_result","content":[{"type":"text","text":"@1"}]}"#,
        r#"{"type":"tool_result","tool_use_id":"t","content":"@1"}"#,
    ] {
        check(ANTHROPIC, &[(&model(part), "")]);
    }
    let in_the_user_s_name = r#"{"role":"user","content":[{"type":"mcp_tool_result","tool_use_id":"t","content":[{"type":"text","text":"@1"}]}]}"#;
    check(
        ANTHROPIC,
        &[
            (in_the_user_s_name, ""),
            (r#"{"role":"system","content":"@1"}"#, ""),
        ],
    );
}
