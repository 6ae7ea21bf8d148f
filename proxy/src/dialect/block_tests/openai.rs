//! Which texts of `OpenAI`'s formats are blocks.

use headroom_shared::contract::id::DigestKey;

use super::{CHAT, RESPONSES, body, check, long, scanned};
use crate::dialect::DIALECTS;
use crate::plan::blocks::unescaped;
use crate::scan::scan;

#[test]
fn chat_completions() {
    check(
        CHAT,
        &[
            (r#"{"role":"user","content":"@1"}"#, "1"),
            (
                r#"{"role":"user","content":[{"type":"text","text":"@1"},{"type":"file","file":{"file_data":"@2"}}]}"#,
                "1",
            ),
            (r#"{"role":"tool","tool_call_id":"c","content":"@1"}"#, "1"),
            (
                r#"{"role":"tool","tool_call_id":"c","content":[{"type":"text","text":"@1"},{"type":"text","text":"@2"}]}"#,
                "12",
            ),
            (r#"{"role":"function","name":"f","content":"@1"}"#, "1"),
            (r#"{"role":"developer","content":"@1"}"#, ""),
            (
                r#"{"role":"developer","content":[{"type":"text","text":"@1"}]}"#,
                "",
            ),
            (r#"{"role":"system","content":"@1"}"#, ""),
            (r#"{"role":"assistant","content":"@1"}"#, ""),
        ],
    );
}

#[test]
fn responses() {
    check(
        RESPONSES,
        &[
            (
                r#"{"type":"message","role":"user","content":[{"type":"input_text","text":"@1"},{"type":"input_file","file_data":"@2"}]}"#,
                "1",
            ),
            (
                r#"{"type":"function_call_output","call_id":"c","output":"@1"}"#,
                "1",
            ),
            (
                r#"{"type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":"@1"},{"type":"input_image","image_url":"@2"}]}"#,
                "1",
            ),
            (
                r#"{"type":"custom_tool_call_output","call_id":"c","output":"@1"}"#,
                "1",
            ),
            (
                r#"{"type":"local_shell_call_output","id":"c","output":"@1"}"#,
                "1",
            ),
            (
                r#"{"type":"apply_patch_call_output","call_id":"c","status":"completed","output":"@1"}"#,
                "1",
            ),
            (
                r#"{"type":"shell_call_output","call_id":"c","output":[{"stdout":"@1","stderr":"@2","outcome":{"type":"exit","exit_code":0}},{"stderr":"@3","stdout":"@4","outcome":{"type":"timeout"}}]}"#,
                "1234",
            ),
            (
                r#"{"type":"shell_call_output","call_id":"c","output":[{"stdout":"@1","stdout":"@2","stderr":["@3"]}]}"#,
                "",
            ),
        ],
    );
}

#[test]
fn items_of_responses_without_a_block() {
    check(
        RESPONSES,
        &[
            (
                r#"{"type":"computer_call_output","call_id":"c","output":{"type":"computer_screenshot","image_url":"@1"}}"#,
                "",
            ),
            (
                r#"{"type":"tool_search_output","call_id":"c","tools":[{"description":"@1"}]}"#,
                "",
            ),
            (
                r#"{"type":"mcp_call","id":"m","server_label":"s","name":"n","arguments":"{}","output":"@1"}"#,
                "",
            ),
            (
                r#"{"type":"code_interpreter_call","id":"i","code":"@1","outputs":[{"type":"logs","logs":"@2"}]}"#,
                "",
            ),
            (
                r#"{"type":"file_search_call","id":"f","results":[{"text":"@1"}]}"#,
                "",
            ),
            (
                r#"{"type":"message","role":"developer","content":"@1"}"#,
                "",
            ),
            (
                r#"{"type":"message","role":"assistant","content":[{"type":"output_text","text":"@1","annotations":[]}]}"#,
                "",
            ),
            (
                r#"{"type":"reasoning","summary":[{"type":"summary_text","text":"@1"}],"encrypted_content":"@2"}"#,
                "",
            ),
            (r#"{"type":"compaction","encrypted_content":"@1"}"#, ""),
        ],
    );
}

#[test]
fn an_input_that_is_no_list() {
    let whole = |input: &str| {
        body(RESPONSES, "")
            .replace("[]", input)
            .replace("@1", &long('1'))
    };
    assert_eq!(scanned(RESPONSES, &whole("\"@1\"")).blocks.len(), 1);
    // OpenAI takes no such input.
    let one = whole(r#"{"type":"function_call_output","call_id":"c","output":"@1"}"#);
    let key = DigestKey::from_bytes([7; 32]);
    assert!(scan(one.as_bytes(), DIALECTS[RESPONSES], &key).is_err());
}

#[test]
fn the_output_of_a_tool_of_the_provider_s_has_its_call() {
    let items = [
        r#"{"type":"local_shell_call","call_id":"c1","action":{"type":"exec","command":["ls","-l"]}},{"type":"local_shell_call_output","id":"c1","output":"@1"}"#,
        r#"{"call_id":"c2","action":{"commands":["ls"]},"type":"shell_call"},{"type":"shell_call_output","call_id":"c2","output":[{"stdout":"@2","stderr":""}]}"#,
        r#"{"type" : "apply_patch_call","call_id":"c3","operation":{"type":"update_file","path":"a.rs"}},{"type":"apply_patch_call_output","call_id":"c3","output":"@3"}"#,
    ];
    let body = body(RESPONSES, &items.join(","));
    let scan = scanned(RESPONSES, &body);
    let found = unescaped(body.as_bytes(), &scan).map(|(_, block)| (block.tool, block.input));
    let call = |tool: &str, input: &str| (Some(tool.to_owned()), Some(input.to_owned()));
    assert_eq!(
        Vec::from_iter(found),
        [
            call(
                "local_shell_call",
                r#"{"type":"exec","command":["ls","-l"]}"#
            ),
            call("shell_call", r#"{"commands":["ls"]}"#),
            call(
                "apply_patch_call",
                r#"{"type":"update_file","path":"a.rs"}"#
            ),
        ]
    );
}
