//! What a scripted model does with its tools, step by step: the next step follows from how many tool results it has been given.

use headroom_shared::contract::retrieval::is_retrieval_tool;
use serde_json::{Value, json};

use super::{Says, Tool};
use crate::shortened::{first_gap, shortened};

/// One tool call.
#[derive(Debug, Clone)]
pub enum Step {
    /// Of this tool with this input.
    Call(&'static str, Value),
    /// Of whatever shell tool the request offers, with this command.
    Shell(String),
    /// Of the retrieval tool, for the first lines that are left out of the shortened text in the request.
    Retrieve,
    /// Of the retrieval tool, for the lines of the original that match this pattern.
    Search(&'static str),
}

/// What the model says to a request with this body: the next step, or a last word where there is none or the request does not offer what it
/// takes.
pub(super) fn next(steps: &[Step], body: &[u8]) -> Says {
    if steps.is_empty() {
        return Says::Ok;
    }
    let text = std::str::from_utf8(body).unwrap_or_default();
    let value: Value = text.parse().unwrap_or_default();
    let offered = offered(&value);
    let step = steps.get(results(&value));
    match step.filter(|_| !offered.is_empty()) {
        Some(Step::Call(name, input)) => Says::Call((*name).into(), input.clone()),
        Some(Step::Shell(command)) => shell(&offered, command),
        Some(Step::Retrieve) => retrieve(&offered, body, None).unwrap_or(Says::Ok),
        Some(Step::Search(pattern)) => retrieve(&offered, body, Some(*pattern)).unwrap_or(Says::Ok),
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

/// The tools that the model may call at once. Codex groups some of them, and may send them as an item of its input.
fn offered(body: &Value) -> Vec<Tool> {
    let items = body["input"].as_array().into_iter().flatten();
    let items = items.filter(|item| item["type"] == "additional_tools");
    let holders = items.chain([body]);
    let tools = holders.flat_map(|holder| list(&holder["tools"]));
    let tools = tools.flat_map(|tool| {
        let within = list(&tool["tools"]).map(|inner| (tool["name"].as_str(), inner));
        within.chain([(None, tool)])
    });
    let tools = tools.filter(|(_, tool)| tool["defer_loading"] != true);
    let named = tools.filter_map(|(namespace, tool)| {
        Some(Tool {
            namespace: namespace.map(str::to_owned),
            name: tool["name"].as_str()?.to_owned(),
        })
    });
    named.collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A call of the retrieval tool, for what matches this pattern or else the first lines that are left out; `None` where it is not offered, or no
/// text lacks lines.
fn retrieve(offered: &[Tool], body: &[u8], pattern: Option<&str>) -> Option<Says> {
    let tool = offered.iter().find(|tool| is_retrieval_tool(&tool.name))?;
    let (text, original) = shortened(body)?;
    let id = original.to_string();
    let input = match pattern {
        Some(pattern) => json!({"id": id, "pattern": pattern}),
        None => json!({"id": id, "lines": first_gap(&text)?}),
    };
    Some(Says::Call(tool.clone(), input))
}

/// A call of the shell tool that is offered. Codex' newest models have none but call it from a script.
fn shell(offered: &[Tool], command: &str) -> Says {
    let has = |name: &str| offered.iter().any(|tool| tool.name == name);
    if has("Bash") {
        let input = json!({"command": command, "description": "Look around"});
        return Says::Call("Bash".into(), input);
    }
    if has("exec_command") {
        return Says::Call("exec_command".into(), json!({"cmd": command}));
    }
    if has("shell_command") {
        return Says::Call("shell_command".into(), json!({"command": command}));
    }
    if has("exec") {
        let command = Value::from(command);
        let script =
            format!("const r = await tools.exec_command({{cmd: {command}}});\ntext(r.output);\n");
        return Says::Call("exec".into(), Value::String(script));
    }
    let input = json!({"command": ["bash", "-lc", command]});
    Says::Call("shell".into(), input)
}
