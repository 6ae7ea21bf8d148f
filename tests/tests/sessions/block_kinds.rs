//! Texts that stand elsewhere than in the content of a message: they go out in forms, and everything around them as it came.

use headroom_shared::compress::{Earlier, expand};
use headroom_tests::conversation::listing;
use headroom_tests::http::Call;
use headroom_tests::process::Launch;
use headroom_tests::stage::Stage;
use serde_json::{Value, json};

fn patient(launch: Launch) -> Launch {
    launch.patient()
}

/// A body with a listing at a JSON pointer.
fn cases() -> Vec<(&'static str, Value, &'static str)> {
    let text = listing(1, 20_000);
    let user = |part: Value| json!({"model": "claude-opus-4-6", "messages": [{"role": "user", "content": [part]}]});
    let result =
        |part: Value| user(json!({"type": "tool_result", "tool_use_id": "t", "content": [part]}));
    let found = json!({"type": "search_result", "source": "s", "title": "T", "content": [{"type": "text", "text": text}]});
    let item = |item: Value| json!({"model": "gpt-6.1-sol", "input": [{"role": "user", "content": "Go."}, item]});
    let outcome = json!({"type": "exit", "exit_code": 1});
    let shell = json!({"type": "shell_call_output", "call_id": "c", "max_output_length": 99_999, "output": [
        {"stdout": "short", "stderr": text, "outcome": outcome},
    ]});
    let patch = json!({"type": "apply_patch_call_output", "call_id": "c", "status": "failed", "output": text});
    let local = json!({"type": "local_shell_call_output", "id": "c", "output": text});
    let (messages, responses) = ("/v1/messages", "/v1/responses");
    vec![
        (
            messages,
            user(found.clone()),
            "/messages/0/content/0/content/0/text",
        ),
        (
            messages,
            result(found),
            "/messages/0/content/0/content/0/content/0/text",
        ),
        (responses, item(shell), "/input/1/output/0/stderr"),
        (responses, item(patch), "/input/1/output"),
        (responses, item(local), "/input/1/output"),
    ]
}

#[tokio::test]
async fn every_kind_of_block_goes_out_in_a_form_that_says_all_of_it() {
    let stage = Stage::embedded(patient).await;
    for (path, mut body, place) in cases() {
        let (decision, got) = stage.exchange(&Call::post(path, body.to_string())).await;
        assert_eq!(decision, "compressed", "{path} {place}");
        let mut got: Value = serde_json::from_slice(&got).unwrap();
        let form = got.pointer_mut(place).unwrap().take();
        let text = body.pointer_mut(place).unwrap().take();
        let expanded = expand(form.as_str().unwrap(), &Earlier::default()).unwrap();
        assert_eq!(Value::from(expanded), text, "{path} {place}");
        assert_eq!(got, body, "{path} {place}");
    }
}
