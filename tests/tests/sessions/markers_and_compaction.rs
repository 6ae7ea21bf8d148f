//! What stands in a conversation beside its content and must not change what its blocks are sent as: marks that ask for caching and move
//! from turn to turn, items that clients append, compactions.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use headroom_tests::conversation::{Dialect, listing};
use headroom_tests::http::Call;
use headroom_tests::process::Launch;
use headroom_tests::stage::Stage;
use serde_json::{Value, json};

fn patient(launch: Launch) -> Launch {
    launch.patient()
}

/// Posts a body, and gives the decision and what the provider got.
async fn post(stage: &Stage, path: &str, body: &Value) -> (String, Value) {
    let (decision, got) = stage.exchange(&Call::post(path, body.to_string())).await;
    (decision, serde_json::from_slice(&got).unwrap())
}

fn text_part(kind: &str, text: &str, marked: bool) -> Value {
    let mut part = json!({"type": kind, "text": text});
    if marked {
        part["prompt_cache_breakpoint"] = json!({"type": "default"});
    }
    part
}

/// A call and its output, as items of the Responses API.
fn responses_call(n: usize, output: &Value) -> [Value; 2] {
    let id = format!("call_{n}");
    [
        json!({"type": "function_call", "call_id": id, "name": "exec", "arguments": "{}"}),
        json!({"type": "function_call_output", "call_id": id, "output": output}),
    ]
}

#[tokio::test]
async fn a_breakpoint_that_moves_flips_no_form_in_responses() {
    let stage = Stage::embedded(patient).await;
    let user = |text: &str, marked| json!({"type": "message", "role": "user", "content": [text_part("input_text", text, marked)]});
    let marked = |items: &[Value]| json!({"model": "gpt-6.1-sol", "input": items});
    let [call, output] = responses_call(
        1,
        &json!([text_part("input_text", &listing(1, 20_000), true)]),
    );
    let (decision, first) = post(
        &stage,
        "/v1/responses",
        &marked(&[user("Read it.", true), call.clone(), output]),
    )
    .await;
    assert_eq!(decision, "compressed", "an output with a mark is a block");
    let [_, output] = responses_call(
        1,
        &json!([text_part("input_text", &listing(1, 20_000), false)]),
    );
    let answer = json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "ok"}]});
    let next = marked(&[
        user("Read it.", false),
        call,
        output,
        answer,
        user("Go on.", true),
    ]);
    let (decision, second) = post(&stage, "/v1/responses", &next).await;
    assert_eq!(decision, "compressed");
    let sent = |body: &Value| body["input"][2]["output"][0]["text"].clone();
    assert_eq!(sent(&first), sent(&second));
}

#[tokio::test]
async fn a_breakpoint_that_moves_flips_no_form_in_chat_completions() {
    for marker in ["prompt_cache_breakpoint", "cache_control"] {
        let stage = Stage::embedded(patient).await;
        let part = |text: &str, marked| {
            let mut part = json!({"type": "text", "text": text});
            if marked {
                part[marker] = json!({"type": "ephemeral"});
            }
            json!([part])
        };
        let call = json!({"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "exec", "arguments": "{}"}}]});
        let messages = |marked: bool| {
            vec![
                json!({"role": "user", "content": part("Read it.", marked)}),
                call.clone(),
                json!({"role": "tool", "tool_call_id": "c1", "content": part(&listing(1, 20_000), marked)}),
            ]
        };
        let body = |messages: &[Value]| json!({"model": "gpt-6.1-sol", "messages": messages});
        let (decision, first) = post(&stage, "/v1/chat/completions", &body(&messages(true))).await;
        assert_eq!(decision, "compressed", "{marker}");
        let mut next = messages(false);
        next.push(json!({"role": "assistant", "content": "ok"}));
        next.push(json!({"role": "user", "content": part("Go on.", true)}));
        let (_, second) = post(&stage, "/v1/chat/completions", &body(&next)).await;
        let sent = |body: &Value| body["messages"][2]["content"][0]["text"].clone();
        assert_eq!(sent(&first), sent(&second), "{marker}");
    }
}

#[tokio::test]
async fn a_compaction_is_asked_for_with_the_forms_that_were_sent() {
    let stage = Stage::embedded(patient).await;
    let user = json!({"type": "message", "role": "user", "content": [text_part("input_text", "Read it.", false)]});
    let [call, output] = responses_call(1, &json!(listing(1, 20_000)));
    let items = vec![user, call, output];
    let body = |items: &[Value]| json!({"model": "gpt-6.1-sol", "input": items});
    let (_, first) = post(&stage, "/v1/responses", &body(&items)).await;
    let mut more = items.clone();
    more.extend(responses_call(2, &json!(listing(2, 20_000))));
    for path in [
        "/v1/responses/compact",
        "/backend-api/codex/responses/compact",
    ] {
        let (decision, got) = post(&stage, path, &body(&more)).await;
        assert_eq!(decision, "compressed", "{path}");
        assert_eq!(got["input"][2], first["input"][2], "{path}");
        // What the session has not sent yet is sent as it is.
        assert_eq!(got["input"][4], more[4], "{path}");
    }
    assert_eq!(stage.stats().await["jobs"]["enqueued"], 0);
}

#[tokio::test]
async fn outputs_before_what_a_client_appends_are_new() {
    for kind in [
        "configuration_update",
        "additional_tools",
        "mcp_approval_response",
        "item_reference",
        "compaction_trigger",
    ] {
        let stage = Stage::embedded(patient).await;
        let user = json!({"type": "message", "role": "user", "content": [text_part("input_text", "Read it.", false)]});
        let [call, output] = responses_call(1, &json!(listing(1, 20_000)));
        let body = json!({"model": "gpt-6.1-sol", "input": [user, call, output, {"type": kind, "id": "x"}]});
        let (decision, _) = post(&stage, "/v1/responses", &body).await;
        assert_eq!(decision, "compressed", "{kind}");
    }
}

/// Whether the last of two like outputs refers to the first.
fn refers(got: &Value, item: usize) -> bool {
    let text = got["input"][item]["output"].as_str().unwrap();
    text.contains("[headroom: the same text, word for word, as ")
}

#[tokio::test]
async fn nothing_refers_to_what_stands_before_a_compaction() {
    let user = json!({"type": "message", "role": "user", "content": [text_part("input_text", "Read it.", false)]});
    let like = |n| responses_call(n, &json!(listing(1, 20_000)));
    let conversation = |between: Option<Value>| {
        let mut items = vec![user.clone()];
        items.extend(like(1));
        items.extend(between);
        items.extend(like(2));
        json!({"model": "gpt-4.1", "input": items})
    };
    let stage = Stage::embedded(patient).await;
    let (_, got) = post(&stage, "/v1/responses", &conversation(None)).await;
    assert!(refers(&got, 4), "{got}");
    for kind in ["compaction", "compaction_summary", "context_compaction"] {
        let stage = Stage::embedded(patient).await;
        let compaction = json!({"type": kind, "encrypted_content": "x"});
        let (_, got) = post(&stage, "/v1/responses", &conversation(Some(compaction))).await;
        assert!(!refers(&got, 5), "{got}");
    }
    // It may name a compaction.
    let stage = Stage::embedded(patient).await;
    let reference = json!({"type": "item_reference", "id": "x"});
    let (decision, got) = post(&stage, "/v1/responses", &conversation(Some(reference))).await;
    assert_eq!(decision, "compressed");
    assert!(!refers(&got, 5), "{got}");
}

#[tokio::test]
async fn references_start_afresh_behind_a_compaction() {
    let stage = Stage::embedded(patient).await;
    let mut items = responses_call(1, &json!(listing(1, 20_000))).to_vec();
    items.push(json!({"type": "compaction", "encrypted_content": "x"}));
    items.extend(responses_call(2, &json!(listing(2, 20_000))));
    items.extend(responses_call(3, &json!(listing(2, 20_000))));
    let body = json!({"model": "gpt-4.1", "input": items});
    let (_, got) = post(&stage, "/v1/responses", &body).await;
    // The block before the compaction does not count.
    assert!(refers(&got, 6), "{got}");
}

#[tokio::test]
async fn outputs_of_a_session_under_way_whose_items_are_stored_are_not_new() {
    let stage = Stage::embedded(patient).await;
    let reference = |id: &str| json!({"type": "item_reference", "id": id});
    let user = json!({"role": "user", "content": "Read it."});
    let [_, output] = responses_call(1, &json!(listing(1, 20_000)));
    let [_, next] = responses_call(2, &json!(listing(2, 20_000)));
    let items = [user, reference("fc_1"), output, reference("fc_2"), next];
    let body = json!({"model": "gpt-6.1-sol", "input": items});
    let (decision, got) = post(&stage, "/v1/responses", &body).await;
    assert_eq!(decision, "compressed");
    assert_eq!(got["input"][2], body["input"][2], "it may be cached");
    assert_ne!(got["input"][4], body["input"][4]);
}

#[tokio::test]
async fn nothing_refers_to_anything_in_a_history_that_the_provider_keeps() {
    for member in ["previous_response_id", "conversation"] {
        let stage = Stage::embedded(patient).await;
        let mut items: Vec<Value> = responses_call(1, &json!(listing(1, 20_000))).to_vec();
        items.extend(responses_call(2, &json!(listing(1, 20_000))));
        let mut body = json!({"model": "gpt-4.1", "input": items});
        body[member] = json!("resp_1");
        let (_, got) = post(&stage, "/v1/responses", &body).await;
        assert!(!refers(&got, 3), "{member}");
    }
}

#[tokio::test]
async fn nothing_refers_to_what_stands_before_a_compaction_block() {
    let stage = Stage::embedded(patient).await;
    let result = |id: &str| json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": listing(1, 20_000)}]});
    let messages = |compaction: bool| {
        let mut content =
            vec![json!({"type": "tool_use", "id": "t2", "name": "Read", "input": {}})];
        if compaction {
            content.insert(
                0,
                json!({"type": "compaction", "content": "What was said before."}),
            );
        }
        json!([result("t1"), {"role": "assistant", "content": content}, result("t2")])
    };
    for compaction in [false, true] {
        let body = json!({"model": "claude-sonnet-4-5", "messages": messages(compaction)});
        let (_, got) = post(&stage, Dialect::Messages.path(), &body).await;
        let text = got["messages"][2]["content"][0]["content"]
            .as_str()
            .unwrap();
        let refers = text.contains("[headroom: the same text, word for word, as ");
        assert_eq!(refers, !compaction, "{text}");
    }
}
