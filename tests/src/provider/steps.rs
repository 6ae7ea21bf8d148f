//! What a scripted model does with its tools, step by step: the next step follows from how many tool results it has been given.

use serde_json::{Value, json};

use super::Says;

/// One tool call.
#[derive(Debug, Clone)]
pub enum Step {
    /// Of this tool with this input.
    Call(&'static str, Value),
    /// Of whatever shell tool the request offers, with this command.
    Shell(String),
}

/// What the model says to a request with this body: the next step, or a last word where there is none or the request offers no tools.
pub(super) fn next(steps: &[Step], body: &[u8]) -> Says {
    if steps.is_empty() {
        return Says::Ok;
    }
    let text = std::str::from_utf8(body).unwrap_or_default();
    let body: Value = text.parse().unwrap_or_default();
    let offered = offered(&body);
    let step = steps.get(results(&body));
    match step.filter(|_| !offered.is_empty()) {
        Some(Step::Call(name, input)) => Says::Call(name, input.clone()),
        Some(Step::Shell(command)) => shell(&offered, command),
        None => Says::Ok,
    }
}

/// How many tool results stand in a request.
fn results(body: &Value) -> usize {
    let items = body["messages"].as_array().or(body["input"].as_array());
    let count = |item: &Value| match item["type"].as_str() {
        Some("function_call_output" | "custom_tool_call_output") => 1,
        _ => list(&item["content"])
            .filter(|part| part["type"] == "tool_result")
            .count(),
    };
    items.into_iter().flatten().map(count).sum()
}

/// The names of the tools that a request offers. Codex groups some of them, and may send them as an item of its input.
fn offered(body: &Value) -> Vec<&str> {
    let items = body["input"].as_array().into_iter().flatten();
    let holders = items.chain([body]);
    let tools = holders.flat_map(|holder| list(&holder["tools"]));
    tools
        .flat_map(|tool| list(&tool["tools"]).chain([tool]))
        .filter_map(|tool| tool["name"].as_str())
        .collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A call of the shell tool that is offered. Codex' newest models have none but call it from a script.
fn shell(offered: &[&str], command: &str) -> Says {
    let has = |name: &str| offered.contains(&name);
    if has("Bash") {
        let input = json!({"command": command, "description": "Look around"});
        return Says::Call("Bash", input);
    }
    if has("exec_command") {
        return Says::Call("exec_command", json!({"cmd": command}));
    }
    if has("shell_command") {
        return Says::Call("shell_command", json!({"command": command}));
    }
    if has("exec") {
        let command = Value::from(command);
        let script =
            format!("const r = await tools.exec_command({{cmd: {command}}});\ntext(r.output);\n");
        return Says::Call("exec", Value::String(script));
    }
    Says::Call("shell", json!({"command": ["bash", "-lc", command]}))
}
